/**
 * Goal: both remote write protocols give the same samples and series, and one id per set of labels.
 * Method: generated requests against a naive decoder, by checksum in the engine; hand-encoded requests; examples of
 * what is refused.
 */
import { afterAll, expect, test } from 'vitest';
import type { TranscodeResult } from '#collector/run.ts';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import type { TableName } from '#store/tables.ts';
import { Lcg } from '../../support/lcg.ts';
import { naiveRemoteWrite1, naiveRemoteWrite2 } from '../../support/naive/naive-remote-write.ts';
import { NaiveSamples } from '../../support/naive/naive-samples.ts';
import { encodeRemoteWrite1, encodeRemoteWrite2 } from '../../support/naive/prometheus-proto.ts';
import { NativeEngine } from '../../support/native-engine.ts';
import { generatorUnixMs, remoteWrite1Request, remoteWrite2Request } from '../../support/otlp-generator.ts';
import { expectSamples } from '../../support/sample-comparison.ts';

const engine = new NativeEngine();
afterAll(() => engine[Symbol.dispose]());

const nowUnixMs = generatorUnixMs + 5 * 3_600_000;
let tableCount = 0;

function transcode(...requests: Uint8Array[]): TranscodeResult {
  return createTranscoder()({
    requests: requests.map((bytes) => ({ signal: 'remote_write', tenant: 'default', bytes })),
    nowUnixMs,
    oldestUnixMs: Number.NEGATIVE_INFINITY,
    seriesEpoch: 0,
  });
}

function rowsOf(result: TranscodeResult, table: TableName, sql: string): unknown[] {
  const name = `${table}_${tableCount++}`;
  const block = result.blocks.find((candidate) => candidate.table === table);
  if (block === undefined) return [];
  engine.createTable(name, table);
  engine.insertBlock(name, table, block.parts);
  return engine.rows(sql.replace('FROM t', `FROM ${name}`));
}

test.each([
  {
    version: '1.0',
    seed: 31,
    make: remoteWrite1Request,
    encode: encodeRemoteWrite1,
    naive: naiveRemoteWrite1,
  },
  {
    version: '2.0',
    seed: 32,
    make: remoteWrite2Request,
    encode: encodeRemoteWrite2,
    naive: naiveRemoteWrite2,
  },
])(
  'generated requests of version $version give the rows of the naive decoder',
  ({ version, seed, make, encode, naive }) => {
    const random = new Lcg(seed);
    const requests = Array.from({ length: 150 }, (_, i) => ({
      signal: 'remote_write' as const,
      tenant: `tenant-${i % 3}`,
      bytes: encode(make(random)),
    }));
    const oldestUnixMs = generatorUnixMs + 600_000;
    const result = createTranscoder()({ requests, nowUnixMs, oldestUnixMs, seriesEpoch: 0 });
    const expected = new Map<string, NaiveSamples>();
    for (const { tenant, bytes } of requests) {
      const task = { tenant, nowUnixMs, oldestUnixMs };
      expected.set(tenant, naive(bytes, task, expected.get(tenant) ?? new NaiveSamples(task)));
    }
    const sampleCount = [...expected.values()].reduce((sum, { samples }) => sum + samples.length, 0);
    expect(sampleCount).toBeGreaterThan(100);
    const repeatCount = [...expected.values()].reduce((sum, { repeats }) => sum + repeats, 0);
    const count = (of: (samples: NaiveSamples) => number) =>
      [...expected.values()].reduce((sum, samples) => sum + of(samples), 0);
    expect(repeatCount).toBeGreaterThan(3);
    expect(result.outcomes.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(
      sampleCount + count(({ histograms }) => histograms.length) + repeatCount,
    );
    expect(result.outcomes.reduce((sum, { exemplars = 0 }) => sum + exemplars, 0)).toBe(
      count(({ exemplars }) => exemplars.length),
    );
    const reasons = new Set(
      result.outcomes.flatMap(({ rejections }) => rejections.map(({ reason }) => reason)),
    );
    expect([...reasons]).toEqual(
      expect.arrayContaining([
        'duplicate_label_name',
        'missing_metric_name',
        'out_of_range',
        'too_old',
        'duplicate_timestamp',
        'exemplar_labels_too_long',
        'exemplar_too_old',
        'histogram_count_mismatch',
        'histogram_invalid_schema',
        'histogram_spans_buckets_mismatch',
      ]),
    );
    expectSamples(engine, `rw${version[0]}`, result, [...expected.values()]);
  },
);

const sample = Buffer.from('090000000000000440' + '1080d095ffbc31', 'hex');

test('a hand-encoded 1.0 request: up{job="a"} 2.5 at 1700000000000', () => {
  const label = (name: string, value: string) =>
    Buffer.from([
      0x0a,
      4 + name.length + value.length,
      0x0a,
      name.length,
      ...Buffer.from(name),
      0x12,
      value.length,
      ...Buffer.from(value),
    ]);
  const series = Buffer.concat([
    label('__name__', 'up'),
    label('job', 'a'),
    Buffer.from([0x12, sample.length]),
    sample,
  ]);
  const metadata = Buffer.from([0x1a, 8, 0x08, 2, 0x12, 2, ...Buffer.from('up'), 0x2a, 0]);
  const result = transcode(
    new Uint8Array(Buffer.concat([Buffer.from([0x0a, series.length]), series, metadata])),
  );
  expect(result.outcomes).toEqual([{ accepted: 1, repeated: 0, rejections: [], decodeError: undefined }]);
  expect(rowsOf(result, 'samples_head', 'SELECT metric, v, toUnixTimestamp64Milli(ts) AS t FROM t')).toEqual([
    { metric: 'up', v: 2.5, t: '1700000000000' },
  ]);
  expect(rowsOf(result, 'series', 'SELECT metric, labels, t_min, t_max FROM t')).toEqual([
    { metric: 'up', labels: { job: 'a' }, t_min: '2023-11-14 22:00:00', t_max: '2023-11-14 23:59:59' },
  ]);
  expect(rowsOf(result, 'metric_metadata', 'SELECT metric, type, help, unit FROM t')).toEqual([
    { metric: 'up', type: 'gauge', help: '', unit: '' },
  ]);
});

test('a hand-encoded 2.0 request with the same series gives the same id', () => {
  const symbols = ['', '__name__', 'up', 'job', 'a', 'Is it up?'].flatMap((text) => [
    0x22,
    text.length,
    ...Buffer.from(text),
  ]);
  const series = [0x0a, 4, 1, 2, 3, 4, 0x12, sample.length, ...sample, 0x2a, 4, 0x08, 2, 0x18, 5];
  const version2 = Uint8Array.from([...symbols, 0x2a, series.length, ...series]);
  const version1 = encodeRemoteWrite1({
    timeseries: [
      {
        labels: [
          { name: 'job', value: 'a' },
          { name: '__name__', value: 'up' },
        ],
        samples: [{ value: 1, timestamp: 5 }],
      },
    ],
  });
  const result = transcode(version2, version1);
  expect(result.outcomes.map(({ accepted }) => accepted)).toEqual([1, 1]);
  expect(rowsOf(result, 'samples_head', 'SELECT count(DISTINCT id) AS ids, count() AS n FROM t')).toEqual([
    { ids: '1', n: '2' },
  ]);
  expect(rowsOf(result, 'metric_metadata', 'SELECT metric, type, help FROM t')).toEqual([
    { metric: 'up', type: 'gauge', help: 'Is it up?' },
  ]);
});

test('a stale marker arrives bit by bit, beside an ordinary NaN', () => {
  const body = (bits: string, i: number) => Buffer.from(`09${bits}100${i + 5}`, 'hex');
  const series = Buffer.concat([
    Buffer.from([0x0a, 14, 0x0a, 8, ...Buffer.from('__name__'), 0x12, 2, ...Buffer.from('up')]),
    ...['020000000000f07f', '010000000000f87f'].map((bits, i) =>
      Buffer.concat([Buffer.from([0x12, 11]), body(bits, i)]),
    ),
  ]);
  const result = transcode(new Uint8Array(Buffer.concat([Buffer.from([0x0a, series.length]), series])));
  expect(
    rowsOf(result, 'samples_head', 'SELECT hex(reinterpretAsUInt64(v)) AS bits FROM t ORDER BY bits'),
  ).toEqual([{ bits: '7FF0000000000002' }, { bits: '7FF8000000000001' }]);
});

test('an empty __name__ beside a full one is none, in both protocols', () => {
  for (const names of [
    ['', 'up'],
    ['up', ''],
  ]) {
    const samples = [{ value: 1, timestamp: generatorUnixMs }];
    const labels = names.map((value) => ({ name: '__name__', value }));
    const symbols = ['', '__name__', 'up'];
    const labelsRefs = names.flatMap((value) => [1, symbols.indexOf(value)]);
    for (const bytes of [
      encodeRemoteWrite1({ timeseries: [{ labels, samples }] }),
      encodeRemoteWrite2({ symbols, timeseries: [{ labelsRefs, samples }] }),
    ]) {
      expect(rowsOf(transcode(bytes), 'samples_head', 'SELECT metric FROM t')).toEqual([{ metric: 'up' }]);
    }
  }
});

const name = { name: '__name__', value: 'm' };
test.each([
  { what: 'no name', labels: [{ name: 'a', value: 'b' }], reason: 'missing_metric_name' },
  { what: 'an empty name', labels: [{ name: '__name__', value: '' }], reason: 'missing_metric_name' },
  {
    what: 'a label twice',
    labels: [name, { name: 'a', value: 'b' }, { name: 'a', value: 'c' }],
    reason: 'duplicate_label_name',
  },
  { what: 'a label without a name', labels: [name, { name: '', value: 'c' }], reason: 'empty_label_name' },
  {
    what: 'a long label name',
    labels: [name, { name: 'x'.repeat(1025), value: 'c' }],
    reason: 'label_name_too_long',
  },
  {
    what: 'a long label value',
    labels: [name, { name: 'a', value: 'c'.repeat(8193) }],
    reason: 'label_value_too_long',
  },
  {
    what: 'too many labels',
    labels: [name, ...Array.from({ length: 128 }, (_, i) => ({ name: `l${i}`, value: 'x' }))],
    reason: 'too_many_labels',
  },
])('a series with $what is refused as $reason, with its samples counted', ({ labels, reason }) => {
  const samples = [
    { value: 1, timestamp: 1 },
    { value: 2, timestamp: 2 },
  ];
  const good = { labels: [name], samples };
  const { outcomes } = transcode(encodeRemoteWrite1({ timeseries: [{ labels, samples }, good] }));
  expect(outcomes[0]).toMatchObject({ accepted: 2, rejections: [{ reason, count: 2 }] });
});

test('a label that is not UTF-8 is refused', () => {
  const series = [0x0a, 14, 0x0a, 8, ...Buffer.from('__name__'), 0x12, 2, 0xff, 0xfe, 0x12, 2, 0x10, 5];
  const { outcomes } = transcode(Uint8Array.from([0x0a, series.length, ...series]));
  expect(outcomes[0]).toMatchObject({ accepted: 0, rejections: [{ reason: 'invalid_utf8', count: 1 }] });
});

test.each([
  {
    what: 'fields of both versions',
    bytes: '0a00' + '2200',
    error: 'fields of remote write 1.0 and 2.0 are in one request at byte 2',
  },
  {
    what: 'series without symbols',
    bytes: '2a00',
    error: 'a remote write 2.0 request has no symbols at byte 0',
  },
  {
    what: 'a first symbol that is not empty',
    bytes: '220161',
    error: 'the first symbol must be the empty string at byte 2',
  },
])('a request with $what is malformed', ({ bytes, error }) => {
  const { outcomes } = transcode(new Uint8Array(Buffer.from(bytes, 'hex')));
  expect(outcomes[0]?.decodeError).toContain(error);
});

test('label references that point nowhere refuse the series only', () => {
  const symbols = ['', '__name__', 'up'];
  const samples = [{ value: 1, timestamp: 1 }];
  const { outcomes } = transcode(
    encodeRemoteWrite2({
      symbols,
      timeseries: [
        { labelsRefs: [1, 3], samples },
        { labelsRefs: [1], samples },
        { labelsRefs: [1, 2], samples },
      ],
    }),
  );
  expect(outcomes[0]).toMatchObject({
    accepted: 1,
    rejections: [{ reason: 'invalid_labels_refs', count: 2 }],
  });
});

const sentAt = 1_700_000_000_000;
const startsOf = (result: TranscodeResult): unknown[] =>
  rowsOf(
    result,
    'sample_starts',
    'SELECT toUnixTimestamp64Milli(ts) - 1700000000000 AS t, toUnixTimestamp64Milli(start_ts) - 1700000000000 AS start FROM t ORDER BY ts',
  ).map((row) => Object.values(row as object).join(' since '));

test('start times are told where they change, and again in the next two hours', () => {
  const hourMs = 3_600_000;
  const samples = [
    { value: 1, timestamp: sentAt, startTimestamp: sentAt - 50 },
    { value: 2, timestamp: sentAt + 15, startTimestamp: sentAt - 50 },
    { value: 3, timestamp: sentAt + 30 },
    { value: 1, timestamp: sentAt + 45, startTimestamp: sentAt + 40 },
    { value: 2, timestamp: sentAt + 2 * hourMs, startTimestamp: sentAt + 40 },
    { value: 3, timestamp: sentAt + 2 * hourMs + 1, startTimestamp: sentAt + 3 * hourMs },
  ];
  const result = transcode(
    encodeRemoteWrite2({ symbols: ['', '__name__', 'm'], timeseries: [{ labelsRefs: [1, 2], samples }] }),
  );
  expect(startsOf(result)).toEqual(['0 since -50', '45 since 40', '7200000 since 40']);
  expect(result.outcomes[0]).toMatchObject({
    accepted: 6,
    rejections: [{ reason: 'invalid_start_time', count: 1 }],
  });
});

test('the created timestamp of senders before 2.0-rc.4 is for the samples that do not say', () => {
  const timeseries = [
    {
      labelsRefs: [1, 2],
      createdTimestamp: sentAt - 7,
      samples: [
        { value: 1, timestamp: sentAt },
        { value: 1, timestamp: sentAt + 1, startTimestamp: sentAt },
      ],
    },
  ];
  const result = transcode(encodeRemoteWrite2({ symbols: ['', '__name__', 'm'], timeseries }));
  expect(startsOf(result)).toEqual(['0 since -7', '1 since 0']);
});

test('an exemplar has the labels of its symbols, its trace, and the time of its sample where it has none', () => {
  const symbols = [
    '',
    '__name__',
    'm',
    'trace_id',
    '0af7651916cd43dd8448eb211c80319c',
    'traceID',
    'B7AD6B7169203331',
  ];
  const exemplars = [
    { labelsRefs: [3, 4], value: 0.5, timestamp: sentAt - 5 },
    { labelsRefs: [5, 6], value: 1.5 },
    { value: 2.5, timestamp: sentAt + 5 },
  ];
  const samples = [{ value: 1, timestamp: sentAt }];
  const result = transcode(
    encodeRemoteWrite2({ symbols, timeseries: [{ labelsRefs: [1, 2], samples, exemplars }] }),
  );
  expect(result.outcomes[0]).toMatchObject({ accepted: 1, exemplars: 3, rejections: [] });
  expect(
    rowsOf(
      result,
      'exemplars',
      'SELECT toUnixTimestamp64Milli(ts) AS t, v, labels, hex(trace_id) AS id FROM t ORDER BY ts',
    ),
  ).toEqual([
    { t: String(sentAt - 5), v: 0.5, labels: { trace_id: symbols[4] }, id: symbols[4]!.toUpperCase() },
    { t: String(sentAt), v: 1.5, labels: { traceID: symbols[6] }, id: `0000000000000000${symbols[6]}` },
    { t: String(sentAt + 5), v: 2.5, labels: {}, id: '0'.repeat(32) },
  ]);
});

test.each([
  { what: 'a symbol that is not there', labelsRefs: [3, 99], reason: 'exemplar_invalid_labels' },
  { what: 'a name without a value', labelsRefs: [3], reason: 'exemplar_invalid_labels' },
  { what: 'a name twice', labelsRefs: [3, 4, 3, 4], reason: 'exemplar_invalid_labels' },
  { what: 'a label without a name', labelsRefs: [0, 4], reason: 'exemplar_invalid_labels' },
  { what: '129 characters', labelsRefs: [3, 5], reason: 'exemplar_labels_too_long' },
  {
    what: 'a million labels',
    labelsRefs: Array.from({ length: 2_000_000 }, () => 0),
    reason: 'exemplar_labels_too_long',
  },
])('an exemplar with $what is refused alone, as $reason', ({ labelsRefs, reason }) => {
  const symbols = ['', '__name__', 'm', 'user', 'anna', 'ü'.repeat(125)];
  const exemplars = [
    { labelsRefs, value: 1, timestamp: sentAt },
    { labelsRefs: [3, 4], value: 2, timestamp: sentAt },
  ];
  const series = { labelsRefs: [1, 2], samples: [{ value: 1, timestamp: sentAt }], exemplars };
  const { outcomes } = transcode(encodeRemoteWrite2({ symbols, timeseries: [series] }));
  expect(outcomes[0]).toMatchObject({ accepted: 1, exemplars: 1, rejections: [{ reason, count: 1 }] });
});

test('a series with nothing in it is nothing; labels in any order are one series', () => {
  const symbols = ['', '__name__', 'm', 'a', 'b'];
  const timeseries = [
    { labelsRefs: [1, 2] },
    { labelsRefs: [3, 4, 1, 2], samples: [{ value: 1, timestamp: sentAt }] },
    { labelsRefs: [1, 2, 3, 4], samples: [{ value: 2, timestamp: sentAt - 1 }] },
  ];
  const result = transcode(encodeRemoteWrite2({ symbols, timeseries }));
  expect(result.outcomes[0]).toMatchObject({ accepted: 2, rejections: [] });
  expect(rowsOf(result, 'samples_head', 'SELECT count(DISTINCT id) AS ids FROM t')).toEqual([{ ids: '1' }]);
});
