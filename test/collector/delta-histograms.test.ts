/**
 * Goal: the total of a delta histogram that is stored as a native one is the sum of what was sent, each point once, whatever fails or comes
 * again.
 * Method: the real pipeline over the real embedded store, whose inserts fail where a test says so. What a total is made of
 * is said as `schema zeros@threshold first:counts since start`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { DeltaState, type DeltaStateOptions } from '#collector/delta-state.ts';
import { createDirectSink } from '#collector/direct-sink.ts';
import { createPipeline, type Pipeline } from '#collector/pipeline.ts';
import type { RequestOutcome, RunRequest } from '#collector/run.ts';
import { metricTranslationDefault } from '#collector/transcode/metric-translation.ts';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import { transcoderOptionsDefault } from '#collector/transcode/transcoder-options.ts';
import { UnavailableError } from '#model/errors.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import { type NativeBlock, type Store, StoreError } from '#store/store.ts';
import type { Delivery } from '#wire/envelope.ts';
import {
  type DeltaExponentialPoint,
  deltaExponential,
  deltaHistogram,
  deltaSum,
} from '../support/delta-request.ts';

const nowMs = Math.floor(Date.now() / 1000) * 1000;
const directory = mkdtempSync(join(tmpdir(), 'sonde-delta-histograms-'));
let store: Store;
let pipeline: Pipeline;
let isFaulty: (block: NativeBlock, when: 'before' | 'after') => boolean = () => false;
let lookups = 0;

beforeAll(async () => {
  store = await openEmbeddedStore({ path: directory });
  await migrate(store);
  pipeline = start();
});
afterAll(async () => {
  await pipeline.close();
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});
afterEach(() => {
  isFaulty = () => false;
});

/** As after a restart of the collector: nothing is in memory. */
function start(convertsHistograms = false): Pipeline {
  const fail = (block: NativeBlock, when: 'before' | 'after'): void => {
    if (isFaulty(block, when)) throw new StoreError('the connection broke', { retryable: true });
  };
  const faulty: Store = Object.assign(Object.create(store), {
    async insert(block: NativeBlock, token: string) {
      fail(block, 'before');
      await store.insert(block, token);
      fail(block, 'after');
    },
    rows(...call: Parameters<Store['rows']>) {
      if (call[0].includes('FROM histograms_head') && call[0].includes('maxIf(ts')) lookups++;
      return store.rows(...call);
    },
  });
  return createPipeline({
    store: faulty,
    workers: 1,
    inflightBytesMax: 64 * 1024 * 1024,
    group: { rowsMax: 250_000, ageMsMax: 5 },
    retentionMs: 0,
    now: () => nowMs,
    transcoder: { ...transcoderOptionsDefault, metrics: { ...metricTranslationDefault, convertsHistograms } },
  });
}

async function restart(...options: Parameters<typeof start>): Promise<void> {
  await pipeline.close();
  pipeline = start(...options);
}

let batch = 0;
const deliver = (bytes: Uint8Array, batchId = `b${batch++}`): Promise<Delivery> =>
  createDirectSink(pipeline)({
    signal: 'metrics',
    tenant: 'default',
    batchId,
    key: 'k',
    bytes,
  });

const firstMs = nowMs - 12 * 3_600_000;
/** A point of the n-th ten seconds. */
const nth = (n: number, counts: readonly number[], more: Partial<DeltaExponentialPoint> = {}) => ({
  startMs: firstMs + n * 10_000,
  endMs: firstMs + (n + 1) * 10_000,
  counts,
  ...more,
});

async function totals(metric: string): Promise<string[]> {
  const rows = await store.rows<{ line: string }>(
    `SELECT if(reinterpretAsUInt64(sum) = 0x7ff0000000000002, 'stale', concat(toString(schema), ' ', toString(zero_count),
       '@', toString(zero_threshold), ' ', toString(positive_offsets[1]), ':', arrayStringConcat(positive_counts, ','),
       ' is ', toString(count), ' of ', toString(sum), if(toUnixTimestamp64Milli(start_ts) = 0, '', concat(' since ',
       toString((toUnixTimestamp64Milli(start_ts) - {first:Int64}) / 10000))))) AS line
     FROM histograms_head WHERE metric = {metric:String} ORDER BY ts, line`,
    { params: { metric, first: firstMs }, tenant: 'default' },
  );
  return rows.map(({ line }) => line);
}

test('points of one request and of later ones add up, and a restart goes on from the store', async () => {
  lookups = 0;
  expect(await deliver(deltaExponential('up', [nth(0, [1]), nth(1, [0, 2])]))).toMatchObject({
    accepted: 2,
    rejected: 0,
  });
  await deliver(deltaExponential('up', [nth(2, [4])]));
  expect(lookups).toBe(1);
  await restart();
  await deliver(deltaExponential('up', [nth(3, [8], { scale: -1 })]));
  await deliver(deltaExponential('up', [nth(4, [1], { offset: 3, zeroThreshold: 4 })]));
  await restart();
  await deliver(deltaExponential('up', [nth(5, [1], { offset: 2, scale: 3 })]));
  expect(lookups).toBe(3);
  expect(await totals('up')).toEqual([
    '0 0@1e-128 1:1 is 1 of 1.5 since 0',
    '0 0@1e-128 1:1,2 is 3 of 4 since 0',
    '0 0@1e-128 1:5,2 is 7 of 8.5 since 0',
    '-1 0@1e-128 1:15 is 15 of 17 since 0',
    '-1 15@4 2:1 is 16 of 18.5 since 0',
    '-1 16@4 2:1 is 17 of 20 since 0',
  ]);
});

test('a repeat adds nothing, by the same batch or another, before and after a restart', async () => {
  const bytes = () => deltaExponential('repeated', [nth(0, [5]), nth(1, [6])]);
  await deliver(bytes(), 'r1');
  expect(await deliver(bytes(), 'r1')).toEqual({ accepted: 0, rejected: 0, reason: '' });
  await restart();
  expect(await deliver(bytes(), 'r1')).toMatchObject({ accepted: 0 });
  expect(await deliver(bytes(), 'r2')).toMatchObject({ accepted: 0 });
  await deliver(deltaExponential('repeated', [nth(2, [1])]));
  expect((await totals('repeated')).map((line) => line.match(/is (\d+)/)![1])).toEqual(['5', '11', '12']);
});

test.each(['before', 'after'] as const)(
  'an insert that fails %s it landed is repeated and counts once',
  async (when) => {
    const name = `failed_${when}`;
    await deliver(deltaExponential(name, [nth(0, [1])]));
    isFaulty = ({ table }, at) => table === 'histograms_head' && at === when;
    const bytes = () => deltaExponential(name, [nth(1, [10])]);
    await expect(deliver(bytes(), name)).rejects.toThrow('the connection broke');
    isFaulty = () => false;
    // Not by the note of its batch alone: by its time, too.
    await deliver(bytes(), when === 'after' ? `${name}_again` : name);
    await deliver(deltaExponential(name, [nth(2, [100])]));
    expect((await totals(name)).map((line) => line.match(/is (\d+)/)![1])).toEqual(['1', '11', '111']);
  },
);

test('a series that was silent starts anew; a stale marker is a time, and no total', async () => {
  await deliver(deltaExponential('silent', [nth(0, [1]), nth(1, [1]), nth(2, [], { isStale: true })]));
  await restart();
  await deliver(deltaExponential('silent', [nth(3, [1], { scale: 5 })]));
  await deliver(deltaExponential('silent', [nth(1000, [7], { scale: 5 })]));
  expect(await totals('silent')).toEqual([
    '0 0@1e-128 1:1 is 1 of 1.5 since 0',
    '0 0@1e-128 1:2 is 2 of 3 since 0',
    'stale',
    '0 0@1e-128 1:3 is 3 of 4.5 since 0',
    '5 0@1e-128 1:7 is 7 of 7.5 since 1000',
  ]);
});

test('a number and a histogram of one name and labels have totals of their own', async () => {
  const bytes = (n: number) => [
    deltaSum('both', [{ ...nth(n, []), value: 1 }], false),
    deltaExponential('both', [nth(n, [10])]),
  ];
  for (const n of [0, 1]) for (const one of bytes(n)) await deliver(one);
  await restart();
  const [sum, histogram] = bytes(2);
  const joined = Uint8Array.from([...sum!, ...histogram!]);
  expect(await deliver(joined)).toMatchObject({ accepted: 2, rejected: 0 });
  expect((await totals('both')).at(-1)).toBe('0 0@1e-128 1:30 is 30 of 31.5 since 0');
  const rows = await store.rows("SELECT v FROM samples_head WHERE metric = 'both' ORDER BY ts", {
    tenant: 'default',
  });
  expect(rows).toEqual([{ v: 1 }, { v: 2 }, { v: 3 }]);
});

test('what is late, overlaps, has no time or no finite sum is refused by reason', async () => {
  await deliver(deltaExponential('refused', [nth(0, [1]), nth(5, [1])]));
  const delivery = await deliver(
    deltaExponential('refused', [nth(2, [1]), { ...nth(7, [1]), startMs: nth(5, []).startMs + 1 }]),
  );
  expect(delivery).toMatchObject({ accepted: 0, rejected: 2 });
  const at = nth(9, [1]).endMs;
  const tooFar = await deliver(
    deltaExponential('refused', [{ startMs: at, endMs: nowMs + 700_000, counts: [1] }]),
  );
  expect(tooFar.reason).toContain('more than ten minutes ahead');
  expect(await totals('refused')).toHaveLength(2);
});

test('explicit histograms that become native ones add up, and start anew with other bounds', async () => {
  await restart(true);
  const at = (n: number, bounds: readonly number[], counts: readonly number[]) =>
    deltaHistogram('custom', [{ ...nth(n, counts), bounds, sum: 0.5 }]);
  await deliver(at(0, [1, 5], [1, 2, 3]));
  await deliver(at(1, [1, 5], [1, 0, 0]));
  await restart(true);
  await deliver(at(2, [1, 5], [0, 0, 4]));
  await deliver(at(3, [1, 6], [1, 1, 1]));
  await deliver(at(4, [1, 6], [1, 1, 1]));
  expect(await totals('custom')).toEqual([
    '-53 0@0 0:1,2,3 is 6 of 0.5 since 0',
    '-53 0@0 0:2,2,3 is 7 of 1 since 0',
    '-53 0@0 0:2,2,7 is 11 of 1.5 since 0',
    '-53 0@0 0:1,1,1 is 3 of 0.5 since 3',
    '-53 0@0 0:2,2,2 is 6 of 1 since 3',
  ]);
});

/** Requests of a run in a state of its own, and what the transcoder says of them then. */
async function settleAlone(
  bodies: readonly Uint8Array[],
  options: Partial<DeltaStateOptions>,
  inserted: (name: string) => unknown = () => undefined,
): Promise<readonly RequestOutcome[]> {
  const transcode = createTranscoder();
  const run = (requests: readonly RunRequest[]) =>
    transcode({ requests, nowUnixMs: nowMs, oldestUnixMs: 0, seriesEpoch: 0 }).outcomes;
  const requests = bodies.map((bytes): RunRequest => ({ signal: 'metrics', tenant: 'default', bytes }));
  const state = new DeltaState({ store, seriesMax: 1000, staleMs: 3_600_000, ...options });
  return state.settle(requests, run(requests), async (again, name) => {
    await inserted(name);
    return run(again);
  });
}

test('totals beyond the bound are left out, and the points of their series are refused', async () => {
  const routes = Array.from({ length: 400 }, (_, i) => `r${i}`);
  const bytes = (n: number) =>
    deltaExponential(
      'large',
      routes.map((route) => nth(n, [1, 2, 3], { route })),
    );
  await deliver(bytes(0));
  const [within] = await settleAlone([bytes(1)], {});
  expect(within).toMatchObject({ accepted: 400, rejections: [] });
  // A total has 15 numbers: one more than fits is the last that is read, and the second part of them is not asked for.
  const [beyond] = await settleAlone([bytes(1)], { gatheredCellsMax: 15 * 100 });
  expect(beyond).toMatchObject({
    accepted: 100,
    rejections: [{ reason: 'delta_total_too_large', count: 300 }],
  });
});

test('what requests of a run have together is no reason to refuse one: they are inserted in parts', async () => {
  const routes = Array.from({ length: 20 }, (_, i) => `r${i}`);
  const bytes = (n: number) =>
    deltaExponential(
      'parts',
      routes.map((route) => nth(n, [1, 2, 3], { route })),
    );
  await deliver(bytes(0));
  const names: string[] = [];
  const bodies = [1, 2, 3, 4, 5].map(bytes);
  const outcomes = await settleAlone(bodies, { gatheredCellsMax: 2 * 15 * 20 }, (name) => names.push(name));
  expect(outcomes.map(({ accepted, rejections }) => [accepted, rejections])).toEqual(
    bodies.map(() => [20, []]),
  );
  expect(names).toEqual(['default/0-1', 'default/2-2', 'default/3-4']);
  // All of them have gone on from those before: the sixth total of five buckets.
  const last = outcomes[4]!.deltaTotals!;
  expect(last.histograms[1]).toBe(6 * 6);
});

test('what all requests under way hold is bounded: others come again', async () => {
  const bytes = (metric: string) => (n: number) => deltaExponential(metric, [nth(n, [1, 2, 3])]);
  const metrics = ['held_1', 'held_2', 'held_3'].map(bytes);
  for (const of of metrics) await deliver(of(0));
  const transcode = createTranscoder();
  const run = (requests: readonly RunRequest[]) =>
    transcode({ requests, nowUnixMs: nowMs, oldestUnixMs: 0, seriesEpoch: 0 }).outcomes;
  const state = new DeltaState({ store, seriesMax: 1000, staleMs: 3_600_000, gatheredCellsMax: 15 });
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  let inserting = 0;
  const settle = (body: Uint8Array, until: Promise<void>) => {
    const requests: RunRequest[] = [{ signal: 'metrics', tenant: 'default', bytes: body }];
    return state.settle(requests, run(requests), async (again) => {
      inserting++;
      await until;
      return run(again);
    });
  };
  const held = [settle(metrics[0]!(1), gate), settle(metrics[1]!(1), gate)];
  await vi.waitUntil(() => inserting === 2);
  await expect(settle(metrics[2]!(1), Promise.resolve())).rejects.toThrow(UnavailableError);
  open();
  for (const [outcome] of await Promise.all(held)) expect(outcome).toMatchObject({ accepted: 1 });
  const [after] = await settle(metrics[2]!(1), Promise.resolve());
  expect(after).toMatchObject({ accepted: 1, rejections: [] });
});
