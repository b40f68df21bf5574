/**
 * Times in texts, as a layout says: text in, Unix ns out.
 *
 *   'unix_ms'                   1767323045123              'rfc3339'        2026-01-02T03:04:05.123Z
 *   'YYYY-MM-DD hh:mm:ss,SSS'   2026-01-02 03:04:05,123    'DD/MMM/YYYY:hh:mm:ss Z'   02/Jan/2026:03:04:05 +0100
 *
 * YYYY MM MMM DD hh mm ss are digits (MMM: Jan), S... a fraction of 1 to 9 digits, Z an offset (+hhmm, +hh:mm, Z); without
 * one a time is UTC. Anything else stands for itself.
 */

const epochUnits: Readonly<Record<string, number>> = { unix: 9, unix_ms: 6, unix_us: 3, unix_ns: 0 };
const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const nsMax = 2n ** 63n - 1n;
/** No layout reads longer texts. */
const timeCharsMax = 64;

const parts: Readonly<Record<string, string>> = {
  YYYY: '(?<year>\\d{4})',
  MMM: `(?<month>${months.join('|')})`,
  MM: '(?<month>\\d\\d)',
  DD: '(?<day>\\d\\d)',
  hh: '(?<hour>\\d\\d)',
  mm: '(?<minute>\\d\\d)',
  ss: '(?<second>\\d\\d)',
  Z: '(?<zone>Z|[+-]\\d\\d:?\\d\\d)',
};

/** Returns Unix ns, or undefined for a text that does not have the layout, or is before 1970 or after 2262. */
export type TimeParser = (text: string) => bigint | undefined;

/** Undefined: the layout has no date, or something twice. */
export function compileTimeLayout(layout: string): TimeParser | undefined {
  const digits = epochUnits[layout];
  if (digits !== undefined) return (text) => bounded(epochNs(text, digits));
  const form = layout === 'rfc3339' ? 'YYYY-MM-DDThh:mm:ss' : layout;
  const source = form.replace(/YYYY|MMM|MM|DD|hh|mm|ss|S+|Z|[^A-Za-z0-9]/g, (part) => {
    if (parts[part] !== undefined) return parts[part];
    return /^S+$/.test(part) ? '(?<fraction>\\d{1,9})' : RegExp.escape(part);
  });
  const isComplete =
    ['YYYY', 'DD', 'hh', 'mm', 'ss'].every((part) => form.includes(part)) && /MMM?/.test(form);
  if (!isComplete) return undefined;
  const tail = layout === 'rfc3339' ? `(?:\\.(?<fraction>\\d{1,9})\\d*)?${parts.Z}` : '';
  let regex: RegExp;
  try {
    regex = new RegExp(`^${layout === 'rfc3339' ? source.replace('T', '[Tt ]') : source}${tail}$`);
  } catch {
    // A part stands twice: two groups of one name.
    return undefined;
  }
  return (text) => {
    const groups = text.length > timeCharsMax ? undefined : regex.exec(text)?.groups;
    return groups === undefined ? undefined : bounded(calendarNs(groups));
  };
}

function bounded(ns: bigint | undefined): bigint | undefined {
  return ns !== undefined && ns > 0n && ns <= nsMax ? ns : undefined;
}

/** '1767323045.123' with nine digits after the point is ns. */
function epochNs(text: string, digits: number): bigint | undefined {
  const match = text.length > timeCharsMax ? null : /^(\d{1,19})(?:\.(\d+))?$/.exec(text);
  if (match === null) return undefined;
  return BigInt(match[1]! + (match[2] ?? '').slice(0, digits).padEnd(digits, '0'));
}

function calendarNs(groups: Readonly<Record<string, string | undefined>>): bigint | undefined {
  const { year, month, day, hour, minute, second, fraction = '', zone = 'Z' } = groups;
  const monthIndex = months.includes(month!) ? months.indexOf(month!) : Number(month) - 1;
  const date = new Date(Date.UTC(Number(year), monthIndex, Number(day)));
  const isDate = date.getUTCMonth() === monthIndex && date.getUTCDate() === Number(day);
  if (!isDate || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined;
  const ms =
    date.getTime() + (Number(hour) * 3600 + Number(minute) * 60 + Number(second)) * 1000 - zoneMs(zone);
  return BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

function zoneMs(zone: string): number {
  if (zone === 'Z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return (zone.startsWith('-') ? -minutes : minutes) * 60_000;
}
