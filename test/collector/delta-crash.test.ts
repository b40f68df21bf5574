/**
 * Goal: kill -9 around the insert of delta points loses none and counts none twice.
 * Method: a collector in a child process over the real embedded store, killed between the insert and the answer and just
 * before the insert; a new one gets what was not answered again. Then the totals in the store are the sums of all points.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import type { DeltaPoint } from '../support/delta-request.ts';
import type { CrashOrder } from './crashing-delta.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-delta-crash-'));
const path = join(directory, 'data');
const answeredPath = join(directory, 'answered');
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const firstMs = Date.now() - 900_000;
/** The n-th request: two intervals of two series, powers of two, so that a sum tells what is in it. */
const requests = Array.from({ length: 12 }, (_, number) => {
  const points: DeltaPoint[] = [];
  for (const half of [2 * number, 2 * number + 1]) {
    const interval = { startMs: firstMs + half * 10_000, endMs: firstMs + (half + 1) * 10_000 };
    for (const route of ['a', 'b']) points.push({ ...interval, value: 2 ** half, route });
  }
  return { number, points };
});

const answered = (): number[] =>
  existsSync(answeredPath) ? readFileSync(answeredPath, 'utf8').trim().split('\n').map(Number) : [];

/** Runs a collector on what was not answered; returns the signal that ended it. */
async function run(
  step: CrashOrder['step'],
  table: CrashOrder['table'],
  at: number,
): Promise<NodeJS.Signals | null> {
  const done = answered();
  const rest = requests.filter(({ number }) => !done.includes(number));
  const order: CrashOrder = { path, answeredPath, requests: rest, step, table, at };
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'crashing-delta.ts'), JSON.stringify(order)],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  if (signal === null) expect(code).toBe(0);
  return signal;
}

test('totals are exact after a kill between insert and answer, and before an insert', async () => {
  // The samples of the third request are stored then, and not its histograms.
  expect(await run('after', 'samples_head', 3)).toBe('SIGKILL');
  expect(answered()).toEqual([0, 1]);
  expect(await run('after', 'histograms_head', 1)).toBe('SIGKILL');
  expect(answered()).toEqual([0, 1]);
  expect(await run('before', 'samples_head', 2)).toBe('SIGKILL');
  expect(await run('before', 'histograms_head', 1)).toBe('SIGKILL');
  expect(await run('never', 'samples_head', 0)).toBeNull();
  expect(answered()).toHaveLength(requests.length);
  const store = await openEmbeddedStore({ path });
  try {
    const rows = await store.rows<{ route: string; values: number[] }>(
      `SELECT l.labels['route'] AS route, arrayMap(x -> x.2, arraySort(groupArray((ts, v)))) AS values
       FROM samples_head AS s INNER JOIN (SELECT DISTINCT id, labels FROM series) AS l ON s.id = l.id
       WHERE s.metric = 'crashed_total' GROUP BY route ORDER BY route`,
    );
    const totals = Array.from({ length: 24 }, (_, half) => 2 ** (half + 1) - 1);
    expect(rows).toEqual([
      { route: 'a', values: totals },
      { route: 'b', values: totals },
    ]);
    const histograms = await store.rows<{ route: string; values: number[]; isWhole: number }>(
      `SELECT l.labels['route'] AS route, arrayMap(x -> x.2, arraySort(groupArray((ts, count)))) AS values,
         toUInt8(min(positive_counts = [count] AND positive_offsets = [1])) AS isWhole
       FROM histograms_head AS s INNER JOIN (SELECT DISTINCT id, labels FROM series) AS l ON s.id = l.id
       WHERE s.metric = 'crashed_spread' GROUP BY route ORDER BY route`,
    );
    expect(histograms).toEqual([
      { route: 'a', values: totals, isWhole: 1 },
      { route: 'b', values: totals, isWhole: 1 },
    ]);
  } finally {
    await store.close();
  }
}, 120_000);
