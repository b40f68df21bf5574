/** OTLP metrics as samples, native histograms and exemplars, the obvious way: objects and strings, by OpenTelemetry's Prometheus compatibility rules. */

import { prometheusLabelName } from '#collector/transcode/label-name.ts';
import {
  boundText,
  type MetricKind,
  prometheusMetricName,
  prometheusUnit,
} from '#collector/transcode/metric-name.ts';
import { type MetricTranslation, metricTranslationDefault } from '#collector/transcode/metric-translation.ts';
import type { NaiveDeltas } from './naive-deltas.ts';
import type { NaiveHistogramDeltas } from './naive-histogram-deltas.ts';
import { histogramRow, naiveCustom, naiveExponential, naiveStaleHistogram } from './naive-histograms.ts';
import { naiveId } from './naive-labels.ts';
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
  rules: MetricTranslation = metricTranslationDefault,
  deltas?: NaiveTotalsOf,
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
    const promoted = promotedPairs(resource, rules);
    let newestMs = -1;
    for (const { scope, metrics, schemaUrl } of group.scopeMetrics) {
      const context = {
        sent: sentText([group.resource, scope, schemaUrl]),
        fixed: [...(rules.isScopePromoted ? scopePairs(scope, schemaUrl, rules) : []), ...presentTarget],
        promoted,
        rules,
        deltas,
      };
      for (const metric of metrics as Decoded[]) {
        newestMs = Math.max(newestMs, addMetric(metric, context, task, into));
      }
    }
    const rest = resource.filter(([key, value]) => !identifying.includes(key) && value !== '');
    if (newestMs >= 0 && presentTarget.length > 0 && rest.length > 0) {
      const shown = rules.keepsIdentifyingAttributes ? resource : rest;
      const info = labelsOf('target_info', shown, { sent: '', fixed: presentTarget, promoted: [], rules });
      into.add(info, newestMs, doubleBits(1));
      into.describe('target_info', 2, 'Target metadata', '');
    }
  }
  return into;
}

/** What the labels of all points of a scope have in common. */
interface Context {
  /** Tells scopes apart as their sender writes them. */
  readonly sent: string;
  readonly fixed: readonly Pair[];
  readonly promoted: readonly Pair[];
  readonly rules: MetricTranslation;
  readonly deltas?: NaiveTotalsOf | undefined;
}

/** What delta points are added to. */
export interface NaiveTotalsOf {
  readonly numbers: NaiveDeltas;
  readonly histograms: NaiveHistogramDeltas;
}

function promotedPairs(resource: readonly Pair[], rules: MetricTranslation): Pair[] {
  const isPromoted = (key: string) =>
    rules.isEveryAttributePromoted
      ? !rules.ignoredAttributes.includes(key)
      : rules.promotedAttributes.includes(key);
  const pairs = resource.filter(([key, value]) => isPromoted(key) && value !== '');
  return [...new Map(pairs.map(([key, value]) => [prometheusLabelName(key, rules), value]))];
}

function scopePairs(scope: Decoded, schemaUrl: string | undefined, rules: MetricTranslation): Pair[] {
  const found = new Map<string, string>();
  if (scope?.name) found.set('otel_scope_name', scope.name);
  if (scope?.version) found.set('otel_scope_version', scope.version);
  if (schemaUrl) found.set('otel_scope_schema_url', schemaUrl);
  for (const [key, value] of naivePairs(scope?.attributes)) {
    const name = prometheusLabelName(`otel_scope_${key}`, rules);
    if (value !== '' && !found.has(name)) found.set(name, value);
  }
  return [...found];
}

function labelsOf(
  metricName: string,
  attributes: readonly Pair[],
  { fixed, promoted, rules }: Context,
): Pair[] {
  const labels = new Map<string, string>();
  const taken = new Set(['__name__', ...fixed.map(([name]) => name)]);
  const sorted = attributes.toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const [key, value] of sorted) {
    const name = prometheusLabelName(key, rules);
    if (value === '' || taken.has(name)) continue;
    labels.set(name, labels.has(name) ? `${labels.get(name)};${value}` : value);
  }
  for (const [name, value] of promoted) if (!taken.has(name) && !labels.has(name)) labels.set(name, value);
  return [['__name__', metricName], ...labels, ...fixed];
}

/** A text of its own for everything that differs: also for what JSON knows only one form of. */
function sentText(parts: readonly Decoded[]): string {
  return JSON.stringify(parts, (_, value) =>
    typeof value === 'number' ? (Number.isFinite(value) ? value : `number ${value}`) : value,
  );
}

/** Returns the newest time of an accepted sample, or -1. */
function addMetric(metric: Decoded, context: Context, task: NaiveTask, into: NaiveSamples): number {
  const { gauge, sum, histogram, exponentialHistogram, summary } = metric;
  const data = gauge ?? sum ?? histogram ?? exponentialHistogram ?? summary;
  if (data === undefined) return -1;
  const isDelta = data.aggregationTemporality === 1 && context.deltas !== undefined;
  const isTemporal = (sum ?? histogram ?? exponentialHistogram) !== undefined;
  if (isTemporal && data.aggregationTemporality !== 2 && !isDelta) return -1;
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
  const base = prometheusMetricName(metric.name ?? '', unit, kind, context.rules.strategy);
  if (base === '') return -1;
  let newestMs = -1;
  for (const point of data.dataPoints as Decoded[]) {
    const nanos = BigInt(point.timeUnixNano ?? 0);
    const unixMs = nanos === 0n ? task.nowUnixMs : Number(nanos / 1_000_000n);
    if (!into.isKept(unixMs)) continue;
    const isStale = (point.flags ?? 0) % 2 === 1;
    const givenMs = Number(BigInt(point.startTimeUnixNano ?? 0) / 1_000_000n);
    // A start that comes after its point is none.
    let startMs = givenMs <= unixMs ? givenMs : 0;
    const samples: [name: string, value: number, ...own: Pair[]][] = [];
    const add = (...sample: (typeof samples)[number]) => samples.push(sample);
    const labelsWith = (name: string, own: readonly Pair[]) =>
      labelsOf(name, naivePairs(point.attributes), { ...context, fixed: [...context.fixed, ...own] });
    const addExemplars = (name: string, ownOf: (value: number) => Pair[] = () => []) => {
      for (const exemplar of (point.exemplars ?? []) as Decoded[]) {
        const exemplarMs = Number(BigInt(exemplar.timeUnixNano ?? 0) / 1_000_000n) || unixMs;
        const value = exemplar.asDouble ?? Number(BigInt(exemplar.asInt ?? 0));
        if (!into.isKept(exemplarMs)) continue;
        const labels = labelsWith(name, ownOf(value));
        if (into.addExemplar(labels, exemplarMs, doubleBits(value), naiveExemplarLabels(exemplar))) {
          newestMs = Math.max(newestMs, exemplarMs);
        }
      }
    };
    /** After the point's samples, where these are accepted. */
    let exemplars = (): void => undefined;
    if (gauge || sum) {
      const value = point.asDouble ?? (point.asInt === undefined ? undefined : Number(BigInt(point.asInt)));
      if (value === undefined && !isStale) continue;
      add(base, value ?? 0);
      exemplars = () => addExemplars(base);
    } else if (exponentialHistogram || (histogram && context.rules.convertsHistograms)) {
      const parts = isStale
        ? undefined
        : exponentialHistogram
          ? naiveExponential(point, startMs)
          : naiveCustom(point, startMs);
      if (parts === undefined && !isStale) continue;
      const labels = labelsWith(base, []);
      let total: typeof parts | 'stale' = parts ?? 'stale';
      if (isDelta) {
        total =
          nanos === 0n ? undefined : context.deltas!.histograms.add(naiveId(labels), parts, startMs, unixMs);
        if (total === undefined) continue;
      }
      const native = total === 'stale' ? naiveStaleHistogram(0) : histogramRow(total);
      into.addHistogram(labels, unixMs, native);
      newestMs = Math.max(newestMs, unixMs);
      exemplars = () => addExemplars(base);
    } else if (histogram) {
      addHistogram(base, point, add);
      const bounds: number[] = point.bucketCounts.length === 0 ? [] : point.explicitBounds;
      exemplars = () =>
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
    const labelled = samples.map(([name, value, ...own]) => ({ labels: labelsWith(name, own), value }));
    let values: readonly number[] | undefined = labelled.map(({ value }) => value);
    if (isDelta) {
      const parts = labelled.map(({ labels, value }) => ({
        series: naiveId(labels),
        delta: isStale ? 0 : value,
      }));
      const added =
        nanos === 0n || parts.length === 0
          ? undefined
          : context.deltas!.numbers.add(parts, startMs, unixMs, sum?.isMonotonic === true);
      values = added?.totals;
      startMs = added?.startMs ?? 0;
    }
    if (values === undefined) continue;
    for (const [i, { labels }] of labelled.entries()) {
      into.add(labels, unixMs, isStale ? staleBits : doubleBits(values[i]!));
      newestMs = Math.max(newestMs, unixMs);
      const [name, , ...own] = samples[i]!;
      // Quantiles and sums that may fall say nothing about what was before.
      if (!sum?.isMonotonic && histogram === undefined && (summary === undefined || own.length > 0)) continue;
      const sent = sentText([context.sent, base, point.attributes, name, own]);
      into.addStart(sent, labels, unixMs, startMs);
    }
    exemplars();
  }
  if (newestMs >= 0) into.describe(base, typeOf[kind], metric.description ?? '', prometheusUnit(unit));
  return newestMs;
}

function addHistogram(
  base: string,
  point: Decoded,
  add: (name: string, value: number, ...own: Pair[]) => unknown,
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
