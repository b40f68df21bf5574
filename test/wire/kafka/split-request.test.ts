/**
 * Goal: parts of a request hold its records once, each under its own resource and scope, and are the same every time.
 * Method: requests of all signals are cut down to single records, and decoded by protobufjs.
 */
import { expect, test } from 'vitest';
import {
  decodeLogsRequest,
  decodeMetricsRequest,
  decodeTraceRequest,
  encodeLogsRequest,
  encodeMetricsRequest,
  encodeTraceRequest,
} from '#test/support/naive/otlp-proto.ts';
import {
  decodeRemoteWrite1,
  decodeRemoteWrite2,
  encodeRemoteWrite1,
  encodeRemoteWrite2,
} from '#test/support/naive/prometheus-proto.ts';
import type { Signal } from '#wire/envelope.ts';
import {
  countRecords,
  firstResourceHash,
  halveRequest,
  splitByResource,
  splitByTrace,
} from '#wire/kafka/split-request.ts';

const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } });
const resource = (name: string) => ({ attributes: [attribute('service.name', name)] });
const traceId = (index: number) =>
  Buffer.concat([Buffer.alloc(12, 7), Buffer.from([0, 0, index >> 8, index & 255])]);

const logs = encodeLogsRequest({
  resourceLogs: ['a', 'b', 'c'].map((name) => ({
    resource: resource(name),
    schemaUrl: `https://schema/${name}`,
    scopeLogs: ['x', 'y'].map((scope) => ({
      scope: { name: scope },
      logRecords: [1, 2, 3].map((id) => ({ body: { stringValue: `${name}${scope}${id}`.repeat(id * 40) } })),
    })),
  })),
});
const spans = encodeTraceRequest({
  resourceSpans: ['a', 'b'].map((name, at) => ({
    resource: resource(name),
    scopeSpans: [
      {
        scope: { name: 'tracer' },
        spans: Array.from({ length: 20 }, (_, id) => ({
          traceId: traceId(id % 10),
          name: `span ${at} ${id}`,
        })),
      },
    ],
  })),
});
const point = (value: number) => ({ asDouble: value, timeUnixNano: '1' });
const metrics = encodeMetricsRequest({
  resourceMetrics: ['a', 'b', 'c', 'd'].map((name) => ({
    resource: resource(name),
    scopeMetrics: [
      {
        metrics: [
          { name: 'gauge', unit: 's', gauge: { dataPoints: [point(1), point(2)] } },
          {
            name: 'sum',
            sum: { dataPoints: [point(3), point(4)], aggregationTemporality: 1, isMonotonic: true },
          },
          { name: 'summary', summary: { dataPoints: [{ count: '1', sum: 2 }] } },
        ],
      },
    ],
  })),
});
const remoteWrite2 = encodeRemoteWrite2({
  symbols: ['', '__name__', 'up', 'job', 'a', 'b', 'trace_id', 'help of up', 'x'.repeat(300), 'never used'],
  timeseries: [
    { labelsRefs: [1, 2, 3, 4], samples: [{ value: 1, timestamp: 5 }], metadata: { type: 2, helpRef: 7 } },
    {
      labelsRefs: [1, 2, 3, 5],
      samples: [{ value: 2, timestamp: 5 }],
      exemplars: [{ labelsRefs: [6, 8], value: 1 }],
    },
  ],
});
const remoteWrite1 = encodeRemoteWrite1({
  timeseries: ['a', 'b', 'c'].map((job) => ({
    labels: [{ name: 'job', value: job }],
    samples: [{ value: 1, timestamp: 5 }],
  })),
});

/** Cuts until nothing can be cut any more. */
function leavesOf(signal: Signal, bytes: Uint8Array): Uint8Array[] {
  const halves = halveRequest(signal, bytes);
  return halves === undefined ? [new Uint8Array(bytes)] : halves.flatMap((half) => leavesOf(signal, half));
}

// biome-ignore lint/suspicious/noExplicitAny: decoded messages.
type Any = any;
const flatLogs = (bytes: Uint8Array) =>
  decodeLogsRequest(bytes).resourceLogs.flatMap((each: Any) =>
    each.scopeLogs.flatMap((scope: Any) =>
      scope.logRecords.map((record: Any) => [each.resource, each.schemaUrl, scope.scope, record]),
    ),
  );
const flatSpans = (bytes: Uint8Array) =>
  decodeTraceRequest(bytes).resourceSpans.flatMap((each: Any) =>
    each.scopeSpans.flatMap((scope: Any) =>
      scope.spans.map((span: Any) => [each.resource, scope.scope, span]),
    ),
  );
const flatMetrics = (bytes: Uint8Array) =>
  decodeMetricsRequest(bytes).resourceMetrics.flatMap((each: Any) =>
    each.scopeMetrics.flatMap((scope: Any) =>
      scope.metrics.flatMap(({ gauge, sum, summary, ...facts }: Any) => {
        const { dataPoints, ...kind } = gauge ?? sum ?? summary;
        return dataPoints.map((data: Any) => [each.resource, facts, kind, data]);
      }),
    ),
  );
const flatWrite1 = (bytes: Uint8Array) => decodeRemoteWrite1(bytes).timeseries;
const flatWrite2 = (bytes: Uint8Array) => {
  const { symbols, timeseries } = decodeRemoteWrite2(bytes);
  const texts = (refs: number[] = []) => refs.map((ref) => symbols[ref]);
  return timeseries.map(({ labelsRefs, exemplars, metadata, ...rest }: Any) => ({
    ...rest,
    labels: texts(labelsRefs),
    exemplars: (exemplars ?? []).map((each: Any) => texts(each.labelsRefs)),
    help: symbols[metadata?.helpRef ?? 0],
  }));
};

test.each([
  { signal: 'logs', bytes: logs, flat: flatLogs, records: 18 },
  { signal: 'traces', bytes: spans, flat: flatSpans, records: 40 },
  { signal: 'metrics', bytes: metrics, flat: flatMetrics, records: 20 },
  { signal: 'remote_write', bytes: remoteWrite2, flat: flatWrite2, records: 2 },
  { signal: 'remote_write', bytes: remoteWrite1, flat: flatWrite1, records: 3 },
] as const)(
  '$signal are cut down to $records records, each under what it was under',
  ({ signal, bytes, flat, records }) => {
    const leaves = leavesOf(signal, bytes);
    expect(leaves.length).toBe(records);
    expect(countRecords(signal, bytes)).toBe(records);
    expect(leaves.every((leaf) => countRecords(signal, leaf) === 1)).toBe(true);
    expect(leaves.flatMap(flat)).toEqual(flat(bytes));
    expect(leavesOf(signal, bytes).map(String)).toEqual(leaves.map(String));
  },
);

test('halves are about equal in bytes', () => {
  const [first, second] = halveRequest('logs', logs)!;
  expect(Math.abs(first.length - second.length)).toBeLessThan(logs.length / 4);
});

test('a half of a remote write request keeps no symbols that it does not use', () => {
  const [first, second] = halveRequest('remote_write', remoteWrite2)!;
  expect(first.length).toBeLessThan(120);
  expect(decodeRemoteWrite2(second).symbols[9]).toBe('');
});

test('unknown fields go along with what they stand in', () => {
  // Field 15 of the request, as a later version may have it.
  const later = Buffer.concat([logs, Buffer.from([0x7a, 3, 1, 2, 3])]);
  for (const half of halveRequest('logs', later)!) {
    expect(Buffer.from(half).includes(Buffer.from([0x7a, 3, 1, 2, 3]))).toBe(true);
  }
});

test('spans of a trace share a bucket, whatever request and resource they are in', () => {
  const parts = splitByTrace(spans, 4);
  expect(parts.map(({ bucket }) => bucket)).toEqual([0, 1, 2, 3]);
  expect(parts.flatMap(({ bytes }) => flatSpans(bytes)).length).toBe(40);
  for (const { bucket, bytes } of parts) {
    for (const [, , span] of flatSpans(bytes)) expect(span.traceId.at(-1) % 4).toBe(bucket);
  }
  const one = splitByTrace(spans, 1);
  expect(one).toEqual([{ bucket: 0, bytes: spans }]);
});

test('points of a resource share a bucket with the same resource sent alone', () => {
  const parts = splitByResource(metrics, 'team-a', 3);
  expect(parts.length).toBeGreaterThan(1);
  expect(parts.flatMap(({ bytes }) => flatMetrics(bytes)).length).toBe(20);
  for (const { bucket, bytes } of parts) {
    for (const each of decodeMetricsRequest(bytes).resourceMetrics) {
      const alone = encodeMetricsRequest({ resourceMetrics: [each] });
      expect(splitByResource(alone, 'team-a', 3)).toEqual([{ bucket, bytes: alone }]);
    }
  }
});

test('the hash of a request is the one of its first resource and the tenant', () => {
  const alone = encodeLogsRequest({ resourceLogs: [{ resource: resource('a'), scopeLogs: [] }] });
  expect(firstResourceHash(logs, 'team-a')).toBe(firstResourceHash(alone, 'team-a'));
  expect(firstResourceHash(logs, 'team-b')).not.toBe(firstResourceHash(alone, 'team-a'));
});

test('bytes that are no request cannot be cut, and say so', () => {
  expect(() => halveRequest('logs', Buffer.from('body'))).toThrow(/at byte/);
  expect(countRecords('logs', Buffer.from('body'))).toBe(0);
  expect(halveRequest('logs', new Uint8Array(0))).toBeUndefined();
});
