/**
 * Goal: a plan says what will be done and why; what stands twice is done once, within bounds, and annotated in each place;
 * and what can be streamed is never held as a whole.
 * Method: the engine over a memory source that counts, with and without other paths than samples.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { createPromqlEngine, type PromqlEngineOptions } from '#query/promql/engine.ts';
import { parsePromql } from '#query/promql/parser.ts';
import {
  choosePath,
  firstLook,
  lookAtSeries,
  type PathWishes,
  thresholdsDefault,
} from '#query/promql/plan/choose-path.ts';
import type { ExplainedNode } from '#query/promql/plan/explain.ts';
import { expressionKey } from '#query/promql/plan/expression-key.ts';
import type { ReadShape } from '#query/promql/plan/query-plan.ts';
import type { PushCapabilities, PushedFunction } from '#query/promql/pushed/pushed-source.ts';
import { promqlLimitsDefault } from '#query/promql/query-budget.ts';
import type { SampleRequest, SampleSource, SeriesSamples } from '#query/promql/source.ts';
import { createMemorySampleSource } from '../../languages/promql/memory-sample-source.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

function series(name: string, job: string, count: number): SeriesSamples {
  return {
    labels: [
      ['__name__', name],
      ['job', job],
    ],
    timestamps: Float64Array.from({ length: count }, (_, i) => i * minuteMs),
    values: Float64Array.from({ length: count }, (_, i) => i * (job.length + 1)),
  };
}

const data = [series('a', 'x', 120), series('a', 'yy', 120), series('b', 'x', 120)];

/** Remembers what was asked for. */
function countingSource(asked: SampleRequest[]): SampleSource {
  const source = createMemorySampleSource(data);
  return {
    ...source,
    select: (request, abort) => {
      asked.push(request);
      return source.select(request, abort);
    },
  };
}

async function ask(query: string, options: Partial<PromqlEngineOptions> = {}) {
  const asked: SampleRequest[] = [];
  const engine = createPromqlEngine({
    source: () => countingSource(asked),
    limits: promqlLimitsDefault,
    lookbackMsDefault: 5 * minuteMs,
    ...options,
  });
  const outcome = await engine.range({
    tenant: 't',
    query,
    startMs: hourMs,
    endMs: 2 * hourMs - minuteMs,
    stepMs: minuteMs,
    explain: true,
  });
  return { outcome, reads: asked.length, plan: outcome.explanation!.plan };
}

describe('what stands twice is read once', () => {
  test.each([
    { query: 'sum(rate(a[5m])) / sum(rate(a[5m]))', reads: 1 },
    { query: 'sum(rate(a{job="x",job!=""}[5m])) / sum(rate(a{job!="",job="x"}[5m]))', reads: 1 },
    { query: 'quantile(0.9, a) - quantile(0.5, a)', reads: 1 },
    { query: 'max_over_time(a[5m]) - min_over_time(a[5m])', reads: 1 },
    { query: 'a / on(job) group_left() sum by (job) (a)', reads: 1 },
    { query: 'max_over_time(rate(a[5m])[30m:1m]) - min_over_time(rate(a[5m])[30m:1m])', reads: 1 },
    { query: 'rate(a[5m]) / rate(a[6m])', reads: 2 },
    { query: 'a - a offset 5m', reads: 2 },
    { query: 'sum(a) / sum(b)', reads: 2 },
    { query: 'rate(a[5m]) + max_over_time(rate(a[5m])[30m:1m])', reads: 2 },
    // The same text with other steps: `@` makes it one value.
    { query: 'sum(rate(a[5m] @ 4000)) / sum(rate(a[5m]))', reads: 2 },
  ])('$query: $reads', async ({ query, reads }) => {
    const { outcome, reads: found } = await ask(query);
    expect(found).toBe(reads);
    expect(outcome.result).toMatchObject({ type: 'matrix' });
  });

  test('values are those of reading it twice', async () => {
    const twice = async (query: string) => (await ask(query)).outcome.result;
    // A matcher that changes nothing makes it another expression.
    expect(await twice('sum(rate(a[5m])) * 2 - sum(rate(a[5m]))')).toEqual(
      await twice('sum(rate(a[5m])) * 2 - sum(rate(a{job!=""}[5m]))'),
    );
  });

  test.each([
    { query: 'rate(a[5m])\n+ (rate( a[5m]))\n+ sum by (job) (rate(a[5m]))', position: '3:22' },
    { query: 'sum(rate(a[5m])) - sum(rate(a[5m]))', position: '1:29' },
    // Prometheus gives notes about a subquery's samples the beginning of the query.
    { query: 'rate(a[5m:1m]) - rate(a[5m:1m])', position: '1:1' },
  ])('a note is left where it would come up last: $query', async ({ query, position }) => {
    const { outcome } = await ask(query);
    const fact = 'metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "a"';
    expect(outcome.infos).toEqual([`PromQL info: ${fact} (${position})`]);
  });

  test('what is too large is read again', async () => {
    const many = Array.from({ length: 700 }, (_, i) => series('big', `${i}`, 120));
    const asked: SampleRequest[] = [];
    const source = createMemorySampleSource(many);
    const engine = createPromqlEngine({
      source: () => ({
        ...source,
        select: (request, abort) => {
          asked.push(request);
          return source.select(request, abort);
        },
      }),
      limits: promqlLimitsDefault,
      lookbackMsDefault: 5 * minuteMs,
    });
    const range = { tenant: 't', startMs: 0, endMs: 10_000 * 720, stepMs: 1000 };
    await engine.range({ ...range, query: 'quantile(0.5, big) + quantile(0.6, big)' });
    expect(asked).toHaveLength(2);
  });
});

test('two expressions have one key where only positions and the order of matchers differ', () => {
  const grid = { startMs: 0, stepMs: 1000, count: 2 };
  const key = (text: string) => expressionKey(parsePromql(text), grid);
  expect(key('sum by (x) (a{b="c",d="e"})')).toBe(key('sum(a{d="e", b="c"}) by (x)'));
  const others = [
    'a',
    'a{b="c"}',
    'a{b!="c"}',
    'a offset 1s',
    'a @ 1',
    'a @ start()',
    '-a',
    'a * 1',
    'a * -0',
    'a * Inf',
  ];
  expect(new Set(others.map(key)).size).toBe(others.length);
  expect(expressionKey(parsePromql('a'), { ...grid, count: 3 })).not.toBe(key('a'));
});

describe('series that come one from another are never held together', () => {
  test.each([
    'sum(max_over_time(rate(s[5m])[1h:1m]))',
    'sum(max_over_time((rate(s[5m]) * 60)[1h:1m]))',
    'sum(-abs(rate(s[5m])))',
    'count(2 * s)',
    'max(avg_over_time(max_over_time(s[5m:1m])[10m:5m]))',
  ])('%s', async (query) => {
    let live = 0;
    let liveMax = 0;
    let toldCount = 0;
    const registry = new FinalizationRegistry<number>((count) => {
      live -= count;
      toldCount++;
    });
    const source = createMemorySampleSource([]);
    const engine = createPromqlEngine({
      source: () => ({
        ...source,
        async *select() {
          for (let i = 0; i < 400; i++) {
            const one = series('s', `${i}`, 2000);
            live += 2000;
            registry.register(one.values, 2000);
            yield one;
            if (i % 20 !== 0) continue;
            // What is unreachable is told some turns of the loop later; what is held is still there after fifty.
            for (let turn = 0; turn < 2 || (turn < 50 && live > 50_000); turn++) {
              collectGarbage();
              await new Promise((resolve) => setImmediate(resolve));
            }
            liveMax = Math.max(liveMax, live);
          }
        },
      }),
      limits: promqlLimitsDefault,
      lookbackMsDefault: 5 * minuteMs,
    });
    await engine.range({ tenant: 't', query, startMs: hourMs, endMs: 30 * hourMs, stepMs: 10 * minuteMs });
    // Of 800,000.
    expect(liveMax).toBeLessThan(150_000);
    expect(toldCount).toBeGreaterThan(0);
  });
});

const server: PushCapabilities = {
  place: 'server',
  functions: new Set<PushedFunction>(['selector', 'rate', 'resets']),
};
const wishes: PathWishes = { pushDown: 'exact', resolution: 'auto', thresholds: thresholdsDefault };
const metric = [{ name: '__name__', op: '=', value: 'm' }] as const;

function shape(change: Partial<ReadShape> = {}): ReadShape {
  return {
    request: { matchers: metric, startMs: 0, endMs: 49 * hourMs },
    name: 'rate',
    rangeMs: hourMs,
    ends: { firstMs: hourMs, stepMs: hourMs, lastMs: 49 * hourMs },
    count: 49,
    ...change,
  };
}

function pathOf(
  read: ReadShape,
  wanted: PathWishes,
  capabilities: PushCapabilities | undefined,
  seriesCount = 1000,
) {
  const look = firstLook(read, wanted, capabilities);
  if (typeof look === 'string') return `kernel: ${look}`;
  const closer = lookAtSeries(read, wanted, look, seriesCount);
  if (typeof closer === 'string') return `kernel: ${closer}`;
  const survey = { hasHistograms: false, cellsFromMs: 5 * minuteMs, cellsUntilMs: 47 * hourMs };
  const { path, reason, cells } = choosePath(read, wanted, closer, survey);
  return `${path}: ${reason}${cells === undefined ? '' : ` (${cells.stepFirst} to ${cells.stepEnd})`}`;
}

describe('a path is taken where it is exact and cheaper, and the reason is said', () => {
  const embedded: PushCapabilities = { ...server, place: 'embedded' };
  test.each([
    {
      read: shape(),
      from: embedded,
      path: 'cells: 47 of 49 steps are whole closed cells; the rest is read as samples (0 to 47)',
    },
    { read: shape(), from: undefined, path: 'kernel: the source answers with samples only' },
    {
      read: shape(),
      from: embedded,
      series: 10,
      path: /^kernel: no cells: there are few samples; no grid: the store's rate differs by rounding$/,
    },
    {
      read: shape({ rangeMs: hourMs + 1 }),
      from: embedded,
      path: /^kernel: no cells: windows are not made of whole cells/,
    },
    {
      read: shape({ name: 'stddev_over_time' }),
      from: embedded,
      path: /^kernel: no cells: cells do not know stddev_over_time/,
    },
    {
      read: shape({ name: 'selector', rangeMs: 10 * minuteMs }),
      from: embedded,
      path: /^kernel: no cells: the lookback is not five minutes/,
    },
    {
      read: shape({ name: 'resets', rangeMs: hourMs + 1 }),
      from: embedded,
      path: /no grid: samples of the embedded store are as near/,
    },
    {
      read: shape({ name: 'resets', rangeMs: hourMs + 1 }),
      from: server,
      path: 'grid: the store computes resets: equal to the last bit',
    },
    {
      read: shape({ name: 'changes', rangeMs: hourMs + 1 }),
      from: server,
      path: /no grid: the store's changes failed its self-test/,
    },
    {
      read: shape({ name: 'resets', rangeMs: hourMs + 1 }),
      from: { ...server, place: 'cluster' as const },
      path: /no grid: shards look at their tables in no order/,
    },
    {
      read: shape({ ends: { firstMs: hourMs, stepMs: 10 ** 5 * hourMs, lastMs: 48 * 10 ** 5 * hourMs } }),
      from: embedded,
      wanted: { resolution: '1h' },
      path: 'cells: max_source_resolution is 1h: 1 of 49 steps come from closed cells (0 to 1)',
    },
    {
      read: shape({ rangeMs: hourMs + 1 }),
      from: server,
      wanted: { pushDown: 'approximate' },
      path: 'grid: the store computes rate: differs by rounding, as asked',
    },
    {
      read: shape(),
      from: server,
      wanted: { pushDown: 'off' },
      path: /^kernel: no cells: query.push_down is off/,
    },
    {
      read: shape(),
      from: embedded,
      wanted: { resolution: 'raw' },
      path: /^kernel: no cells: max_source_resolution is raw/,
    },
    {
      read: shape({ rangeMs: 7 * minuteMs }),
      from: embedded,
      series: 1,
      wanted: { resolution: '1h' },
      path: 'cells: max_source_resolution is 1h: 47 of 49 steps come from closed cells (0 to 47)',
    },
    {
      read: shape({
        request: { matchers: [{ name: '__name__', op: '=~', value: 'm.*' }], startMs: 0, endMs: 1 },
      }),
      from: server,
      path: 'kernel: the selector does not name one metric',
    },
  ] as const)('$path', ({ read, from, path, ...more }) => {
    const wanted = { ...wishes, ...('wanted' in more ? more.wanted : {}) };
    const found = pathOf(read, wanted, from, 'series' in more ? more.series : 1000);
    if (typeof path === 'string') expect(found).toBe(path);
    else expect(found).toMatch(path);
  });

  test('native histograms are left to the kernels', () => {
    const look = firstLook(shape(), wishes, server);
    if (typeof look === 'string') throw new Error(look);
    const survey = { hasHistograms: true, cellsFromMs: 0, cellsUntilMs: 49 * hourMs };
    expect(choosePath(shape(), wishes, look, survey)).toEqual({
      path: 'kernel',
      reason: 'there are native histograms',
    });
  });
});

test('explain shows the tree, the path of each read and what is shared', async () => {
  const { plan } = await ask('sum(rate(a[5m])) / (sum(rate(a[5m])) + timestamp(b))');
  const flat = (node: ExplainedNode): string[] => [
    `${node.kind} ${node.expression}${node.shared ? ' shared' : ''}${node.read ? ` ${node.read.path}: ${node.read.reason}` : ''}`,
    ...(node.children ?? []).flatMap(flat),
  ];
  expect(flat(plan)).toEqual([
    'binary sum(rate(a[5m])) / (sum(rate(a[5m])) + timestamp(b))',
    'sum sum(rate(a[5m])) shared',
    'rate rate(a[5m]) kernel: the source answers with samples only',
    'binary sum(rate(a[5m])) + timestamp(b)',
    'sum sum(rate(a[5m])) shared',
    'timestamp timestamp(b)',
    'vector b kernel: the function looks at the samples themselves',
  ]);
});
