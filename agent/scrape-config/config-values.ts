/**
 * The kinds of value in a Prometheus configuration, as schemas: they take YAML's own values and their texts alike.
 *
 *   sizeValue.parse('10MB')  ->  10485760;  durationValue.parse('1m30s')  ->  90000
 */
import { z } from 'zod';
import { nearest } from '#model/config/nearest.ts';

/** A key without a value is null: as in Prometheus that is the empty text, 0, false or the empty list. */
const scalarValue = z.union([z.string(), z.number(), z.boolean(), z.null()], 'expected a text');

/** A text; numbers and booleans are their text. */
export const textValue = scalarValue.transform((value) => (value === null ? '' : String(value)));
export const textList = z
  .array(textValue, 'expected a list')
  .nullable()
  .transform((list) => list ?? []);

/** The words of YAML 1.1, which Prometheus reads. */
const wordsOfTruth = new Map([
  ...['true', 'yes', 'on', 'y'].map((word) => [word, true] as const),
  ...['false', 'no', 'off', 'n'].map((word) => [word, false] as const),
]);
export const booleanValue = scalarValue.transform((value, context) => {
  const isTrue = value === null ? false : wordsOfTruth.get(String(value).toLowerCase());
  if (isTrue !== undefined) return isTrue;
  context.addIssue(`expected true or false, got "${value}"`);
  return z.NEVER;
});

/** Not negative. */
export const countValue = scalarValue.transform((value, context) => {
  const count = value === null ? 0 : /^\d+$/.test(String(value)) ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(count)) return count;
  context.addIssue(`expected a whole number that is not negative, got "${value}"`);
  return z.NEVER;
});

export const portValue = countValue.refine((port) => port <= 65_535, 'expected a port up to 65535');

const durationPattern = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const durationUnitsMs = [31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1];

/** Milliseconds of a duration in Prometheus's syntax (`1h30m`, units from large to small, or `0`); undefined if it is none. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const parts = text === '' ? null : durationPattern.exec(text);
  if (parts === null) return undefined;
  const total = durationUnitsMs.reduce((sum, unit, index) => sum + Number(parts[index + 1] ?? 0) * unit, 0);
  return Number.isSafeInteger(total) ? total : undefined;
}

/** The duration in Prometheus's own spelling: `90000` is `1m30s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  const names = ['y', 'w', 'd', 'h', 'm', 's', 'ms'];
  let rest = ms;
  let text = '';
  durationUnitsMs.forEach((unit, index) => {
    // As Prometheus: years, weeks and days only where nothing is left over, so that 25h is not 1d1h.
    if (index < 3 && rest % unit !== 0) return;
    const count = Math.floor(rest / unit);
    if (count > 0) text += `${count}${names[index]}`;
    rest -= count * unit;
  });
  return text;
}

/** To milliseconds. */
export const durationValue = scalarValue.transform((value, context) => {
  const ms = value === null ? 0 : parseDuration(String(value));
  if (ms !== undefined) return ms;
  context.addIssue(`expected a duration such as 30s, 1m30s or 500ms, got "${value}"`);
  return z.NEVER;
});

const sizeUnits = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];

/** `10MB` to bytes: units are powers of 1024, whether written MB or MiB. */
export const sizeValue = textValue.transform((text, context) => {
  if (text === '0' || text === '') return 0;
  const parts = /^(\d+(?:\.\d+)?)\s*([KMGTP]?)i?B$/i.exec(text);
  const bytes =
    parts && Math.floor(Number(parts[1]) * 1024 ** sizeUnits.indexOf(`${parts[2]!.toUpperCase()}B`));
  if (bytes !== null && Number.isSafeInteger(bytes)) return bytes;
  context.addIssue(`expected a size with its unit such as 512KB or 10MB, got "${text}"`);
  return z.NEVER;
});

export const urlValue = textValue.refine(
  (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
  'expected an http:// or https:// URL',
);

/** What to say of keys that Prometheus knows and this agent does not follow. */
export type RefusedKeys = Readonly<Record<string, string>>;

/**
 * An object of exactly these keys. Any other is refused by its name: with the reason in `refused`, or else the key that was
 * probably meant.
 */
export function strictMap<Shape extends z.ZodRawShape>(
  shape: Shape,
  refused: RefusedKeys = {},
): z.ZodObject<Shape, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return 'expected a map';
      return (issue.keys as string[]).map((key) => unknownKey(key, Object.keys(shape), refused)).join('\n');
    },
  });
}

function unknownKey(key: string, known: readonly string[], refused: RefusedKeys): string {
  if (Object.hasOwn(refused, key)) return `"${key}" is not supported: ${refused[key]}`;
  const near = nearest(key, known);
  return `unknown key "${key}"${near === undefined ? `; known are ${known.join(', ')}` : `, did you mean "${near}"?`}`;
}
