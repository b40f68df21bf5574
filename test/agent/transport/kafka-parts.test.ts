/** Goal: an envelope becomes the same messages with the same ids every time, with the keys that ARCHITECTURE.md names. */
import { expect, test } from 'vitest';
import { halvesOf, type Part, partsOf } from '#agent/transport/kafka-parts.ts';
import {
  encodeLogsRequest,
  encodeMetricsRequest,
  encodeTraceRequest,
} from '#test/support/naive/otlp-proto.ts';
import { encodeRemoteWrite2 } from '#test/support/naive/prometheus-proto.ts';
import type { Envelope, Signal } from '#wire/envelope.ts';

const resource = (name: string) => ({ attributes: [{ key: 'service.name', value: { stringValue: name } }] });
const logs = (...names: string[]) =>
  encodeLogsRequest({
    resourceLogs: names.map((name) => ({
      resource: resource(name),
      scopeLogs: [{ logRecords: [1, 2, 3, 4].map((id) => ({ body: { stringValue: `${id}` } })) }],
    })),
  });
const traces = encodeTraceRequest({
  resourceSpans: [
    {
      resource: resource('a'),
      scopeSpans: [{ spans: [1, 2, 9].map((id) => ({ traceId: Buffer.alloc(16, id) })) }],
    },
  ],
});
const metrics = (...names: string[]) =>
  encodeMetricsRequest({
    resourceMetrics: names.map((name) => ({ resource: resource(name), scopeMetrics: [] })),
  });
const series = (job: string) =>
  encodeRemoteWrite2({
    symbols: ['', 'instance', 'h:1', 'job', job],
    timeseries: [{ labelsRefs: [1, 2, 3, 4] }],
  });

/** As the receivers make them: the batch id in the key asks for no order. */
const pushed = (signal: Signal, bytes: Uint8Array, batchId = 'id'): Envelope => ({
  signal,
  tenant: 't',
  batchId,
  key: `t/${batchId}`,
  bytes,
});
const facts = ({ envelope: { batchId, key }, slot }: Part) => ({ batchId, key, slot });

test('logs of an agent keep the key of their lane', () => {
  const envelope = { ...pushed('logs', logs('a')), key: 't/node-1/0' };
  expect(partsOf(envelope, 8)).toEqual([{ envelope, slot: undefined, halves: '' }]);
});

test('pushed logs go by tenant and resource, whatever their batch id is', () => {
  const [one] = partsOf(pushed('logs', logs('a', 'b'), 'one'), 8);
  const [other] = partsOf(pushed('logs', logs('a'), 'other'), 8);
  expect(one!.slot).toBe(other!.slot);
  expect(one!.envelope.key).toMatch(/^t\/[0-9a-f]{8}$/);
  expect(partsOf(pushed('logs', logs('b')), 8)[0]!.slot).not.toBe(one!.slot);
  expect(one!.envelope.batchId).toBe('one');
});

test('spans are divided by bucket, with ids and keys that say which', () => {
  const parts = partsOf(pushed('traces', traces), 4);
  expect(parts.map(facts)).toEqual([
    { batchId: 'id/t1.4', key: 't/t1', slot: 1 },
    { batchId: 'id/t2.4', key: 't/t2', slot: 2 },
  ]);
  expect(partsOf(pushed('traces', traces), 4)).toEqual(parts);
  expect(partsOf(pushed('traces', traces), 1).map(facts)).toEqual([{ batchId: 'id', key: 't/t0', slot: 0 }]);
});

test('pushed metrics are divided by resource, those of an agent are not', () => {
  const bytes = metrics('a', 'b', 'c', 'd', 'e');
  const parts = partsOf(pushed('metrics', bytes), 4);
  expect(parts.length).toBeGreaterThan(1);
  for (const { envelope, slot } of parts) {
    expect([envelope.batchId, envelope.key]).toEqual([`id/r${slot}.4`, `t/r${slot}`]);
  }
  expect(partsOf({ ...pushed('metrics', bytes), key: 't/node/host' }, 4).length).toBe(1);
});

test('pushed remote write goes by job and instance, a scraped target by its key', () => {
  const slot = (job: string) => partsOf(pushed('remote_write', series(job), job), 8)[0]!.slot;
  expect(slot('a')).toBe(slot('a'));
  expect(slot('a')).not.toBe(slot('b'));
  const scraped = { ...pushed('remote_write', series('a')), key: 'abcdef' };
  expect(partsOf(scraped, 8)[0]!.slot).toBeUndefined();
});

test.each(['logs', 'traces', 'metrics', 'remote_write'] as const)(
  '%s that cannot be decoded go as they came',
  (signal) => {
    const envelope = pushed(signal, Buffer.from('body'));
    expect(partsOf(envelope, 8)).toEqual([{ envelope, slot: undefined, halves: '' }]);
    expect(halvesOf({ envelope, slot: undefined, halves: '' })).toBeUndefined();
  },
);

test('halves of halves have the path to them in their ids', () => {
  const [part] = partsOf(pushed('logs', logs('a')), 8);
  const [first, second] = halvesOf(part!)!;
  const ids = [first, second, ...halvesOf(second)!].map(({ envelope }) => envelope.batchId);
  expect(ids).toEqual(['id/0', 'id/1', 'id/10', 'id/11']);
  expect(halvesOf(halvesOf(first)![0])).toBeUndefined();
});

test('an id that is long already becomes a hash, so that parts have ids of their own that are not too long', () => {
  const [bucket] = partsOf(pushed('traces', traces, 'x'.repeat(128)), 4);
  const [part] = partsOf(pushed('logs', logs('a'), 'x'.repeat(128)), 8);
  const [first, second] = halvesOf(part!)!;
  const ids = [bucket!, first, second, ...halvesOf(second)!].map(({ envelope }) => envelope.batchId);
  expect(new Set(ids).size).toBe(5);
  for (const id of ids) expect(id).toMatch(/^sha256-[\w-]{43}\/[\w.]+$/);
});
