/**
 * Goal: the embedded engine is a Store, and its data directory is safe from a second process, a killed process and a
 * small thread pool.
 * Method: the conformance suite, then child processes on the real engine.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { ConfigError } from '#model/errors.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import type { Store } from '#store/store.ts';
import { describeStore } from '../conformance.case.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-store-'));
const path = join(directory, 'data');
const spoolDirectory = join(directory, 'spool');
let store: Store | undefined;

const open = async (): Promise<Store> => {
  store = await openEmbeddedStore({ path, spoolDirectory });
  return store;
};

afterAll(() => rmSync(directory, { recursive: true, force: true }));

describeStore('embedded', {
  open,
  reopen: async () => {
    await store?.close();
    return open();
  },
  close: async () => store?.close(),
});

const secondProcess = fileURLToPath(new URL('./second-process-child.ts', import.meta.url));
const killedWriter = fileURLToPath(new URL('./killed-writer-child.ts', import.meta.url));

describe('the data directory', () => {
  test('is refused to a second process with a message that says what to do', async () => {
    const held = await openEmbeddedStore({ path, spoolDirectory });
    const { stdout } = spawnSync(process.execPath, [secondProcess, path], { encoding: 'utf8' });
    await held.close();
    expect(stdout).toBe(
      `SONDE_CONFIG data directory ${path} is in use by another sonde process: stop it or give another with --data\n`,
    );
    const { stdout: after } = spawnSync(process.execPath, [secondProcess, path], { encoding: 'utf8' });
    expect(after).toBe('opened\n');
  });

  test('keeps every acknowledged insert of a process that was killed, once', async () => {
    const killed = join(directory, 'killed');
    const writer = spawn(process.execPath, [killedWriter, killed], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(writer, 'exit');
    let acknowledged = '';
    // The pipe stays open: only the kill may end the writer.
    for await (const chunk of writer.stdout.iterator({ destroyOnReturn: false })) {
      acknowledged += String(chunk);
      if (acknowledged.split('\n').length > 5) break;
    }
    writer.kill('SIGKILL');
    await exited;
    const last = Number(acknowledged.trim().split('\n').at(-1));
    const reopened = await openEmbeddedStore({ path: killed });
    const [row] = await reopened.rows<{ n: string; rows: string }>(
      'SELECT uniqExactIf(id, id <= {last:UInt64}) AS n, countIf(id <= {last:UInt64}) AS rows FROM samples_head',
      { params: { last } },
    );
    await reopened.close();
    expect(row).toEqual({ n: String(last + 1), rows: String((last + 1) * 100) });
  });

  test('that cannot be made is refused', async () => {
    const file = join(directory, 'a file');
    writeFileSync(file, '');
    await expect(openEmbeddedStore({ path: join(file, 'data') })).rejects.toThrow(ConfigError);
  });
});

test('the spool is private, reused, and gone after close; what a dead process left is removed', async () => {
  const spool = join(directory, 'spool-2');
  const stale = spawnSync(process.execPath, ['-e', 'process.stdout.write(String(process.pid))'], {
    encoding: 'utf8',
  });
  const namespace = readlinkSync('/proc/self/ns/pid').replace(/\D/g, '');
  mkdirSync(join(spool, `sonde-spool-${namespace}-${stale.stdout}-old`), { recursive: true });
  mkdirSync(join(spool, `sonde-spool-1-${stale.stdout}-other-namespace`), { recursive: true });
  const opened = await openEmbeddedStore({ path: join(directory, 'data-2'), spoolDirectory: spool });
  const kept = readdirSync(spool).filter((name) => !name.endsWith('other-namespace'));
  expect(kept).toHaveLength(1);
  expect(statSync(join(spool, String(kept[0]))).mode & 0o777).toBe(0o700);
  await opened.close();
  expect(readdirSync(spool)).toEqual([`sonde-spool-1-${stale.stdout}-other-namespace`]);
});

test('more sessions than threads are refused: nothing could be cancelled', async () => {
  const opening = openEmbeddedStore({ path: join(directory, 'threads'), querySessions: 1000 });
  await expect(opening).rejects.toThrow(
    /UV_THREADPOOL_SIZE is \d+, but the embedded store runs up to 1007 statements/,
  );
});
