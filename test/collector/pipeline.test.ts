/**
 * Goal: what the pipeline says is stored is in the tables once, and what it cannot store now is never said to be.
 * Method: the real workers and the real embedded store; the direct sink on top, as receivers use it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { batchNote } from '#collector/batch-note.ts';
import { createDirectSink } from '#collector/direct-sink.ts';
import { createPipeline, type Pipeline } from '#collector/pipeline.ts';
import { transcoderOptionsDefault } from '#collector/transcode/transcoder-options.ts';
import { UnavailableError } from '#model/errors.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import { type NativeBlock, type Store, StoreError } from '#store/store.ts';
import {
  encodeLogsRequest,
  encodeMetricsRequest,
  encodeTraceRequest,
} from '#test/support/naive/otlp-proto.ts';
import { encodeRemoteWrite2 } from '#test/support/naive/prometheus-proto.ts';
import type { Signal } from '#wire/envelope.ts';

// The real time: the store forgets landed batches by its own clock.
const nowMs = Date.now();
const dayMs = 86_400_000;
const directory = mkdtempSync(join(tmpdir(), 'sonde-pipeline-'));
let store: Store;
let pipeline: Pipeline;
/** Throws from the store's insert while it is set: the store is real otherwise. */
let insertFault: ((block: NativeBlock) => Error | undefined) | undefined;
/** Awaited before the store's insert while it is set. */
let insertGate: ((block: NativeBlock, token: string) => Promise<void>) | undefined;
const threads: Worker[] = [];

beforeAll(async () => {
  process.on('worker', (worker) => threads.push(worker));
  store = await openEmbeddedStore({ path: directory });
  await migrate(store);
  const faulty: Store = {
    kind: 'embedded',
    exec: (sql, options) => store.exec(sql, options),
    rows: (sql, options) => store.rows(sql, options),
    stream: (sql, options) => store.stream(sql, options),
    ping: () => store.ping(),
    close: () => store.close(),
    insert: async (block, token) => {
      const fault = insertFault?.(block);
      if (fault !== undefined) throw fault;
      await insertGate?.(block, token);
      await store.insert(block, token);
    },
  };
  pipeline = createPipeline({
    store: faulty,
    workers: 1,
    inflightBytesMax: 1024 * 1024,
    group: { rowsMax: 250_000, ageMsMax: 20 },
    retentionMs: 30 * dayMs,
    now: () => nowMs,
  });
});
afterAll(async () => {
  await pipeline.close();
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const logs = (bodies: readonly string[], timeMs = nowMs): Uint8Array =>
  encodeLogsRequest({
    resourceLogs: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
        scopeLogs: [
          {
            logRecords: bodies.map((body) => ({
              timeUnixNano: `${timeMs}000000`,
              body: { stringValue: body },
            })),
          },
        ],
      },
    ],
  });

/** One sample of each metric. */
const samplesOf = (metrics: readonly string[], value: number): Uint8Array =>
  encodeRemoteWrite2({
    symbols: ['', '__name__', ...metrics],
    timeseries: metrics.map((_, index) => ({
      labelsRefs: [1, index + 2],
      samples: [{ value, timestamp: nowMs }],
    })),
  });
const samples = (metric: string, value: number): Uint8Array => samplesOf([metric], value);

async function count(table: string, where: string): Promise<number> {
  const [row] = await store.rows<{ n: string }>(
    `SELECT count() AS n FROM ${table} WHERE tenant != '' AND ${where}`,
  );
  return Number(row?.n);
}

const deliver = (batchId: string, bytes: Uint8Array, signal: Signal = 'logs') =>
  createDirectSink(pipeline)({ signal, tenant: 'default', batchId, key: 'k', bytes });

test('a request is in the table once, however often it is sent', async () => {
  expect(await deliver('twice', logs(['a', 'b']))).toEqual({ accepted: 2, rejected: 0, reason: '' });
  expect(await deliver('twice', logs(['a', 'b']))).toEqual({ accepted: 2, rejected: 0, reason: '' });
  expect(await deliver('other', logs(['a', 'b']))).toEqual({ accepted: 2, rejected: 0, reason: '' });
  expect(await count('logs', "body IN ('a', 'b')")).toBe(4);
});

test('records older than the retention are refused and counted, the others are stored', async () => {
  const before = pipeline.status().recordsRejected;
  const delivery = await deliver('old', logs(['from last year'], nowMs - 365 * dayMs));
  expect(delivery).toMatchObject({ accepted: 0, rejected: 1 });
  expect(delivery.reason).toMatch(/old/);
  expect(pipeline.status().recordsRejected).toBe(before + 1);
  expect(await count('logs', "body = 'from last year'")).toBe(0);
});

test('bytes that cannot be decoded are refused with the position', async () => {
  await expect(deliver('bad', Buffer.from('no protobuf'))).rejects.toThrow(
    /^the logs request could not be decoded: .* at byte \d+/,
  );
});

test('one undecodable request of a run leaves the others as they are', async () => {
  const outcomes = await pipeline.insertRun(
    [
      { signal: 'logs', tenant: 'default', bytes: logs(['good neighbour']) },
      { signal: 'logs', tenant: 'default', bytes: Buffer.from('no protobuf') },
      { signal: 'logs', tenant: 'default', bytes: logs(['good neighbour']) },
    ],
    'topic/0/1-3',
  );
  expect(outcomes.map(({ accepted, decodeError }) => [accepted, decodeError !== undefined])).toEqual([
    [1, false],
    [0, true],
    [1, false],
  ]);
  expect(await count('logs', "body = 'good neighbour'")).toBe(2);
});

test('a store that fails makes the sender come again, and the repeat lands once with its series', async () => {
  // The series block lands, the samples do not: the worker must announce the series again.
  insertFault = ({ table }) =>
    table === 'samples_head'
      ? new StoreError('disk full', { retryable: true, clickhouseCode: 243 })
      : undefined;
  await expect(deliver('retry', samples('retried_metric', 1), 'remote_write')).rejects.toThrow(
    UnavailableError,
  );
  insertFault = ({ table }) =>
    table === 'series' ? new StoreError('down', { retryable: true, clickhouseCode: 252 }) : undefined;
  await expect(deliver('new', samples('new_metric', 1), 'remote_write')).rejects.toThrow(
    'the store did not take series: down',
  );
  insertFault = undefined;
  await deliver('retry', samples('retried_metric', 1), 'remote_write');
  await deliver('new', samples('new_metric', 1), 'remote_write');
  for (const metric of ['retried_metric', 'new_metric']) {
    expect(await count('samples_head', `metric = '${metric}'`)).toBe(1);
    expect(await count('series', `metric = '${metric}'`)).toBeGreaterThan(0);
  }
});

test('a repeat that announces more series than its first try stores all of them', async () => {
  // The worker has announced late_metric with a request that fails, so "both" first stores the series of the other one.
  const reached = Promise.withResolvers<void>();
  const failing = Promise.withResolvers<void>();
  let isFirst = true;
  insertGate = async ({ table }) => {
    if (table !== 'series' || !isFirst) return;
    isFirst = false;
    reached.resolve();
    await failing.promise;
    throw new StoreError('down', { retryable: true, clickhouseCode: 252 });
  };
  const request = (): Uint8Array => samplesOf(['early_metric', 'late_metric'], 2);
  const late = deliver('late', samples('late_metric', 1), 'remote_write').catch((error: unknown) => error);
  await reached.promise;
  const both = deliver('both', request(), 'remote_write').catch((error: unknown) => error);
  await expect.poll(() => count('series', "metric = 'early_metric'")).toBe(1);
  failing.resolve();
  expect(await late).toBeInstanceOf(UnavailableError);
  expect(await both).toBeInstanceOf(UnavailableError);
  insertGate = undefined;
  await deliver('both', request(), 'remote_write');
  expect(await count('series', "metric = 'late_metric'")).toBe(1);
  expect(await count('samples_head', "metric IN ('early_metric', 'late_metric') AND v = 2")).toBe(2);
});

test('samples are acknowledged only when the series that another request announces is stored', async () => {
  const gate = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  insertGate = async ({ table }) => {
    if (table !== 'series') return;
    reached.resolve();
    await gate.promise;
  };
  const announcer = deliver('announcer', samples('shared_metric', 1), 'remote_write');
  await reached.promise;
  let isAnswered = false;
  const follower = deliver('follower', samples('shared_metric', 2), 'remote_write').finally(() => {
    isAnswered = true;
  });
  // A request behind it in the same worker is stored: the follower could have been, too.
  await deliver('bystander', logs(['bystander']));
  expect(isAnswered).toBe(false);
  gate.resolve();
  await Promise.all([announcer, follower]);
  insertGate = undefined;
  expect(await count('samples_head', "metric = 'shared_metric'")).toBe(2);
});

test('a worker thread that dies makes the sender come again, and the next one takes over', async () => {
  const [thread] = threads.slice(-1);
  const records = Array.from({ length: 20_000 }, (_, index) => `while the thread dies ${index}`);
  const interrupted = deliver('interrupted', logs(records)).catch((error: unknown) => error);
  await thread!.terminate();
  const error = await interrupted;
  expect(error).toBeInstanceOf(UnavailableError);
  expect(error).toMatchObject({ message: expect.stringContaining('thread ended') });
  expect(await deliver('interrupted', logs(records))).toMatchObject({ accepted: records.length });
  expect(pipeline.status().inflightBytes).toBe(0);
});

test('OTLP metrics become series and samples under their Prometheus names', async () => {
  await deliver(
    'otlp-metrics',
    encodeMetricsRequest({
      resourceMetrics: [
        {
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
          scopeMetrics: [
            {
              metrics: [
                {
                  name: 'http.requests',
                  sum: {
                    aggregationTemporality: 2,
                    isMonotonic: true,
                    dataPoints: [{ timeUnixNano: `${nowMs}000000`, asInt: 7 }],
                  },
                },
              ],
            },
          ],
        },
      ],
    }),
    'metrics',
  );
  expect(await count('samples_head', "metric = 'http_requests_total' AND v = 7")).toBe(1);
});

test('a sample that is sent again in another request is accepted and not stored again; another value is refused', async () => {
  expect(await deliver('d1', samples('sent_again', 5), 'remote_write')).toMatchObject({
    accepted: 1,
    rejected: 0,
  });
  expect(await deliver('d2', samplesOf(['sent_again', 'beside'], 5), 'remote_write')).toMatchObject({
    accepted: 2,
    rejected: 0,
  });
  expect(await deliver('d3', samples('sent_again', 6), 'remote_write')).toEqual({
    accepted: 0,
    rejected: 1,
    reason: `a series has another value at ${nowMs} ms and keeps the first, in the metric "sent_again"`,
  });
  expect(await count('samples_head', "metric = 'sent_again'")).toBe(1);
  expect(await count('samples_head', "metric = 'beside'")).toBe(1);
});

test('a sample whose insert failed is stored when it is sent again, in the same request or in another', async () => {
  insertFault = ({ table }) =>
    table === 'samples_head' ? new StoreError('no', { retryable: true, clickhouseCode: 252 }) : undefined;
  await expect(deliver('f1', samples('failed', 5), 'remote_write')).rejects.toThrow(UnavailableError);
  insertFault = undefined;
  await deliver('f2', samplesOf(['failed', 'other'], 5), 'remote_write');
  expect(await count('samples_head', "metric = 'failed'")).toBe(1);
  await deliver('f1', samples('failed', 5), 'remote_write');
  expect(await count('samples_head', "metric = 'failed'")).toBe(1);
});

test('a sample of a request that is still under way is not taken for stored', async () => {
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  insertGate = async ({ table }) => {
    if (table !== 'samples_head') return;
    reached.resolve();
    await opened;
  };
  const first = deliver('u1', samples('under_way', 5), 'remote_write');
  // The first is inserted: the second is in a block of its own.
  await reached.promise;
  const second = deliver('u2', samplesOf(['under_way', 'more'], 5), 'remote_write');
  open();
  insertGate = undefined;
  await Promise.all([first, second]);
  // Twice is the price: had the first failed, the second would have been answered for a sample that is nowhere.
  expect(await count('samples_head', "metric = 'under_way'")).toBe(2);
});

test('a batch that landed in one run is left out of every other', async () => {
  const request = (batch: string, tenant = 'default') => {
    const bytes = logs([`of ${batch} of ${tenant}`]);
    return { signal: 'logs', tenant, bytes, note: batchNote(tenant, 'logs', batch, bytes) } as const;
  };
  /** Per request, how many records are new. */
  const run = async (requests: Parameters<Pipeline['insertRun']>[0], token: string): Promise<string> => {
    const outcomes = await pipeline.insertRun(requests, token);
    return outcomes.map(({ accepted, repeated }) => accepted - repeated).join();
  };
  expect(await run([request('a-1'), request('a-2'), request('a-1')], 't/0/0-2')).toBe('1,1,0');
  expect(await run([request('a-2'), request('a-3'), request('a-1', 'team')], 't/0/3-5')).toBe('0,1,1');
  expect(await run([request('a-1')], 't/1/0-0')).toBe('0');
  expect(await count('logs', "startsWith(body, 'of a-')")).toBe(4);
});

test('a refused exemplar is counted, and its sender is not told that something was refused', async () => {
  const before = pipeline.status().recordsRejected;
  const bytes = encodeRemoteWrite2({
    symbols: ['', '__name__', 'with_exemplar', 'trace_id', 'abc', 'x'.repeat(200)],
    timeseries: [
      {
        labelsRefs: [1, 2],
        samples: [{ value: 1, timestamp: nowMs }],
        exemplars: [
          { labelsRefs: [3, 5], value: 1, timestamp: nowMs },
          { labelsRefs: [3, 4], value: 2, timestamp: nowMs },
        ],
      },
    ],
  });
  expect(await deliver('exemplar', bytes, 'remote_write')).toEqual({
    accepted: 1,
    exemplars: 1,
    rejected: 0,
    reason: '',
  });
  expect(pipeline.status().recordsRejected).toBe(before + 1);
  expect(await count('exemplars', "metric = 'with_exemplar' AND v = 2 AND labels['trace_id'] = 'abc'")).toBe(
    1,
  );
});

test('over the bound of waiting bytes a request is told to come again, and not lost', async () => {
  const large = (): Uint8Array =>
    logs(Array.from({ length: 60 }, (_, index) => `large ${index} ${'x'.repeat(10_000)}`));
  const results = await Promise.allSettled(['l1', 'l2', 'l3'].map((id) => deliver(id, large())));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
  expect(results[1]).toMatchObject({ reason: { message: expect.stringMatching(/too many bytes/) } });
  await deliver('l2', large());
  expect(await count('logs', "startsWith(body, 'large ')")).toBe(120);
});

test('requests that come together are inserted together, and each is answered for itself', async () => {
  const tokens = new Set<string>();
  insertGate = async (block, token) => void (block.table === 'logs' && tokens.add(token));
  const ids = Array.from({ length: 40 }, (_, index) => `together-${index}`);
  const answers = await Promise.all([
    ...ids.map((id) => deliver(id, logs([id, `${id} again`]))),
    deliver('together-bad', Buffer.from('no protobuf')).catch((error: unknown) => String(error)),
  ]);
  insertGate = undefined;
  expect(answers.slice(0, -1)).toEqual(ids.map(() => ({ accepted: 2, rejected: 0, reason: '' })));
  expect(answers.at(-1)).toContain('could not be decoded');
  expect(tokens.size).toBeLessThan(5);
  expect(await count('logs', "startsWith(body, 'together-')")).toBe(80);
});

test('a request that is sent again while its first try is under way gets the same answer', async () => {
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  insertGate = async () => {
    reached.resolve();
    await gate.promise;
  };
  const first = deliver('impatient', logs(['impatient']));
  await reached.promise;
  const second = deliver('impatient', logs(['impatient']));
  gate.resolve();
  insertGate = undefined;
  expect(await Promise.all([first, second])).toEqual(Array(2).fill({ accepted: 1, rejected: 0, reason: '' }));
  expect(await count('logs', "body = 'impatient'")).toBe(1);
});

test('a repeat among new requests adds nothing, whatever block its first try was in', async () => {
  const spans = (id: string): Uint8Array =>
    encodeTraceRequest({
      resourceSpans: [
        {
          scopeSpans: [
            {
              spans: [
                {
                  traceId: Buffer.alloc(16, 7),
                  spanId: Buffer.alloc(8, 7),
                  name: id,
                  startTimeUnixNano: `${nowMs}000000`,
                },
              ],
            },
          ],
        },
      ],
    });
  const requests = [
    ['logs', 'logs', (id: string) => logs([id]), 'body'],
    ['traces', 'spans', spans, 'name'],
    ['remote_write', 'samples_head', (id: string) => samples(id, 1), 'metric'],
  ] as const;
  for (const [signal, table, make, column] of requests) {
    await deliver(`block_1_${table}`, make(`block_1_${table}`), signal);
    const ids = [`block_2_${table}`, `block_1_${table}`, `block_3_${table}`];
    const answers = await Promise.all(ids.map((id) => deliver(id, make(id), signal)));
    expect(answers.map(({ accepted }) => accepted)).toEqual([1, 1, 1]);
    expect(await count(table, `startsWith(${column}, 'block_')`)).toBe(3);
  }
});

test('a repeat writes just the partitions that its first try did not reach', async () => {
  const days = [0, 1, 2].map((day) => nowMs - day * dayMs);
  const request = (): Uint8Array =>
    encodeLogsRequest({
      resourceLogs: [
        {
          scopeLogs: [
            {
              logRecords: days.map((timeMs, day) => ({
                timeUnixNano: `${timeMs}000000`,
                body: { stringValue: `three days ${day}` },
              })),
            },
          ],
        },
      ],
    });
  const rows = () => count('logs', "startsWith(body, 'three days ')");
  await deliver('days', request());
  expect(await rows()).toBe(3);
  // As if the process had died between the commits of two partitions.
  await store.exec('ALTER TABLE logs DROP PARTITION {day:String}', {
    params: { day: new Date(days[1]!).toISOString().slice(0, 10) },
  });
  expect(await rows()).toBe(2);
  const before = pipeline.status().recordsAccepted;
  expect(await deliver('days', request())).toEqual({ accepted: 3, rejected: 0, reason: '' });
  expect(await rows()).toBe(3);
  expect(pipeline.status().recordsAccepted).toBe(before + 1);
});

test('a sender of too many series is told the metric and the label, and others are stored', async () => {
  const limited = createPipeline({
    store,
    workers: 1,
    inflightBytesMax: 1024 * 1024,
    group: { rowsMax: 250_000, ageMsMax: 20 },
    retentionMs: 0,
    now: () => nowMs,
    transcoder: {
      ...transcoderOptionsDefault,
      seriesLimits: { tenantSeriesMax: 0, metricSeriesMax: 10 },
    },
  });
  const users = Array.from({ length: 40 }, (_, i) => `user-${i}`);
  const flood = encodeRemoteWrite2({
    symbols: ['', '__name__', 'flood', 'job', 'shop', 'user_id', ...users],
    timeseries: users.map((_, i) => ({
      labelsRefs: [1, 2, 3, 4, 5, 6 + i],
      samples: [{ value: i, timestamp: nowMs }],
    })),
  });
  const send = (batchId: string, bytes: Uint8Array) =>
    createDirectSink(limited)({
      signal: 'remote_write',
      tenant: 'default',
      batchId,
      key: 'k',
      bytes,
    });
  const [flooded, other] = await Promise.all([send('flood', flood), send('calm', samples('calm', 1))]);
  await limited.close();
  expect(flooded).toMatchObject({ accepted: 10, rejected: 30 });
  expect(flooded.reason).toMatch(
    /^the metric flood has 10 active series: .*label "user_id" has the most values$/,
  );
  expect(other).toMatchObject({ accepted: 1, rejected: 0 });
  expect(limited.status().recordsRejected).toBe(30);
  expect(await count('samples_head', "metric = 'flood'")).toBe(10);
  expect(await count('series', "metric = 'flood'")).toBe(10);
});
