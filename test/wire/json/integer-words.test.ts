/**
 * Goal: 64-bit integers keep all digits, and what does not fit is refused.
 * Method: BigInt as the oracle.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DecodeError } from '#model/errors.ts';
import { IntegerWords } from '#wire/json/integer-words.ts';

function parse(text: string, isSigned: boolean): bigint {
  const words = new IntegerWords();
  words.parse(Buffer.from(text), 0, text.length, isSigned);
  const bits = (BigInt(words.high) << 32n) | BigInt(words.low);
  return isSigned ? BigInt.asIntN(64, bits) : bits;
}

test('every integer of 64 bits is exact', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
      expect(parse(String(value), false)).toBe(value);
      const signed = BigInt.asIntN(64, value);
      expect(parse(String(signed), true)).toBe(signed);
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ['0', 0n],
  ['-0', 0n],
  ['007', 7n],
  ['18446744073709551615', 2n ** 64n - 1n],
  ['1e9', 1_000_000_000n],
  ['1.5e3', 1500n],
  ['2.0', 2n],
])('%s unsigned', (text, value) => expect(parse(text, false)).toBe(value));

test.each([
  ['-9223372036854775808', -(2n ** 63n)],
  ['9223372036854775807', 2n ** 63n - 1n],
  ['-1e3', -1000n],
])('%s signed', (text, value) => expect(parse(text, true)).toBe(value));

test.each([
  ['18446744073709551616', false],
  ['99999999999999999999', false],
  ['100000000000000000000', false],
  ['-1', false],
  ['9223372036854775808', true],
  ['-9223372036854775809', true],
  ['', false],
  ['-', true],
  ['1.5', false],
  ['1e-1', false],
  ['1e19', false],
  ['0x10', false],
  ['1 ', false],
  ['NaN', true],
])('%j (signed: %s) is refused', (text, isSigned) =>
  expect(() => parse(text, isSigned)).toThrow(DecodeError),
);
