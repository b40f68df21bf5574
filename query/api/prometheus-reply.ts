/**
 * Prometheus's JSON: the envelope, and values as its server writes them.
 *
 *   {"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1.5,"1e-07"]}]}}
 *
 * Results are written by hand: a matrix of millions of numbers must not become objects first.
 */
import type { Labels } from '#model/labels.ts';
import { allBuckets, type FloatHistogram } from '../promql/histogram/float-histogram.ts';
import type { MatrixSeries, QueryOutcome, QueryResult } from '../promql/query-result.ts';
import type { SeriesExemplars } from '../promql/source.ts';

/** `data` is JSON text. Empty annotations are left out, as Prometheus does. */
export function renderSuccess(
  data: string,
  warnings: readonly string[] = [],
  infos: readonly string[] = [],
): string {
  const more =
    (warnings.length === 0 ? '' : `,"warnings":${JSON.stringify(warnings)}`) +
    (infos.length === 0 ? '' : `,"infos":${JSON.stringify(infos)}`);
  return `{"status":"success","data":${data}${more}}`;
}

export function renderFailure(errorType: string, error: string): string {
  return JSON.stringify({ status: 'error', errorType, error });
}

export function renderOutcome(
  { result, warnings, infos, explanation }: QueryOutcome,
  moreWarnings: readonly string[],
): string {
  return renderSuccess(renderResult(result, explanation), [...warnings, ...moreWarnings], infos);
}

function renderResult(result: QueryResult, explanation: QueryOutcome['explanation']): string {
  const explain = explanation === undefined ? '' : `,"explain":${JSON.stringify(explanation)}`;
  return `{"resultType":"${result.type}","result":${renderResultValue(result)}${explain}}`;
}

function renderResultValue(result: QueryResult): string {
  switch (result.type) {
    case 'scalar':
      return renderPoint(result.timeMs, result.value);
    case 'string':
      return `[${renderTime(result.timeMs)},${JSON.stringify(result.value)}]`;
    case 'vector': {
      const samples = result.samples.map(({ labels, value, histogram }) => {
        const point =
          histogram === undefined
            ? `"value":${renderPoint(result.timeMs, value)}`
            : `"histogram":${renderHistogramPoint(result.timeMs, histogram)}`;
        return `{"metric":${renderMetric(labels)},${point}}`;
      });
      return `[${samples.join(',')}]`;
    }
    case 'matrix': {
      const series = result.series.map(({ labels, timestamps, values, histograms }) => {
        const points: string[] = new Array(values.length);
        for (let i = 0; i < values.length; i++) points[i] = renderPoint(timestamps[i], values[i]);
        const numbers = points.length === 0 ? '' : `,"values":[${points.join(',')}]`;
        return `{"metric":${renderMetric(labels)}${numbers}${renderHistograms(histograms)}}`;
      });
      return `[${series.join(',')}]`;
    }
    default:
      return result satisfies never;
  }
}

function renderHistograms(histograms: MatrixSeries['histograms']): string {
  if (histograms === undefined || histograms.values.length === 0) return '';
  const { timestamps, values } = histograms;
  const points = values.map((histogram, i) => renderHistogramPoint(timestamps[i], histogram));
  return `,"histograms":[${points.join(',')}]`;
}

/** A bucket's first number says which bounds belong to it: 0 the upper, 1 the lower, 2 none, 3 both. */
function renderHistogramPoint(timeMs: number, histogram: FloatHistogram): string {
  const buckets: string[] = [];
  for (const { lower, upper, count, includesLower, includesUpper } of allBuckets(histogram)) {
    if (count === 0) continue;
    const rule = includesLower ? (includesUpper ? 3 : 1) : includesUpper ? 0 : 2;
    buckets.push(`[${rule},"${renderValue(lower)}","${renderValue(upper)}","${renderValue(count)}"]`);
  }
  const list = buckets.length === 0 ? '' : `,"buckets":[${buckets.join(',')}]`;
  const totals = `"count":"${renderValue(histogram.count)}","sum":"${renderValue(histogram.sum)}"`;
  return `[${renderTime(timeMs)},{${totals}${list}}]`;
}

function renderPoint(timeMs: number, value: number): string {
  return `[${renderTime(timeMs)},"${renderValue(value)}"]`;
}

export function renderExemplars({ labels, exemplars }: SeriesExemplars): string {
  const items = exemplars.map(
    (exemplar) =>
      `{"labels":${renderMetric(exemplar.labels)},"value":"${renderValue(exemplar.value)}","timestamp":${renderTime(exemplar.timeMs)}}`,
  );
  return `{"seriesLabels":${renderMetric(labels)},"exemplars":[${items.join(',')}]}`;
}

/** Labels as a JSON object. Not through a JavaScript object, which would move names like "1" to the front. */
export function renderMetric(labels: Labels): string {
  return `{${labels.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
}

/** Seconds with three digits where they are not whole. */
export function renderTime(timeMs: number): string {
  const sign = timeMs < 0 ? '-' : '';
  const ms = Math.abs(timeMs);
  const fraction = ms % 1000;
  const seconds = (ms - fraction) / 1000;
  return `${sign}${seconds}${fraction === 0 ? '' : `.${String(fraction).padStart(3, '0')}`}`;
}

/** The shortest digits, with an exponent of at least two digits below 1e-6 and from 1e21 on. */
export function renderValue(value: number): string {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const text = String(value);
  return text.includes('e') ? text.replace(/e([+-])(\d)$/, 'e$10$2') : text;
}
