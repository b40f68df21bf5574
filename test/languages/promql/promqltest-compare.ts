/** Compares what a query answered with what a promqltest script expects. */
import type { Labels } from '#model/labels.ts';
import { equalNumbers, type FloatHistogram } from '#query/promql/histogram/float-histogram.ts';
import { printHistogram } from '#query/promql/histogram/histogram-text.ts';
import type { MatrixSeries, VectorSample } from '#query/promql/query-result.ts';
import { labelsKey, renderLabels } from '#query/promql/step-series.ts';
import type { EvalCase } from './promqltest-script.ts';
import { absent, type NotedValue } from './series-notation.ts';

export interface Row {
  readonly labels: Labels;
  readonly values: readonly NotedValue[];
}

const noted = (histogram: FloatHistogram): NotedValue => ({ histogram, hasHint: true });

export function vectorRows(samples: readonly VectorSample[]): Row[] {
  return samples.map(({ labels, value, histogram }) => ({
    labels,
    values: [histogram === undefined ? value : noted(histogram)],
  }));
}

export function matrixRows(test: EvalCase, series: readonly MatrixSeries[]): Row[] {
  return series.map(({ labels, timestamps, values, histograms }) => {
    const byTime = new Map<number, NotedValue>();
    for (const [i, time] of timestamps.entries()) byTime.set(time, values[i]);
    for (const [i, histogram] of (histograms?.values ?? []).entries()) {
      byTime.set(histograms!.timestamps[i], noted(histogram));
    }
    if (test.stepMs === 0) {
      const times = [...byTime.keys()].sort((a, b) => a - b);
      return { labels, values: times.map((time) => byTime.get(time)!) };
    }
    const row: NotedValue[] = [];
    for (let time = test.startMs; time <= test.endMs; time += test.stepMs)
      row.push(byTime.get(time) ?? absent);
    return { labels, values: row };
  });
}

/** Returns what differs, or nothing. */
export function compareSeries(
  expected: readonly Row[],
  actual: readonly Row[],
  isOrdered: boolean,
): string | undefined {
  const difference = `expected ${describe(expected)}, got ${describe(actual)}`;
  if (expected.length !== actual.length) return difference;
  const byKey = new Map(actual.map((row, index) => [labelsKey(row.labels), { row, index }]));
  for (const [index, row] of expected.entries()) {
    const found = byKey.get(labelsKey(row.labels));
    if (found === undefined || (isOrdered && found.index !== index)) return difference;
    const length = Math.max(row.values.length, found.row.values.length);
    for (let i = 0; i < length; i++) {
      if (!isSame(row.values[i] ?? absent, found.row.values[i] ?? absent)) return difference;
    }
  }
  return undefined;
}

function describe(rows: readonly Row[]): string {
  const text = (value: NotedValue) =>
    typeof value === 'object'
      ? `${printHistogram(value.histogram)} schema ${value.histogram.schema} ${value.histogram.resetHint}`
      : value;
  return rows
    .map(({ labels, values }) => `${renderLabels(labels)} ${values.map(text).join(' ')}`)
    .join(' | ');
}

function isSame(expected: NotedValue, actual: NotedValue): boolean {
  if (typeof expected === 'object' && typeof actual === 'object') {
    if (expected.hasHint && expected.histogram.resetHint !== actual.histogram.resetHint) return false;
    return isCloseHistogram(expected.histogram, actual.histogram);
  }
  if (typeof expected === 'number' && typeof actual === 'number') return isClose(expected, actual);
  return expected === actual;
}

function isCloseHistogram(expected: FloatHistogram, actual: FloatHistogram): boolean {
  const areClose = (a: Float64Array, b: Float64Array) =>
    a.length === b.length && a.every((value, i) => isClose(value, b[i]));
  return (
    expected.schema === actual.schema &&
    isClose(expected.count, actual.count) &&
    isClose(expected.sum, actual.sum) &&
    isClose(expected.zeroCount, actual.zeroCount) &&
    (actual.count === 0 || expected.zeroThreshold === actual.zeroThreshold) &&
    equalNumbers(expected.customBounds ?? new Float64Array(), actual.customBounds ?? new Float64Array()) &&
    equalNumbers(expected.positive.indexes, actual.positive.indexes) &&
    equalNumbers(expected.negative.indexes, actual.negative.indexes) &&
    areClose(expected.positive.counts, actual.positive.counts) &&
    areClose(expected.negative.counts, actual.negative.counts)
  );
}

/** Prometheus's own tolerance. */
const tolerance = 1e-6;

export function isClose(expected: number, actual: number): boolean {
  if (Number.isNaN(expected) || Number.isNaN(actual)) return Number.isNaN(expected) && Number.isNaN(actual);
  if (expected === actual) return true;
  const sum = Math.abs(expected) + Math.abs(actual);
  const difference = Math.abs(expected - actual);
  return difference / Math.min(sum, Number.MAX_VALUE) < tolerance;
}
