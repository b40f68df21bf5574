/**
 * Goal: however series come to an aggregation - streamed, scanned, or computed in threads - the answer is the same to the
 * bit, annotations included; limits hold on all ways, and a query that is given up stops.
 * Method: random samples (resets, NaN with payloads, infinities, stale markers, gaps, repeats) in chunks, in rows under
 * compaction and in recent rows of a real store, and native histograms of one series. SCAN_SEED repeats a run.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPromqlEngine, type PromqlEngine } from '#query/promql/engine.ts';
import { type PromqlLimits, promqlLimitsDefault } from '#query/promql/query-budget.ts';
import type { QueryOutcome } from '#query/promql/query-result.ts';
import type { SampleSource } from '#query/promql/source.ts';
import { renderLabels } from '#query/promql/step-series.ts';
import { createKernelPool, type KernelPool } from '#query/sql/kernel-pool.ts';
import { createSampleSource } from '#query/sql/samples.ts';
import { compactClosed } from '#store/compaction/compactor.ts';
import type { Store } from '#store/store.ts';
import {
  bitsOf,
  dayMs,
  hourMs,
  insertSamples,
  payloadBits,
  type StoredSample,
  staleBits,
  tenant,
} from '../../store/compaction/stored-samples.ts';
import { Lcg } from '../../support/lcg.ts';
import { openTestStore, type TestStore } from '../sql/open-test-store.ts';

const seed = Number(process.env.SCAN_SEED ?? 20_261_127);
const seriesCount = 40;
const random = new Lcg(seed);

let opened: TestStore;
let kernels: KernelPool;
let ways: Readonly<Record<'streamed' | 'scanned' | 'in threads', PromqlEngine>>;
let slicesInThreads = 0;

function randomSamples(hours: number): StoredSample[] {
  const samples: StoredSample[] = [];
  for (let series = 1; series <= seriesCount; series++) {
    let value = random.int(1000);
    const odd = random.chance(50) ? 3 : 0;
    for (let timeMs = dayMs + random.int(60_000); timeMs < dayMs + hours * hourMs; ) {
      timeMs += random.chance(2) ? random.int(hourMs) : 20_000 + random.int(20_000);
      value = random.chance(2) ? random.int(10) : value + random.int(1000) / 8;
      const oddBits = [staleBits, staleBits, payloadBits, bitsOf(NaN), bitsOf(Infinity), bitsOf(-0)];
      const bits = random.chance(odd) ? random.pick(oddBits) : bitsOf(value);
      samples.push({ series, timeMs, bits });
      if (random.chance(1)) samples.push({ series, timeMs, bits: bitsOf(value + 1) });
    }
  }
  return samples;
}

async function insert(store: Store, samples: readonly StoredSample[]): Promise<void> {
  for (let at = 0; at < samples.length; at += 1000) await insertSamples(store, samples.slice(at, at + 1000));
}

async function fill(store: Store): Promise<void> {
  await store.exec(
    `INSERT INTO series (tenant, metric, id, labels, t_min, t_max)
     SELECT {tenant:String}, 'm', number + 1, map('s', toString(number + 1), 'k', toString(number % 3)), 0, 4294967295
     FROM numbers({count:UInt32})`,
    { params: { tenant, count: seriesCount + 1 } },
  );
  const samples = randomSamples(7);
  const isLate = samples.map(() => random.chance(3));
  await insert(
    store,
    samples.filter((_sample, i) => !isLate[i]),
  );
  const log = { info: () => undefined, error: () => undefined };
  const compact = (hours: number, failpoint?: (step: string) => void) =>
    compactClosed(
      store,
      { latenessMs: 0, nowMs: dayMs + hours * hourMs, log, ...(failpoint && { failpoint }) },
      new AbortController().signal,
    );
  await compact(4);
  await insert(
    store,
    samples.filter((_sample, i) => isLate[i]),
  );
  // Cut off: the window from four to six hours is in samples_closing, and some of the late rows too.
  await compact(6, (step) => {
    if (step === 'chunk') throw new Error('cut off');
  });
}

/** A classic histogram's neighbour: one series that is of native histograms. */
async function fillHistograms(store: Store): Promise<void> {
  const rows = Array.from({ length: 120 }, (_, i) => {
    const at = `fromUnixTimestamp64Milli(${dayMs + hourMs + i * 60_000}, 'UTC')`;
    return `({tenant:String}, 'm', ${seriesCount + 1}, ${at}, fromUnixTimestamp64Milli(0, 'UTC'), 0, 0, ${8 * i}, ${20 * i}, 0.001, ${i},
      [1], [2], [${i}, ${2 * i}], [], [], [], [])`;
  });
  await store.exec(`INSERT INTO histograms_head VALUES ${rows.join(',')}`, { params: { tenant } });
}

function withoutScan(source: SampleSource): SampleSource {
  const { scan: _left, ...others } = source;
  return others;
}

function engineOf(source: () => SampleSource, limits: Partial<PromqlLimits> = {}): PromqlEngine {
  return createPromqlEngine({
    source,
    limits: { ...promqlLimitsDefault, ...limits },
    lookbackMsDefault: 300_000,
  });
}

/** Small slices, so that there are several. */
const slices = { seriesMax: 100, sliceSamplesMax: 20_000 };

beforeAll(async () => {
  opened = await openTestStore();
  const { store } = opened;
  const pool = createKernelPool(0);
  kernels = {
    ...pool,
    run: (task) => {
      slicesInThreads++;
      return pool.run(task);
    },
  };
  await fill(store);
  ways = {
    streamed: engineOf(() => withoutScan(createSampleSource(store, tenant, slices))),
    scanned: engineOf(() => createSampleSource(store, tenant, slices)),
    'in threads': engineOf(() => createSampleSource(store, tenant, slices, { kernels })),
  };
}, 120_000);

afterAll(async () => {
  await kernels?.close();
  await opened?.[Symbol.asyncDispose]();
});

const hexOf = (value: number) => new BigUint64Array(new Float64Array([value]).buffer)[0]!.toString(16);

function textOf({ result, warnings, infos }: QueryOutcome): string[] {
  if (result.type !== 'matrix') throw new Error(`a ${result.type} where a matrix was asked for`);
  const lines = result.series.map(({ labels, timestamps, values, histograms }) => {
    const points = Array.from(timestamps, (time, i) => `${time}:${hexOf(values[i]!)}`);
    return `${renderLabels(labels)} ${points.join(' ')} ${JSON.stringify(histograms ?? null)}`;
  });
  return [...lines, ...warnings, ...infos];
}

function randomQuery(): string {
  const aggregation = random.pick(['sum', 'avg', 'min', 'max', 'count', 'stddev', 'group', 'quantile']);
  const grouping = random.pick(['', 'by (k) ', 'without (s) ', 'by (s) ']);
  const matcher = random.pick(['', '{k="1"}', '{s=~"1.*"}', '{k!="2"}']);
  const range = random.pick(['30s', '1m', '5m', '1h', '3h']);
  const modifier = random.pick(['', '', ' offset 7m', ' @ end()', ' offset -3m']);
  const name = random.pick([
    'rate',
    'increase',
    'delta',
    'rate',
    'avg_over_time',
    'last_over_time',
    'resets',
  ]);
  const inner = random.chance(75) ? `${name}(m${matcher}[${range}]${modifier})` : `m${matcher}${modifier}`;
  return aggregation === 'quantile'
    ? `quantile ${grouping}(0.3, ${inner})`
    : `${aggregation} ${grouping}(${inner})`;
}

function randomRange() {
  const startMs = dayMs + random.int(6 * hourMs);
  const stepMs = random.pick([15_000, 60_000, 77_777, 600_000]);
  return { startMs, endMs: startMs + stepMs * random.int(60), stepMs };
}

async function compareWays(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const request = { tenant, query: randomQuery(), ...randomRange() };
    const expected = textOf(await ways.streamed.range(request));
    for (const way of ['scanned', 'in threads'] as const) {
      expect(textOf(await ways[way].range(request)), `${way}: ${JSON.stringify(request)}`).toEqual(expected);
    }
  }
}

test('of numbers, all ways give the same', { timeout: 300_000 }, async () => {
  await compareWays(120);
  expect(slicesInThreads).toBeGreaterThan(50);
});

test('where there are histograms too, all ways give the same', { timeout: 300_000 }, async () => {
  await fillHistograms(opened.store);
  await compareWays(60);
});

test.each([
  { limits: { seriesMax: 20 }, message: 'the query reads more than 20 series' },
  { limits: { samplesMax: 5000 }, message: 'the query reads or computes more than 5000 samples' },
])('$message, in threads too', async ({ limits, message }) => {
  const engine = engineOf(() => createSampleSource(opened.store, tenant, slices, { kernels }), limits);
  const times = { startMs: dayMs, endMs: dayMs + 6 * hourMs, stepMs: 60_000 };
  await expect(engine.range({ tenant, query: 'sum(rate(m[5m]))', ...times })).rejects.toThrow(message);
});

test('a query that is given up ends with the reason, and the next one is answered', async () => {
  const abort = new AbortController();
  const times = { startMs: dayMs, endMs: dayMs + 6 * hourMs, stepMs: 60_000 };
  const asked = ways['in threads'].range({
    tenant,
    query: 'sum(rate(m[5m]))',
    ...times,
    abort: abort.signal,
  });
  abort.abort(new Error('the client went away'));
  await expect(asked).rejects.toThrow('the client went away');
  const { result } = await ways['in threads'].range({ tenant, query: 'sum(rate(m[5m]))', ...times });
  expect(result.type === 'matrix' && result.series.length).toBe(1);
});
