/** histogram_quantile over classic histograms: series with an `le` label, one bucket each. */
import { type Labels, labelValue, metricNameLabel } from '#model/labels.ts';
import { bucketQuantile } from '../bucket-quantile.ts';
import { type Evaluation, evaluateScalar, evaluateVector, withoutName } from '../evaluation.ts';
import { warnInvalidQuantile } from '../quantile-warning.ts';
import { emptySeries, labelsKey, mergeSameLabels, type StepSeries } from '../step-series.ts';
import type { Call } from '../tree.ts';
import type { FunctionFamily, WholeFunction } from './function-kinds.ts';

interface Histogram {
  readonly labels: Labels;
  readonly dropsName: boolean;
  readonly bounds: number[];
  readonly buckets: StepSeries[];
}

const histogramQuantile: WholeFunction = {
  kind: 'whole',
  evaluate: async (evaluation, call, grid) => {
    const quantiles = await evaluateScalar(evaluation, call.args[0], grid);
    const input = await evaluateVector(evaluation, call.args[1], grid);
    warnInvalidQuantile(evaluation, call.args[0], quantiles);
    const histograms = groupBuckets(evaluation, call, input);
    const series: StepSeries[] = [];
    for (const histogram of histograms) {
      const result = emptySeries(histogram.labels, grid.count, histogram.dropsName);
      for (let step = 0; step < grid.count; step++) {
        computeStep(evaluation, call, histogram, quantiles[step], result, step);
      }
      if (result.present.includes(1)) series.push(withoutName(evaluation, result));
    }
    return { kind: 'vector', series: evaluation.delaysNameRemoval ? series : mergeSameLabels(series) };
  },
};

/** Parses an `le` as Go's ParseFloat does; undefined where it is none. */
function parseBound(text: string): number | undefined {
  if (/^[+]?Inf$/i.test(text)) return Infinity;
  if (/^-Inf$/i.test(text)) return -Infinity;
  if (/^NaN$/i.test(text)) return NaN;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

function groupBuckets(evaluation: Evaluation, call: Call, input: readonly StepSeries[]): Histogram[] {
  const histograms = new Map<string, Histogram>();
  for (const one of input) {
    const le = labelValue(one.labels, 'le');
    const bound = parseBound(le);
    if (bound === undefined) {
      const name = labelValue(one.labels, metricNameLabel);
      const fact = `bucket label "le" is missing or has a malformed value of ${JSON.stringify(le)} for metric name ${JSON.stringify(name)}`;
      evaluation.annotations.warn(fact, call.args[1]);
      continue;
    }
    const labels = one.labels.filter(([name]) => name !== 'le');
    const key = labelsKey(labels);
    const histogram = histograms.get(key);
    if (histogram === undefined) {
      histograms.set(key, { labels, dropsName: one.dropsName, bounds: [bound], buckets: [one] });
      continue;
    }
    histogram.bounds.push(bound);
    histogram.buckets.push(one);
  }
  return [...histograms.values()];
}

function computeStep(
  evaluation: Evaluation,
  call: Call,
  { bounds, buckets, labels }: Histogram,
  q: number,
  result: StepSeries,
  step: number,
): void {
  const stepBuckets: { bound: number; count: number }[] = [];
  for (const [i, bucket] of buckets.entries()) {
    if (bucket.present[step] === 1) stepBuckets.push({ bound: bounds[i], count: bucket.values[step] });
  }
  if (stepBuckets.length === 0) return;
  const { value, isForcedMonotonic } = bucketQuantile(q, stepBuckets);
  result.values[step] = value;
  result.present[step] = 1;
  if (!isForcedMonotonic) return;
  const name = evaluation.delaysNameRemoval ? labelValue(labels, metricNameLabel) : '';
  const about = name === '' ? '' : ` for metric name ${JSON.stringify(name)}`;
  const fact = `input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)${about}`;
  evaluation.annotations.inform(fact, call.args[1]);
}

export const histogramFunctions: FunctionFamily = { histogram_quantile: histogramQuantile };
