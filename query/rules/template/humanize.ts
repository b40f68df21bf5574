/**
 * Numbers for people, digit for digit as Prometheus's template functions of the same names write them.
 *
 *   humanize(1234567)  ->  '1.235M'      humanizeDuration(3725)  ->  '1h 2m 5s'      humanizePercentage(0.25)  ->  '25%'
 */
import { formatFloat } from './go-float.ts';

const largePrefixes = ['k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];
const smallPrefixes = ['m', 'u', 'n', 'p', 'f', 'a', 'z', 'y'];
const binaryPrefixes = ['ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'Zi', 'Yi'];

/** Prints with an SI prefix and four significant digits. */
export function humanize(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return fourDigits(value);
  return Math.abs(value) >= 1 ? shrink(value, 1000, largePrefixes) : enlarge(value);
}

/** Prints with a binary prefix (ki, Mi, ...) and four significant digits. */
export function humanize1024(value: number): string {
  if (Math.abs(value) <= 1 || !Number.isFinite(value)) return fourDigits(value);
  return shrink(value, 1024, binaryPrefixes);
}

/** Prints seconds as days, hours, minutes and seconds. */
export function humanizeDuration(value: number): string {
  if (!Number.isFinite(value)) return fourDigits(value);
  if (value === 0) return '0s';
  const size = Math.abs(value);
  if (size < 1) return `${enlarge(value)}s`;
  const sign = value < 0 ? '-' : '';
  const whole = Math.trunc(size);
  const days = Math.trunc(whole / 86_400);
  const hours = Math.trunc(whole / 3600) % 24;
  const minutes = Math.trunc(whole / 60) % 60;
  const seconds = whole % 60;
  if (days > 0) return `${sign}${days}d ${hours}h ${minutes}m ${seconds}s`;
  if (hours > 0) return `${sign}${hours}h ${minutes}m ${seconds}s`;
  if (minutes > 0) return `${sign}${minutes}m ${seconds}s`;
  return `${sign}${fourDigits(size)}s`;
}

/** Prints a ratio as a percentage. */
export function humanizePercentage(value: number): string {
  return `${fourDigits(value * 100)}%`;
}

function shrink(value: number, base: number, prefixes: readonly string[]): string {
  let rest = value;
  let prefix = '';
  for (const next of prefixes) {
    if (Math.abs(rest) < base) break;
    prefix = next;
    rest /= base;
  }
  return fourDigits(rest) + prefix;
}

function enlarge(value: number): string {
  let rest = value;
  let prefix = '';
  for (const next of smallPrefixes) {
    if (Math.abs(rest) >= 1) break;
    prefix = next;
    rest *= 1000;
  }
  return fourDigits(rest) + prefix;
}

function fourDigits(value: number): string {
  return formatFloat(value, 'g', 4);
}
