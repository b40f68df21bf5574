/**
 * Goal: OTLP metrics become the samples, series and metadata that OpenTelemetry's Prometheus rules say.
 * Method: generated requests against a naive decoder, by checksum in the engine; then examples of each kind of metric,
 * shown as Prometheus would write them.
 */
import { afterAll, expect, test } from 'vitest';
import type { TranscodeResult } from '#collector/run.ts';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import { Lcg } from '../../support/lcg.ts';
import { naiveMetrics } from '../../support/naive/naive-metrics.ts';
import { NaiveSamples } from '../../support/naive/naive-samples.ts';
import { encodeMetricsRequest, type ProtoObject } from '../../support/naive/otlp-proto.ts';
import { NativeEngine } from '../../support/native-engine.ts';
import { generatorUnixMs, metricsRequest } from '../../support/otlp-generator.ts';
import { expectSamples } from '../../support/sample-comparison.ts';
import { sampleLines } from '../../support/sample-lines.ts';

const engine = new NativeEngine();
afterAll(() => engine[Symbol.dispose]());

const nowUnixMs = generatorUnixMs + 5 * 3_600_000;

function transcode(bytes: Uint8Array): TranscodeResult {
  return createTranscoder()({
    requests: [{ signal: 'metrics', tenant: 'default', bytes }],
    nowUnixMs,
    oldestUnixMs: Number.NEGATIVE_INFINITY,
    seriesEpoch: 0,
  });
}

/** Transcodes metrics of one resource and returns `name{labels} value @ms` lines, as Prometheus would show them. */
function samplesOf(metrics: ProtoObject[], resource: ProtoObject = {}, scope: ProtoObject = {}): string[] {
  return sampleLines(
    engine,
    transcode(encodeMetricsRequest({ resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics }] }] })),
  );
}

const at = { timeUnixNano: 1_700_000_000_123_999_999n };

test('generated requests of several tenants give the rows of the naive decoder', () => {
  const random = new Lcg(21);
  const requests = Array.from({ length: 80 }, (_, i) => ({
    signal: 'metrics' as const,
    tenant: `tenant-${i % 3}`,
    bytes: encodeMetricsRequest(metricsRequest(random)),
  }));
  const oldestUnixMs = generatorUnixMs + 600_000;
  const result = createTranscoder()({ requests, nowUnixMs, oldestUnixMs, seriesEpoch: 0 });
  const naive = new Map<string, NaiveSamples>();
  for (const { tenant, bytes } of requests) {
    const task = { tenant, nowUnixMs, oldestUnixMs };
    const into = naive.get(tenant) ?? new NaiveSamples(task);
    naive.set(tenant, naiveMetrics(bytes, task, into));
  }
  const sampleCount = [...naive.values()].reduce((sum, { samples }) => sum + samples.length, 0);
  expect(sampleCount).toBeGreaterThan(1000);
  const startCount = [...naive.values()].reduce((sum, { starts }) => sum + starts.length, 0);
  expect(startCount).toBeGreaterThan(500);
  const histogramCount = [...naive.values()].reduce((sum, { histograms }) => sum + histograms.length, 0);
  expect(histogramCount).toBeGreaterThan(50);
  expect(result.outcomes.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(sampleCount + histogramCount);
  expectSamples(engine, 'generated', result, [...naive.values()]);
});

test('gauges and counters take unit and type suffixes', () => {
  const point = { ...at, asInt: 5, attributes: [{ key: 'http.method', value: { stringValue: 'GET' } }] };
  expect(
    samplesOf([
      { name: 'system.memory', unit: 'By', gauge: { dataPoints: [point] } },
      {
        name: 'requests',
        unit: '1',
        sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: [point] },
      },
      { name: 'queue.size', sum: { aggregationTemporality: 2, dataPoints: [{ ...at, asDouble: -0.5 }] } },
    ]),
  ).toEqual([
    'queue_size{} -0.5 @1700000000123',
    'requests_total{http_method="GET"} 5 @1700000000123',
    'system_memory_bytes{http_method="GET"} 5 @1700000000123',
  ]);
});

test('a histogram becomes cumulative buckets, a sum and a count', () => {
  const point = { ...at, count: 6, sum: 9.5, explicitBounds: [0.005, 1, 1e21], bucketCounts: [1, 2, 0, 3] };
  const histogram = { aggregationTemporality: 2, dataPoints: [point] };
  expect(samplesOf([{ name: 'latency', unit: 's', histogram }])).toEqual([
    'latency_seconds_bucket{le="+Inf"} 6 @1700000000123',
    'latency_seconds_bucket{le="0.005"} 1 @1700000000123',
    'latency_seconds_bucket{le="1"} 3 @1700000000123',
    'latency_seconds_bucket{le="1000000000000000000000"} 3 @1700000000123',
    'latency_seconds_count{} 6 @1700000000123',
    'latency_seconds_sum{} 9.5 @1700000000123',
  ]);
});

test('a summary becomes quantiles, a sum and a count', () => {
  const point = { ...at, count: 2, sum: 3, quantileValues: [{ quantile: 0.99, value: 2.5 }, { value: 0.5 }] };
  expect(samplesOf([{ name: 'rpc', summary: { dataPoints: [point] } }])).toEqual([
    'rpc_count{} 2 @1700000000123',
    'rpc_sum{} 3 @1700000000123',
    'rpc{quantile="0"} 0.5 @1700000000123',
    'rpc{quantile="0.99"} 2.5 @1700000000123',
  ]);
});

test('the resource gives job and instance, and target_info with the rest; the scope gives otel_scope labels', () => {
  const text = (key: string, value: string) => ({ key, value: { stringValue: value } });
  const resource = {
    attributes: [
      text('service.name', 'cart'),
      text('service.namespace', 'shop'),
      text('service.instance.id', 'i-1'),
      text('host.name', 'node7'),
    ],
  };
  const scope = { name: 'lib', version: '1.2', attributes: [text('build', 'x')] };
  const gauge = { dataPoints: [{ ...at, asInt: 1, attributes: [text('job', 'mine'), text('le', 'kept')] }] };
  expect(samplesOf([{ name: 'up', gauge }], resource, scope)).toEqual([
    'target_info{host_name="node7",instance="i-1",job="shop/cart"} 1 @1700000000123',
    'up{instance="i-1",job="shop/cart",le="kept",otel_scope_build="x",otel_scope_name="lib",otel_scope_version="1.2"} 1 @1700000000123',
  ]);
});

test('attribute keys that become one label name are joined in the order of the keys', () => {
  const text = (key: string, value: string) => ({ key, value: { stringValue: value } });
  const attributes = [text('a_b', 'under'), text('a.b', 'dot'), text('a-b', 'dash'), text('a b', '')];
  expect(samplesOf([{ name: 'm', gauge: { dataPoints: [{ ...at, asInt: 1, attributes }] } }])).toEqual([
    'm{a_b="dash;dot;under"} 1 @1700000000123',
  ]);
});

/** Since when series count, as `name from the n-th second on since the m-th`. */
function startsOf(tables: readonly TranscodeResult[], name: string): string[] {
  engine.createTable(name, 'sample_starts');
  for (const { table, parts } of tables.flatMap(({ blocks }) => blocks)) {
    if (table === 'sample_starts') engine.insertBlock(name, table, parts);
  }
  const rows = engine.rows(
    `SELECT concat(metric, ' from ', toString((toUnixTimestamp64Milli(ts) - 1700000000000) / 1000), ' on since ',
       toString((toUnixTimestamp64Milli(start_ts) - 1700000000000) / 1000)) AS line FROM ${name} ORDER BY ts, line`,
  ) as { line: string }[];
  return rows.map(({ line }) => line);
}

const second = (n: number): bigint => 1_700_000_000_000_000_000n + BigInt(n) * 1_000_000_000n;
const from = (start: number, end: number, value: ProtoObject): ProtoObject => ({
  startTimeUnixNano: second(start),
  timeUnixNano: second(end),
  ...value,
});
const requestOf = (...metrics: ProtoObject[]): Uint8Array =>
  encodeMetricsRequest({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] });

test('all that counts up has a start time: counters, histograms, sums and counts of summaries', () => {
  const buckets = { count: 1, sum: 1, explicitBounds: [5], bucketCounts: [1, 0] };
  const quantiles = { count: 1, sum: 1, quantileValues: [{ quantile: 0.5, value: 1 }] };
  const cumulative = { aggregationTemporality: 2 };
  const result = transcode(
    requestOf(
      { name: 'c', sum: { ...cumulative, isMonotonic: true, dataPoints: [from(1, 9, { asInt: 1 })] } },
      { name: 'u', sum: { ...cumulative, dataPoints: [from(2, 9, { asInt: 1 })] } },
      { name: 'g', gauge: { dataPoints: [from(3, 9, { asInt: 1 })] } },
      { name: 'h', histogram: { ...cumulative, dataPoints: [from(4, 9, buckets)] } },
      { name: 's', summary: { dataPoints: [from(5, 9, quantiles)] } },
    ),
  );
  expect(startsOf([result], 'starts_by_kind')).toEqual([
    'c_total from 9 on since 1',
    'h_bucket from 9 on since 4',
    'h_bucket from 9 on since 4',
    'h_count from 9 on since 4',
    'h_sum from 9 on since 4',
    's_count from 9 on since 5',
    's_sum from 9 on since 5',
  ]);
});

test('a start time is stored where it changes and in every two hours; none, and one after its point, are not', () => {
  const points = [
    from(-50, 0, { asInt: 1 }),
    from(-50, 15, { asInt: 2 }),
    from(20, 30, { asInt: 1 }),
    { timeUnixNano: second(45), asInt: 2 },
    from(20, 60, { asInt: 3 }),
    from(76, 75, { asInt: 4 }),
    // The first second of the next two hours is the 6400th.
    from(20, 6399, { asInt: 5 }),
    from(20, 6400, { asInt: 6 }),
    from(6500, 6500, { asInt: 6 }),
  ];
  const sum = { aggregationTemporality: 2, isMonotonic: true, dataPoints: points };
  const result = transcode(requestOf({ name: 'c', sum }));
  expect(result.outcomes[0]).toMatchObject({
    accepted: 9,
    rejections: [{ reason: 'invalid_start_time', count: 1 }],
  });
  expect(startsOf([result], 'starts_by_time')).toEqual([
    'c_total from 0 on since -50',
    'c_total from 30 on since 20',
    'c_total from 6400 on since 20',
    'c_total from 6500 on since 6500',
  ]);
});

test('a start time counts as told only where the run that told it is stored, and its request was whole', () => {
  const transcodeRun = createTranscoder();
  const run = (bytes: Uint8Array, number: number, storedFrom: number, storedBelow: number) =>
    transcodeRun({
      requests: [{ signal: 'metrics', tenant: 'default', bytes }],
      nowUnixMs,
      oldestUnixMs: 0,
      seriesEpoch: 0,
      standing: { number, storedFrom, storedBelow },
    });
  const point = (end: number) => {
    const dataPoints = [from(-50, end, { asInt: 1 })];
    return requestOf({ name: 'c', sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints } });
  };
  const broken = Uint8Array.from([...point(0), 0x0a, 0x7f]);
  const results = [
    run(broken, 0, 0, 0),
    run(point(1), 1, 0, 0),
    run(point(2), 2, 0, 0), // under way
    run(point(3), 3, 0, 3), // stored
    run(point(4), 4, 4, 4), // failed
    run(point(5), 5, 4, 5),
  ];
  expect(startsOf(results, 'starts_by_run')).toEqual([1, 2, 4].map((n) => `c_total from ${n} on since -50`));
});

test('no recorded value is a stale marker, bit by bit', () => {
  const { blocks } = transcode(
    encodeMetricsRequest({
      resourceMetrics: [
        { scopeMetrics: [{ metrics: [{ name: 'm', gauge: { dataPoints: [{ ...at, flags: 1 }] } }] }] },
      ],
    }),
  );
  engine.createTable('stale', 'samples_head');
  engine.insertBlock('stale', 'samples_head', blocks.at(-1)!.parts);
  expect(engine.rows('SELECT hex(reinterpretAsUInt64(v)) AS bits FROM stale')).toEqual([
    { bits: '7FF0000000000002' },
  ]);
});

const point = { ...at, asInt: 1, count: 1 };
test.each([
  {
    name: 'a sum without temporality',
    metric: { name: 'm', sum: { dataPoints: [point] } },
    rejection: { reason: 'invalid_temporality', count: 1 },
  },
  {
    name: 'an exponential histogram without temporality',
    metric: { name: 'm', exponentialHistogram: { dataPoints: [point] } },
    rejection: {
      reason: 'invalid_temporality',
      count: 1,
      message: 'the metric "m" has aggregation temporality 0: it must be cumulative or delta',
    },
  },
  {
    name: 'a metric without a name',
    metric: { gauge: { dataPoints: [point] } },
    rejection: { reason: 'invalid_metric_name', count: 1 },
  },
  {
    name: 'a point without a value',
    metric: { name: 'm', gauge: { dataPoints: [at] } },
    rejection: { reason: 'missing_value', count: 1 },
  },
  {
    name: 'a histogram whose bounds and counts do not fit',
    metric: {
      name: 'm',
      histogram: {
        aggregationTemporality: 2,
        dataPoints: [{ ...point, explicitBounds: [1], bucketCounts: [1] }],
      },
    },
    rejection: { reason: 'invalid_histogram', count: 1 },
  },
  {
    name: 'a histogram with too many buckets',
    metric: {
      name: 'm',
      histogram: {
        aggregationTemporality: 2,
        dataPoints: [{ ...point, explicitBounds: Array.from({ length: 1025 }, (_, i) => i) }],
      },
    },
    rejection: { reason: 'too_many_buckets', count: 1 },
  },
  {
    name: 'an attribute value beyond the limit',
    metric: {
      name: 'm',
      gauge: {
        dataPoints: [{ ...point, attributes: [{ key: 'a', value: { stringValue: 'x'.repeat(8193) } }] }],
      },
    },
    rejection: {
      reason: 'label_value_too_long',
      count: 1,
      message: 'the value of "a" of the series "m" has 8193 bytes, more than 8192',
    },
  },
  {
    name: 'more attributes than labels may be',
    metric: {
      name: 'm',
      gauge: {
        dataPoints: [
          {
            ...point,
            attributes: Array.from({ length: 200 }, (_, i) => ({ key: `k${i}`, value: { intValue: i } })),
          },
        ],
      },
    },
    rejection: { reason: 'too_many_labels', count: 1 },
  },
])('$name is refused by reason', ({ metric, rejection }) => {
  const bytes = encodeMetricsRequest({ resourceMetrics: [{ scopeMetrics: [{ metrics: [metric] }] }] });
  const { outcomes, blocks } = transcode(bytes);
  expect(outcomes[0]).toMatchObject({ accepted: 0, rejections: [rejection] });
  expect(blocks.map(({ table }) => table)).toEqual([]);
});

test('unpacked bucket counts and bounds, as proto2 encoders write them, are read too', () => {
  const eight = (tag: number, value: number, isDouble: boolean) => {
    const buffer = Buffer.alloc(9, tag);
    if (isDouble) buffer.writeDoubleLE(value, 1);
    else buffer.writeBigUInt64LE(BigInt(value), 1);
    return [...buffer];
  };
  const message = (tag: number, bytes: number[]) => [tag, bytes.length, ...bytes];
  const pointBytes = [
    ...eight(0x19, 1_700_000_000_123_000_000, false),
    ...eight(0x21, 3, false),
    ...eight(0x31, 1, false),
    ...eight(0x31, 2, false),
    ...eight(0x39, 0.5, true),
  ];
  const metric = [...message(0x0a, [0x6d]), ...message(0x4a, [...message(0x0a, pointBytes), 0x10, 2])];
  const bytes = Uint8Array.from(message(0x0a, message(0x12, message(0x12, metric))));
  const { outcomes, blocks } = transcode(bytes);
  expect(outcomes[0]).toMatchObject({ accepted: 3, rejections: [] });
  engine.createTable('unpacked', 'samples_head');
  engine.insertBlock('unpacked', 'samples_head', blocks.at(-1)!.parts);
  expect(engine.rows('SELECT metric, v FROM unpacked ORDER BY v')).toEqual(
    [
      { metric: 'm_bucket', v: 1 },
      { metric: 'm_count', v: 3 },
      { metric: 'm_bucket', v: 3 },
    ].sort((a, b) => a.v - b.v),
  );
});

test('exemplars: ids as hex, attributes unless they are too long, and the bucket that the value fell into', () => {
  const text = (key: string, value: string) => ({ key, value: { stringValue: value } });
  const ids = { traceId: new Uint8Array(16).fill(0xab), spanId: new Uint8Array(8).fill(0x01) };
  const exemplars = [
    { asDouble: 0.5, ...ids, filteredAttributes: [text('user', 'anna')] },
    { asInt: 7, ...ids, filteredAttributes: [text('user', 'x'.repeat(62))] },
    { asDouble: 1, traceId: new Uint8Array(16), timeUnixNano: 1_699_999_999_000_000_000n },
  ];
  const histogram = {
    aggregationTemporality: 2,
    dataPoints: [{ ...at, count: 3, explicitBounds: [1, 5], bucketCounts: [2, 0, 1], exemplars }],
  };
  const result = transcode(
    encodeMetricsRequest({ resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'h', histogram }] }] }] }),
  );
  expect(result.outcomes[0]).toMatchObject({ accepted: 4, exemplars: 3, rejections: [] });
  for (const { table, parts } of result.blocks) {
    engine.createTable(`${table}_exemplars`, table);
    engine.insertBlock(`${table}_exemplars`, table, parts);
  }
  expect(
    engine.rows(
      `SELECT metric, le, v, labels, toUnixTimestamp64Milli(ts) AS t FROM exemplars_exemplars AS e INNER JOIN
         (SELECT DISTINCT id, labels['le'] AS le FROM series_exemplars) AS s ON e.id = s.id ORDER BY v`,
    ),
  ).toEqual([
    {
      metric: 'h_bucket',
      le: '1',
      v: 0.5,
      labels: { trace_id: 'ab'.repeat(16), span_id: '01'.repeat(8), user: 'anna' },
      t: '1700000000123',
    },
    { metric: 'h_bucket', le: '1', v: 1, labels: {}, t: '1699999999000' },
    {
      metric: 'h_bucket',
      le: '+Inf',
      v: 7,
      labels: { trace_id: 'ab'.repeat(16), span_id: '01'.repeat(8) },
      t: '1700000000123',
    },
  ]);
});
