/**
 * Values while a query is evaluated: columns over the query's steps, never one object per sample.
 * `present[i]` is 1 where a series has a value at step i; NaN is a value like others. Where `histograms[i]` is one, it is
 * the value, and `values[i]` says nothing.
 */
import { type Labels, metricNameLabel } from '#model/labels.ts';
import { quoteText } from '../language/quoted-string.ts';
import { executionError } from './execution-error.ts';
import type { FloatHistogram } from './histogram/float-histogram.ts';

/** The times at which an expression is evaluated: startMs + i * stepMs for i < count. */
export interface StepGrid {
  readonly startMs: number;
  readonly stepMs: number;
  readonly count: number;
}

export interface StepSeries {
  readonly labels: Labels;
  /** The metric's name is to go when the query is done (only with delayed name removal). */
  readonly dropsName: boolean;
  readonly values: Float64Array;
  readonly present: Uint8Array;
  /** One place per step; undefined where all values are numbers. */
  readonly histograms?: (FloatHistogram | undefined)[] | undefined;
}

export interface ScalarValue {
  readonly kind: 'scalar';
  /** One per step. */
  readonly values: Float64Array;
}

export interface StringValue {
  readonly kind: 'string';
  readonly value: string;
}

export interface VectorValue {
  readonly kind: 'vector';
  readonly series: readonly StepSeries[];
}

export type Value = ScalarValue | StringValue | VectorValue;

export function gridEndMs(grid: StepGrid): number {
  return grid.startMs + (grid.count - 1) * grid.stepMs;
}

export function emptySeries(labels: Labels, stepCount: number, dropsName = false): StepSeries {
  return { labels, dropsName, values: new Float64Array(stepCount), present: new Uint8Array(stepCount) };
}

/** An empty series in the columns of `scratch`, whose own values are lost; in new ones where there is none. */
export function emptiedSeries(
  scratch: StepSeries | undefined,
  labels: Labels,
  stepCount: number,
  dropsName = false,
): StepSeries {
  if (scratch === undefined) return emptySeries(labels, stepCount, dropsName);
  scratch.present.fill(0);
  return { labels, dropsName, values: scratch.values, present: scratch.present };
}

/** A series without values whose steps may become histograms. */
export function emptyMixedSeries(labels: Labels, stepCount: number, dropsName = false): StepSeries {
  return {
    ...emptySeries(labels, stepCount, dropsName),
    histograms: new Array<FloatHistogram | undefined>(stepCount).fill(undefined),
  };
}

/** Sets the value of a step; a histogram only in a series from emptyMixedSeries. */
export function setValue(series: StepSeries, step: number, value: number | FloatHistogram): void {
  series.present[step] = 1;
  if (typeof value === 'number') series.values[step] = value;
  else if (series.histograms !== undefined) series.histograms[step] = value;
  else throw new Error('BUG: a histogram in a series of numbers');
}

/** The value of a step that has one. */
export function valueAt(series: StepSeries, step: number): number | FloatHistogram {
  return series.histograms?.[step] ?? series.values[step];
}

/** The same series where it is a number; histograms are left out. */
export function numbersOnly(series: StepSeries): StepSeries {
  const { histograms } = series;
  if (histograms === undefined) return series;
  const present = series.present.map((flag, step) => (histograms[step] === undefined ? flag : 0));
  return { ...series, present, histograms: undefined };
}

export function constantScalar(value: number, stepCount: number): ScalarValue {
  return { kind: 'scalar', values: new Float64Array(stepCount).fill(value) };
}

/** Text that is equal exactly where labels are. */
export function labelsKey(labels: Labels): string {
  let key = '';
  for (const [name, value] of labels) key += `${name}\u0001${value}\u0002`;
  return key;
}

/** The key of some labels only: those in `names` (isOn), or all the others without the metric's name. */
export function matchingKey(labels: Labels, names: ReadonlySet<string>, isOn: boolean): string {
  let key = '';
  for (const [name, value] of labels) {
    const isUsed = isOn ? names.has(name) : name !== metricNameLabel && !names.has(name);
    if (isUsed) key += `${name}\u0001${value}\u0002`;
  }
  return key;
}

/** Labels of Prometheus's metric schema; they go when a value is no longer the metric's. */
export function dropMetricSchema(labels: Labels): Labels {
  const isSchema = (name: string) => name === metricNameLabel || name === '__type__' || name === '__unit__';
  return labels.some(([name]) => isSchema(name)) ? labels.filter(([name]) => !isSchema(name)) : labels;
}

/** Prometheus's order of label sets: pair by pair, a shorter one first. */
export function compareLabels(a: Labels, b: Labels): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    for (const part of [0, 1] as const) {
      const [left, right] = [a[i][part], b[i][part]];
      if (left !== right) return left < right ? -1 : 1;
    }
  }
  return a.length - b.length;
}

/** Labels as Prometheus writes them in errors: `{__name__="up", job="a"}`. */
export function renderLabels(labels: Labels): string {
  const isPlain = (name: string) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
  const pairs = labels.map(
    ([name, value]) => `${isPlain(name) ? name : quoteText(name)}=${quoteText(value)}`,
  );
  return `{${pairs.join(', ')}}`;
}

const sameLabelsFact = 'vector cannot contain metrics with the same labelset';

/** Throws where two series have the same labels. */
export function assertUniqueLabels(series: readonly StepSeries[]): void {
  if (series.length < 2) return;
  const seen = new Set<string>();
  for (const { labels } of series) {
    const key = labelsKey(labels);
    if (seen.has(key)) throw executionError(sameLabelsFact);
    seen.add(key);
  }
}

/** Makes one series of those with the same labels. Throws where two of them have a value at one step. */
export function mergeSameLabels(series: readonly StepSeries[]): readonly StepSeries[] {
  if (series.length < 2) return series;
  const merged = new Map<string, StepSeries>();
  const copied = new Set<StepSeries>();
  for (const one of series) {
    const key = labelsKey(one.labels);
    let target = merged.get(key);
    if (target === undefined) {
      merged.set(key, one);
      continue;
    }
    if (!copied.has(target)) {
      const stepCount = target.present.length;
      const histograms = target.histograms?.slice() ?? emptyMixedSeries([], stepCount).histograms;
      target = { ...target, values: target.values.slice(), present: target.present.slice(), histograms };
      copied.add(target);
      merged.set(key, target);
    }
    for (let i = 0; i < one.present.length; i++) {
      if (one.present[i] === 0) continue;
      if (target.present[i] === 1) throw executionError(sameLabelsFact);
      setValue(target, i, valueAt(one, i));
    }
  }
  return merged.size === series.length ? series : [...merged.values()];
}
