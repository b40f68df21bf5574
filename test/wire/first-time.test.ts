/**
 * Goal: the time that a request begins with is that of its first record, in every signal, and never a guess.
 * Method: requests made by protobufjs, cut off at every byte as well.
 */
import { expect, test } from 'vitest';
import {
  encodeLogsRequest,
  encodeMetricsRequest,
  encodeTraceRequest,
} from '#test/support/naive/otlp-proto.ts';
import { encodeRemoteWrite1, encodeRemoteWrite2 } from '#test/support/naive/prometheus-proto.ts';
import type { Signal } from '#wire/envelope.ts';
import { firstUnixSecond } from '#wire/first-time.ts';

const second = 1_760_000_123;
const nanos = `${second}987654321`;
const later = `${second + 5}000000000`;
const ms = second * 1000 + 999;

const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
const logs = (...logRecords: object[]): Uint8Array =>
  encodeLogsRequest({ resourceLogs: [{ resource, scopeLogs: [{ scope: { name: 'x' }, logRecords }] }] });
const metric = (kind: string, point: object): Uint8Array =>
  encodeMetricsRequest({
    resourceMetrics: [
      { resource, scopeMetrics: [{ metrics: [{ name: 'm', [kind]: { dataPoints: [point, point] } }] }] },
    ],
  });
const point = { startTimeUnixNano: later, timeUnixNano: nanos };
const spans = [{ name: 'a', startTimeUnixNano: nanos, endTimeUnixNano: later }];
const samples = [{ value: 1, timestamp: ms }];

const requests: readonly (readonly [string, Signal, Uint8Array])[] = [
  [
    'log records',
    'logs',
    logs({ timeUnixNano: nanos, observedTimeUnixNano: later }, { timeUnixNano: later }),
  ],
  ['log records that were observed', 'logs', logs({ observedTimeUnixNano: nanos })],
  ['spans', 'traces', encodeTraceRequest({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] })],
  ...['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'].map(
    (kind) => [kind, 'metrics', metric(kind, point)] as const,
  ),
  [
    'remote write 2.0',
    'remote_write',
    encodeRemoteWrite2({ symbols: ['', 'a'], timeseries: [{ labelsRefs: [1, 1], samples }] }),
  ],
  [
    'remote write 2.0 with a histogram',
    'remote_write',
    encodeRemoteWrite2({
      symbols: ['', 'a'],
      timeseries: [{ histograms: [{ countInt: 1, timestamp: ms }] }],
    }),
  ],
  [
    'remote write 1.0',
    'remote_write',
    encodeRemoteWrite1({ timeseries: [{ labels: [{ name: 'a', value: 'b' }], samples }] }),
  ],
  [
    'remote write 1.0 with a histogram',
    'remote_write',
    encodeRemoteWrite1({ timeseries: [{ histograms: [{ countInt: 1, timestamp: ms }] }] }),
  ],
];

test.each(requests)('%s', (_name, signal, bytes) => {
  expect(firstUnixSecond(signal, bytes)).toBe(second);
  for (let end = 0; end < bytes.length; end++) {
    expect([0, second]).toContain(firstUnixSecond(signal, bytes.subarray(0, end)));
  }
});

test.each([
  ['no bytes', new Uint8Array(0)],
  ['no protobuf', Buffer.from('hello')],
  ['no record', encodeLogsRequest({ resourceLogs: [{ resource }] })],
  ['no time', logs({ body: { stringValue: 'x' } })],
  ['a time that no clock has', logs({ timeUnixNano: '18446744073709551615' })],
])('%s is 0', (_name, bytes) => {
  expect(firstUnixSecond('logs', bytes)).toBe(0);
});
