/**
 * Durations as LogQL takes them: Go's ('1.5s', '250ms') and Prometheus's ('1d12h').
 *
 *   parseDurationNano('5m')  ->  300000000000n      renderDuration(90000000000n)  ->  '1m30s'
 */
import { parseDurationMs } from '../language/quantity.ts';

/** From the largest; the first of equal length is how we write it. */
const units = [
  ['h', 3_600_000_000_000n],
  ['m', 60_000_000_000n],
  ['s', 1_000_000_000n],
  ['ms', 1_000_000n],
  ['us', 1000n],
  ['µs', 1000n],
  ['μs', 1000n],
  ['ns', 1n],
] as const;
const unitNano = new Map<string, bigint>(units);
const partPattern = /(\d+)(?:\.(\d+))?(ns|us|µs|μs|ms|s|m|h)/y;

/** Go's time.Duration holds 63 bits of nanoseconds. */
const durationNanoMax = 2n ** 63n - 1n;
/** Digits after the point that can matter to a whole number of nanoseconds in hours. */
const fractionDigitsMax = 15;

/** Returns nanoseconds, or undefined where the text is no duration or beyond 292 years. */
export function parseDurationNano(text: string): bigint | undefined {
  const ms = parseDurationMs(text);
  if (ms !== undefined) return BigInt(ms) * 1_000_000n;
  let total = 0n;
  partPattern.lastIndex = 0;
  for (let position = 0; position < text.length; position = partPattern.lastIndex) {
    const match = partPattern.exec(text);
    if (match === null) return undefined;
    const [, whole, fraction = '', unit] = match;
    const digits = fraction.slice(0, fractionDigitsMax);
    const scale = 10n ** BigInt(digits.length);
    total += (BigInt(whole + digits) * (unitNano.get(unit) ?? 0n)) / scale;
    if (total > durationNanoMax) return undefined;
  }
  return text === '' ? undefined : total;
}

/** Writes nanoseconds in the fewest units; parseDurationNano reads the same value back. */
export function renderDuration(nano: bigint): string {
  let out = '';
  let rest = nano;
  for (const [name, size] of units) {
    if (rest >= size) out += `${rest / size}${name}`;
    rest %= size;
  }
  return out === '' ? '0s' : out;
}
