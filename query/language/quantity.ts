/**
 * Numbers and durations as Prometheus writes them.
 *
 *   '1e3' '0x1F' '1_000' '.5'  ->  number        '1h30m' '500ms'  ->  duration
 */
import { quoteText } from './quoted-string.ts';
import { isAlpha, isDigit, type Quantity } from './scanner.ts';

const decimalDigits = '0123456789';
const hexDigits = '0123456789abcdefABCDEF';

/** Reads what begins at `start`: a number, else a duration, else a mistake in Prometheus's words. */
export function scanQuantity(text: string, start: number): Quantity {
  const number = scanNumber(text, start);
  if (number.isValid) return { kind: 'number', end: number.end };
  const duration = scanDuration(text, number.end);
  if (duration.isValid) return { kind: 'duration', end: duration.end };
  return {
    kind: 'error',
    end: duration.end,
    message: `bad number or duration syntax: ${quoteText(text.slice(start, duration.end))}`,
  };
}

interface Run {
  readonly isValid: boolean;
  /** Where reading stopped: a duration goes on from here, and a message quotes up to here. */
  readonly end: number;
}

function scanNumber(text: string, start: number): Run {
  let position = start;
  let digits = decimalDigits;
  if (text[position] === '0' && (text[position + 1] === 'x' || text[position + 1] === 'X')) {
    digits = hexDigits;
    position += text[position + 2] === '_' ? 3 : 2;
  } else if (text[position] === '0') position++;
  // A dot at the beginning does not count: ".5." is cut as a number, and refused when its value is asked for.
  if (text[position] === '.') position++;
  let hasDot = false;
  let hasExponent = false;
  for (;;) {
    const char = text.charAt(position);
    const next = text.charAt(position + 1);
    if (char !== '' && digits.includes(char)) position++;
    else if (char === '.') {
      if (hasDot || digits === hexDigits) return { isValid: false, end: position + 1 };
      if (next === '_' || next === '.') return { isValid: false, end: position + 2 };
      hasDot = true;
      position++;
    } else if (char === 'e' || char === 'E') {
      if (hasExponent) return { isValid: false, end: position + 1 };
      hasExponent = true;
      position += next === '+' || next === '-' ? 2 : 1;
      const after = text.charAt(position);
      if (after === '') return { isValid: false, end: position };
      if ('._eE'.includes(after)) return { isValid: false, end: position + 1 };
    } else if (char === '_') {
      position++;
      const after = text.charAt(position);
      if (after === '') return { isValid: false, end: position };
      if ('._eE'.includes(after)) return { isValid: false, end: position + 1 };
    } else break;
  }
  const after = text.charAt(position);
  return { isValid: position > start && !isAlpha(after) && !isDigit(after), end: position };
}

/** Reads the rest of a duration whose first number ends at `start`. */
function scanDuration(text: string, start: number): Run {
  let position = start;
  const unit = (units: string) => {
    const char = text.charAt(position);
    if (char === '' || !units.includes(char)) return false;
    position++;
    // "ms"; what is no unit after all ("hs") is refused when the duration is computed.
    if (text[position] === 's') position++;
    return true;
  };
  if (!unit('smhdwy')) return { isValid: false, end: position };
  while (isDigit(text.charAt(position))) {
    while (isDigit(text.charAt(position))) position++;
    // Years come first in a duration.
    if (!unit('smhdw')) return { isValid: false, end: position };
  }
  const after = text.charAt(position);
  const isBroken = isAlpha(after) || isDigit(after);
  return { isValid: !isBroken, end: isBroken ? position + 1 : position };
}

const durationPattern = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const unitMs = [31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1];
/** Go's time.Duration holds 63 bits of nanoseconds. */
const durationMsMax = 9_223_372_036_854;

/** The milliseconds of a duration such as '1h30m'; undefined where it is none or beyond 292 years. */
export function parseDurationMs(text: string): number | undefined {
  if (text === '0') return 0;
  const match = text === '' ? null : durationPattern.exec(text);
  if (match === null) return undefined;
  let ms = 0;
  for (const [i, factor] of unitMs.entries()) ms += Number(match[i + 1] ?? 0) * factor;
  return ms > durationMsMax ? undefined : ms;
}

/** The value of a number token: decimal, hex, octal with a leading 0, underscores, Inf and NaN. */
export function parseNumber(text: string): number | undefined {
  const plain = text.replaceAll('_', '').toLowerCase();
  if (/^[+-]?inf$/.test(plain)) return plain.startsWith('-') ? -Infinity : Infinity;
  if (plain === 'nan') return NaN;
  if (/^0x[0-9a-f]+$/.test(plain)) return Number(plain);
  if (/^0[0-7]+$/.test(plain)) return Number.parseInt(plain, 8);
  if (/^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(plain)) return Number(plain);
  return undefined;
}
