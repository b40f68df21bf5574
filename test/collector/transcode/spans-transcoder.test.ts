/**
 * Goal: the rows of `spans` and `trace_index` are what a plain reading of the OTLP request gives.
 * Method: as for logs: our Native blocks and a naive decoder's JSON rows, compared by count and checksum in the engine.
 */
import { afterAll, expect, test } from 'vitest';
import type { TranscodeResult } from '#collector/run.ts';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import { Lcg } from '../../support/lcg.ts';
import { naiveSpanRows } from '../../support/naive/naive-logs.ts';
import { encodeTraceRequest, type ProtoObject } from '../../support/naive/otlp-proto.ts';
import { NativeEngine } from '../../support/native-engine.ts';
import { generatorUnixMs, traceRequest } from '../../support/otlp-generator.ts';

const engine = new NativeEngine();
afterAll(() => engine[Symbol.dispose]());

const nowUnixMs = generatorUnixMs + 5 * 3_600_000;

function transcode(
  requests: readonly { tenant?: string; bytes: Uint8Array }[],
  oldestUnixMs = Number.NEGATIVE_INFINITY,
): TranscodeResult {
  return createTranscoder()({
    requests: requests.map(({ tenant = 'default', bytes }) => ({ signal: 'traces', tenant, bytes })),
    nowUnixMs,
    oldestUnixMs,
    seriesEpoch: 0,
  });
}

function encodeSpans(spans: ProtoObject[]): Uint8Array {
  return encodeTraceRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
}

test('generated requests of several tenants give the rows of the naive decoder', () => {
  const random = new Lcg(11);
  const requests = Array.from({ length: 40 }, (_, i) => ({
    tenant: `tenant-${i % 3}`,
    bytes: encodeTraceRequest(traceRequest(random)),
  }));
  const oldestUnixMs = generatorUnixMs + 600_000;
  const { blocks, outcomes } = transcode(requests, oldestUnixMs);
  expect(blocks.map(({ table }) => table)).toEqual(['trace_index', 'spans']);
  for (const { table, parts } of blocks) {
    engine.createTable(`${table}_ours`, table);
    engine.insertBlock(`${table}_ours`, table, parts);
  }
  const naive = requests.map(({ tenant, bytes }) =>
    naiveSpanRows(bytes, { tenant, nowUnixMs, oldestUnixMs }),
  );
  const rows = { spans: naive.flatMap((n) => n.spans), trace_index: naive.flatMap((n) => n.traceIndex) };
  expect(rows.spans.length).toBeGreaterThan(200);
  expect(outcomes.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(rows.spans.length);
  for (const table of ['spans', 'trace_index'] as const) {
    engine.createTable(`${table}_naive`, table);
    engine.insertRows(`${table}_naive`, table, rows[table]);
    expect(engine.checksum(`${table}_ours`, table)).toEqual(engine.checksum(`${table}_naive`, table));
  }
});

test.each([
  { name: 'a short trace id', ids: { traceId: new Uint8Array(8).fill(1) } },
  { name: 'an empty trace id', ids: { traceId: new Uint8Array(0) } },
  { name: 'a trace id of zeros', ids: { traceId: new Uint8Array(16) } },
  { name: 'a long span id', ids: { spanId: new Uint8Array(9).fill(1) } },
  { name: 'a span id of zeros', ids: { spanId: new Uint8Array(8) } },
  { name: 'a short parent id', ids: { parentSpanId: new Uint8Array(4).fill(1) } },
])('a span with $name is refused, its neighbour is not', ({ ids }) => {
  const good = {
    traceId: new Uint8Array(16).fill(1),
    spanId: new Uint8Array(8).fill(2),
    startTimeUnixNano: 5,
  };
  const { outcomes, blocks } = transcode([{ bytes: encodeSpans([{ ...good, ...ids }, good]) }]);
  expect(outcomes[0]).toMatchObject({ accepted: 1, rejections: [{ reason: 'invalid_id', count: 1 }] });
  expect(blocks.map(({ rowCount }) => rowCount)).toEqual([1, 1]);
});

test('a request has one index row per trace, from its first to its last second', () => {
  const spanId = new Uint8Array(8).fill(2);
  const span = (trace: number, from: number, to: number) => ({
    traceId: new Uint8Array(16).fill(trace),
    spanId,
    startTimeUnixNano: BigInt(from) * 1_000_000_000n + 999_999_999n,
    endTimeUnixNano: BigInt(to) * 1_000_000_000n + 999_999_999n,
  });
  const bytes = encodeSpans([span(1, 100, 101), span(2, 7, 6), span(1, 90, 95), span(1, 100, 300)]);
  const { blocks } = transcode([{ bytes }, { tenant: 'other', bytes }]);
  engine.createTable('trace_index_rows', 'trace_index');
  engine.insertBlock('trace_index_rows', 'trace_index', blocks[0]!.parts);
  const rows = engine.rows(
    `SELECT tenant, hex(substring(trace_id, 1, 1)) AS id, toUInt32(t_min) AS first, toUInt32(t_max) AS last FROM trace_index_rows ORDER BY tenant, id`,
  );
  expect(rows).toEqual([
    { tenant: 'default', id: '01', first: 90, last: 300 },
    { tenant: 'default', id: '02', first: 7, last: 7 },
    { tenant: 'other', id: '01', first: 90, last: 300 },
    { tenant: 'other', id: '02', first: 7, last: 7 },
  ]);
});

test('many traces in one request each keep their own seconds', () => {
  const spans = Array.from({ length: 5000 }, (_, i) => {
    const traceId = new Uint8Array(16);
    new DataView(traceId.buffer).setUint32(12, i + 1);
    return { traceId, spanId: new Uint8Array(8).fill(1), startTimeUnixNano: BigInt(i) * 1_000_000_000n + 1n };
  });
  const { blocks } = transcode([{ bytes: encodeSpans(spans) }]);
  engine.createTable('trace_index_many', 'trace_index');
  engine.insertBlock('trace_index_many', 'trace_index', blocks[0]!.parts);
  expect(
    engine.rows(
      `SELECT count() AS n, countIf(reinterpretAsUInt32(reverse(substring(trace_id, 13, 4))) - 1 = toUInt32(t_min)) AS equal FROM trace_index_many`,
    ),
  ).toEqual([{ n: '5000', equal: '5000' }]);
});
