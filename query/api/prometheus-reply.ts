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

/** As renderSuccess, in pieces. */
export function* successPieces(
  data: Iterable<string>,
  warnings: readonly string[] = [],
  infos: readonly string[] = [],
): Generator<string> {
  yield '{"status":"success","data":';
  yield* data;
  yield renderSuccess('', warnings, infos).slice('{"status":"success","data":'.length);
}

/** A list as JSON, entry by entry. */
export function* listPieces<Entry>(
  entries: Iterable<Entry>,
  render: (entry: Entry) => string,
): Generator<string> {
  let separator = '[';
  for (const entry of entries) {
    yield separator + render(entry);
    separator = ',';
  }
  yield separator === '[' ? '[]' : ']';
}

/** A query's whole reply, in pieces of a bounded number of points. `stats` is JSON text. */
export function* outcomePieces(
  { result, warnings, infos, explanation }: QueryOutcome,
  moreWarnings: readonly string[],
  stats?: string,
): Generator<string> {
  const explain = explanation === undefined ? '' : `,"explain":${JSON.stringify(explanation)}`;
  const end = (stats === undefined ? '' : `,"stats":${stats}`) + explain;
  yield* successPieces(resultPieces(result, end), [...warnings, ...moreWarnings], infos);
}

function* resultPieces(result: QueryResult, end: string): Generator<string> {
  yield `{"resultType":"${result.type}","result":`;
  yield* valuePieces(result);
  yield `${end}}`;
}

function* valuePieces(result: QueryResult): Generator<string> {
  switch (result.type) {
    case 'scalar':
      yield renderPoint(result.timeMs, result.value);
      return;
    case 'string':
      yield `[${renderTime(result.timeMs)},${JSON.stringify(result.value)}]`;
      return;
    case 'vector':
      yield* listPieces(result.samples, ({ labels, value, histogram }) => {
        const point =
          histogram === undefined
            ? `"value":${renderPoint(result.timeMs, value)}`
            : `"histogram":${renderHistogramPoint(result.timeMs, histogram)}`;
        return `{"metric":${renderMetric(labels)},${point}}`;
      });
      return;
    case 'matrix': {
      const times = new TimeTexts();
      let separator = '[';
      for (const series of result.series) {
        yield separator;
        yield* seriesPieces(series, times);
        separator = ',';
      }
      yield separator === '[' ? '[]' : ']';
      return;
    }
    default:
      result satisfies never;
  }
}

/** Points of one series that make a piece. */
const pointsPerPiece = 1000;

function* seriesPieces(
  { labels, timestamps, values, histograms }: MatrixSeries,
  times: TimeTexts,
): Generator<string> {
  let text = `{"metric":${renderMetric(labels)}`;
  const timeTexts = times.of(timestamps);
  for (let i = 0; i < values.length; i++) {
    text += `${i === 0 ? ',"values":[[' : ',['}${timeTexts?.[i] ?? renderTime(timestamps[i])},"${renderValue(values[i])}"]`;
    if (i % pointsPerPiece !== pointsPerPiece - 1) continue;
    yield text;
    text = '';
  }
  if (values.length > 0) text += ']';
  const count = histograms?.values.length ?? 0;
  for (let i = 0; i < count; i++) {
    text += `${i === 0 ? ',"histograms":[' : ','}${renderHistogramPoint(histograms!.timestamps[i], histograms!.values[i])}`;
    if (i % histogramsPerPiece !== histogramsPerPiece - 1) continue;
    yield text;
    text = '';
  }
  yield `${text}${count > 0 ? ']' : ''}}`;
}

const histogramsPerPiece = 50;
/** The times of a range query's steps: its greatest number of steps by custom. */
const timeTextsMax = 11_000;

/** Series without gaps share one column of times: their texts are made once. */
class TimeTexts {
  #column: Float64Array | undefined;
  #texts: string[] = [];

  of(column: Float64Array): readonly string[] | undefined {
    if (column.length > timeTextsMax) return undefined;
    if (column !== this.#column) {
      // A column that is met once is not worth it.
      const isSecond = this.#seen === column;
      this.#seen = column;
      if (!isSecond) return undefined;
      this.#column = column;
      this.#texts = Array.from(column, renderTime);
    }
    return this.#texts;
  }

  #seen: Float64Array | undefined;
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
