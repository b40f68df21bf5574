/**
 * Numbers as metrics pages write them: the value is the double nearest to the text, as Number() and Go's ParseFloat have it.
 *
 *   "12.5" -> 12.5    "+Inf" -> Infinity    "nan" -> NaN    "0x1p3", "1_000", "" -> refused
 */
import { failAt } from './exposition-error.ts';

/** Longer texts are no measurement: a double has at most 17 digits that count. */
const numberBytesMax = 512;
/** Integers of so many digits are exact doubles. */
const exactDigitsMax = 15;
/** All powers of ten that are exact doubles: one multiplication or division by them rounds once, as it must. */
const powersOfTen = Float64Array.from({ length: 23 }, (_, i) => 10 ** i);
const exactPowerMax = 22;

const minus = 45;
const plus = 43;
const point = 46;
const zero = 48;
const nine = 57;
const exponentLower = 101;
const exponentUpper = 69;

const numberPattern = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const specialPattern = /^([+-]?)(?:inf|infinity)$/i;

/** Where the number that readPlainNumber has read ends; -1 where there is none that it can read. */
export const plainNumber = { end: -1 };

/**
 * Returns the number that starts at `start`, if it has few digits and its exponent is small, which is so for nearly all; and
 * says in plainNumber.end where it ends. Reads until the first byte that is no part of it, or the end of the page.
 */
export function readPlainNumber(page: Uint8Array, start: number): number {
  const isNegative = page[start] === minus;
  const digitsAt = isNegative || page[start] === plus ? start + 1 : start;
  let at = digitsAt;
  let digits = 0;
  let pointAt = -1;
  let byte = page[at]!;
  for (const end = at + exactDigitsMax + 1; at < end; byte = page[++at]!) {
    if (byte >= zero && byte <= nine) digits = digits * 10 + byte - zero;
    else if (byte === point && pointAt < 0) pointAt = at;
    else break;
  }
  const digitCount = at - digitsAt - (pointAt < 0 ? 0 : 1);
  plainNumber.end = digitCount > 0 && digitCount <= exactDigitsMax ? at : -1;
  if (pointAt >= 0 || byte === exponentLower || byte === exponentUpper) {
    const fractionDigits = pointAt < 0 ? 0 : at - pointAt - 1;
    digits = scaled(page, at, digits, fractionDigits);
  }
  return isNegative ? -digits : digits;
}

/** Applies the exponent that may stand at `start`, and moves plainNumber.end behind it. */
function scaled(page: Uint8Array, start: number, digits: number, fractionDigits: number): number {
  let power = -fractionDigits;
  if (page[start] === exponentLower || page[start] === exponentUpper) {
    const isNegative = page[start + 1] === minus;
    const digitsAt = isNegative || page[start + 1] === plus ? start + 2 : start + 1;
    let at = digitsAt;
    let exponent = 0;
    for (; at < digitsAt + 3 && page[at]! >= zero && page[at]! <= nine; at++) {
      exponent = exponent * 10 + page[at]! - zero;
    }
    power += isNegative ? -exponent : exponent;
    const isPlain = at > digitsAt && power >= -exactPowerMax && power <= exactPowerMax;
    plainNumber.end = isPlain && plainNumber.end >= 0 ? at : -1;
    if (!isPlain) return Number.NaN;
  }
  return power < 0 ? digits / powersOfTen[-power]! : digits * powersOfTen[power]!;
}

/** Returns the number at [start, end) of the page. Throws ExpositionError where it is none. */
export function parseNumber(page: Uint8Array, start: number, end: number): number {
  const value = readPlainNumber(page, start);
  return plainNumber.end === end ? value : parseRareNumber(page, start, end);
}

function parseRareNumber(page: Uint8Array, start: number, end: number): number {
  if (end - start > numberBytesMax) failAt(page, start, `a number is longer than ${numberBytesMax} bytes`);
  const text = String.fromCharCode(...page.subarray(start, end));
  if (/^[+-]?nan$/i.test(text)) return Number.NaN;
  const special = specialPattern.exec(text);
  if (special) return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (!numberPattern.test(text)) failAt(page, start, `expected a number, not ${JSON.stringify(text)}`);
  const value = Number(text);
  if (!Number.isFinite(value)) failAt(page, start, `the number ${text} is out of range`);
  return value;
}
