/**
 * Numbers as metrics pages write them: the value is the double nearest to the text, as Number() and Go's ParseFloat have it.
 *
 *   "12.5" -> 12.5    "+Inf" -> Infinity    "nan" -> NaN    "0x1p3", "1_000", "" -> refused
 */
import { failAt } from './exposition-error.ts';

/** Longer texts are no measurement: a double has at most 17 digits that count. */
const numberBytesMax = 512;
/** Integers of so many digits, and powers of ten up to it, are exact doubles: one division rounds once, as it must. */
const exactDigitsMax = 15;
const powersOfTen = Float64Array.from({ length: exactDigitsMax + 1 }, (_, i) => 10 ** i);

const numberPattern = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const specialPattern = /^([+-]?)(?:inf|infinity)$/i;

/** Returns the number at [start, end) of the page. Throws ExpositionError where it is none. */
export function parseNumber(page: Uint8Array, start: number, end: number): number {
  const isNegative = page[start] === 45;
  let at = isNegative || page[start] === 43 ? start + 1 : start;
  let digits = 0;
  let digitCount = 0;
  let pointAt = -1;
  for (; at < end; at++) {
    const byte = page[at]!;
    if (byte >= 48 && byte <= 57) {
      digits = digits * 10 + byte - 48;
      digitCount++;
    } else if (byte === 46 && pointAt < 0) {
      pointAt = at;
    } else {
      return parseRareNumber(page, start, end);
    }
  }
  if (digitCount === 0 || digitCount > exactDigitsMax) return parseRareNumber(page, start, end);
  const value = pointAt < 0 ? digits : digits / powersOfTen[end - pointAt - 1]!;
  return isNegative ? -value : value;
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
