/**
 * Goal: a file that is about to be let go of is looked at until then.
 * Method: a TailedFile over a real file, and times that the test gives.
 */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openFile, readFingerprint } from '#agent/logs/tail/opened-file.ts';
import { TailedFile } from '#agent/logs/tail/tailed-file.ts';
import { temporaryDirectory } from '../log-agent-run.ts';

async function tail(path: string): Promise<TailedFile> {
  const opened = (await openFile(path))!;
  const rules = { isCollected: true, multiline: 'auto', parse: '', rateLimitBytes: 0 };
  return new TailedFile(opened, {
    id: 1,
    fingerprint: await readFingerprint(opened.handle),
    format: 'plain',
    description: { resource: {}, rules, isAwaited: false },
    offset: 0,
    base: undefined,
    nowMs: 0,
  });
}

test('a quiet file that left its path is not let go of while it grew', async () => {
  const path = join(temporaryDirectory(), 'a.log');
  writeFileSync(path, 'first\n');
  const file = await tail(path);
  file.markPresence(undefined, 10_000);
  file.poll(39_900);
  appendFileSync(path, 'second\n');
  file.poll(40_100);
  file.finishIfQuiet(30_000, 40_100);
  expect(file.isFinished).toBe(false);
  expect(file.unreadBytes).toBe(13);
  await file.close();
});
