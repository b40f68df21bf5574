/**
 * Goal: a message without a content type is taken for what it is, and what is not certain is refused by its name.
 * Method: recorded messages of the real exporter in all its encodings; a table of first bytes and headers; and random bytes,
 * of which none may be taken for an empty request.
 */
import fc from 'fast-check';
import snappy from 'snappyjs';
import { expect, test } from 'vitest';
import { RefusedError } from '#model/errors.ts';
import { exporterMessages, remoteWriteMessages } from '#test/support/foreign-messages.ts';
import { decodeLogsRequest, encodeLogsRequest, encodeTraceRequest } from '#test/support/naive/otlp-proto.ts';
import { encodeRemoteWrite1 } from '#test/support/naive/prometheus-proto.ts';
import type { Signal } from '#wire/envelope.ts';
import { messageFacts } from '#wire/kafka/message.ts';
import { recognisePayload } from '#wire/kafka/payload.ts';
import { encodeTextLog } from '#wire/kafka/text-log.ts';
import { checkStructure } from '#wire/protobuf/structure.ts';

function recognise(
  signal: Signal,
  value: string | Uint8Array,
  headers: Record<string, string> = {},
  isTextTaken = false,
): string {
  try {
    return recognisePayload(signal, Buffer.from(value), { ...messageFacts(headers), isTextTaken });
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return error.message.split(':')[0]!;
  }
}

test('each encoding of the Collector exporter is read, or refused by its name', () => {
  const seen = exporterMessages().map(
    ({ signal, encoding, value, headers }) => `${signal} ${encoding}: ${recognise(signal, value, headers)}`,
  );
  expect(seen).toEqual([
    'logs otlp_proto: bus',
    'logs otlp_json: otlp_json_logs',
    // A body of text; then one of bytes, and a map, which nothing tells from any other line.
    'logs raw: text',
    'logs raw: text is not read on the topic of logs',
    'logs raw: a JSON object without resourceLogs is not read on the topic of logs',
    'metrics otlp_proto: bus',
    'metrics otlp_json: otlp_json_metrics',
    'traces otlp_proto: bus',
    'traces otlp_json: otlp_json_traces',
    'traces jaeger_proto: jaeger_proto is not read',
    'traces jaeger_proto: jaeger_proto is not read',
    'traces jaeger_json: jaeger_json is not read',
    'traces jaeger_json: jaeger_json is not read',
    'traces zipkin_proto: zipkin_proto is not read',
    'traces zipkin_json: zipkin_json',
  ]);
});

test('what the exporter writes as raw is a log line with the header encoding, or where plain logs are taken', () => {
  for (const { signal, encoding, value } of exporterMessages()) {
    if (encoding !== 'raw') continue;
    expect(recognise(signal, value, { encoding: 'raw' })).toBe('text');
    expect(recognise(signal, value, {}, true)).toBe('text');
  }
});

test('remote write is known plain and in snappy, of both versions', () => {
  const seen = Object.entries(remoteWriteMessages()).map(
    ([name, value]) => `${name}: ${recognise('remote_write', value)}`,
  );
  expect(seen).toEqual(['1.0: bus', '1.0 snappy: snappy', '2.0: bus', '2.0 snappy: snappy']);
});

const otlpLogs = encodeLogsRequest({ resourceLogs: [{ scopeLogs: [{ logRecords: [{}] }] }] });
const avro = Buffer.from([0, 0, 0, 0, 7, 2, 4, 6]);
const typed = (type: string) => ({ 'content-type': type });

test.each<[string, Signal, string | Uint8Array, Record<string, string>, string]>([
  ['no bytes are no records', 'logs', '', {}, 'bus'],
  ['a request of no type', 'logs', otlpLogs, typed('application/octet-stream'), 'bus'],
  ['a line that begins with a line feed', 'logs', '\nGET / 200', {}, 'text is not read on the topic of logs'],
  [
    'JSON after a line feed without a type, whose bytes could be protobuf',
    'logs',
    '\n{"resourceLogs":[]}',
    {},
    'otlp_json_logs',
  ],
  // Field 1 of 48 bytes, in it field 1 of 46, in it field 8: an OTLP resource, and nothing to store.
  ['text that is protobuf', 'logs', `\n0\n.B,${'x'.repeat(44)}`, {}, 'text is not read on the topic of logs'],
  [
    'a request that is cut off',
    'logs',
    otlpLogs.subarray(0, -1),
    {},
    'what begins like OTLP protobuf and is damaged (',
  ],
  [
    'text on remote write',
    'remote_write',
    `"!${'x'.repeat(33)}`,
    {},
    'text is not read on the topic of remote_write',
  ],
  ['any bytes of a type', 'logs', 'xyz', typed('application/x-protobuf'), 'bus'],
  ['a header in capitals', 'logs', 'xyz', { 'Content-Type': 'Application/X-Protobuf; v=1' }, 'bus'],
  ['JSON after white space', 'logs', ' \t{"resourceLogs":[]}', {}, 'otlp_json_logs'],
  // 0a 7b is the start of protobuf, too.
  [
    'JSON after a line feed, by its type',
    'logs',
    '\n{"resourceLogs":[]}',
    typed('application/json'),
    'otlp_json_logs',
  ],
  ['an empty object', 'metrics', '{}', {}, 'otlp_json_metrics'],
  ['JSON whose key comes late', 'logs', '{"a":"resourceLogs","resourceLogs":[]}', {}, 'otlp_json_logs'],
  [
    'the key as a value only',
    'logs',
    '{"a":"resourceLogs"}',
    {},
    'a JSON object without resourceLogs is not read on the topic of logs',
  ],
  ['damaged JSON', 'logs', '{"a":', {}, 'malformed JSON'],
  [
    'another signal in JSON',
    'logs',
    '{"resourceSpans":[]}',
    {},
    'an OTLP JSON request of traces is not read on the topic of logs',
  ],
  ['a list of spans', 'traces', '[]', {}, 'zipkin_json'],
  ['a list of something else', 'logs', '[1]', {}, 'JSON is not read on the topic of logs'],
  ['a line of text', 'logs', 'GET / 200', {}, 'text is not read on the topic of logs'],
  ['a line of text by its type', 'logs', 'GET / 200', typed('text/plain; charset=utf-8'), 'text'],
  [
    'text among spans',
    'traces',
    'GET / 200',
    typed('text/plain'),
    'content-type "text/plain" is not supported',
  ],
  [
    'Avro with a schema id',
    'logs',
    avro,
    {},
    "what begins with Confluent's schema id (Avro or JSON) is not read on the topic of logs",
  ],
  ['Avro by its type', 'metrics', avro, typed('avro/binary'), 'content-type "avro/binary" is not supported'],
  ['a character set as encoding', 'logs', otlpLogs, { encoding: 'UTF-8' }, 'bus'],
  [
    'an encoding that is not ours',
    'logs',
    '',
    { encoding: 'azure_resource_logs' },
    'encoding "azure_resource_logs" is not read on the topic of logs',
  ],
  [
    "prometheus-kafka-adapter's JSON",
    'remote_write',
    '{"name":"up","value":"1"}',
    {},
    'JSON is not read on the topic of remote_write',
  ],
  [
    "prometheus-kafka-adapter's Avro",
    'remote_write',
    avro,
    {},
    "what begins with Confluent's schema id (Avro or JSON) is not read on the topic of remote_write",
  ],
  [
    'another message',
    'remote_write',
    '',
    typed('application/x-protobuf;proto=x.y'),
    'remote write message "x.y" is not supported',
  ],
])('%s', (_, signal, value, headers, expected) => {
  const seen = recognise(signal, value, headers);
  if (expected.endsWith('(')) expect(seen).toContain(expected);
  else expect(seen).toBe(expected);
});

test.each([
  ['a line feed, and text', Buffer.from('\nline')],
  ['a line feed, and what is no UTF-8', Buffer.from('\ncaf\xe9', 'latin1')],
  ['a line feed, and a colour', Buffer.from('\n\x1b[31mred\x1b[0m')],
  ['text that is protobuf', Buffer.from(`\n0\n.B,${'x'.repeat(44)}`)],
  ['protobuf with fields that OTLP does not have', Buffer.from([0x0a, 0x03, 0x22, 0x01, 0x00])],
])('where plain logs are taken, a line may begin with %s', (_, line) => {
  expect(recognise('logs', line, {}, true)).toBe('text');
  expect(recognise('logs', otlpLogs, {}, true)).toBe('bus');
});

test('a request in snappy is not taken for protobuf where its length looks like a tag', () => {
  const seen = new Set<string>();
  for (let length = 0; length < 60; length++) {
    const plain = encodeRemoteWrite1({
      timeseries: [{ labels: [{ name: '__name__', value: 'u'.repeat(length) }], samples: [] }],
    });
    seen.add(recognise('remote_write', plain));
    const block = new Uint8Array(snappy.compress(plain));
    expect(recognise('remote_write', block)).toBe('snappy');
  }
  expect([...seen]).toEqual(['bus']);
});

test('spans of OTLP are not taken for those of others', () => {
  for (let length = 0; length < 40; length++) {
    const resource = { attributes: [{ key: 'k'.repeat(length), value: { stringValue: 'v' } }] };
    const request = encodeTraceRequest({
      resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 's' } }], schemaUrl: 'u'.repeat(8) }],
    });
    expect(recognise('traces', request)).toBe('bus');
  }
});

test('nothing passes for a request that says nothing of itself but what is one to its end', () => {
  fc.assert(
    fc.property(
      fc.constantFrom<Signal>('logs', 'traces', 'metrics'),
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.boolean(),
      (signal, random, isTagged) => {
        const bytes = isTagged ? Uint8Array.of(0x0a, ...random) : random;
        const payload = recognise(signal, bytes);
        if (payload !== 'bus') return;
        expect(bytes[0]).toBe(0x0a);
        expect(() => checkStructure(signal, bytes)).not.toThrow();
      },
    ),
    { numRuns: 2000 },
  );
});

test('a log line becomes a record with the time of its message', () => {
  const record = (value: string | Buffer, timestampMs = 1_700_000_000_123) =>
    decodeLogsRequest(encodeTextLog(Buffer.from(value), timestampMs)).resourceLogs[0].scopeLogs[0]
      .logRecords[0];
  expect(record('plain')).toMatchObject({
    timeUnixNano: '1700000000123000000',
    observedTimeUnixNano: '1700000000123000000',
    body: { stringValue: 'plain' },
  });
  expect(record('"a \\"quoted\\" line"').body).toEqual({ stringValue: 'a "quoted" line' });
  expect(record('"a" and "b"').body).toEqual({ stringValue: '"a" and "b"' });
  expect(Buffer.from(record(Buffer.from([0xff, 0xfe])).body.bytesValue)).toEqual(Buffer.from([0xff, 0xfe]));
  expect(record('no time', -1).timeUnixNano ?? '0').toBe('0');
});
