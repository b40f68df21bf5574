/**
 * Goal: the last sample of a series is found wherever it is on its way from head to chunk, and while it moves.
 * Method: the real embedded store and the real compaction, which goes on by some steps before each of the reader's
 * statements.
 */
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { compactClosed } from '#store/compaction/compactor.ts';
import type { CompactionStep } from '#store/compaction/window.ts';
import { selectLastSamples } from '#store/last-samples.ts';
import type { Store } from '#store/store.ts';
import { openTestStore, type TestStore } from '../query/sql/open-test-store.ts';
import {
  bitsOf,
  dayMs,
  hourMs,
  insertSamples,
  payloadBits,
  type StoredSample,
  staleBits,
  tenant,
} from './compaction/stored-samples.ts';

vi.setConfig({ testTimeout: 120_000 });

let opened: TestStore;
let store: Store;
const never = new AbortController().signal;

beforeAll(async () => {
  opened = await openTestStore();
  store = opened.store;
});
afterAll(() => opened[Symbol.asyncDispose]());
beforeEach(async () => {
  for (const table of ['samples_head', 'samples_closing', 'samples_chunk', 'samples_5m', 'sample_starts'])
    await store.exec(`TRUNCATE TABLE ${table}`);
});

/** Compacts what is closed up to a step, as if it died there; 'end' is all of it. */
async function compactUntil(stop: CompactionStep | 'end', hours = 24): Promise<void> {
  const died = `died before ${stop}`;
  const failures: object[] = [];
  const log = { info: () => {}, error: (fields: object) => void failures.push(fields) };
  const failpoint = (step: CompactionStep): void => {
    if (step === stop) throw new Error(died);
  };
  await compactClosed(store, { latenessMs: 0, nowMs: dayMs + hours * hourMs, log, failpoint }, never);
  for (const failure of failures) expect(failure).toMatchObject({ error: died });
}

const sample = (series: number, timeMs: number, value: number | bigint): StoredSample => ({
  series,
  timeMs,
  bits: typeof value === 'bigint' ? value : bitsOf(value),
});

async function lastSamples(from: Store = store) {
  const keys = ['1', '2', '3', '4', '5'].map((id) => ({ metric: 'm', id }));
  const found = await selectLastSamples(from, tenant, keys, 0);
  return found.sort((a, b) => Number(a.id) - Number(b.id));
}

const states = ['move', 'chunk', 'cells', 'drop', 'finish', 'end'] as const;

test.each(states)('a compaction that is about to %s hides no sample', async (step) => {
  await insertSamples(store, [sample(1, dayMs, 1), sample(1, dayMs + 1000, 2), sample(2, dayMs, 3)]);
  await compactUntil(step);
  expect(await lastSamples()).toEqual([
    { id: '1', lastMs: dayMs + 1000, value: 2, startMs: 0 },
    { id: '2', lastMs: dayMs, value: 3, startMs: 0 },
  ]);
});

test('steps that a compaction takes between two reads hide no sample', async () => {
  for (const [first, second] of states.flatMap((one, i) =>
    states.slice(i).map((two) => [one, two] as const),
  )) {
    for (const series of [1, 2]) await insertSamples(store, [sample(series, dayMs, series)]);
    let readCount = 0;
    const moving: Store = Object.assign(Object.create(store), {
      async rows(...call: Parameters<Store['rows']>) {
        if (readCount > 0) await compactUntil(readCount === 1 ? first : second);
        readCount++;
        return store.rows(...call);
      },
    });
    expect(await lastSamples(moving), `${first}, ${second}`).toEqual([
      { id: '1', lastMs: dayMs, value: 1, startMs: 0 },
      { id: '2', lastMs: dayMs, value: 2, startMs: 0 },
    ]);
    await compactUntil('end');
    await store.exec('TRUNCATE TABLE samples_chunk');
  }
});

test('of the three tables, the newest time counts, and of its values the largest that is no stale marker', async () => {
  const late = dayMs + 2 * hourMs;
  const old = [sample(1, dayMs, 1), sample(2, dayMs, 10), sample(3, dayMs, payloadBits), sample(4, dayMs, 8)];
  await insertSamples(store, old);
  await compactUntil('end', 2);
  await insertSamples(store, [
    sample(1, late, 2),
    sample(2, late, staleBits),
    sample(3, dayMs, 7),
    sample(4, dayMs, payloadBits),
  ]);
  await compactUntil('chunk', 4);
  await insertSamples(store, [
    sample(1, late, 1.5),
    sample(2, late + hourMs, staleBits),
    sample(5, late, 9),
    sample(5, late, payloadBits),
  ]);
  expect(await lastSamples()).toEqual([
    { id: '1', lastMs: late, value: 2, startMs: 0 },
    { id: '2', lastMs: late + hourMs, value: 10, startMs: 0 },
    { id: '3', lastMs: dayMs, value: 7, startMs: 0 },
    { id: '4', lastMs: dayMs, value: 8, startMs: 0 },
    { id: '5', lastMs: late, value: 9, startMs: 0 },
  ]);
});

test('a series of which there are only stale markers has a time and the value 0', async () => {
  await insertSamples(store, [sample(1, dayMs, staleBits)]);
  await compactUntil('chunk');
  await insertSamples(store, [sample(1, dayMs + 1, staleBits)]);
  expect(await lastSamples()).toEqual([{ id: '1', lastMs: dayMs + 1, value: 0, startMs: 0 }]);
});

test('a series counts since what was said last before its last sample, and at the end of its two hours', async () => {
  const early = dayMs + 2 * hourMs - 1000;
  const late = dayMs + 2 * hourMs;
  const starts = [
    { id: '1', at: dayMs, start: 5 },
    { id: '1', at: late, start: 7 },
    // Said before samples that did not land.
    { id: '1', at: late + 2000, start: 9 },
    { id: '2', at: dayMs, start: 3 },
    { id: '2', at: dayMs + 1000, start: 4 },
    { id: '4', at: dayMs, start: 8 },
  ];
  for (const { id, at, start } of starts) {
    await store.exec(
      `INSERT INTO sample_starts (tenant, metric, id, ts, start_ts) VALUES
       ('${tenant}', 'm', ${id}, fromUnixTimestamp64Milli(${at}), fromUnixTimestamp64Milli(${start}))`,
    );
  }
  await insertSamples(store, [
    sample(1, early, 1),
    sample(1, late + 1000, 2),
    sample(2, early, 3),
    sample(3, early, 4),
  ]);
  expect(await lastSamples()).toEqual([
    { id: '1', lastMs: late + 1000, value: 2, startMs: 7 },
    { id: '2', lastMs: early, value: 3, startMs: 4 },
    { id: '3', lastMs: early, value: 4, startMs: 0 },
  ]);
});
