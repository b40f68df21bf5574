/**
 * OTLP metric names, units and attribute keys as Prometheus names (OpenTelemetry's "Prometheus and OpenMetrics
 * Compatibility": escaping with underscores, unit and type suffixes).
 *
 *   http.server.duration, "ms", histogram -> http_server_duration_milliseconds
 *   requests, "1", counter                -> requests_total
 *   system.cpu.utilization, "1", gauge    -> system_cpu_utilization_ratio
 *   disk.io, "By/s", gauge                -> disk_io_bytes_per_second
 *
 * Only names that were not met before come here: metrics-transcoder.ts remembers them.
 */

export type MetricKind = 'gauge' | 'counter' | 'updown' | 'histogram' | 'summary';

/** UCUM codes to the words that Prometheus uses. "1" is no word: it is dimensionless. */
const unitWords: ReadonlyMap<string, string> = new Map([
  ['d', 'days'],
  ['h', 'hours'],
  ['min', 'minutes'],
  ['s', 'seconds'],
  ['ms', 'milliseconds'],
  ['us', 'microseconds'],
  ['ns', 'nanoseconds'],
  ['By', 'bytes'],
  ['KiBy', 'kibibytes'],
  ['MiBy', 'mebibytes'],
  ['GiBy', 'gibibytes'],
  ['TiBy', 'tibibytes'],
  ['KBy', 'kilobytes'],
  ['MBy', 'megabytes'],
  ['GBy', 'gigabytes'],
  ['TBy', 'terabytes'],
  ['m', 'meters'],
  ['V', 'volts'],
  ['A', 'amperes'],
  ['J', 'joules'],
  ['W', 'watts'],
  ['g', 'grams'],
  ['Cel', 'celsius'],
  ['Hz', 'hertz'],
  ['1', ''],
  ['%', 'percent'],
]);
const perUnitWords: ReadonlyMap<string, string> = new Map([
  ['s', 'second'],
  ['m', 'minute'],
  ['h', 'hour'],
  ['d', 'day'],
  ['w', 'week'],
  ['mo', 'month'],
  ['y', 'year'],
]);

/** Returns the Prometheus name of a metric, '' where no character of it can be kept. */
export function prometheusMetricName(name: string, unit: string, kind: MetricKind): string {
  let words = name.split(/[^a-zA-Z0-9:]+/).filter((word) => word !== '');
  if (words.length === 0) return '';
  for (const word of unitSuffixes(unit)) if (!words.includes(word)) words.push(word);
  if (kind === 'counter') words = withLast(words, 'total');
  if (kind === 'gauge' && unit === '1') words = withLast(words, 'ratio');
  const joined = words.join('_');
  return /^[0-9]/.test(joined) ? `_${joined}` : joined;
}

/** Returns the unit as Prometheus writes it in metadata: By/s -> bytes_per_second. */
export function prometheusUnit(unit: string): string {
  return unitSuffixes(unit).join('_');
}

/** Returns an attribute key as a label name: a.b -> a_b, 1a -> key_1a, _a -> key_a. */
export function prometheusLabelName(key: string): string {
  const name = key.replace(/[^a-zA-Z0-9_]/gu, '_');
  if (/^[0-9]/.test(name)) return `key_${name}`;
  return name.startsWith('_') && !name.startsWith('__') ? `key${name}` : name;
}

function withLast(words: readonly string[], last: string): string[] {
  return [...words.filter((word) => word !== last), last];
}

/** The unit's own word and its "per" word, where it has them. Parts in braces are annotations, not units. */
function unitSuffixes(unit: string): string[] {
  const slash = unit.indexOf('/');
  const main = (slash === -1 ? unit : unit.slice(0, slash)).trim();
  const per = slash === -1 ? '' : unit.slice(slash + 1).trim();
  const mainWord = /[{}]/.test(main) ? '' : cleanUnit(unitWords.get(main) ?? main);
  const perWord = /[{}]/.test(per) ? '' : cleanUnit(perUnitWords.get(per) ?? per);
  return [mainWord, perWord === '' ? '' : `per_${perWord}`].filter((word) => word !== '');
}

function cleanUnit(unit: string): string {
  return unit.replace(/[^a-zA-Z0-9:]+/g, '_').replace(/^_|_$/g, '');
}

/** Returns a bucket bound or a quantile as label text: shortest digits, never an exponent, "+Inf" for infinity. */
export function boundText(bound: number): string {
  if (!Number.isFinite(bound)) return Number.isNaN(bound) ? 'NaN' : bound > 0 ? '+Inf' : '-Inf';
  const text = String(bound);
  const exponentAt = text.indexOf('e');
  if (exponentAt === -1) return text;
  const exponent = Number(text.slice(exponentAt + 1));
  const sign = bound < 0 ? '-' : '';
  const [whole, fraction = ''] = text.slice(sign.length, exponentAt).split('.');
  const digits = whole + fraction;
  return exponent < 0
    ? `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
    : sign + digits.padEnd(exponent + 1, '0');
}
