/**
 * OTLP metric names and units as Prometheus names: OpenTelemetry's "Prometheus and OpenMetrics Compatibility", in the
 * four strategies of Prometheus's OTLP receiver. By default names are escaped and get unit and type suffixes.
 *
 *   http.server.duration, "ms", histogram -> http_server_duration_milliseconds
 *   requests, "1", counter                -> requests_total
 *   system.cpu.utilization, "1", gauge    -> system_cpu_utilization_ratio
 *   disk.io, "By/s", gauge                -> disk_io_bytes_per_second
 *
 * Only names that were not met before come here: metrics-transcoder.ts remembers them.
 */
import { hasSuffixes, isEscaped, type TranslationStrategy } from './metric-translation.ts';

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

/**
 * Returns the Prometheus name of a metric, '' where there is none: the OTLP name is empty, or nothing of it can be kept.
 */
export function prometheusMetricName(
  name: string,
  unit: string,
  kind: MetricKind,
  strategy: TranslationStrategy,
): string {
  if (name === '') return '';
  if (!isEscaped(strategy)) return hasSuffixes(strategy) ? suffixedName(name, unit, kind) : name;
  const escaped = hasSuffixes(strategy) ? escapedSuffixedName(name, unit, kind) : escapedName(name);
  // A name of underscores only is kept where the sender wrote it, and is nothing where escaping left it.
  return /^_*$/.test(escaped) && escaped !== name ? '' : escaped;
}

/** Returns the unit as Prometheus writes it in metadata, under every strategy: By/s -> bytes_per_second. */
export function prometheusUnit(unit: string): string {
  return unitWordsOf(unit)
    .map((word) => cleanUnit(word).replace(/_$/, ''))
    .filter((word) => word !== '')
    .join('_');
}

/** Names without suffixes keep their underscores: only what is invalid is a separator. */
function escapedName(name: string): string {
  return withoutLeadingDigit(
    name
      .split(/[^a-zA-Z0-9:_]+/)
      .filter((word) => word !== '')
      .join('_'),
  );
}

/** a.b, "By/s", counter -> a_b_bytes_per_second_total. What the name says already is not said twice. */
function escapedSuffixedName(name: string, unit: string, kind: MetricKind): string {
  let words = name.split(/[^a-zA-Z0-9:]+/).filter((word) => word !== '');
  if (words.length === 0) return '';
  let [main, per] = unitWordsOf(unit).map(cleanUnit) as [string, string];
  per = per === 'per_' ? '' : per.replace(/_$/, '');
  if (words.includes(main)) main = '';
  if (words.includes(per)) per = '';
  if (per !== '') main = main.replace(/_$/, '');
  words = [...words, ...[main, per].filter((word) => word !== '')];
  if (kind === 'counter') words = withLast(words, 'total');
  if (kind === 'gauge' && unit === '1') words = withLast(words, 'ratio');
  return withoutLeadingDigit(words.join('_'));
}

/** The suffixes on a name that is kept as it is: a.b, "By/s", counter -> a.b_bytes_per_second_total. */
function suffixedName(name: string, unit: string, kind: MetricKind): string {
  const [main, per] = unitWordsOf(unit);
  const last = kind === 'counter' ? 'total' : kind === 'gauge' && unit === '1' ? 'ratio' : '';
  const outer = [last, per].filter((word) => word !== '');
  let base = name;
  for (const word of outer) base = withoutSuffix(base, word);
  if (main !== '' && !base.endsWith(main)) base = `${base}_${main}`;
  return [base, ...outer.reverse()].join('_');
}

/** Cuts a suffix and the character before it, whatever that is: Prometheus takes it for a separator. */
function withoutSuffix(name: string, suffix: string): string {
  return name.endsWith(suffix) && name.length > suffix.length + 1 ? name.slice(0, -suffix.length - 1) : name;
}

function withLast(words: readonly string[], last: string): string[] {
  return [...words.filter((word) => word !== last), last];
}

function withoutLeadingDigit(name: string): string {
  return /^[0-9]/.test(name) ? `_${name}` : name;
}

/** The unit's own word and its "per" word, '' where it has none. Parts in braces are annotations, not units. */
function unitWordsOf(unit: string): [main: string, per: string] {
  const slash = unit.indexOf('/');
  const main = (slash === -1 ? unit : unit.slice(0, slash)).trim();
  const per = slash === -1 ? '' : unit.slice(slash + 1).trim();
  const mainWord = /[{}]/.test(main) ? '' : (unitWords.get(main) ?? main);
  const perWord = /[{}]/.test(per) ? '' : (perUnitWords.get(per) ?? per);
  return [mainWord, perWord === '' ? '' : `per_${perWord}`];
}

function cleanUnit(unit: string): string {
  return unit.replace(/[^a-zA-Z0-9:]+/g, '_').replace(/^_/, '');
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
