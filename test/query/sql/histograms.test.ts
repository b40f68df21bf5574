/**
 * Goal: native histograms that are stored are what PromQL works with, and what the API answers.
 * Method: rows of the real table in the embedded engine, read through the source and the engine.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { outcomePieces } from '#query/api/prometheus-reply.ts';
import { createPromqlEngine, type PromqlEngine } from '#query/promql/engine.ts';
import { promqlLimitsDefault } from '#query/promql/query-budget.ts';
import { createSampleSource } from '#query/sql/samples.ts';
import { openTestStore, type TestStore } from './open-test-store.ts';

const dayStart = 1_767_225_600;
const at = (seconds: number) => `fromUnixTimestamp64Milli(${(dayStart + seconds) * 1000}, 'UTC')`;
const staleNan = 'reinterpretAsFloat64(toUInt64(9218868437227405314))';

let opened: TestStore;
let engine: PromqlEngine;

/** Buckets 1, 2 and 5 in two spans; a zero bucket; one negative bucket. */
function row(id: number, seconds: number, factor: number, hint = 0): string {
  return `('t1', 'latency', ${id}, ${at(seconds)}, ${at(0)}, 0, ${hint}, ${8 * factor}, ${20 * factor}, 0.001, ${factor},
    [1, 2], [2, 1], [${factor}, ${2 * factor}, ${3 * factor}], [0], [1], [${factor}], [])`;
}

beforeAll(async () => {
  opened = await openTestStore();
  const { store } = opened;
  await store.exec(`INSERT INTO series (tenant, metric, id, labels, t_min, t_max) VALUES
    ('t1', 'latency', 1, map('job', 'a'), ${dayStart}, ${dayStart + 7200}),
    ('t1', 'latency', 2, map('job', 'b'), ${dayStart}, ${dayStart + 7200}),
    ('t1', 'latency', 3, map('job', 'ended'), ${dayStart}, ${dayStart + 7200}),
    ('t1', 'custom', 4, map('job', 'a'), ${dayStart}, ${dayStart + 7200}),
    ('t2', 'latency', 5, map('job', 'secret'), ${dayStart}, ${dayStart + 7200})`);
  await store.exec(`INSERT INTO histograms_head VALUES
    ${row(1, 60, 1)}, ${row(1, 120, 2)}, ${row(1, 180, 4)}, ${row(1, 180, 3)},
    ${row(2, 60, 1, 3)}, ${row(2, 120, 1, 3)}, ${row(3, 60, 1)},
    ('t1', 'latency', 3, ${at(120)}, ${at(0)}, 0, 0, 0, ${staleNan}, 0, 0, [], [], [], [], [], [], []),
    ('t1', 'custom', 4, ${at(60)}, ${at(0)}, -53, 0, 4, 10, 0, 0, [0], [3], [1, 2, 1], [], [], [], [1, 5]),
    ('t2', 'latency', 5, ${at(60)}, ${at(0)}, 0, 0, 4, 10, 0, 0, [0], [1], [4], [], [], [], [])`);
  // The same series may have been one of numbers before.
  await store.exec(`INSERT INTO samples_head SELECT 't1', 'latency', 1, ${at(30)}, 7`);
  engine = createPromqlEngine({
    source: (tenant) => createSampleSource(store, tenant, { seriesMax: 100 }),
    limits: promqlLimitsDefault,
    lookbackMsDefault: 300_000,
  });
});

afterAll(async () => {
  await opened?.[Symbol.asyncDispose]();
});

async function ask(query: string, seconds: number): Promise<unknown> {
  const outcome = await engine.instant({ tenant: 't1', query, timeMs: (dayStart + seconds) * 1000 });
  return JSON.parse([...outcomePieces(outcome, [])].join('')).data.result;
}

const time = (seconds: number) => dayStart + seconds;

test('a histogram is answered with its buckets and their bounds', async () => {
  expect(await ask('latency{job="a"}', 60)).toEqual([
    {
      metric: { __name__: 'latency', job: 'a' },
      histogram: [
        time(60),
        {
          count: '8',
          sum: '20',
          buckets: [
            [1, '-1', '-0.5', '1'],
            [3, '-0.001', '0.001', '1'],
            [0, '1', '2', '1'],
            [0, '2', '4', '2'],
            [0, '16', '32', '3'],
          ],
        },
      ],
    },
  ]);
});

test('custom buckets have their own bounds', async () => {
  expect(await ask('custom', 60)).toEqual([
    {
      metric: { __name__: 'custom', job: 'a' },
      histogram: [
        time(60),
        {
          count: '4',
          sum: '10',
          buckets: [
            [3, '-Inf', '1', '1'],
            [0, '1', '5', '2'],
            [0, '5', '+Inf', '1'],
          ],
        },
      ],
    },
  ]);
});

test('of two histograms at one time the one that counts more is the sample', async () => {
  expect(await ask('histogram_count(latency{job="a"})', 180)).toEqual([
    { metric: { job: 'a' }, value: [time(180), '32'] },
  ]);
});

test('a stale marker ends a series of histograms', async () => {
  expect(await ask('count(latency{job="ended"})', 60)).toHaveLength(1);
  expect(await ask('count(latency{job="ended"})', 120)).toEqual([]);
});

test('numbers and histograms of one series come in their order', async () => {
  const { result } = await engine.range({
    tenant: 't1',
    query: 'latency{job="a"}',
    startMs: time(30) * 1000,
    endMs: time(120) * 1000,
    stepMs: 30_000,
  });
  const [series] = result.type === 'matrix' ? result.series : [];
  expect([...series.timestamps]).toEqual([time(30) * 1000]);
  expect([...series.histograms!.timestamps]).toEqual([time(60), time(90), time(120)].map((s) => s * 1000));
});

test('rate counts from one to the next, and another tenant has no part in it', async () => {
  expect(await ask('histogram_count(sum(increase(latency[2m])))', 180)).toEqual([
    { metric: {}, value: [time(180), '32'] },
  ]);
});

test('a gauge is told from a counter by its stored hint', async () => {
  const outcome = await engine.instant({
    tenant: 't1',
    query: 'rate(latency{job="b"}[2m])',
    timeMs: time(120) * 1000,
  });
  expect(outcome.warnings).toEqual([
    'PromQL warning: this native histogram metric is not a counter: "latency" (1:6)',
  ]);
});

test('a matrix has numbers and histograms apart', async () => {
  const [series] = (await ask('latency{job="a"}[5m]', 120)) as Record<string, unknown[]>[];
  expect(series.values).toHaveLength(1);
  expect(series.histograms).toHaveLength(2);
});
