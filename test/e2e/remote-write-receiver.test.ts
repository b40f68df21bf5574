/**
 * Goal: we are a remote write receiver as Prometheus's own compliance suite (remotewrite/receiver) wants one, and what
 * the response headers say was written can be read back.
 * Method: the suite's scenarios, told again, over HTTP against the real receiver, pipeline and embedded store. Each
 * request comes at a time of its own, as the suite's do.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fastify, { type FastifyInstance } from 'fastify';
import snappy from 'snappyjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDirectSink } from '#collector/direct-sink.ts';
import { createPipeline, type Pipeline } from '#collector/pipeline.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';
import type { ProtoObject } from '#test/support/naive/otlp-proto.ts';
import { encodeRemoteWrite1, encodeRemoteWrite2 } from '#test/support/naive/prometheus-proto.ts';
import { registerHttpReceiver } from '#wire/receive/http-receiver.ts';
import { prometheusRoutes } from '#wire/receive/push-routes.ts';

const mebibyte = 1024 * 1024;
const directory = mkdtempSync(join(tmpdir(), 'sonde-receiver-'));
let store: Store;
let pipeline: Pipeline;
let app: FastifyInstance;
let nowMs = Date.now();

beforeAll(async () => {
  store = await openEmbeddedStore({ path: directory });
  await migrate(store);
  pipeline = createPipeline({
    store,
    workers: 1,
    inflightBytesMax: 64 * mebibyte,
    group: { rowsMax: 250_000, ageMsMax: 5 },
    retentionMs: 0,
    now: () => nowMs,
  });
  app = fastify();
  registerHttpReceiver(app, {
    sink: createDirectSink(pipeline),
    bodyBytesMax: 16 * mebibyte,
    inflightBytesMax: 64 * mebibyte,
    routes: prometheusRoutes,
  });
  await app.ready();
});
afterAll(async () => {
  await app.close();
  await pipeline.close();
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

type LabelMap = Readonly<Record<string, string>>;

/** A time series of the suite; labels and metadata become symbols. */
interface Series {
  readonly labels: LabelMap;
  readonly value?: number;
  readonly histogram?: ProtoObject;
  readonly exemplars?: readonly {
    readonly labels: LabelMap;
    readonly value: number;
    readonly offsetMs?: number;
  }[];
  readonly metadata?: { readonly type: number; readonly help?: string; readonly unit?: string };
  readonly startMs?: number;
  readonly offsetMs?: number;
}

interface Written {
  readonly status: number;
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
}

const type2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';

function encode2(all: readonly Series[]): Uint8Array {
  const symbols = [''];
  const ref = (text: string): number => {
    const known = symbols.indexOf(text);
    return known === -1 ? symbols.push(text) - 1 : known;
  };
  const refs = (labels: LabelMap) =>
    Object.entries(labels).flatMap(([name, value]) => [ref(name), ref(value)]);
  const timeseries = all.map(
    ({ labels, value, histogram, exemplars = [], metadata, startMs, offsetMs = 0 }) => {
      const record = {
        timestamp: nowMs + offsetMs,
        ...(startMs === undefined ? {} : { startTimestamp: startMs }),
      };
      return {
        labelsRefs: refs(labels),
        samples: value === undefined ? [] : [{ ...record, value }],
        histograms: histogram === undefined ? [] : [{ ...histogram, ...record }],
        exemplars: exemplars.map((exemplar) => ({
          labelsRefs: refs(exemplar.labels),
          value: exemplar.value,
          timestamp: nowMs + (exemplar.offsetMs ?? 0),
        })),
        ...(metadata === undefined
          ? {}
          : {
              metadata: {
                type: metadata.type,
                helpRef: ref(metadata.help ?? ''),
                unitRef: ref(metadata.unit ?? ''),
              },
            }),
      };
    },
  );
  return encodeRemoteWrite2({ symbols, timeseries });
}

async function post(bytes: Uint8Array, headers: Readonly<Record<string, string>> = {}): Promise<Written> {
  const reply = await app.inject({
    method: 'POST',
    url: '/api/v1/write',
    headers: {
      'content-type': type2,
      'content-encoding': 'snappy',
      'x-prometheus-remote-write-version': '2.0.0',
      ...headers,
    },
    payload: Buffer.from(bytes),
  });
  // A header that is not there means that nothing of its kind was written.
  const written = (kind: string) => Number(reply.headers[`x-prometheus-remote-write-${kind}-written`] ?? 0);
  return {
    status: reply.statusCode,
    samples: written('samples'),
    histograms: written('histograms'),
    exemplars: written('exemplars'),
  };
}

async function write(...series: readonly Series[]): Promise<Written> {
  nowMs += 10;
  return post(snappy.compress(encode2(series)));
}

const none: Written = { status: 204, samples: 0, histograms: 0, exemplars: 0 };
const refused: Written = { ...none, status: 400 };

async function rows(sql: string): Promise<readonly Record<string, unknown>[]> {
  return store.rows(sql);
}

interface HistogramParts {
  readonly hasPositive?: boolean;
  readonly hasNegative?: boolean;
  readonly hasZero?: boolean;
  readonly isCustom?: boolean;
  readonly count?: number;
}

/** The histogram that the suite builds from the same parts. */
function histogram(sum: number, parts: HistogramParts): ProtoObject {
  const { hasPositive, hasNegative, hasZero, isCustom } = parts;
  if (isCustom) {
    return {
      sum,
      countInt: 30,
      schema: -53,
      customValues: [0.1, 0.5, 1, 2.5, 5, 10],
      positiveSpans: [{ offset: 0, length: 6 }],
      positiveDeltas: [2, 1, 2, 3, -1, -2],
    };
  }
  return {
    sum,
    countInt: parts.count ?? (hasPositive ? 23 : 0) + (hasNegative ? 3 : 0) + (hasZero ? 1 : 0),
    ...(hasPositive
      ? {
          positiveSpans: [
            { offset: 0, length: 3 },
            { offset: 2, length: 2 },
          ],
          positiveDeltas: [1, 2, 1, 3, 1],
        }
      : {}),
    ...(hasNegative ? { negativeSpans: [{ offset: 0, length: 2 }], negativeDeltas: [1, 1] } : {}),
    ...(hasZero ? { zeroCountInt: 1 } : {}),
  };
}

const named = (name: string, rest: LabelMap = {}): LabelMap => ({ __name__: name, ...rest });
const upLabels = named('up', { job: 'testjob', instance: 'localhost:9090' });

describe.each([
  { what: '1', value: 1 },
  { what: 'NaN', value: Number.NaN },
  { what: '+Inf', value: Number.POSITIVE_INFINITY },
  { what: '-Inf', value: Number.NEGATIVE_INFINITY },
  // The suite converts the stale NaN's bits to a number: an integer above 2^53.
  { what: 'the number of the stale NaN', value: Number(0x7ff0_0000_0000_0002n) },
])('samples of $what', ({ value }) => {
  test.each<{ name: string; labels: LabelMap }>([
    { name: 'a name alone', labels: named('up') },
    { name: 'several labels', labels: upLabels },
    { name: 'line feeds', labels: { ...upLabels, job: 'test\njob\n' } },
    {
      name: 'dots',
      labels: named('resource.cpu.usage', { 'job.name': 'testjob', 'instance.name': 'localhost:9090' }),
    },
    {
      name: 'spaces',
      labels: named('resource cpu usage', { 'job name': 'testjob', 'instance name': 'localhost' }),
    },
  ])('with $name are written', async ({ labels }) => {
    expect(await write({ labels, value })).toEqual({ ...none, samples: 1 });
  });

  test.each<{ name: string; labels: LabelMap }>([
    { name: 'a name', labels: { job: 'testjob', instance: 'localhost:9090' } },
    { name: 'any label', labels: {} },
  ])('without $name are refused', async ({ labels }) => {
    expect(await write({ labels, value })).toEqual(refused);
  });

  test('of four series are written, and three of four where one has no name', async () => {
    const four = [0, 1, 2, 3].map(
      (i): Series => ({ labels: { ...upLabels, instance: `localhost:909${i}` }, value }),
    );
    expect(await write(...four)).toEqual({ ...none, samples: 4 });
    const { __name__: _, ...nameless } = four[0]!.labels;
    expect(await write({ labels: nameless, value }, ...four.slice(1))).toEqual({ ...refused, samples: 3 });
    expect(await write(...four.map((series) => ({ ...series, labels: nameless })))).toEqual(refused);
  });
});

describe('native histograms', () => {
  const all = { hasPositive: true, hasNegative: true, hasZero: true };
  test.each<{ name: string; labels: LabelMap; parts: HistogramParts }>([
    { name: 'positive, negative and zero buckets', labels: named('test_histogram'), parts: all },
    { name: 'custom buckets', labels: named('test_histogram'), parts: { isCustom: true } },
    {
      name: 'positive buckets',
      labels: named('test_histogram', { job: 'test' }),
      parts: { hasPositive: true, hasZero: true },
    },
    {
      name: 'negative buckets',
      labels: named('test_histogram', { instance: 'localhost' }),
      parts: { hasNegative: true },
    },
    { name: 'a zero bucket', labels: named('minimal_hist'), parts: { hasZero: true } },
    { name: 'no buckets', labels: named('empty_hist'), parts: {} },
  ])('with $name are written', async ({ labels, parts }) => {
    expect(await write({ labels, histogram: histogram(1, parts) })).toEqual({ ...none, histograms: 1 });
  });

  test('with a count that does not fit are refused', async () => {
    const bad = histogram(1, { hasPositive: true, count: 99 });
    expect(await write({ labels: named('minimal_hist'), histogram: bad })).toEqual(refused);
  });

  test('with a start time keep it', async () => {
    const startMs = nowMs - 30 * 60_000;
    const labels = named('request_duration_seconds', { job: 'api' });
    expect(await write({ labels, histogram: histogram(1.5, all), startMs })).toEqual({
      ...none,
      histograms: 1,
    });
    expect(
      await rows(
        "SELECT sum, toUnixTimestamp64Milli(start_ts) AS start FROM histograms_head WHERE metric = 'request_duration_seconds'",
      ),
    ).toEqual([{ sum: 1.5, start: String(startMs) }]);
  });

  test('of several series are written together', async () => {
    const first = {
      labels: named('hist1', { job: 'test' }),
      histogram: histogram(10.5, { hasPositive: true, hasZero: true }),
    };
    const second = {
      labels: named('hist2', { job: 'test' }),
      histogram: histogram(5.2, { hasNegative: true }),
    };
    expect(await write(first, second)).toEqual({ ...none, histograms: 2 });
  });

  test('with metadata and exemplars are written with them', async () => {
    const series: Series = {
      labels: named('response_size_bytes', { service: 'upload' }),
      histogram: histogram(10_485_760, all),
      exemplars: [{ labels: { trace_id: 'large_upload_trace', user_id: 'user456' }, value: 10_485_760 }],
      metadata: { type: 3, help: 'HTTP response size in bytes', unit: 'bytes' },
    };
    expect(await write(series)).toEqual({ ...none, histograms: 1, exemplars: 1 });
    expect(
      await rows("SELECT type, help, unit FROM metric_metadata WHERE metric = 'response_size_bytes'"),
    ).toEqual([{ type: 'histogram', help: 'HTTP response size in bytes', unit: 'bytes' }]);
  });
});

describe('exemplars', () => {
  test.each<{ name: string; labels: LabelMap; exemplar: LabelMap }>([
    {
      name: 'trace_id',
      labels: named('http_requests_total', { job: 'api' }),
      exemplar: { trace_id: 'abc123def456' },
    },
    {
      name: 'trace_id and span_id',
      labels: named('request_duration'),
      exemplar: { trace_id: 'xyz789', span_id: 'span123' },
    },
    { name: 'no trace', labels: named('cpu_usage', { instance: 'host1' }), exemplar: { user_id: 'user123' } },
    {
      name: 'many labels',
      labels: named('latency'),
      exemplar: { trace_id: 't', user: 'admin', endpoint: '/login' },
    },
    { name: 'no labels', labels: named('simple_counter'), exemplar: {} },
    {
      name: 'special characters',
      labels: named('test_metric'),
      exemplar: { trace_id: 'trace-with-dashes_and.123' },
    },
    {
      name: 'other scripts',
      labels: named('unicode_test', { region: '🌍' }),
      exemplar: { trace_id: 'unicode_trace_测试' },
    },
  ])('with $name are written', async ({ labels, exemplar }) => {
    const series = { labels, value: 1, exemplars: [{ labels: exemplar, value: 1 }] };
    expect(await write(series)).toEqual({ ...none, samples: 1, exemplars: 1 });
  });

  test.each([0, -123.456, 1e10, 1e-10, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'of the value %d are written',
    async (value) => {
      const series = { labels: named('special'), value, exemplars: [{ labels: { trace_id: 's' }, value }] };
      expect(await write(series)).toEqual({ ...none, samples: 1, exemplars: 1 });
    },
  );

  test('of several series and of several times are written', async () => {
    const at = (labels: LabelMap, id: string, offsetMs: number): Series => ({
      labels,
      value: 0.1,
      offsetMs,
      exemplars: [{ labels: { trace_id: id }, value: 0.1, offsetMs }],
    });
    const methods = ['GET', 'POST'].map((method) => at(named('several', { method }), method, 0));
    const times = [-3_600_000, -60_000, 0].map((offsetMs) =>
      at(named('latency_hist'), `t${-offsetMs}`, offsetMs),
    );
    expect(await write(...methods, ...times)).toEqual({ ...none, samples: 5, exemplars: 5 });
  });

  test.each<{ name: string; labels: LabelMap }>([
    { name: 'without a name', labels: { job: 'test' } },
    { name: 'with an empty name', labels: { __name__: '' } },
  ])('of a series $name are refused with it', async ({ labels }) => {
    const series = { labels, value: 1, exemplars: [{ labels: { trace_id: 'test_trace' }, value: 1 }] };
    expect(await write(series)).toEqual(refused);
  });

  test('without a sample are written too', async () => {
    const series = {
      labels: named('orphan_metric'),
      exemplars: [{ labels: { trace_id: 'orphan_trace' }, value: 42 }],
    };
    expect(await write(series)).toEqual({ ...none, exemplars: 1 });
    expect(await rows("SELECT v, labels FROM exemplars WHERE metric = 'orphan_metric'")).toEqual([
      { v: 42, labels: { trace_id: 'orphan_trace' } },
    ]);
  });
});

describe('metadata', () => {
  test.each([
    {
      name: 'http_requests_total',
      type: 1,
      help: 'Total number of HTTP requests',
      unit: 'requests',
      is: 'counter',
    },
    { name: 'cpu_usage_percent', type: 2, help: 'Current CPU usage', unit: 'percent', is: 'gauge' },
    { name: 'no_help_no_unit', type: 1, help: '', unit: '', is: 'counter' },
    { name: 'special_help', type: 2, help: 'with\nnewlines and "quotes"', unit: 'bytes/sec', is: 'gauge' },
    { name: 'unknown_metric', type: 0, help: 'Unknown metric type', unit: '', is: 'unknown' },
    { name: 'build_info', type: 6, help: 'Build information', unit: '', is: 'info' },
    { name: 'node_state', type: 7, help: 'Node state information', unit: '', is: 'stateset' },
    { name: 'latency_summary', type: 5, help: 'Request latency summary', unit: 'seconds', is: 'summary' },
    { name: 'temperature', type: 4, help: 'Temperature distribution', unit: 'celsius', is: 'gaugehistogram' },
  ])('of a $is is stored', async ({ name, type, help, unit, is }) => {
    const labels = named(name, { of: 'metadata' });
    expect(await write({ labels, value: 1, metadata: { type, help, unit } })).toEqual({
      ...none,
      samples: 1,
    });
    expect(await rows(`SELECT type, help, unit FROM metric_metadata FINAL WHERE metric = '${name}'`)).toEqual(
      [{ type: is, help, unit }],
    );
  });

  test('without data is stored; without a name it is refused', async () => {
    const metadata = { type: 1, help: 'Orphaned metric metadata', unit: 'count' };
    expect(await write({ labels: named('metadata_alone'), metadata })).toEqual(none);
    expect(await rows("SELECT help FROM metric_metadata WHERE metric = 'metadata_alone'")).toEqual([
      { help: 'Orphaned metric metadata' },
    ]);
    expect(await write({ labels: { job: 'test' }, value: 1, metadata })).toEqual(refused);
    expect(await write({ labels: { __name__: '' }, metadata })).toEqual(refused);
  });
});

test('a start time of samples is stored where it changes', async () => {
  const labels = named('with_start_total', { job: 'api' });
  const startMs = nowMs - 3_600_000;
  const send = (value: number, start: number) => write({ labels, value, startMs: start });
  expect(await send(100, startMs)).toEqual({ ...none, samples: 1 });
  await send(150, startMs);
  await send(3, nowMs);
  const starts = await rows(
    "SELECT toUnixTimestamp64Milli(start_ts) AS start FROM sample_starts WHERE metric = 'with_start_total' ORDER BY ts",
  );
  // The two hours may end between any two of them: then the start is said again.
  expect([...new Set(starts.map(({ start }) => Number(start)))]).toEqual([startMs, nowMs - 10]);
  expect(await rows("SELECT count() AS n FROM samples_head WHERE metric = 'with_start_total'")).toEqual([
    { n: '3' },
  ]);
});

test.each(['samples', 'histograms'] as const)(
  'fifty series of %s with metadata and exemplars',
  async (kind) => {
    const series = Array.from(
      { length: 50 },
      (_, i): Series => ({
        labels: named(`many_${kind}_${i}`, { series: `series_${i}` }),
        ...(kind === 'samples'
          ? { value: i * 100 }
          : { histogram: histogram(i / 10, { hasPositive: true, hasNegative: i % 2 === 0, hasZero: true }) }),
        exemplars: [{ labels: { trace_id: `trace_${i}` }, value: i }],
        metadata: { type: kind === 'samples' ? 1 : 3, help: `metric number ${i}`, unit: 'count' },
      }),
    );
    expect(await write(...series)).toEqual({ ...none, [kind]: 50, exemplars: 50 });
  },
);

test('special characters everywhere are kept', async () => {
  const labels = named('special_characters', { job: 'test-job_with.special@chars', environment: 'test🚀' });
  const exemplar = { trace_id: 'special_trace_äöü-123', span_id: 'span_with.dots' };
  const series = { labels, value: 42, exemplars: [{ labels: exemplar, value: 42 }] };
  expect(await write(series)).toEqual({ ...none, samples: 1, exemplars: 1 });
  expect(
    await rows(
      "SELECT e.labels AS exemplar, s.labels['environment'] AS env FROM exemplars AS e INNER JOIN series AS s ON e.id = s.id WHERE e.metric = 'special_characters'",
    ),
  ).toEqual([{ exemplar: { span_id: 'span_with.dots', trace_id: 'special_trace_äöü-123' }, env: 'test🚀' }]);
});

test('data of different times is written, out of order too', async () => {
  const old = { labels: named('mixed_times'), value: 1, offsetMs: -3_600_000 };
  expect(await write({ labels: named('mixed_times'), value: 2 }, old)).toEqual({ ...none, samples: 2 });
});

describe('requests', () => {
  /** The suite spoils the first byte of the body beside the headers. */
  const spoilt = (byte: number): Uint8Array => {
    const body = new Uint8Array(snappy.compress(encode2([{ labels: named('up'), value: 1 }])));
    body[0] = byte;
    return body;
  };

  test.each([
    { header: 'content-type', value: 'application/json', status: 415 },
    { header: 'content-type', value: 'image/png', status: 415 },
    { header: 'content-encoding', value: 'gzip', status: 415 },
    { header: 'content-encoding', value: 'deflate', status: 415 },
    { header: 'x-nothing', value: 'body alone', status: 400 },
  ])('with $header $value and a spoilt body are answered $status', async ({ header, value, status }) => {
    expect(await post(spoilt(0x30), { [header]: value })).toEqual({ ...none, status });
  });

  const version1 = (): Uint8Array =>
    encodeRemoteWrite1({
      timeseries: [upLabels, named('http_requests_total')].map((labels) => ({
        labels: Object.entries(labels).map(([name, value]) => ({ name, value })),
        samples: [{ value: 1, timestamp: nowMs }],
      })),
    });

  test('of 1.0 are taken, and answered without the headers of 2.0', async () => {
    nowMs += 10;
    const headers = {
      'content-type': 'application/x-protobuf',
      'x-prometheus-remote-write-version': '0.1.0',
    };
    expect(await post(snappy.compress(version1()), headers)).toEqual(none);
    expect(await post(spoilt(0xff), headers)).toEqual(refused);
  });
});
