/**
 * Goal: delta points become the totals that OpenTelemetry's delta-to-cumulative rules say, whatever a sender does.
 * Method: random senders (gaps, repeats, late and overlapping points, other bounds, missing sums, silence) over the
 * transcoder with its totals in a map, against the naive decoder, by checksum in the engine.
 */
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { type DeltaTotals, newTotals } from '#collector/delta-totals.ts';
import { CellBudget, GatheredTotals } from '#collector/gathered-totals.ts';
import type { RequestOutcome, RunRequest, TranscodeResult, TranscodeTask } from '#collector/run.ts';
import { histogramEnd } from '#collector/transcode/histogram-cells.ts';
import { metricTranslationDefault } from '#collector/transcode/metric-translation.ts';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import { transcoderOptionsDefault } from '#collector/transcode/transcoder-options.ts';
import { deltaExponential, deltaHistogram, deltaSum, request } from '../../support/delta-request.ts';
import { exponentialPoint } from '../../support/histogram-generator.ts';
import { Lcg } from '../../support/lcg.ts';
import { NaiveDeltas } from '../../support/naive/naive-deltas.ts';
import { NaiveHistogramDeltas } from '../../support/naive/naive-histogram-deltas.ts';
import { naiveMetrics } from '../../support/naive/naive-metrics.ts';
import { NaiveSamples } from '../../support/naive/naive-samples.ts';
import { encodeMetricsRequest, type ProtoObject } from '../../support/naive/otlp-proto.ts';
import { NativeEngine } from '../../support/native-engine.ts';
import { generatorUnixMs } from '../../support/otlp-generator.ts';
import { expectSamples } from '../../support/sample-comparison.ts';

const engine = new NativeEngine();
afterAll(() => engine[Symbol.dispose]());

const nowUnixMs = generatorUnixMs + 20 * 3_600_000;
const oldestUnixMs = Number.NEGATIVE_INFINITY;
const task = { nowUnixMs, oldestUnixMs, seriesEpoch: 0 };
const tenantTask = { tenant: 'default', nowUnixMs, oldestUnixMs };

/** What the pipeline does with totals, with a map for a store. */
class Totals {
  readonly #stored = new Map<
    string,
    { total: number; lastMs: number; startMs: number; cells: Float64Array }
  >();
  readonly #transcode: ReturnType<typeof createTranscoder>;
  #runCount = 0;

  constructor(metrics = metricTranslationDefault) {
    this.#transcode = createTranscoder({ ...transcoderOptionsDefault, metrics });
  }

  add(bytes: Uint8Array): TranscodeResult {
    const transcode = (run: TranscodeTask): TranscodeResult => {
      const number = this.#runCount++;
      return this.#transcode({ ...run, standing: { number, storedFrom: 0, storedBelow: number } });
    };
    const first = transcode({ ...task, requests: [{ signal: 'metrics', tenant: 'default', bytes }] });
    const waiting = first.outcomes[0]!.deltaWait;
    if (waiting === undefined) return first;
    expect(first.blocks).toEqual([]);
    const { ids, isHistogram } = waiting.needs;
    const gathered = new GatheredTotals(waiting.needs, new CellBudget(1e6));
    const keyOf = (i: number) => `${ids[2 * i]}/${ids[2 * i + 1]}`;
    for (let i = 0; i < isHistogram.length; i++) {
      const known = this.#stored.get(keyOf(i));
      if (known === undefined) continue;
      if (isHistogram[i] === 1) gathered.setHistogram(i, known.cells, known.lastMs, known.startMs);
      else gathered.setNumber(i, known.total, known.lastMs, known.startMs);
    }
    const deltaTotals = gathered.finish();
    const requests = [{ signal: 'metrics' as const, tenant: 'default', bytes: waiting.bytes, deltaTotals }];
    const result = transcode({ ...task, requests });
    const after = result.outcomes[0]!.deltaTotals!;
    for (let i = 0; i < isHistogram.length; i++) {
      const [total, lastMs, startMs] = [after.totals[i]!, after.lastMs[i]!, after.startMs[i]!];
      const { histograms } = after;
      const hasCells = isHistogram[i] === 1 && total > 0;
      const cells = histograms.slice(total - 1, hasCells ? histogramEnd(histograms, total - 1) : total - 1);
      if (lastMs >= 0) this.#stored.set(keyOf(i), { total, lastMs, startMs, cells });
    }
    return result;
  }
}

/** A sender of four metrics with three series each, whose clocks are apart. */
class Sender {
  readonly #random: Lcg;
  readonly #clocks = new Map<string, number>();
  readonly #sent: Uint8Array[] = [];

  constructor(seed: number) {
    this.#random = new Lcg(seed);
  }

  next(): Uint8Array {
    const random = this.#random;
    if (this.#sent.length > 0 && random.chance(15)) return random.pick(this.#sent);
    const metrics = ['calls', 'open', 'took', 'spread']
      .filter(() => random.chance(80))
      .map((name) => this.#metric(name));
    const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
    const bytes = encodeMetricsRequest({ resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] });
    this.#sent.push(bytes);
    return bytes;
  }

  #metric(name: string): ProtoObject {
    const random = this.#random;
    const dataPoints = Array.from({ length: random.int(5) }, () => {
      const route = `r${random.int(3)}`;
      return { ...this.#value(name), ...this.#interval(`${name}/${route}`), ...attributesOf(route) };
    });
    const data = { aggregationTemporality: 1, dataPoints };
    if (name === 'took') return { name, unit: 's', histogram: data };
    if (name === 'spread') return { name, exponentialHistogram: data };
    return { name, sum: { ...data, isMonotonic: name === 'calls' } };
  }

  #interval(series: string): ProtoObject {
    const random = this.#random;
    const last = this.#clocks.get(series) ?? generatorUnixMs;
    let start = last;
    if (random.chance(10)) start += random.int(60_000);
    if (random.chance(5)) start += 2 * 3_600_000;
    if (random.chance(8)) start -= random.int(20_000);
    let end = start + 1 + random.int(10_000);
    if (random.chance(5)) end += random.int(3 * 3_600_000);
    if (random.chance(5)) end = last;
    this.#clocks.set(series, Math.max(last, end));
    return {
      ...(random.chance(90)
        ? { startTimeUnixNano: BigInt(start) * 1_000_000n + BigInt(random.int(999_999)) }
        : {}),
      ...(random.chance(98) ? { timeUnixNano: BigInt(end) * 1_000_000n + BigInt(random.int(999_999)) } : {}),
      ...(random.chance(4) ? { flags: 1 } : {}),
    };
  }

  #value(name: string): ProtoObject {
    const random = this.#random;
    if (name === 'spread') return exponentialPoint(random);
    if (name !== 'took') {
      const value = random.int(1000) - (name === 'open' || random.chance(3) ? 500 : 0);
      return random.chance(50) ? { asInt: value } : { asDouble: random.chance(3) ? Number.NaN : value / 8 };
    }
    const explicitBounds = random.pick([[1, 5], [1, 5], [1, 5], [1, 5, 9], [2], []]);
    const counts = explicitBounds.concat(0).map(() => random.int(9));
    return {
      explicitBounds,
      bucketCounts: random.chance(90) ? counts : [],
      count: counts.reduce((total, count) => total + count, 0),
      ...(random.chance(90) ? { sum: random.int(1000) / 8 } : {}),
    };
  }
}

const attributesOf = (route: string): ProtoObject => ({
  attributes: [{ key: 'route', value: { stringValue: route } }],
});

let runCount = 0;

/** Native blocks after one another are one stream. */
function joined(results: readonly TranscodeResult[]): TranscodeResult {
  const tables = ['metric_metadata', 'series', 'sample_starts', 'samples_head', 'histograms_head'] as const;
  const blocks = tables.map((table) => {
    const parts = results.flatMap(({ blocks }) => blocks.filter((block) => block.table === table));
    return { table, rowCount: 0, parts: parts.flatMap((block) => block.parts) };
  });
  return { blocks, outcomes: [] };
}

test.each([
  { kind: 'series of buckets', convertsHistograms: false, samplesMin: 1500, histogramsMin: 300 },
  { kind: 'native histograms', convertsHistograms: true, samplesMin: 800, histogramsMin: 700 },
])(
  'random delta streams give the totals of the naive decoder, with explicit histograms as $kind',
  (given) => {
    const rules = { ...metricTranslationDefault, convertsHistograms: given.convertsHistograms };
    let sampleCount = 0;
    let histogramCount = 0;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const sender = new Sender(seed);
        const totals = new Totals(rules);
        const { deltaStaleMs } = transcoderOptionsDefault;
        const deltas = {
          numbers: new NaiveDeltas(deltaStaleMs),
          histograms: new NaiveHistogramDeltas(deltaStaleMs),
        };
        const naive = new NaiveSamples(tenantTask);
        const results: TranscodeResult[] = [];
        for (let step = 0; step < 20; step++) {
          const bytes = sender.next();
          naiveMetrics(bytes.slice(), tenantTask, naive, rules, deltas);
          results.push(totals.add(bytes.slice()));
        }
        sampleCount += naive.samples.length;
        histogramCount += naive.histograms.length;
        expectSamples(engine, `run_${runCount++}`, joined(results), [naive]);
      }),
      { numRuns: 40, seed: 20261126 },
    );
    expect(sampleCount).toBeGreaterThan(given.samplesMin);
    expect(histogramCount).toBeGreaterThan(given.histogramsMin);
  },
);

const at = (n: number) => ({ startMs: generatorUnixMs + n * 1000, endMs: generatorUnixMs + (n + 1) * 1000 });
const reasons = ({ rejections }: RequestOutcome) =>
  rejections.map(({ reason, count }) => `${reason} ${count}`);

test('a request without delta points needs no totals, and one with them leaves nothing behind while it waits', () => {
  const transcode = createTranscoder();
  const run = (bytes: Uint8Array) =>
    transcode({ ...task, requests: [{ signal: 'metrics', tenant: 'default', bytes }] });
  const gauge = { name: 'g', description: 'Kept.', gauge: { dataPoints: [{ timeUnixNano: 1n, asInt: 1 }] } };
  const point = { timeUnixNano: BigInt(generatorUnixMs) * 1_000_000n, asInt: 1 };
  const sum = { name: 's', sum: { aggregationTemporality: 1, dataPoints: [point] } };
  expect(run(request([gauge])).outcomes[0]!.deltaWait).toBeUndefined();
  const waiting = run(request([gauge, { ...gauge, name: 'h' }, sum]));
  expect(waiting.blocks).toEqual([]);
  expect(waiting.outcomes[0]).toMatchObject({
    accepted: 0,
    deltaWait: { needs: { metrics: ['s'], newestMs: Float64Array.of(generatorUnixMs) } },
  });
  // The family of g is in a block, that of h is not yet.
  const after = run(request([gauge, { ...gauge, name: 'h' }]));
  expect(after.blocks.map(({ table, rowCount }) => `${table} ${rowCount}`)).toEqual([
    'metric_metadata 1',
    'series 1',
    'samples_head 2',
  ]);
});

test('what a request adds is taken back where it cannot be decoded to its end', () => {
  const transcode = createTranscoder();
  const good = deltaSum('m', [{ ...at(0), value: 5 }]);
  // The resource whose length is longer than the request comes after the delta points.
  const broken = new Uint8Array([...deltaSum('m', [{ ...at(1), value: 100 }]), 0x0a, 0x7f]);
  const next = deltaSum('m', [{ ...at(1), value: 2 }]);
  const tenant = 'default';
  const [waiting] = transcode({ ...task, requests: [{ signal: 'metrics', tenant, bytes: good }] }).outcomes;
  const deltaTotals = {
    ...newTotals(waiting!.deltaWait!.needs),
    totals: Float64Array.of(1),
    lastMs: Float64Array.of(at(0).startMs),
    startMs: Float64Array.of(3),
  };
  const result = transcode({
    ...task,
    requests: [good, broken, next].map((bytes) => ({
      signal: 'metrics' as const,
      tenant,
      bytes,
      deltaTotals,
    })),
  });
  expect(result.outcomes.map(({ accepted, decodeError }) => [accepted, decodeError !== undefined])).toEqual([
    [1, false],
    [0, true],
    [1, false],
  ]);
  expect(result.outcomes[2]!.deltaTotals).toEqual({
    ...newTotals(waiting!.deltaWait!.needs),
    totals: Float64Array.of(8),
    lastMs: Float64Array.of(at(1).endMs),
    startMs: Float64Array.of(3),
  });
});

test('requests of a task go on from one another in one tenant, and not across tenants', () => {
  const transcode = createTranscoder();
  const request = (tenant: string, n: number) => ({
    signal: 'metrics' as const,
    tenant,
    bytes: deltaSum('m', [{ ...at(n), value: 1 }]),
  });
  const { needs } = transcode({ ...task, requests: [request('red', 5)] }).outcomes[0]!.deltaWait!;
  const known = (total: number) => ({
    ...newTotals(needs),
    newestMs: Float64Array.of(at(5).endMs),
    totals: Float64Array.of(total),
    lastMs: Float64Array.of(at(4).endMs),
    startMs: Float64Array.of(0),
  });
  const { outcomes } = transcode({
    ...task,
    requests: [
      { ...request('red', 5), deltaTotals: known(7) },
      { ...request('red', 6), deltaTotals: known(7) },
      { ...request('blue', 5), deltaTotals: known(100) },
    ],
  });
  expect(outcomes.map(({ deltaTotals }) => deltaTotals!.totals[0])).toEqual([8, 9, 101]);
});

test.each([
  { name: 'a repeat of several points', first: [0, 1, 2], again: [0, 1, 2], reason: ['delta_repeated 3'] },
  { name: 'the last point, and a new one', first: [0, 1], again: [1, 2], reason: ['delta_repeated 1'] },
  { name: 'an older point alone', first: [0, 1], again: [0], reason: ['delta_out_of_order 1'] },
  { name: 'one time twice', first: [0], again: [1, 1], reason: ['delta_out_of_order 1'] },
  { name: 'points out of order', first: [0], again: [2, 1], reason: ['delta_out_of_order 1'] },
])('$name: $reason', ({ first, again, reason }) => {
  const totals = new Totals();
  totals.add(
    deltaSum(
      'm',
      first.map((n) => ({ ...at(n), value: 1 })),
    ),
  );
  expect(
    reasons(
      totals.add(
        deltaSum(
          'm',
          again.map((n) => ({ ...at(n), value: 1 })),
        ),
      ).outcomes[0]!,
    ),
  ).toEqual(reason);
});

test.each([[[1, 1, 5]], [[2, 1]], [[1, Number.POSITIVE_INFINITY]], [[-0, 0]], [[Number.NaN]]])(
  'a histogram with the bounds %j is refused: two of its buckets would be one series',
  (bounds) => {
    const bytes = deltaHistogram('h', [{ ...at(0), bounds, counts: bounds.concat(0).map(() => 1) }]);
    expect(reasons(new Totals().add(bytes).outcomes[0]!)).toEqual(['invalid_histogram 1']);
  },
);

test('a histogram that is refused is refused as one point', () => {
  const totals = new Totals();
  const bytes = () => deltaHistogram('h', [{ ...at(0), bounds: [1, 2], counts: [1, 1, 1], sum: 2 }]);
  expect(totals.add(bytes()).outcomes[0]).toMatchObject({ accepted: 5, rejections: [] });
  expect(reasons(totals.add(bytes()).outcomes[0]!)).toEqual(['delta_repeated 1']);
});

test('a start that comes after its point is none, of the total too', () => {
  const totals = new Totals();
  const late = { ...at(0), startMs: at(0).endMs + 60_000, value: 1 };
  const first = totals.add(deltaSum('m', [late]));
  expect(reasons(first.outcomes[0]!)).toEqual(['invalid_start_time 1']);
  const tablesOf = ({ blocks }: TranscodeResult) => blocks.map(({ table }) => table);
  // Long after that start has come, the total still does not know since when it counts.
  const later = totals.add(deltaSum('m', [{ ...at(200), value: 1 }]));
  expect([first, later].flatMap(tablesOf)).not.toContain('sample_starts');
  const anew = totals.add(deltaSum('m', [{ ...at(9000), value: 1 }]));
  expect(tablesOf(anew)).toContain('sample_starts');
});

test('what follows a request that does not fit beside others waits with it: its points come first', () => {
  const transcode = createTranscoder();
  // Of 600 partitions each, which is too many for two of them.
  const spread = (metric: string, first: number) =>
    Array.from({ length: 600 }, (_, i) => at((first + i) * 7200 - 10_000_000)).map((times) =>
      deltaSum(metric, [{ ...times, value: 1 }]),
    );
  const shared = (n: number) => deltaSum('shared', [{ ...at(n), value: 1 }]);
  const bodies = [
    spread('a', 0),
    [...spread('b', 600), shared(0)],
    [shared(1)],
    [shared(2)],
    [deltaSum('own', [{ ...at(1), value: 1 }])],
  ];
  const other = { signal: 'metrics' as const, tenant: 'other', bytes: shared(0) };
  const requests = [
    ...bodies.map((parts) => ({
      signal: 'metrics' as const,
      tenant: 'default',
      bytes: new Uint8Array(Buffer.concat(parts)),
    })),
    other,
  ];
  const run = (those: readonly RunRequest[]) => transcode({ ...task, requests: those }).outcomes;
  const again = run(requests).map(({ deltaWait }, i) => ({
    ...requests[i]!,
    bytes: deltaWait!.bytes,
    deltaTotals: newTotals(deltaWait!.needs),
  }));
  const outcomes = run(again);
  const fits = outcomes.map(({ accepted, misfit }) => misfit !== undefined || accepted);
  expect(fits).toEqual([600, true, true, true, 1, 1]);
});

test('a total that was left out refuses the points of its series, and stays what it was', () => {
  const transcode = createTranscoder();
  const bytes = deltaExponential('h', [{ ...at(0), counts: [1] }]);
  const run = (deltaTotals?: DeltaTotals) =>
    transcode({
      ...task,
      requests: [{ signal: 'metrics', tenant: 'default', bytes: bytes.slice(), deltaTotals }],
    });
  const { needs } = run().outcomes[0]!.deltaWait!;
  const gathered = new GatheredTotals(needs, new CellBudget(0));
  gathered.setHistogram(0, Float64Array.of(1), 1, 1);
  const { blocks, outcomes } = run(gathered.finish());
  expect(reasons(outcomes[0]!)).toEqual(['delta_total_too_large 1']);
  expect(blocks).toEqual([]);
  expect(outcomes[0]!.deltaTotals).toMatchObject({ lastMs: Float64Array.of(Number.POSITIVE_INFINITY) });
});
