/**
 * Goal: a person sees what of a damaged request can be read, and the byte where it cannot.
 * Method: a real request, whole and damaged, as lines; then damage anywhere, which must end in a fault or in none.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeLogsRequest } from '#test/support/naive/otlp-proto.ts';
import { requestShapes } from '#wire/otlp-json/request-shapes.ts';
import { dumpFields, hexdump } from '#wire/protobuf/field-dump.ts';

const request = encodeLogsRequest({
  resourceLogs: [
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
      scopeLogs: [{ logRecords: [{ timeUnixNano: '1700000000000000000', body: { stringValue: 'hi' } }] }],
    },
  ],
});

test('names, nesting, times and text', () => {
  expect(dumpFields(request, requestShapes.logs, 100)).toEqual({
    fault: undefined,
    lines: [
      '000000  resourceLogs (1), 45 bytes',
      '000002    resource (1), 24 bytes',
      '000004      attributes (1), 22 bytes',
      '000006        key (1): "service.name"',
      '000014        value (2), 6 bytes',
      '000016          stringValue (1): "shop"',
      '00001c    scopeLogs (2), 17 bytes',
      '00001e      logRecords (2), 15 bytes',
      '000020        timeUnixNano (1): 1700000000000000000 (2023-11-14T22:13:20.000Z)',
      '000029        body (5), 4 bytes',
      '00002b          stringValue (1): "hi"',
    ],
  });
});

test('the fault is the last line, and the lines before it stay when there are too many', () => {
  const damaged = Buffer.from(request);
  damaged[0x2c] = 0x7f;
  const { lines, fault } = dumpFields(damaged, requestShapes.logs, 2);
  expect(fault?.position).toBe(0x2c);
  expect(lines.slice(0, 2)).toEqual([
    '000000  resourceLogs (1), 45 bytes',
    '000002    resource (1), 24 bytes',
  ]);
  expect(lines.slice(-2)).toEqual([
    '000029        body (5), 4 bytes',
    '00002c  ! field 1 has length 127, but its message ends after 2 bytes at byte 44',
  ]);
});

test('many fields are told by their number', () => {
  const many = Buffer.from(Array.from({ length: 1000 }, () => [0x08, 0x01]).flat());
  const { lines } = dumpFields(many, undefined, 5);
  expect(lines).toHaveLength(26);
  expect(lines[5]).toBe('        ... 975 more fields');
});

test('bytes are lines of sixteen, bounded', () => {
  expect(hexdump(Buffer.from('0123456789abcdefXYZ\n'), 0, 256)).toEqual([
    '000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef',
    '000010  58 59 5a 0a                                      XYZ.',
  ]);
  expect(hexdump(Buffer.alloc(100), 33, 16)).toEqual([
    `000020  ${'00 '.repeat(16)} ................`,
    '        ... 52 more bytes',
  ]);
});

test('any bytes give lines of bounded length, and a fault within them or none', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom('logs', 'traces', 'metrics'),
      (bytes, signal) => {
        const { lines, fault } = dumpFields(bytes, requestShapes[signal as 'logs'], 10);
        expect(lines.length).toBeLessThan(33);
        if (fault !== undefined) expect(fault.position).toBeLessThanOrEqual(bytes.length);
      },
    ),
    { numRuns: 1000 },
  );
});
