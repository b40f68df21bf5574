/**
 * Goal: the agent's hand-written OTLP bytes say what was meant.
 * Method: decode them with protobufjs, a foreign reader, at the lengths where varints and copies change their shape.
 */
import { expect, test } from 'vitest';
import { decodeLogsRequest } from '#test/support/naive/otlp-proto.ts';
import { type AttributeValue, encodeKeyValues } from '#wire/otlp/key-values.ts';
import { logAttributesField, writeLogRecord } from '#wire/otlp/log-record.ts';
import { encodeLogsRequest, resourceAttributesField, resourceLogsBytes } from '#wire/otlp/logs-request.ts';
import {
  ByteWriter,
  byteSource,
  copySlackBytes,
  varintBytes,
  writeVarint,
} from '#wire/protobuf/byte-writer.ts';

interface TestRecord {
  readonly timeNs?: bigint;
  readonly body: string;
  readonly attributes?: Record<string, AttributeValue>;
}

function padded(bytes: Uint8Array) {
  return byteSource(Buffer.concat([bytes, Buffer.alloc(copySlackBytes)]));
}

function encode(
  groups: readonly { resource: Record<string, AttributeValue>; records: readonly TestRecord[] }[],
) {
  const writer = new ByteWriter(16);
  const runs = groups.map(({ resource, records }) => {
    const from = writer.position;
    for (const { timeNs = 0n, body, attributes = {} } of records) {
      const bytes = Buffer.from(body);
      const encoded = encodeKeyValues(logAttributesField, attributes);
      writeLogRecord(writer, {
        timeLow: Number(timeNs & 0xffffffffn),
        timeHigh: Number(timeNs >> 32n),
        body: padded(bytes),
        bodyFrom: 0,
        bodyTo: bytes.length,
        attributes: padded(encoded),
        attributesBytes: encoded.length,
        severityNumber: 0,
        severityText: byteSource(Buffer.alloc(copySlackBytes)),
        severityTextBytes: 0,
      });
    }
    return { resource: encodeKeyValues(resourceAttributesField, resource), from, to: writer.position };
  });
  const bytes = encodeLogsRequest(runs, writer.bytes);
  expect(bytes.length).toBe(runs.reduce((total, run) => total + resourceLogsBytes(run), 0));
  return decodeLogsRequest(bytes);
}

test('a request of two resources decodes to what was written', () => {
  const decoded = encode([
    {
      resource: { 'service.name': 'web', 'k8s.container.restart_count': 3 },
      records: [
        { timeNs: 1767323045000000006n, body: 'hello', attributes: { 'log.iostream': 'stderr' } },
        { body: '' },
      ],
    },
    { resource: { 'service.name': 'süß' }, records: [{ timeNs: 1n, body: 'ünïcode ✓' }] },
  ]);
  expect(decoded).toEqual({
    resourceLogs: [
      {
        resource: {
          attributes: [
            { key: 'service.name', value: { stringValue: 'web' } },
            { key: 'k8s.container.restart_count', value: { intValue: '3' } },
          ],
          entityRefs: [],
        },
        scopeLogs: [
          {
            logRecords: [
              {
                timeUnixNano: '1767323045000000006',
                body: { stringValue: 'hello' },
                attributes: [{ key: 'log.iostream', value: { stringValue: 'stderr' } }],
              },
              { body: { stringValue: '' }, attributes: [] },
            ],
          },
        ],
      },
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'süß' } }], entityRefs: [] },
        scopeLogs: [
          { logRecords: [{ timeUnixNano: '1', body: { stringValue: 'ünïcode ✓' }, attributes: [] }] },
        ],
      },
    ],
  });
});

test.each([0, 1, 7, 8, 9, 100, 125, 126, 127, 128, 255, 256, 257, 1000, 16_381, 16_384, 70_000])(
  'a body of %i bytes survives, and so does the record behind it',
  (length) => {
    const body = Array.from({ length }, (_, index) => String.fromCharCode(97 + (index % 26))).join('');
    const decoded = encode([
      {
        resource: {},
        records: [
          { timeNs: 5n, body },
          { timeNs: 6n, body: 'next' },
        ],
      },
    ]);
    const records = (decoded as { resourceLogs: { scopeLogs: { logRecords: object[] }[] }[] }).resourceLogs[0]
      .scopeLogs[0].logRecords;
    expect(records).toEqual([
      { timeUnixNano: '5', body: { stringValue: body }, attributes: [] },
      { timeUnixNano: '6', body: { stringValue: 'next' }, attributes: [] },
    ]);
  },
);

test.each([
  [0, '00'],
  [127, '7f'],
  [128, '8001'],
  [16_383, 'ff7f'],
  [16_384, '808001'],
  [2_097_152, '80808001'],
  [268_435_456, '8080808001'],
  [2 ** 31, '8080808008'],
  [2 ** 32 + 1, '8180808010'],
  [Number.MAX_SAFE_INTEGER, 'ffffffffffffff0f'],
])('the varint of %d is %s, of the length that was foretold', (value, hex) => {
  const writer = new ByteWriter();
  writeVarint(writer, value);
  expect(writer.written().toString('hex')).toBe(hex);
  expect(varintBytes(value)).toBe(hex.length / 2);
});
