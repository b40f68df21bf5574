/** OTLP metrics as samples, native histograms and exemplars, the obvious way: objects and strings, by OpenTelemetry's Prometheus compatibility rules. */
import {
  boundText,
  type MetricKind,
  prometheusLabelName,
  prometheusMetricName,
  prometheusUnit,
} from '#collector/transcode/metric-name.ts';
import { naiveExponential } from './naive-histograms.ts';
import { doubleBits, NaiveSamples, type NaiveTask, type Pair, staleBits } from './naive-samples.ts';
import { hex, naivePairs } from './naive-value.ts';
import { decodeMetricsRequest } from './otlp-proto.ts';

// biome-ignore lint/suspicious/noExplicitAny: whatever protobufjs decodes.
type Decoded = any;

const identifying = ['service.name', 'service.namespace', 'service.instance.id'];
const typeOf: Record<MetricKind, number> = { gauge: 2, updown: 2, counter: 1, histogram: 3, summary: 5 };

export function naiveMetrics(
  bytes: Uint8Array,
  task: NaiveTask,
  into = new NaiveSamples(task),
): NaiveSamples {
  for (const group of decodeMetricsRequest(bytes).resourceMetrics) {
    const resource = naivePairs(group.resource?.attributes);
    const attribute = (key: string) => resource.find(([name]) => name === key)?.[1] ?? '';
    const [name, namespace, instance] = identifying.map(attribute) as [string, string, string];
    const job = name && namespace ? `${namespace}/${name}` : name;
    const target: Pair[] = [
      ['job', job],
      ['instance', instance],
    ];
    const presentTarget = target.filter(([, value]) => value !== '');
    let newestMs = -1;
    for (const { scope, metrics, schemaUrl } of group.scopeMetrics) {
      const fixed = [...scopePairs(scope, schemaUrl), ...presentTarget];
      for (const metric of metrics as Decoded[]) {
        newestMs = Math.max(newestMs, addMetric(metric, fixed, task, into));
      }
    }
    const rest = resource.filter(([key]) => !identifying.includes(key));
    const info = labelsOf('target_info', rest, presentTarget);
    if (newestMs >= 0 && presentTarget.length > 0 && info.length > presentTarget.length + 1) {
      into.add(info, newestMs, doubleBits(1));
    }
  }
  return into;
}

function scopePairs(scope: Decoded, schemaUrl: string | undefined): Pair[] {
  const found = new Map<string, string>();
  if (scope?.name) found.set('otel_scope_name', scope.name);
  if (scope?.version) found.set('otel_scope_version', scope.version);
  if (schemaUrl) found.set('otel_scope_schema_url', schemaUrl);
  for (const [key, value] of naivePairs(scope?.attributes)) {
    const name = prometheusLabelName(`otel_scope_${key}`);
    if (value !== '' && !found.has(name)) found.set(name, value);
  }
  return [...found];
}

function labelsOf(metricName: string, attributes: readonly Pair[], fixed: readonly Pair[]): Pair[] {
  const labels = new Map<string, string>();
  const taken = new Set(['__name__', ...fixed.map(([name]) => name)]);
  const sorted = attributes.toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const [key, value] of sorted) {
    const name = prometheusLabelName(key);
    if (value === '' || taken.has(name)) continue;
    labels.set(name, labels.has(name) ? `${labels.get(name)};${value}` : value);
  }
  return [['__name__', metricName], ...labels, ...fixed];
}

/** Returns the newest time of an accepted sample, or -1. */
function addMetric(metric: Decoded, fixed: Pair[], task: NaiveTask, into: NaiveSamples): number {
  const { gauge, sum, histogram, exponentialHistogram, summary } = metric;
  const data = gauge ?? sum ?? histogram ?? exponentialHistogram ?? summary;
  if (data === undefined) return -1;
  if ((sum ?? histogram ?? exponentialHistogram) !== undefined && data.aggregationTemporality !== 2)
    return -1;
  const kind: MetricKind = gauge
    ? 'gauge'
    : sum
      ? sum.isMonotonic
        ? 'counter'
        : 'updown'
      : (histogram ?? exponentialHistogram)
        ? 'histogram'
        : 'summary';
  const unit = metric.unit ?? '';
  const base = prometheusMetricName(metric.name ?? '', unit, kind);
  if (base === '') return -1;
  let newestMs = -1;
  for (const point of data.dataPoints as Decoded[]) {
    const nanos = BigInt(point.timeUnixNano ?? 0);
    const unixMs = nanos === 0n ? task.nowUnixMs : Number(nanos / 1_000_000n);
    if (!into.isKept(unixMs)) continue;
    const isStale = (point.flags ?? 0) % 2 === 1;
    const add = (name: string, value: number, ...own: Pair[]) => {
      const labels = labelsOf(name, naivePairs(point.attributes), [...fixed, ...own]);
      into.add(labels, unixMs, isStale ? staleBits : doubleBits(value));
      newestMs = Math.max(newestMs, unixMs);
    };
    const addExemplars = (name: string, ownOf: (value: number) => Pair[] = () => []) => {
      for (const exemplar of (point.exemplars ?? []) as Decoded[]) {
        const exemplarMs = Number(BigInt(exemplar.timeUnixNano ?? 0) / 1_000_000n) || unixMs;
        const value = exemplar.asDouble ?? Number(BigInt(exemplar.asInt ?? 0));
        if (!into.isKept(exemplarMs)) continue;
        const labels = labelsOf(name, naivePairs(point.attributes), [...fixed, ...ownOf(value)]);
        if (into.addExemplar(labels, exemplarMs, doubleBits(value), naiveExemplarLabels(exemplar))) {
          newestMs = Math.max(newestMs, exemplarMs);
        }
      }
    };
    if (gauge || sum) {
      const value = point.asDouble ?? (point.asInt === undefined ? undefined : Number(BigInt(point.asInt)));
      if (value === undefined && !isStale) continue;
      add(base, value ?? 0);
      addExemplars(base);
    } else if (exponentialHistogram) {
      const native = naiveExponential(point, unixMs);
      if (native === undefined) continue;
      into.addHistogram(labelsOf(base, naivePairs(point.attributes), fixed), unixMs, native);
      newestMs = Math.max(newestMs, unixMs);
      addExemplars(base);
    } else if (histogram) {
      addHistogram(base, point, add);
      const bounds: number[] = point.bucketCounts.length === 0 ? [] : point.explicitBounds;
      addExemplars(`${base}_bucket`, (value) => {
        const bound = bounds.find((candidate) => value <= candidate) ?? Number.POSITIVE_INFINITY;
        return [['le', boundText(bound)]];
      });
    } else {
      add(`${base}_count`, Number(point.count ?? 0));
      add(`${base}_sum`, point.sum ?? 0);
      for (const { quantile, value } of point.quantileValues) {
        add(base, value ?? 0, ['quantile', boundText(quantile ?? 0)]);
      }
    }
  }
  if (newestMs >= 0) into.describe(base, typeOf[kind], metric.description ?? '', prometheusUnit(unit));
  return newestMs;
}

function addHistogram(
  base: string,
  point: Decoded,
  add: (name: string, value: number, ...own: Pair[]) => void,
): void {
  const counts: string[] = point.bucketCounts;
  const bounds: number[] = counts.length === 0 ? [] : point.explicitBounds;
  add(`${base}_count`, Number(point.count ?? 0));
  if (point.sum !== undefined) add(`${base}_sum`, point.sum);
  let total = 0;
  for (const [i, bound] of bounds.entries()) {
    total += Number(counts[i]);
    add(`${base}_bucket`, total, ['le', boundText(bound)]);
  }
  add(`${base}_bucket`, Number(point.count ?? 0), ['le', '+Inf']);
}

/** trace_id and span_id, and the attributes where all of it has at most 128 characters. */
function naiveExemplarLabels({ traceId, spanId, filteredAttributes }: Decoded): Pair[] {
  const ids = [
    ['trace_id', hex(traceId)],
    ['span_id', hex(spanId)],
  ].filter(([, text]) => /[^0]/.test(text!)) as unknown as Pair[];
  const all = [...ids, ...naivePairs(filteredAttributes).filter(([, value]) => value !== '')];
  return [...all.flat().join('')].length <= 128 ? all : ids;
}
