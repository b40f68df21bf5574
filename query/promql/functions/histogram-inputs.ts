/**
 * What functions of histograms work on: per set of labels, the classic histogram (series with an `le` label, one bucket
 * each) or the native one, told apart at each step.
 */
import { type Labels, labelValue, metricNameLabel } from '#model/labels.ts';
import type { Bucket } from '../bucket-quantile.ts';
import type { Evaluation } from '../evaluation.ts';
import type { FloatHistogram } from '../histogram/float-histogram.ts';
import { aboutMetric, mixedClassicAndNative } from '../histogram/histogram-notes.ts';
import { labelsKey, type StepSeries } from '../step-series.ts';
import type { Expression } from '../tree.ts';

export interface HistogramInput {
  /** Without `le`. */
  readonly labels: Labels;
  /** As notes name it: empty where they do not. */
  readonly metricName: string;
  readonly dropsName: boolean;
  /** Of the classic histogram, in no order. */
  readonly bounds: number[];
  readonly buckets: StepSeries[];
  native: StepSeries | undefined;
}

/** Groups a vector's series; warns of those without a bound. `argument` is what the series came from. */
export function groupHistograms(
  evaluation: Evaluation,
  argument: Expression,
  input: readonly StepSeries[],
): HistogramInput[] {
  const inputs = new Map<string, HistogramInput>();
  const inputOf = (one: StepSeries): HistogramInput => {
    const labels = one.labels.filter(([name]) => name !== 'le');
    const key = labelsKey(labels);
    const metricName = nameForNotes(evaluation, labels);
    const found = inputs.get(key) ?? {
      labels,
      metricName,
      dropsName: one.dropsName,
      bounds: [],
      buckets: [],
      native: undefined,
    };
    inputs.set(key, found);
    return found;
  };
  for (const one of input) {
    const isHistogram = (step: number) => one.present[step] === 1 && one.histograms?.[step] !== undefined;
    const steps = [...one.present.keys()].filter((step) => one.present[step] === 1);
    if (steps.some(isHistogram)) inputOf(one).native = one;
    if (!steps.every(isHistogram)) addBucket(evaluation, argument, one, inputOf);
  }
  return [...inputs.values()];
}

/** Where names go at once, Prometheus's notes are written when they are gone. */
function nameForNotes({ delaysNameRemoval }: Evaluation, labels: Labels): string {
  return delaysNameRemoval ? labelValue(labels, metricNameLabel) : '';
}

function addBucket(
  evaluation: Evaluation,
  argument: Expression,
  one: StepSeries,
  inputOf: (one: StepSeries) => HistogramInput,
): void {
  const le = labelValue(one.labels, 'le');
  const bound = parseBound(le);
  if (bound === undefined) {
    const fact = `bucket label "le" is missing or has a malformed value of ${JSON.stringify(le)}`;
    evaluation.annotations.warn(aboutMetric(fact, nameForNotes(evaluation, one.labels)), argument);
    return;
  }
  const histogram = inputOf(one);
  histogram.bounds.push(bound);
  histogram.buckets.push(one);
}

/** Parses an `le` as Go's ParseFloat does; undefined where it is none. */
function parseBound(text: string): number | undefined {
  if (/^[+]?Inf$/i.test(text)) return Infinity;
  if (/^-Inf$/i.test(text)) return -Infinity;
  if (/^NaN$/i.test(text)) return NaN;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

/** The histogram at a step: native, or the classic one's buckets. Undefined where there is none, or both are. */
export function histogramAt(
  evaluation: Evaluation,
  argument: Expression,
  { bounds, buckets, native, metricName }: HistogramInput,
  step: number,
): FloatHistogram | Bucket[] | undefined {
  const classic: Bucket[] = [];
  for (const [i, { present, values, histograms }] of buckets.entries()) {
    const isNumber = present[step] === 1 && histograms?.[step] === undefined;
    if (isNumber) classic.push({ bound: bounds[i], count: values[step] });
  }
  const histogram = native?.present[step] === 1 ? native.histograms?.[step] : undefined;
  if (histogram === undefined) return classic.length === 0 ? undefined : classic;
  if (classic.length === 0) return histogram;
  evaluation.annotations.warn(mixedClassicAndNative(metricName), argument);
  return undefined;
}
