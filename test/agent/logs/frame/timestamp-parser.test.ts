/**
 * Goal: times are exact to the nanosecond, and what is no time is refused.
 * Method: a table, then random times against BigInt arithmetic, parsed by one parser so that what it remembers counts.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TimestampParser } from '#agent/logs/frame/timestamp-parser.ts';
import { byteSource } from '#wire/protobuf/byte-writer.ts';

const parser = new TimestampParser();

/** 'ns ms end', or 'none'. The text stands within other bytes, as in a line. */
function parse(text: string): string {
  const bytes = Buffer.from(`xx${text} yy${' '.repeat(16)}`);
  const end = parser.parse(byteSource(bytes), 2, 2 + text.length + 1);
  if (end === -1) return 'none';
  const ns = (BigInt(parser.high) << 32n) | BigInt.asUintN(32, BigInt(parser.low));
  const ms = ns / 1_000_000n;
  expect(parser.ms).toBe(Number(BigInt.asIntN(32, ms)));
  return `${ns} ${ms} ${end - 2}`;
}

test.each([
  ['2026-01-02T03:04:05.000000006Z', '1767323045000000006 1767323045000 30'],
  ['2026-01-02T03:04:05.1Z', '1767323045100000000 1767323045100 22'],
  ['2026-01-02T03:04:05Z', '1767323045000000000 1767323045000 20'],
  ['2026-01-02T03:04:05.123456789123Z', '1767323045123456789 1767323045123 33'],
  ['2026-01-02T05:04:05.5+02:00', '1767323045500000000 1767323045500 27'],
  ['2026-01-01T22:34:05.5-04:30', '1767323045500000000 1767323045500 27'],
  ['2026-01-02T03:04:05+00:00', '1767323045000000000 1767323045000 25'],
  ['2024-02-29T00:00:00Z', '1709164800000000000 1709164800000 20'],
  ['1970-01-01T00:00:01.5Z', '1500000000 1500 22'],
  ['2261-12-31T23:59:59.999999999Z', '9214646399999999999 9214646399999 30'],
  ['2023-02-29T00:00:00Z', 'none'],
  ['2026-13-01T00:00:00Z', 'none'],
  ['2026-01-01T24:00:00Z', 'none'],
  ['1969-12-31T23:59:59Z', 'none'],
  ['2262-12-31T23:59:59Z', 'none'],
  ['2026-01-02T03:04:05', 'none'],
  ['2026-01-02T03:04:05.Z', 'none'],
  ['2026-01-02T03:04:05+0200', 'none'],
  ['2026-01-02T03:04:05+25:00', 'none'],
  ['hello world, hello world', 'none'],
  ['2026', 'none'],
])('%s is %s', (text, expected) => expect(parse(text)).toBe(expected));

test('any time between 1970 and 2261 is exact', () => {
  const last = BigInt(Date.UTC(2261, 11, 31)) / 1000n;
  const seconds = fc.oneof(fc.bigInt(1n, last), fc.bigInt(1_767_323_045n, 1_767_323_047n));
  const property = fc.property(seconds, fc.integer({ min: 0, max: 999_999_999 }), (second, nanos) => {
    const text = new Date(Number(second) * 1000).toISOString().slice(0, 19);
    const fraction = String(nanos).padStart(9, '0');
    const ns = second * 1_000_000_000n + BigInt(nanos);
    expect(parse(`${text}.${fraction}Z`)).toBe(`${ns} ${ns / 1_000_000n} 30`);
  });
  fc.assert(property, { numRuns: 500 });
});
