/**
 * Goal: the total of a delta series is the sum of what was sent, each point once, whatever fails or comes again.
 * Method: the real pipeline, mostly with two workers, over the real embedded store, whose inserts fail where a test says so.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createDirectSink } from '#collector/direct-sink.ts';
import { createPipeline, type Pipeline } from '#collector/pipeline.ts';
import { UnavailableError } from '#model/errors.ts';
import { compactClosed } from '#store/compaction/compactor.ts';
import type { CompactionStep } from '#store/compaction/window.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import { type NativeBlock, type Store, StoreError } from '#store/store.ts';
import type { Delivery } from '#wire/envelope.ts';
import { type DeltaPoint, deltaHistogram, deltaSum, request } from '../support/delta-request.ts';
import { Lcg } from '../support/lcg.ts';

const nowMs = Math.floor(Date.now() / 1000) * 1000;
const directory = mkdtempSync(join(tmpdir(), 'sonde-delta-'));
let store: Store;
let pipeline: Pipeline;
/** Throws before or after the real insert where it says so. */
let isFaulty: (block: NativeBlock, when: 'before' | 'after') => boolean = () => false;
let lookups = 0;
/** Awaited before the store's insert while it is set. */
let gate: ((block: NativeBlock) => Promise<void>) | undefined;

beforeAll(async () => {
  store = await openEmbeddedStore({ path: directory });
  await migrate(store);
  pipeline = start('embedded', 1000, 2);
});
afterAll(async () => {
  await pipeline.close();
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

/** As after a restart of the collector: nothing is in memory. */
function start(kind: Store['kind'] = 'embedded', deltaSeriesMax = 1000, workers = 1): Pipeline {
  const fail = (block: NativeBlock, when: 'before' | 'after'): void => {
    if (isFaulty(block, when)) throw new StoreError('the connection broke', { retryable: true });
  };
  const faulty: Store = {
    kind,
    exec: (sql, options) => store.exec(sql, options),
    rows: (sql, options) => {
      if (sql.includes('samples_chunk')) lookups++;
      return store.rows(sql, options);
    },
    stream: (sql, options) => store.stream(sql, options),
    ping: () => store.ping(),
    close: () => store.close(),
    insert: async (block, token) => {
      await gate?.(block);
      fail(block, 'before');
      await store.insert(block, token);
      fail(block, 'after');
    },
  };
  return createPipeline({
    store: faulty,
    workers,
    inflightBytesMax: 64 * 1024 * 1024,
    group: { rowsMax: 250_000, ageMsMax: 5 },
    retentionMs: 0,
    now: () => nowMs,
    deltaSeriesMax,
  });
}
beforeEach(() => {
  lookups = 0;
});
afterEach(() => {
  isFaulty = () => false;
  gate = undefined;
});

async function restart(...options: Parameters<typeof start>): Promise<void> {
  await pipeline.close();
  pipeline = start(...options);
}

let batch = 0;
const deliver = (bytes: Uint8Array, batchId = `b${batch++}`, tenant = 'default'): Promise<Delivery> =>
  createDirectSink(pipeline)({ signal: 'metrics', tenant, batchId, key: 'k', bytes });

/** A point of the n-th ten seconds. */
const nth = (n: number, value: number, route?: string): DeltaPoint => ({
  startMs: nowMs - 600_000 + n * 10_000,
  endMs: nowMs - 600_000 + (n + 1) * 10_000,
  value,
  ...(route === undefined ? {} : { route }),
});

/** The samples of a metric in order of time, as `value` or `label=value`. */
async function samples(metric: string, label = '', tenant = 'default'): Promise<string[]> {
  const rows = await store.rows<{ line: string }>(
    `SELECT concat(l.labels[{label:String}], if({label:String} = '', '', '='), toString(s.v)) AS line FROM samples_head AS s
     INNER JOIN (SELECT DISTINCT id, metric, labels FROM series) AS l ON s.id = l.id AND s.metric = l.metric
     WHERE s.metric = {metric:String} ORDER BY ts, length(line), line`,
    { params: { metric, label }, tenant },
  );
  return rows.map(({ line }) => line);
}

test('points of one request and of later ones add up, and a restart goes on from the store', async () => {
  expect(await deliver(deltaSum('up', [nth(0, 1), nth(1, 2)]))).toEqual({
    accepted: 2,
    rejected: 0,
    reason: '',
  });
  await deliver(deltaSum('up', [nth(2, 4)]));
  expect(lookups).toBe(1);
  await restart();
  await deliver(deltaSum('up', [nth(3, 8.5)]));
  expect(await samples('up_total')).toEqual(['1', '3', '7', '15.5']);
});

test('a repeat adds nothing, by the same batch or another, before and after a restart', async () => {
  const bytes = () => deltaSum('repeated', [nth(0, 5), nth(1, 6)]);
  await deliver(bytes(), 'r1');
  expect(await deliver(bytes(), 'r1')).toEqual({ accepted: 0, rejected: 0, reason: '' });
  await restart();
  expect(await deliver(bytes(), 'r1')).toMatchObject({ accepted: 0 });
  expect(await deliver(bytes(), 'r2')).toMatchObject({ accepted: 0 });
  await deliver(deltaSum('repeated', [nth(2, 1)]));
  expect(await samples('repeated_total')).toEqual(['5', '11', '12']);
});

test.each(['before', 'after'] as const)(
  'an insert that fails %s it landed is repeated and counts once',
  async (when) => {
    const name = `failed_${when}`;
    await deliver(deltaSum(name, [nth(0, 1)]));
    isFaulty = ({ table }, at) => table === 'samples_head' && at === when;
    const bytes = () => deltaSum(name, [nth(1, 10)]);
    await expect(deliver(bytes(), name)).rejects.toThrow(UnavailableError);
    isFaulty = () => false;
    const accepted = when === 'before' ? 1 : 0;
    expect(await deliver(bytes(), name)).toEqual({ accepted, rejected: 0, reason: '' });
    await deliver(deltaSum(name, [nth(2, 100)]));
    expect(await samples(`${name}_total`)).toEqual(['1', '11', '111']);
  },
);

test('requests of one series that come at once are added one after another', async () => {
  const all = Array.from({ length: 20 }, (_, n) => deltaSum('crowd', [nth(n, 1), nth(n, 1, `r${n % 3}`)]));
  const results = await Promise.all(all.map((bytes) => deliver(bytes)));
  const accepted = results.reduce((sum, one) => sum + (one.accepted ?? 0), 0);
  expect((await samples('crowd_total')).filter((value) => value !== '')).toHaveLength(accepted);
  // Workers answer in any order: a request that was overtaken is refused, and its sender is told.
  expect(accepted + results.reduce((sum, one) => sum + one.rejected, 0)).toBe(40);
  const values = await samples('crowd_total', 'route');
  const last = (route: string) =>
    Number(
      values
        .filter((line) => line.startsWith(route))
        .at(-1)!
        .split('=')[1],
    );
  expect(last('=') + last('r0=') + last('r1=') + last('r2=')).toBe(accepted);
});

test('a later request waits for an earlier one of its series that is under way, and not for others', async () => {
  const reached = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  let isFirst = true;
  gate = async ({ table }) => {
    if (table !== 'samples_head' || !isFirst) return;
    isFirst = false;
    reached.resolve();
    await opened.promise;
  };
  const first = deliver(deltaSum('queued', [nth(0, 1)]));
  await reached.promise;
  const second = deliver(deltaSum('queued', [nth(1, 2)]));
  await deliver(deltaSum('other', [nth(0, 7)]));
  expect(await samples('other_total')).toEqual(['7']);
  await deliver(deltaSum('queued', [nth(0, 9)]), undefined, 'blue');
  expect(await samples('queued_total', '', 'blue')).toEqual(['9']);
  expect(await samples('queued_total')).toEqual([]);
  opened.resolve();
  await Promise.all([first, second]);
  expect(await samples('queued_total')).toEqual(['1', '3']);
});

test('what is late, overlaps or has no time is refused by reason, and the sender is told', async () => {
  await deliver(deltaSum('strict', [nth(5, 1)]));
  expect(await deliver(deltaSum('strict', [nth(3, 1)]))).toMatchObject({
    rejected: 1,
    reason: 'a delta point is not newer than the last one of its series',
  });
  expect(await deliver(deltaSum('strict', [{ ...nth(6, 1), startMs: nth(5, 1).startMs }]))).toMatchObject({
    rejected: 1,
    reason: "a delta point's interval begins before the end of the last one: two writers of one series?",
  });
  const point = { asInt: 1, startTimeUnixNano: `${nowMs}000000` };
  const sum = { aggregationTemporality: 1, isMonotonic: true, dataPoints: [point] };
  expect(await deliver(request([{ name: 'strict', sum }]))).toMatchObject({ rejected: 1 });
  const outcomes = await pipeline.insertRun(
    [
      { signal: 'metrics', tenant: 'default', bytes: deltaSum('strict', [nth(7, 1), nth(7, 2)]) },
      { signal: 'metrics', tenant: 'default', bytes: deltaSum('strict', [nth(8, -1)]) },
      { signal: 'metrics', tenant: 'default', bytes: deltaSum('strict', [nth(8, Number.NaN)]) },
      { signal: 'metrics', tenant: 'default', bytes: deltaSum('strict', [nth(200, 1)]) },
    ],
    'strict/run',
  );
  expect(outcomes.map(({ accepted, rejections }) => [accepted, rejections[0]?.reason])).toEqual([
    [1, 'delta_out_of_order'],
    [0, 'delta_negative'],
    [0, 'delta_not_finite'],
    [0, 'delta_too_far_ahead'],
  ]);
  expect(await samples('strict_total')).toEqual(['1', '2']);
});

test('a gap is bridged, and a series that was silent for longer than the bound starts anew', async () => {
  const hourMs = 3_600_000;
  const at = (endMs: number, value: number): DeltaPoint => ({ startMs: endMs - 1000, endMs, value });
  const firstMs = nowMs - 5 * hourMs;
  await deliver(deltaSum('silent', [at(firstMs, 5)]));
  await deliver(deltaSum('silent', [at(firstMs + hourMs, 1)]));
  await deliver(deltaSum('silent', [at(firstMs + 2 * hourMs + 1001, 2)]));
  await restart();
  await deliver(deltaSum('silent', [at(firstMs + 3 * hourMs + 1001, 3)]));
  await restart();
  await deliver(deltaSum('silent', [at(firstMs + 4 * hourMs + 2002, 4)]));
  expect(await samples('silent_total')).toEqual(['5', '6', '2', '5', '4']);
});

test('an interval that is longer than the bound is no silence', async () => {
  const hourMs = 3_600_000;
  const firstMs = nowMs - 9 * hourMs;
  const long = (n: number, value: number): DeltaPoint => ({
    startMs: firstMs + n * 1.5 * hourMs,
    endMs: firstMs + (n + 1) * 1.5 * hourMs,
    value,
  });
  await deliver(deltaSum('hourly', [long(0, 1)]));
  await deliver(deltaSum('hourly', [long(1, 2)]));
  await restart();
  await deliver(deltaSum('hourly', [long(2, 4)]));
  await deliver(deltaSum('hourly', [{ ...long(3, 8), startMs: 0 }]));
  expect(await samples('hourly_total')).toEqual(['1', '3', '7', '8']);
});

test('a sum that is not monotonic goes up and down under its own name', async () => {
  await deliver(deltaSum('queue', [nth(0, 5), nth(1, -3)], false));
  await restart();
  await deliver(deltaSum('queue', [nth(2, -4)], false));
  expect(await samples('queue')).toEqual(['5', '2', '-2']);
});

test('a histogram adds up bucket by bucket, goes on after a restart, and starts anew with other bounds', async () => {
  const point = (n: number, bounds: number[], counts: number[], sum?: number) => ({
    startMs: nth(n, 0).startMs,
    endMs: nth(n, 0).endMs,
    bounds,
    counts,
    ...(sum === undefined ? {} : { sum }),
  });
  await deliver(deltaHistogram('took', [point(0, [1, 5], [1, 2, 3], 20), point(1, [1, 5], [1, 0, 0], 0.5)]));
  await restart();
  await deliver(deltaHistogram('took', [point(2, [1, 5], [0, 1, 0], 2)]));
  await deliver(deltaHistogram('took', [point(3, [1, 9], [1, 1, 1], 12)]));
  await deliver(deltaHistogram('took', [point(4, [9], [1, 1], 10)]));
  await deliver(deltaHistogram('took', [point(5, [9], [1, 0])]));
  await deliver(deltaHistogram('took', [point(6, [9], [1, 0], 1)]));
  expect(await samples('took_count')).toEqual(['6', '7', '8', '3', '5', '6', '1']);
  expect(await samples('took_sum')).toEqual(['20', '20.5', '22.5', '12', '22', '1']);
  expect(await samples('took_bucket', 'le')).toEqual(
    [
      ['1=1', '5=3', '+Inf=6'],
      ['1=2', '5=4', '+Inf=7'],
      ['1=2', '5=5', '+Inf=8'],
      ['1=1', '9=2', '+Inf=3'],
      ['9=3', '+Inf=5'],
      ['9=4', '+Inf=6'],
      ['9=1', '+Inf=1'],
    ].flat(),
  );
});

test('tenants with equal series have totals of their own, also within one run', async () => {
  const run = (n: number) =>
    pipeline.insertRun(
      ['red', 'blue', 'red'].map((tenant, i) => ({
        signal: 'metrics' as const,
        tenant,
        bytes: deltaSum('shared', [nth(2 * n + (i === 2 ? 1 : 0), tenant === 'red' ? 1 : 10)]),
      })),
      `tenants/${n}`,
    );
  await run(0);
  await run(1);
  expect(await samples('shared_total', '', 'red')).toEqual(['1', '2', '3', '4']);
  expect(await samples('shared_total', '', 'blue')).toEqual(['10', '20']);
});

test('another collector may go on with a series: over a shared store a gap is a reason to look', async () => {
  await restart('server');
  await deliver(deltaSum('moved', [nth(0, 1)]));
  const other = start('server');
  const mine = pipeline;
  pipeline = other;
  await deliver(deltaSum('moved', [nth(1, 2)]));
  await other.close();
  pipeline = mine;
  await deliver(deltaSum('moved', [nth(2, 4)]));
  lookups = 0;
  await deliver(deltaSum('moved', [nth(3, 8)]));
  expect(lookups).toBe(0);
  expect(await samples('moved_total')).toEqual(['1', '3', '7', '15']);
});

test('more series than memory holds are read back from the store', async () => {
  await restart('embedded', 1);
  const many = (n: number) =>
    deltaSum(
      'many',
      Array.from({ length: 3000 }, (_, i) => nth(n, i, `r${i}`)),
    );
  await deliver(many(0));
  await deliver(many(1));
  expect(lookups).toBeGreaterThan(1);
  const [row] = await store.rows<{ n: string; sum: number }>(
    `SELECT count() AS n, sum(v) AS sum FROM samples_head WHERE metric = 'many_total' AND ts = fromUnixTimestamp64Milli({t:Int64}, 'UTC')`,
    { params: { t: nth(1, 0).endMs } },
  );
  expect(row).toEqual({ n: '3000', sum: (2 * (2999 * 3000)) / 2 });
});

test('a total is found in closed chunks as well, and stale markers are no values', async () => {
  await deliver(deltaSum('chunked', [nth(0, 3), nth(1, 4)]));
  const stale = { timeUnixNano: `${nth(2, 0).endMs}000000`, flags: 1 };
  const sum = { aggregationTemporality: 1, isMonotonic: true, dataPoints: [stale] };
  await deliver(request([{ name: 'chunked', sum }]));
  await store.exec(
    `INSERT INTO samples_chunk SELECT tenant, metric, toStartOfInterval(min(ts), INTERVAL 2 HOUR), id,
       groupArray(ts), groupArray(v) FROM (SELECT * FROM samples_head WHERE metric = 'chunked_total' ORDER BY ts)
     GROUP BY tenant, metric, id`,
  );
  await store.exec(`DELETE FROM samples_head WHERE metric = 'chunked_total'`);
  await restart();
  expect(await deliver(deltaSum('chunked', [nth(1, 4)]))).toMatchObject({ accepted: 0 });
  await deliver(deltaSum('chunked', [nth(3, 5)]));
  expect(await samples('chunked_total')).toEqual(['12']);
});

test('a total is found, and a repeat adds nothing, where a compaction has stopped between rows and chunks', async () => {
  const first = () => deltaSum('closing', [nth(0, 3), nth(1, 4)]);
  await deliver(first(), 'closing');
  const failures: object[] = [];
  const stop = (step: CompactionStep): void => {
    if (step === 'chunk') throw new Error('no memory for chunks');
  };
  const log = { info: () => {}, error: (fields: object) => void failures.push(fields) };
  const options = { latenessMs: 0, nowMs: nowMs + 86_400_000, log, failpoint: stop };
  await compactClosed(store, options, new AbortController().signal);
  expect(failures[0]).toMatchObject({ error: 'no memory for chunks' });
  expect(await samples('closing_total')).toEqual([]);
  await restart();
  expect(await deliver(first(), 'closing')).toEqual({ accepted: 0, rejected: 0, reason: '' });
  await deliver(deltaSum('closing', [nth(2, 5)]));
  expect(await samples('closing_total')).toEqual(['12']);
});

test('a total counts since the first interval, in every two hours, after a restart too; and anew after a silence', async () => {
  const minuteMs = 60_000;
  const point = (fromMinute: number, toMinute: number) => ({
    startMs: nowMs + fromMinute * minuteMs,
    endMs: nowMs + toMinute * minuteMs,
    value: 1,
  });
  await deliver(deltaSum('since', [point(-600, -570), point(-570, -540)]));
  await restart();
  await deliver(deltaSum('since', [point(-540, -500), point(-450, -400)]));
  await restart();
  await deliver(deltaSum('since', [point(-400, -360)]));
  await deliver(deltaSum('since', [point(-200, -190)]));
  const minutesOf = (table: string, value: string) =>
    store.rows<{ minute: number; value: number }>(
      `SELECT (toUnixTimestamp64Milli(ts) - {now:Int64}) / 60000 AS minute, ${value} AS value
       FROM ${table} WHERE metric = 'since_total' ORDER BY ts`,
      { params: { now: nowMs }, tenant: 'default' },
    );
  const starts = await minutesOf('sample_starts', '(toUnixTimestamp64Milli(start_ts) - {now:Int64}) / 60000');
  const windowOf = (minute: number) => Math.floor((nowMs + minute * minuteMs) / (120 * minuteMs));
  const lines = (await minutesOf('samples_head', 'v')).map(({ minute, value }) => {
    const said = starts.findLast(
      (start) => start.minute <= minute && windowOf(start.minute) === windowOf(minute),
    );
    return `${value} at ${minute} since ${said?.value}`;
  });
  expect(lines).toEqual([
    '1 at -570 since -600',
    '2 at -540 since -600',
    '3 at -500 since -600',
    '4 at -400 since -600',
    '5 at -360 since -600',
    '1 at -190 since -200',
  ]);
});

test('a store that does not say how far a series is makes the sender come again', async () => {
  await pipeline.close();
  pipeline = start();
  const { rows } = store;
  store.rows = () => Promise.reject(new StoreError('down', { retryable: true }));
  await expect(deliver(deltaSum('unknown', [nth(0, 1)]), 'u')).rejects.toThrow(
    'the store did not say how far delta series are: down',
  );
  store.rows = rows;
  expect(await deliver(deltaSum('unknown', [nth(0, 1)]), 'u')).toMatchObject({ accepted: 1 });
});

test('gauges beside delta points are stored once, and cumulative requests do not wait', async () => {
  const point = (value: number) => ({ timeUnixNano: `${nth(0, 0).endMs}000000`, asInt: value });
  const delta = { aggregationTemporality: 1, isMonotonic: true, dataPoints: [point(2)] };
  const metrics = [
    { name: 'mixed.gauge', gauge: { dataPoints: [point(1)] } },
    { name: 'mixed.delta', sum: delta },
  ];
  expect(await deliver(request(metrics))).toMatchObject({ accepted: 2 });
  expect(await samples('mixed_gauge')).toEqual(['1']);
  expect(await samples('mixed_delta_total')).toEqual(['2']);
});

test('senders that come again until they are answered find their sums, whatever fails', async () => {
  const random = new Lcg(2611);
  const model = new Map<string, number>();
  isFaulty = () => random.chance(12);
  const send = async (bytes: Uint8Array, batchId: string): Promise<void> => {
    for (;;) {
      const delivery = await deliver(bytes.slice(), batchId).catch((error: unknown) => {
        expect(error).toBeInstanceOf(UnavailableError);
      });
      if (delivery === undefined) continue;
      expect(delivery.rejected).toBe(0);
      return;
    }
  };
  for (let round = 0; round < 12; round++) {
    const sending = [0, 1, 2].map((sender) => {
      const points = [0, 1].flatMap((half) =>
        [`${sender}`, `${sender}x`]
          .filter(() => random.chance(70))
          .map((route) => nth(2 * round + half, random.int(100), route)),
      );
      for (const { route, value } of points) model.set(route!, (model.get(route!) ?? 0) + value);
      return send(deltaSum('simulated', points), `sim-${sender}-${round}`);
    });
    await Promise.all(sending);
    if (random.chance(20)) await restart('embedded', 1000, 2);
  }
  const lines = await samples('simulated_total', 'route');
  for (const [route, total] of model) {
    expect(lines.filter((line) => line.startsWith(`${route}=`)).at(-1)).toBe(`${route}=${total}`);
  }
  expect(model.size).toBe(6);
});
