/**
 * Our own /metrics page as Prometheus's /status/self_metrics has it: metric families in protobuf's JSON.
 *
 *   # TYPE up gauge\nup{a="b"} 1  ->  [{"name":"up","help":"","type":"GAUGE","metric":[{"label":[...],"gauge":{"value":1}}]}]
 *
 * It reads what the OpenTelemetry exporter writes, which is the only page that it is given: no exemplars, no escapes but
 * those of the text format, families in one piece.
 */

export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly metric: readonly object[];
}

interface Line {
  readonly name: string;
  readonly labels: readonly (readonly [string, string])[];
  readonly value: number;
}

interface Gathered {
  name: string;
  help: string;
  type: string;
  lines: Line[];
}

/** Throws a plain Error on a line that is no sample: the page is our own. */
export function parseMetricFamilies(page: string): MetricFamily[] {
  const families = new Map<string, Gathered>();
  const familyOf = (name: string): Gathered => {
    const family = families.get(name) ?? { name, help: '', type: 'untyped', lines: [] };
    families.set(name, family);
    return family;
  };
  let current: Gathered | undefined;
  for (const line of page.split('\n')) {
    if (line === '') continue;
    const comment = /^# (HELP|TYPE|UNIT) (\S+) ?(.*)$/.exec(line);
    if (comment !== null) {
      const [, word, name, text] = comment as unknown as [string, string, string, string];
      current = familyOf(name);
      if (word === 'HELP') current.help = text.replaceAll('\\n', '\n').replaceAll('\\\\', '\\');
      if (word === 'TYPE') current.type = text;
      continue;
    }
    if (line.startsWith('#')) continue;
    const sample = parseLine(line);
    const belongs =
      current !== undefined &&
      (sample.name === current.name || /_(bucket|sum|count)$/.test(sample.name.slice(current.name.length)));
    (belongs ? current! : familyOf(sample.name)).lines.push(sample);
  }
  return [...families.values()].map(toFamily).sort((a, b) => (a.name < b.name ? -1 : 1));
}

const linePattern = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$/;
const labelPattern = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)",?/g;

function parseLine(line: string): Line {
  const match = linePattern.exec(line);
  if (match === null) throw new Error(`BUG: no sample on our own metrics page: ${line.slice(0, 200)}`);
  const labels = [...(match[2] ?? '').matchAll(labelPattern)].map(
    ([, name, value]) =>
      [name!, value!.replace(/\\(.)/g, (_whole, char) => (char === 'n' ? '\n' : char))] as const,
  );
  return { name: match[1]!, labels, value: parseValue(match[3]!) };
}

function parseValue(text: string): number {
  if (text === '+Inf') return Infinity;
  return text === '-Inf' ? -Infinity : Number(text);
}

function toFamily({ name, help, type, lines }: Gathered): MetricFamily {
  const metric = type === 'histogram' ? histogramsOf(name, lines) : lines.map((line) => plainOf(type, line));
  return { name, help, type: type.toUpperCase(), metric };
}

function plainOf(type: string, { labels, value }: Line): object {
  return { ...labelsOf(labels), [type]: { value: jsonNumber(value) } };
}

/** Buckets, sum and count of one set of labels are one metric. */
function histogramsOf(name: string, lines: readonly Line[]): object[] {
  const found = new Map<string, { labels: Line['labels']; sum: number; count: number; bucket: object[] }>();
  for (const line of lines) {
    const labels = line.labels.filter(([label]) => label !== 'le');
    const key = JSON.stringify(labels);
    const histogram = found.get(key) ?? { labels, sum: 0, count: 0, bucket: [] };
    found.set(key, histogram);
    const suffix = line.name.slice(name.length);
    if (suffix === '_sum') histogram.sum = line.value;
    else if (suffix === '_count') histogram.count = line.value;
    else {
      const upperBound = parseValue(line.labels.find(([label]) => label === 'le')?.[1] ?? '+Inf');
      // The last bucket is what the count says already.
      if (upperBound !== Infinity) histogram.bucket.push({ cumulativeCount: String(line.value), upperBound });
    }
  }
  return [...found.values()].map(({ labels, sum, count, bucket }) => ({
    ...labelsOf(labels),
    histogram: { sampleCount: String(count), sampleSum: jsonNumber(sum), bucket },
  }));
}

function labelsOf(labels: Line['labels']): object {
  return labels.length === 0 ? {} : { label: labels.map(([name, value]) => ({ name, value })) };
}

/** Protobuf's JSON has words for what JSON has no numbers for. */
function jsonNumber(value: number): number | string {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? value : value > 0 ? 'Infinity' : '-Infinity';
}
