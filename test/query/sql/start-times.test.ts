/**
 * Goal: since when a counter counts is read beside its samples, only where a query wants it.
 * Method: rows of the real tables in the embedded engine; the increases are those of a cumulative counter whose starts
 * move, worked out by hand: what began anew within the window counts from zero.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPromqlEngine, type PromqlEngine } from '#query/promql/engine.ts';
import { promqlLimitsDefault } from '#query/promql/query-budget.ts';
import { createSampleSource } from '#query/sql/samples.ts';
import { withStartTimes } from '#query/sql/start-times.ts';
import { openTestStore, type TestStore } from './open-test-store.ts';

const dayStart = 1_767_225_600;
const minute = 60;
const at = (seconds: number) => `fromUnixTimestamp64Milli(${Math.round((dayStart + seconds) * 1000)}, 'UTC')`;

let opened: TestStore;
let engine: PromqlEngine;

beforeAll(async () => {
  opened = await openTestStore();
  const { store } = opened;
  const [first, last] = [dayStart, dayStart + 7200];
  await store.exec(`INSERT INTO series (tenant, metric, id, labels, t_min, t_max) VALUES
    ('t1', 'requests', 1, map('job', 'a'), ${first}, ${last}),
    ('t1', 'requests', 2, map('job', 'b'), ${first}, ${last}),
    ('t2', 'requests', 1, map('job', 'a'), ${first}, ${last})`);
  for (const id of [1, 2]) {
    await store.exec(`INSERT INTO samples_head SELECT 't1', 'requests', ${id},
      fromUnixTimestamp64Milli((${dayStart} + 120 + 60 * number) * 1000, 'UTC'), 60 * number FROM numbers(15)`);
  }
  await store.exec(`INSERT INTO sample_starts (tenant, metric, id, ts, start_ts) VALUES
    ('t1', 'requests', 1, ${at(2 * minute)}, ${at(1.5 * minute)}),
    ('t1', 'requests', 1, ${at(5 * minute)}, ${at(4 * minute)}),
    ('t1', 'requests', 1, ${at(8 * minute)}, ${at(7 * minute + 0.001)}),
    ('t1', 'requests', 1, ${at(11 * minute)}, ${at(11 * minute - 1)}),
    ('t1', 'requests', 1, ${at(14 * minute)}, ${at(14 * minute - 0.001)}),
    ('t1', 'requests', 1, ${at(14 * minute)}, ${at(14 * minute - 0.001)}),
    ('t2', 'requests', 1, ${at(2 * minute)}, ${at(minute)})`);
  engine = createPromqlEngine({
    source: (tenant, { usesStartTimes }) =>
      withStartTimes(createSampleSource(store, tenant, { seriesMax: 100 }), store, tenant, usesStartTimes),
    limits: promqlLimitsDefault,
    lookbackMsDefault: 300_000,
  });
});

afterAll(async () => {
  await opened?.[Symbol.asyncDispose]();
});

async function range(query: string, usesStartTimes: boolean | undefined): Promise<number[]> {
  const { result } = await engine.range({
    tenant: 't1',
    query,
    startMs: (dayStart + 7 * minute) * 1000,
    endMs: (dayStart + 15 * minute) * 1000,
    stepMs: 60_000,
    usesStartTimes,
  });
  if (result.type !== 'matrix') throw new Error('no matrix');
  expect(result.series).toHaveLength(1);
  return [...result.series[0]!.values].map((value) => Math.round(value * 1000) / 1000);
}

test('what began anew within a window counts from zero', async () => {
  expect(await range('increase(requests{job="a"}[5m])', true)).toEqual([
    420, 780, 675, 675, 1275, 1080, 900, 1725, 1440,
  ]);
  expect(await range('resets(requests{job="a"}[5m])', true)).toEqual([1, 2, 1, 1, 2, 1, 1, 2, 1]);
});

test('by default, and for series whose start nobody said, only values count', async () => {
  const plain = [300, 300, 300, 300, 300, 300, 300, 300, 300];
  expect(await range('increase(requests{job="a"}[5m])', undefined)).toEqual(plain);
  expect(await range('increase(requests{job="b"}[5m])', true)).toEqual(plain);
});

test('a start holds within its two hours alone, as a reader looks no further back', async () => {
  const { store } = opened;
  const source = withStartTimes(createSampleSource(store, 't1', { seriesMax: 10 }), store, 't1', true);
  await store.exec(`INSERT INTO samples_head SELECT 't1', 'requests', 1, ${at(7200)}, 1000`);
  const matchers = [
    { name: '__name__', op: '=', value: 'requests' },
    { name: 'job', op: '=', value: 'a' },
  ] as const;
  const request = { matchers, startMs: (dayStart + 10 * minute) * 1000, endMs: (dayStart + 7200) * 1000 };
  const found = [];
  for await (const series of source.select(request)) found.push(series);
  expect(found).toHaveLength(1);
  const starts = [...found[0]!.startTimes!].map((ms) => (ms === 0 ? 0 : ms - dayStart * 1000));
  expect(starts).toEqual([659_000, 659_000, 659_000, 839_999, 839_999, 839_999, 0]);
});
