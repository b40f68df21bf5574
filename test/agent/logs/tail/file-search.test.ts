/**
 * Goal: a file that is rotated while it is looked for is found all the same.
 * Method: one rename at a random moment of each search, many searches; the same search without a rename as the floor.
 */
import { mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { findSameFile, type SoughtFile } from '#agent/logs/tail/file-search.ts';
import { readFingerprint, statIdentity } from '#agent/logs/tail/opened-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-search-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const names = [join(directory, 'app.log'), join(directory, 'app.log.1')] as const;
writeFileSync(names[0], 'the first line of a log file\n'.repeat(10));

async function describe(path: string): Promise<SoughtFile> {
  const stats = statSync(path, { bigint: true });
  const handle = await open(path);
  const fingerprint = await readFingerprint(handle);
  await handle.close();
  return {
    path,
    ...statIdentity(stats),
    fingerprint,
    size: Number(stats.size),
    mtimeMs: Number(stats.mtimeMs),
  };
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test('a file that is renamed during the search is found, whenever the rename comes', async () => {
  let at = 0;
  let found = 0;
  const rounds = 400;
  const sought = await describe(names[0]);
  for (let round = 0; round < rounds; round++) {
    const search = findSameFile(sought);
    await turns(round % 40);
    renameSync(names[at]!, names[1 - at]!);
    at = 1 - at;
    // A name that is gone when it is opened is an error that the caller answers by searching again.
    const file = await search.catch(() => findSameFile(sought));
    if (file !== undefined) found++;
    await file?.handle.close();
  }
  expect(found).toBe(rounds);
});

test('a file that is gone is not found, and another file under its name is not taken for it', async () => {
  const sought = await describe(
    names.find((name) => statSync(name, { throwIfNoEntry: false }) !== undefined)!,
  );
  for (const name of names) rmSync(name, { force: true });
  writeFileSync(names[0], 'another file with other first bytes\n'.repeat(20));
  expect(await findSameFile(sought)).toBeUndefined();
});
