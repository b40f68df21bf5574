/**
 * Goal: the limits of active series hold for every protocol and kind of metric: what is one too many is refused whole,
 * with its reason, and nothing of it is stored or remembered.
 * Method: real requests through one transcoder with small limits; what is stored, as Prometheus would show it.
 */
import { afterAll, expect, test } from 'vitest';
import { newTotals } from '#collector/delta-totals.ts';
import type { RunRequest, TranscodeResult } from '#collector/run.ts';
import type { SeriesLimits } from '#collector/transcode/series-guard.ts';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import { transcoderOptionsDefault } from '#collector/transcode/transcoder-options.ts';
import { deltaHistogram, deltaSum, request } from '../../support/delta-request.ts';
import { encodeMetricsRequest, type ProtoObject } from '../../support/naive/otlp-proto.ts';
import { encodeRemoteWrite1, encodeRemoteWrite2 } from '../../support/naive/prometheus-proto.ts';
import { NativeEngine } from '../../support/native-engine.ts';
import { sampleLines } from '../../support/sample-lines.ts';

const engine = new NativeEngine();
afterAll(() => engine[Symbol.dispose]());

const hourMs = 3_600_000;
/** The first millisecond of a window of two hours. */
const startMs = 236_112 * 2 * hourMs;

function createLimited(limits: Partial<SeriesLimits>) {
  const transcode = createTranscoder({
    ...transcoderOptionsDefault,
    seriesLimits: { tenantSeriesMax: 0, metricSeriesMax: 0, ...limits },
  });
  return (
    signal: 'metrics' | 'remote_write',
    bytes: Uint8Array,
    more: Partial<RunRequest> & { nowUnixMs?: number } = {},
  ): TranscodeResult => {
    const { nowUnixMs = startMs, ...rest } = more;
    return transcode({
      requests: [{ signal, tenant: 'a', bytes, ...rest }],
      nowUnixMs,
      oldestUnixMs: Number.NEGATIVE_INFINITY,
      seriesEpoch: 0,
    });
  };
}

const users = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `u${from + i}`);

/** A sample of each user's series. */
function write1(metric: string, names: readonly string[], timestamp = startMs): Uint8Array {
  return encodeRemoteWrite1({
    timeseries: names.map((user) => ({
      labels: [
        { name: '__name__', value: metric },
        { name: 'user', value: user },
      ],
      samples: [{ value: 1, timestamp }],
    })),
  });
}

function write2(metric: string, names: readonly string[]): Uint8Array {
  return encodeRemoteWrite2({
    symbols: ['', '__name__', metric, 'user', ...names],
    timeseries: names.map((_, i) => ({
      labelsRefs: [1, 2, 3, 4 + i],
      samples: [{ value: 1, timestamp: startMs }],
    })),
  });
}

const pointOf = (user: string, more: ProtoObject): ProtoObject => ({
  timeUnixNano: `${startMs}000000`,
  attributes: [{ key: 'user', value: { stringValue: user } }],
  ...more,
});
const histogram = (names: readonly string[]): ProtoObject => ({
  name: 'time',
  histogram: {
    aggregationTemporality: 2,
    dataPoints: names.map((user) =>
      pointOf(user, { count: 3, sum: 5, explicitBounds: [1, 2], bucketCounts: [1, 1, 1] }),
    ),
  },
});

const tooMany = (metric: string, label: string, count: number) => [
  {
    reason: 'metric_series_limit',
    count,
    message: expect.stringMatching(new RegExp(`metric ${metric} has .* label "${label}" has the most`)),
  },
];

test.each([
  ['remote write 1.0', 'remote_write', write1('hits', users(0, 9))],
  ['remote write 2.0', 'remote_write', write2('hits', users(0, 9))],
  [
    'OTLP sums',
    'metrics',
    request([
      {
        name: 'hits',
        gauge: { dataPoints: users(0, 9).map((user) => pointOf(user, { asDouble: 1 })) },
      },
    ]),
  ],
] as const)('%s: the series over the limit are refused, the others stored', (_, signal, bytes) => {
  const result = createLimited({ metricSeriesMax: 5 })(signal, bytes);
  expect(sampleLines(engine, result).filter((line) => line.startsWith('hits'))).toHaveLength(5);
  expect(result.outcomes[0]).toMatchObject({
    decodeError: undefined,
    rejections: tooMany('hits', 'user', 4),
  });
});

test('what is known goes on, also in the next window; other metrics and tenants are not touched', () => {
  const transcode = createLimited({ metricSeriesMax: 3 });
  const accepted = (bytes: Uint8Array, more = {}) =>
    transcode('remote_write', bytes, more).outcomes[0]!.accepted;
  expect(accepted(write1('hits', users(0, 5)))).toBe(3);
  expect(accepted(write1('hits', users(0, 5), startMs + 1))).toBe(3);
  expect(accepted(write1('other', users(0, 3)))).toBe(3);
  expect(accepted(write1('hits', users(0, 3)), { tenant: 'b' })).toBe(3);
  const nowUnixMs = startMs + 2 * hourMs;
  // A flood fills the new window before the series that were there before come.
  expect(accepted(write1('hits', users(10, 15), nowUnixMs), { nowUnixMs })).toBe(3);
  expect(accepted(write1('hits', users(0, 5), nowUnixMs), { nowUnixMs })).toBe(3);
});

test('a tenant over its limit is told its largest metric, and the records of a refused series all count', () => {
  const transcode = createLimited({ tenantSeriesMax: 2 });
  transcode('remote_write', write1('large', users(0, 2)));
  const bytes = encodeRemoteWrite1({
    timeseries: [
      {
        labels: [{ name: '__name__', value: 'small' }],
        samples: [1, 2, 3].map((value) => ({ value, timestamp: startMs + value })),
      },
    ],
  });
  const { outcomes, blocks } = transcode('remote_write', bytes);
  expect(blocks).toEqual([]);
  expect(outcomes[0]).toMatchObject({
    accepted: 0,
    rejections: [
      {
        reason: 'tenant_series_limit',
        count: 3,
        message: expect.stringContaining('metric large has the most'),
      },
    ],
  });
});

test.each([2, 3, 4, 5])('histograms: a point is stored whole or refused whole, at a limit of %i', (max) => {
  const transcode = createLimited({ metricSeriesMax: max });
  // A point has 3 buckets, a sum and a count: metrics of their own.
  const whole = Math.floor(max / 3);
  const first = transcode('metrics', request([histogram(users(0, 2))]));
  expect(sampleLines(engine, first)).toHaveLength(whole * 5);
  const again = transcode('metrics', request([histogram(users(0, 2))]));
  for (const [outcome] of [first.outcomes, again.outcomes]) {
    expect(outcome).toMatchObject({
      accepted: whole * 5,
      rejections: tooMany('time_bucket', 'le', 2 - whole),
    });
  }
});

test('summaries are stored whole or refused whole, with their sum', () => {
  const summary = (names: readonly string[]) => ({
    name: 'lag',
    summary: {
      dataPoints: names.map((user) =>
        pointOf(user, {
          count: 2,
          sum: 7,
          quantileValues: [
            { quantile: 0.5, value: 3 },
            { quantile: 0.9, value: 4 },
          ],
        }),
      ),
    },
  });
  const result = createLimited({ metricSeriesMax: 3 })('metrics', request([summary(users(0, 2))]));
  expect(sampleLines(engine, result).filter((line) => line.startsWith('lag'))).toEqual(
    ['lag_count', 'lag_sum', 'lag', 'lag'].map((name) => expect.stringMatching(`^${name}{.*user="u0"`)),
  );
  expect(sampleLines(engine, result)).toContainEqual(expect.stringMatching(/^lag_sum.* 7 @/));
  expect(result.outcomes[0]!.rejections).toEqual(tooMany('lag', 'quantile', 1));
});

test('exponential histograms over the limit are refused', () => {
  const metric = {
    name: 'size',
    exponentialHistogram: {
      aggregationTemporality: 2,
      dataPoints: users(0, 4).map((user) =>
        pointOf(user, { count: 1, scale: 1, positive: { offset: 0, bucketCounts: [1] } }),
      ),
    },
  };
  const [outcome] = createLimited({ metricSeriesMax: 3 })('metrics', request([metric])).outcomes;
  expect(outcome).toMatchObject({ histograms: 3, rejections: tooMany('size', 'user', 1) });
});

const noTotals = ({ outcomes }: TranscodeResult) => newTotals(outcomes[0]!.deltaWait!.needs);
const interval = { startMs: startMs - 10, endMs: startMs, value: 1 };

test.each([
  [
    'sums',
    deltaSum(
      'hits',
      users(0, 4).map((route) => ({ ...interval, route })),
    ),
    'hits_total',
    'route',
  ],
  [
    'histograms',
    deltaHistogram(
      'hits',
      users(0, 2).map((route) => ({ ...interval, route, bounds: [1], counts: [1, 1] })),
    ),
    'hits_bucket',
    'le',
  ],
] as const)('delta %s over the limit need no total and are refused', (_, bytes, metric, label) => {
  const transcode = createLimited({ metricSeriesMax: 3 });
  const waiting = transcode('metrics', bytes.slice());
  const result = transcode('metrics', bytes.slice(), { deltaTotals: noTotals(waiting) });
  expect(result.outcomes[0]!.rejections).toEqual(tooMany(metric, label, 1));
  expect(sampleLines(engine, result).filter((line) => line.startsWith('hits'))).toHaveLength(3);
});

test('a delta series that was refused while totals were fetched stays refused in a window that begins meanwhile', () => {
  const bytes = deltaSum(
    'hits',
    users(0, 2).map((route) => ({ ...interval, route })),
  );
  const transcode = createLimited({ metricSeriesMax: 2 });
  transcode('remote_write', write1('hits_total', ['others']));
  const deltaTotals = noTotals(transcode('metrics', bytes.slice()));
  const nowUnixMs = startMs + 2 * hourMs;
  const { outcomes } = transcode('metrics', bytes.slice(), { deltaTotals, nowUnixMs });
  expect(outcomes[0]).toMatchObject({
    accepted: 1,
    rejections: [{ reason: 'delta_without_total', count: 1 }],
  });
});

test('target_info over its limit is refused, the samples of its resource are not', () => {
  const transcode = createLimited({ metricSeriesMax: 1 });
  transcode('remote_write', write1('target_info', users(0, 1)));
  const attributes = ['service.name', 'host.name'].map((key) => ({ key, value: { stringValue: 'x' } }));
  const gauge = { name: 'up', gauge: { dataPoints: [pointOf('u0', { asInt: 1 })] } };
  const bytes = encodeMetricsRequest({
    resourceMetrics: [{ resource: { attributes }, scopeMetrics: [{ metrics: [gauge] }] }],
  });
  expect(transcode('metrics', bytes).outcomes[0]).toMatchObject({
    accepted: 1,
    rejections: tooMany('target_info', 'user', 1),
  });
});
