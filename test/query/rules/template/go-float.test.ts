/**
 * Goal: numbers in alerts read as Go prints them.
 * Method: a table worked out from Go's strconv and fmt; shortest texts read back as the same number.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FloatVerb, formatFloat } from '#query/rules/template/go-float.ts';

test.each<[number, FloatVerb, number | undefined, string]>([
  [0, 'g', undefined, '0'],
  [-0, 'g', undefined, '-0'],
  [1, 'e', undefined, '1e+00'],
  [0.1, 'g', undefined, '0.1'],
  [123456, 'g', undefined, '123456'],
  [100000, 'g', undefined, '100000'],
  [1000000, 'g', undefined, '1e+06'],
  [1234567, 'g', undefined, '1.234567e+06'],
  [0.0001, 'g', undefined, '0.0001'],
  [0.00001, 'g', undefined, '1e-05'],
  [1e21, 'f', undefined, '1000000000000000000000'],
  [1e-7, 'f', undefined, '0.0000001'],
  [Number.NaN, 'g', 4, 'NaN'],
  [Infinity, 'f', 2, '+Inf'],
  [-Infinity, 'e', undefined, '-Inf'],
  // Ties go to the even digit, unlike toFixed.
  [0.125, 'f', 2, '0.12'],
  [0.375, 'f', 2, '0.38'],
  [0.5, 'f', 0, '0'],
  [1.5, 'f', 0, '2'],
  [9.99, 'f', 1, '10.0'],
  [0.001, 'f', 1, '0.0'],
  [-0.001, 'f', 1, '-0.0'],
  [12345, 'g', 4, '1.234e+04'],
  [1000, 'g', 4, '1000'],
  [0.00012345, 'g', 4, '0.0001234'],
  [999.96, 'g', 4, '1000'],
  [9999.6, 'g', 4, '1e+04'],
  [3.5, 'e', 3, '3.500e+00'],
  [0, 'e', 2, '0.00e+00'],
  [0, 'f', 2, '0.00'],
])('%f with %s and precision %s is %s', (value, verb, precision, text) => {
  expect(formatFloat(value, verb, precision)).toBe(text);
});

test('the shortest text of any number reads back as that number', () => {
  fc.assert(
    fc.property(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom<FloatVerb>('e', 'f', 'g'),
      (value, verb) => Object.is(Number(formatFloat(value, verb)), value),
    ),
  );
});

test('a precision of 17 digits reads back as the number', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) =>
      Object.is(Number(formatFloat(value, 'e', 17)), value),
    ),
  );
});
