/**
 * Goal: a native histogram is stored as Prometheus would keep it, or refused by the reason that Prometheus gives.
 * Method: remote write requests and OTLP points of one histogram, read back from their block by the engine; requests
 * that are cut off at every byte, and such as would take all memory.
 */
import { afterAll, describe, expect, test } from 'vitest';
import type { RequestOutcome, TranscodeResult } from '#collector/run.ts';
import { metricTranslationDefault } from '#collector/transcode/metric-translation.ts';
import { nativeBucketsMax } from '#collector/transcode/native-histogram.ts';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import { transcoderOptionsDefault } from '#collector/transcode/transcoder-options.ts';
import type { Signal } from '#wire/envelope.ts';
import { encodeMetricsRequest, type ProtoObject } from '../../support/naive/otlp-proto.ts';
import { encodeRemoteWrite1, encodeRemoteWrite2 } from '../../support/naive/prometheus-proto.ts';
import { NativeEngine } from '../../support/native-engine.ts';

const engine = new NativeEngine();
afterAll(() => engine[Symbol.dispose]());

const timestamp = 1_700_000_000_000;
let tableCount = 0;

function transcode(signal: Signal, bytes: Uint8Array, convertsHistograms = false): TranscodeResult {
  const metrics = { ...metricTranslationDefault, convertsHistograms };
  return createTranscoder({ ...transcoderOptionsDefault, metrics })({
    requests: [{ signal, tenant: 'default', bytes }],
    nowUnixMs: timestamp + 60_000,
    oldestUnixMs: Number.NEGATIVE_INFINITY,
    seriesEpoch: 0,
  });
}

function rowsOf({ blocks }: TranscodeResult, columns: string): Record<string, unknown>[] {
  const name = `h_${tableCount++}`;
  engine.createTable(name, 'histograms_head');
  for (const { table, parts } of blocks) {
    if (table === 'histograms_head') engine.insertBlock(name, table, parts);
  }
  return engine.rows(`SELECT ${columns} FROM ${name} ORDER BY ts`);
}

const symbols = ['', '__name__', 'm'];
function write(histogram: ProtoObject, series: ProtoObject = {}): TranscodeResult {
  const timeseries = [{ labelsRefs: [1, 2], histograms: [{ timestamp, ...histogram }], ...series }];
  return transcode('remote_write', encodeRemoteWrite2({ symbols, timeseries }));
}

const point = (fields: ProtoObject): ProtoObject => ({
  timeUnixNano: BigInt(timestamp) * 1_000_000n,
  ...fields,
});
function exponential(fields: ProtoObject): TranscodeResult {
  const exponentialHistogram = { aggregationTemporality: 2, dataPoints: [point(fields)] };
  const metrics = [{ name: 'm', exponentialHistogram }];
  return transcode('metrics', encodeMetricsRequest({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }));
}

const buckets =
  'schema, count, zero_count AS zero, positive_offsets AS o, positive_lengths AS l, positive_counts AS c';

describe('remote write', () => {
  test('differences become counts, and every field has its column', () => {
    const integer = {
      countInt: 13,
      sum: 18.4,
      schema: 1,
      zeroThreshold: 0.001,
      zeroCountInt: 1,
      negativeSpans: [{ offset: -2, length: 1 }],
      negativeDeltas: [4],
      positiveSpans: [
        { offset: 0, length: 2 },
        { offset: 3, length: 1 },
      ],
      positiveDeltas: [1, 2, 1],
      resetHint: 2,
      startTimestamp: timestamp - 5000,
    };
    const float = {
      countFloat: 2.5,
      zeroCountFloat: 0.5,
      positiveSpans: [{ offset: -3, length: 2 }],
      positiveCounts: [0.5, 1.5],
      timestamp: timestamp + 1,
    };
    expect(
      rowsOf(write(integer, { histograms: [{ ...integer, timestamp }, float] }), '* EXCEPT (tenant, id)'),
    ).toEqual([
      {
        metric: 'm',
        ts: '2023-11-14 22:13:20.000',
        start_ts: '2023-11-14 22:13:15.000',
        schema: 1,
        reset_hint: 2,
        count: 13,
        sum: 18.4,
        zero_threshold: 0.001,
        zero_count: 1,
        positive_offsets: [0, 3],
        positive_lengths: [2, 1],
        positive_counts: [1, 3, 4],
        negative_offsets: [-2],
        negative_lengths: [1],
        negative_counts: [4],
        custom_values: [],
      },
      expect.objectContaining({
        ts: '2023-11-14 22:13:20.001',
        start_ts: '1970-01-01 00:00:00.000',
        count: 2.5,
        zero_count: 0.5,
        positive_offsets: [-3],
        positive_counts: [0.5, 1.5],
      }),
    ]);
  });

  test('custom buckets keep their bounds', () => {
    const custom = {
      countInt: 6,
      sum: 3,
      schema: -53,
      positiveSpans: [
        { offset: 0, length: 2 },
        { offset: 1, length: 1 },
      ],
      positiveDeltas: [1, 1, 1],
      customValues: [-1, 0.5, 10],
    };
    expect(rowsOf(write(custom), 'schema, custom_values AS bounds, positive_counts AS c')).toEqual([
      { schema: -53, bounds: [-1, 0.5, 10], c: [1, 2, 3] },
    ]);
  });

  test('1.0 has the same message', () => {
    const labels = [{ name: '__name__', value: 'm' }];
    const histograms = [{ countInt: 2, zeroCountInt: 2, timestamp }];
    const result = transcode('remote_write', encodeRemoteWrite1({ timeseries: [{ labels, histograms }] }));
    expect(result.outcomes[0]).toMatchObject({ accepted: 1, histograms: 1, rejections: [] });
    expect(rowsOf(result, 'zero_count')).toEqual([{ zero_count: 2 }]);
  });

  test('a finer schema than 8 is merged down to it', () => {
    const fine = {
      countInt: 15,
      schema: 9,
      positiveSpans: [{ offset: -1, length: 5 }],
      positiveDeltas: [1, 1, 1, 1, 1],
    };
    // Buckets -1 0 | 1 2 | 3 of schema 9 are 0 | 1 | 2 of schema 8.
    expect(rowsOf(write(fine), buckets)).toEqual([
      { schema: 8, count: 15, zero: 0, o: [0], l: [3], c: [3, 7, 5] },
    ]);
  });

  test('a stale marker is its sum, bit by bit, and nothing else', () => {
    const made = encodeRemoteWrite2({
      symbols,
      timeseries: [
        {
          labelsRefs: [1, 2],
          histograms: [{ countInt: 3, zeroCountInt: 3, schema: 5, sum: 12345.678, timestamp }],
        },
      ],
    });
    const number = Buffer.alloc(8);
    number.writeDoubleLE(12345.678);
    const at = Buffer.from(made).indexOf(number);
    made.set(Buffer.from('020000000000f07f', 'hex'), at);
    expect(
      rowsOf(transcode('remote_write', made), 'hex(reinterpretAsUInt64(sum)) AS bits, count, schema'),
    ).toEqual([{ bits: '7FF0000000000002', count: 0, schema: 0 }]);
  });

  test('samples and histograms may be in one series, at different times', () => {
    const result = write({ countInt: 0 }, { samples: [{ value: 1, timestamp: timestamp - 1 }] });
    expect(result.outcomes[0]).toMatchObject({ accepted: 2, histograms: 1, rejections: [] });
    const { outcomes } = write({ countInt: 0 }, { samples: [{ value: 1, timestamp }] });
    expect(outcomes[0]).toMatchObject({
      accepted: 1,
      rejections: [{ reason: 'duplicate_timestamp', count: 1 }],
    });
  });

  const span = (offset: number, length: number) => ({ offset, length });
  test.each<[reason: string, histogram: ProtoObject]>([
    ['histogram_count_mismatch', { countInt: 99, zeroCountInt: 1 }],
    ['histogram_count_not_big_enough', { countInt: 1, zeroCountInt: 2, sum: Number.NaN }],
    [
      'histogram_negative_bucket_count',
      { countInt: 0, positiveSpans: [span(0, 2)], positiveDeltas: [1, -2] },
    ],
    ['histogram_negative_bucket_count', { countFloat: 1, negativeSpans: [span(0, 1)], negativeCounts: [-1] }],
    ['histogram_negative_bucket_count', { countFloat: 1, zeroCountFloat: -1 }],
    ['histogram_negative_count', { countFloat: -1 }],
    ['histogram_spans_buckets_mismatch', { countInt: 1, positiveSpans: [span(0, 2)], positiveDeltas: [1] }],
    ['histogram_spans_buckets_mismatch', { countInt: 1, positiveDeltas: [1] }],
    ['histogram_span_negative_offset', { positiveSpans: [span(0, 0), span(-1, 1)], positiveDeltas: [0] }],
    ['histogram_index_out_of_range', { positiveSpans: [span(2 ** 31 - 1, 1)], positiveDeltas: [0] }],
    ['histogram_index_out_of_range', { positiveSpans: [span(-(2 ** 31), 1)], positiveDeltas: [0] }],
    ['histogram_invalid_schema', { schema: -5 }],
    ['histogram_invalid_schema', { schema: 53 }],
    ['histogram_unexpected_custom_bounds', { customValues: [1] }],
    ['histogram_custom_bounds_invalid', { schema: -53, customValues: [1, 1] }],
    ['histogram_custom_bounds_nan', { schema: -53, customValues: [Number.NaN] }],
    ['histogram_custom_bounds_infinite', { schema: -53, customValues: [Number.POSITIVE_INFINITY] }],
    [
      'histogram_custom_bounds_mismatch',
      { schema: -53, customValues: [1], positiveSpans: [span(2, 1)], positiveDeltas: [0] },
    ],
    ['histogram_span_negative_offset', { schema: -53, positiveSpans: [span(-1, 1)], positiveDeltas: [0] }],
    ['histogram_custom_zero_bucket', { schema: -53, countInt: 1, zeroCountInt: 1 }],
    ['histogram_custom_zero_bucket', { schema: -53, zeroThreshold: 1 }],
    ['histogram_custom_negative_buckets', { schema: -53, negativeSpans: [span(0, 1)], negativeDeltas: [0] }],
  ])('%s: %j is refused and takes no neighbour with it', (reason, histogram) => {
    const good = { countInt: 0, timestamp: timestamp + 1 };
    const bad = { sum: 1, timestamp, ...histogram };
    const { outcomes } = write({}, { histograms: [bad, good] });
    expect(outcomes[0]).toMatchObject({ accepted: 1, histograms: 1, rejections: [{ reason, count: 1 }] });
  });

  test('a refusal says what is wrong, and in which metric', () => {
    const { outcomes } = write({ countInt: 3, zeroCountInt: 1 });
    expect(outcomes[0]!.rejections[0]!.message).toBe(
      'a native histogram has 1 observations in buckets, its count is 3, in the metric "m"',
    );
  });

  test('NaN among the observations leaves the count above the buckets', () => {
    const { outcomes } = write({ countInt: 5, zeroCountInt: 2, sum: Number.NaN });
    expect(outcomes[0]).toMatchObject({ accepted: 1, rejections: [] });
  });
});

describe('OTLP exponential histograms', () => {
  test('index i becomes i + 1, empty ends are cut, a long gap begins a span', () => {
    const positive = { offset: -2, bucketCounts: [0, 3, 0, 0, 4, 0, 0, 0, 5, 0] };
    const row = rowsOf(
      exponential({ count: 13, sum: 2, scale: 3, zeroCount: 1, positive, min: 1, max: 2 }),
      `${buckets}, sum, zero_threshold AS threshold`,
    );
    expect(row).toEqual([
      { schema: 3, count: 13, zero: 1, o: [0, 3], l: [4, 1], c: [3, 0, 0, 4, 5], sum: 2, threshold: 1e-128 },
    ]);
  });

  test('a scale above 8 is merged down, on both sides, whatever the scale', () => {
    const positive = { offset: 0, bucketCounts: [1, 2, 3, 4, 5] };
    const negative = { offset: -3, bucketCounts: [1, 2, 3] };
    const columns =
      'schema, positive_offsets AS po, positive_counts AS pc, negative_offsets AS no, negative_counts AS nc';
    expect(rowsOf(exponential({ count: 21, scale: 10, positive, negative }), columns)).toEqual([
      // 0-3 and 4 of scale 10 are 0 and 1 of scale 8; -3 to -1 are -1.
      { schema: 8, po: [1], pc: [10, 5], no: [0], nc: [6] },
    ]);
    expect(rowsOf(exponential({ count: 21, scale: 2 ** 31 - 1, positive, negative }), columns)).toEqual([
      { schema: 8, po: [1], pc: [15], no: [0], nc: [6] },
    ]);
  });

  test('a given zero threshold and start time are kept; a missing sum is 0', () => {
    const start = { startTimeUnixNano: BigInt(timestamp - 1000) * 1_000_000n };
    const row = rowsOf(
      exponential({ ...start, count: 1, zeroCount: 1, zeroThreshold: 0.25 }),
      'start_ts, sum, zero_threshold',
    );
    expect(row).toEqual([{ start_ts: '2023-11-14 22:13:19.000', sum: 0, zero_threshold: 0.25 }]);
  });

  test('no recorded value is a stale marker', () => {
    const stale = exponential({ flags: 1, count: 9, scale: -9 });
    expect(rowsOf(stale, 'hex(reinterpretAsUInt64(sum)) AS bits, count, schema')).toEqual([
      { bits: '7FF0000000000002', count: 0, schema: 0 },
    ]);
  });

  test.each<[reason: string, fields: ProtoObject]>([
    ['unsupported_scale', { scale: -5 }],
    ['histogram_count_mismatch', { count: 1 }],
    ['histogram_index_out_of_range', { positive: { offset: 2 ** 31 - 1, bucketCounts: [0] } }],
    [
      'too_many_buckets',
      { positive: { bucketCounts: Array.from({ length: nativeBucketsMax + 1 }, () => 0) } },
    ],
  ])('%s: %j is refused', (reason, fields) => {
    expect(exponential(fields).outcomes[0]).toMatchObject({
      accepted: 0,
      rejections: [{ reason, count: 1 }],
    });
  });
});

describe('hostile requests', () => {
  const refusal = (outcome: RequestOutcome): string => outcome.decodeError ?? outcome.rejections[0]!.reason;

  test.each<[what: string, histogram: ProtoObject]>([
    ['a span of four billion buckets', { positiveSpans: [{ offset: 0, length: 0xffff_ffff }] }],
    ['spans whose lengths overflow 32 bits', { positiveSpans: [1, 2].map(() => ({ length: 0xffff_ffff })) }],
  ])('%s allocates nothing', (_, histogram) => {
    expect(['histogram_spans_buckets_mismatch', 'histogram_index_out_of_range']).toContain(
      refusal(write({ countInt: 0, ...histogram }).outcomes[0]!),
    );
  });

  const many = (length: number) => Array.from({ length }, () => 0);
  test.each<[what: string, histogram: ProtoObject]>([
    ['deltas', { positiveSpans: [{ length: 1_000_000 }], positiveDeltas: many(1_000_000) }],
    ['counts', { countFloat: 1, negativeCounts: many(100_000) }],
    ['bounds', { schema: -53, customValues: many(100_000) }],
    ['spans', { positiveSpans: many(100_000).map(() => ({})) }],
  ])('more %s than a histogram may have are refused', (_, histogram) => {
    expect(refusal(write(histogram).outcomes[0]!)).toBe('too_many_buckets');
  });

  test('a length of 2^31 inside a histogram is malformed, with its place', () => {
    const histogram = [0x62, 0xff, 0xff, 0xff, 0xff, 0x07];
    const series = [0x0a, 2, 1, 2, 0x1a, histogram.length, ...histogram];
    const names = symbols.flatMap((text) => [0x22, text.length, ...Buffer.from(text)]);
    const { outcomes } = transcode(
      'remote_write',
      Uint8Array.from([...names, 0x2a, series.length, ...series]),
    );
    expect(outcomes[0]!.decodeError).toMatch(
      /field 12 has length 2147483647.* in timeseries\[0\]\.histograms\[0\]/,
    );
  });

  const full: ProtoObject = {
    countInt: 10,
    sum: 1.5,
    schema: 2,
    zeroThreshold: 0.1,
    zeroCountInt: 1,
    negativeSpans: [{ offset: 1, length: 2 }],
    negativeDeltas: [1, 1],
    positiveSpans: [
      { offset: -1, length: 1 },
      { offset: 2, length: 1 },
    ],
    positiveDeltas: [2, 2],
    resetHint: 1,
    timestamp,
    startTimestamp: timestamp - 1,
  };
  const exemplars = [{ labelsRefs: [1, 2], value: 1, timestamp }];
  test.each<[name: string, signal: Signal, bytes: Uint8Array]>([
    [
      'remote write 2.0',
      'remote_write',
      encodeRemoteWrite2({ symbols, timeseries: [{ labelsRefs: [1, 2], histograms: [full], exemplars }] }),
    ],
    [
      'remote write 1.0',
      'remote_write',
      encodeRemoteWrite1({
        timeseries: [
          {
            labels: [{ name: '__name__', value: 'm' }],
            histograms: [{ ...full, schema: -53, customValues: [1, 2, 3, 4, 5, 6] }],
            exemplars: [{ labels: [{ name: 'a', value: 'b' }], value: 1, timestamp }],
          },
        ],
      }),
    ],
    [
      'OTLP',
      'metrics',
      encodeMetricsRequest({
        resourceMetrics: [
          {
            scopeMetrics: [
              {
                metrics: [
                  {
                    name: 'm',
                    exponentialHistogram: {
                      aggregationTemporality: 2,
                      dataPoints: [
                        point({
                          count: 6,
                          scale: 9,
                          positive: { offset: -1, bucketCounts: [1, 2, 3] },
                          exemplars: [{ asInt: 3, traceId: new Uint8Array(16).fill(7) }],
                        }),
                      ],
                    },
                  },
                ],
              },
            ],
          },
        ],
      }),
    ],
  ])('%s that ends at any byte gives a value or an error, and leaves no half row', (_, signal, bytes) => {
    for (let length = 0; length <= bytes.length; length++) {
      const { outcomes, blocks } = transcode(signal, bytes.slice(0, length));
      const [outcome] = outcomes;
      if (outcome!.decodeError !== undefined) expect(blocks).toEqual([]);
      const rows = blocks.filter(({ table }) => table === 'histograms_head').map(({ rowCount }) => rowCount);
      expect(rows).toEqual((outcome!.histograms ?? 0) > 0 ? [outcome!.histograms] : []);
    }
    expect(transcode(signal, bytes).outcomes[0]!.decodeError).toBeUndefined();
  });

  test('bytes of a histogram that were changed anywhere give a value or an error', () => {
    const bytes = encodeRemoteWrite2({
      symbols,
      timeseries: [{ labelsRefs: [1, 2], histograms: [full], exemplars }],
    });
    for (let at = 0; at < bytes.length; at++) {
      for (const change of [0x01, 0x80, 0xff]) {
        const changed = bytes.slice();
        changed[at]! ^= change;
        const { outcomes } = transcode('remote_write', changed);
        expect(outcomes).toHaveLength(1);
      }
    }
  });
});

describe('explicit histograms of OTLP with custom bounds', () => {
  function explicit(fields: ProtoObject, convertsHistograms = true): TranscodeResult {
    const histogram = { aggregationTemporality: 2, dataPoints: [point(fields)] };
    const bytes = encodeMetricsRequest({
      resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'm', unit: 's', histogram }] }] }],
    });
    return transcode('metrics', bytes, convertsHistograms);
  }

  test.each([
    {
      name: 'buckets are what is above the bound before, and the last one goes up to +Inf',
      fields: { count: 6, sum: 9.5, explicitBounds: [0.005, 1, 5], bucketCounts: [1, 2, 0, 3] },
      row: { o: [0], l: [4], c: [1, 2, 0, 3], bounds: [0.005, 1, 5], count: 6, sum: 9.5 },
    },
    {
      name: 'empty ends and long gaps are left out, as in exponential ones',
      fields: { count: 3, explicitBounds: [1, 2, 3, 4, 5, 6], bucketCounts: [0, 1, 0, 0, 0, 2, 0] },
      row: { o: [1, 3], l: [1, 1], c: [1, 2], bounds: [1, 2, 3, 4, 5, 6], count: 3, sum: 0 },
    },
    {
      name: 'no observation is no bucket',
      fields: { explicitBounds: [1], bucketCounts: [0, 0] },
      row: { o: [], l: [], c: [], bounds: [1], count: 0, sum: 0 },
    },
    {
      name: 'without buckets, all is in the one up to +Inf',
      fields: { count: 4, sum: 2, explicitBounds: [1, 2] },
      row: { o: [0], l: [1], c: [4], bounds: [], count: 4, sum: 2 },
    },
  ])('$name', ({ fields, row }) => {
    const result = explicit({ ...fields, startTimeUnixNano: BigInt(timestamp - 5000) * 1_000_000n });
    expect(result.outcomes[0]).toMatchObject({ accepted: 1, histograms: 1, rejections: [] });
    expect(result.blocks.map(({ table }) => table)).toEqual(['metric_metadata', 'series', 'histograms_head']);
    const columns = `metric, schema, positive_offsets AS o, positive_lengths AS l, positive_counts AS c,
      custom_values AS bounds, count, sum, toUnixTimestamp64Milli(start_ts) - ${timestamp} AS start`;
    expect(rowsOf(result, columns)).toEqual([{ metric: 'm_seconds', schema: -53, ...row, start: '-5000' }]);
  });

  test('without the option, they are series of buckets', () => {
    const { outcomes } = explicit({ count: 1, explicitBounds: [1], bucketCounts: [1, 0] }, false);
    expect(outcomes[0]).toMatchObject({ accepted: 3, histograms: undefined });
  });

  test('an exemplar is of the histogram, and no recorded value is a stale marker', () => {
    const exemplars = [{ asDouble: 0.5, traceId: new Uint8Array(16).fill(1) }];
    const { outcomes, blocks } = explicit({ count: 1, explicitBounds: [1], bucketCounts: [1, 0], exemplars });
    expect(outcomes[0]).toMatchObject({ accepted: 1, exemplars: 1 });
    expect(blocks.find(({ table }) => table === 'series')?.rowCount).toBe(1);
    const stale = explicit({ flags: 1, count: 9, explicitBounds: [1], bucketCounts: [1, 0] });
    expect(
      rowsOf(stale, 'hex(reinterpretAsUInt64(sum)) AS bits, schema, count, custom_values AS bounds'),
    ).toEqual([{ bits: '7FF0000000000002', schema: 0, count: 0, bounds: [] }]);
  });

  test.each([
    { reason: 'histogram_count_mismatch', fields: { count: 7, explicitBounds: [1], bucketCounts: [1, 0] } },
    {
      reason: 'histogram_custom_bounds_invalid',
      fields: { explicitBounds: [2, 2], bucketCounts: [0, 0, 0] },
    },
    { reason: 'histogram_custom_bounds_nan', fields: { explicitBounds: [Number.NaN], bucketCounts: [0, 0] } },
    {
      reason: 'histogram_custom_bounds_infinite',
      fields: { explicitBounds: [1, Number.POSITIVE_INFINITY], bucketCounts: [0, 0, 0] },
    },
    { reason: 'invalid_histogram', fields: { explicitBounds: [1], bucketCounts: [0] } },
    {
      reason: 'too_many_buckets',
      fields: { explicitBounds: Array.from({ length: 1025 }, (_, i) => i), bucketCounts: [] },
    },
  ])('$reason is refused', ({ reason, fields }) => {
    const { outcomes, blocks } = explicit(fields);
    expect(outcomes[0]).toMatchObject({ accepted: 0, rejections: [{ reason, count: 1 }] });
    expect(blocks).toEqual([]);
  });
});
