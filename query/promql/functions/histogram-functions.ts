/** Functions of histograms, classic and native: quantiles and fractions, and the parts of native ones. */
import { sortLabels } from '#model/labels.ts';
import { type Bucket, bucketFraction, bucketQuantile } from '../bucket-quantile.ts';
import { type Evaluation, evaluateScalar, evaluateVector, stringOf, withoutName } from '../evaluation.ts';
import type { FloatHistogram } from '../histogram/float-histogram.ts';
import {
  aboutMetric,
  fractionExcludesNan,
  liftedForQuantile,
  quantileIsNan,
  quantileIsSkewed,
} from '../histogram/histogram-notes.ts';
import { histogramFraction, histogramQuantile, histogramVariance } from '../histogram/histogram-quantile.ts';
import { formatDecimal } from '../printer.ts';
import { warnInvalidQuantile } from '../quantile-warning.ts';
import { emptySeries, mergeSameLabels, type StepGrid, type StepSeries, type Value } from '../step-series.ts';
import type { Expression } from '../tree.ts';
import type { FunctionFamily, WholeFunction } from './function-kinds.ts';
import { groupHistograms, type HistogramInput, histogramAt } from './histogram-inputs.ts';

const quantileOfHistogram: WholeFunction = {
  kind: 'whole',
  evaluate: async (evaluation, call, grid) => {
    const [quantileArgument, vector] = call.args;
    const quantiles = await evaluateScalar(evaluation, quantileArgument, grid);
    const input = await evaluateVector(evaluation, vector, grid);
    warnInvalidQuantile(evaluation, quantileArgument, quantiles);
    const series = groupHistograms(evaluation, vector, input).map((histogram) =>
      quantileSeries(evaluation, vector, histogram, quantiles, grid),
    );
    return finish(evaluation, series);
  },
};

/** Several quantiles at once, told apart by a label. */
const quantilesOfHistogram: WholeFunction = {
  kind: 'whole',
  evaluate: async (evaluation, call, grid) => {
    const [vector, labelArgument, ...quantileArguments] = call.args;
    const label = stringOf(labelArgument);
    const input = await evaluateVector(evaluation, vector, grid);
    const histograms = groupHistograms(evaluation, vector, input);
    const series: StepSeries[] = [];
    for (const argument of quantileArguments) {
      const quantiles = await evaluateScalar(evaluation, argument, grid);
      warnInvalidQuantile(evaluation, argument, quantiles);
      for (const histogram of histograms) {
        const one = quantileSeries(evaluation, vector, histogram, quantiles, grid);
        series.push(...byQuantile(one, label, quantiles));
      }
    }
    return finish(evaluation, series);
  },
};

/** A quantile that is another at each step makes a series of each. */
function byQuantile(series: StepSeries, label: string, quantiles: Float64Array): StepSeries[] {
  const byText = Map.groupBy(quantiles.keys(), (step) => openMetricsNumber(quantiles[step]));
  return [...byText].map(([text, steps]) => {
    const present = new Uint8Array(series.present.length);
    for (const step of steps) present[step] = series.present[step];
    const others = series.labels.filter(([name]) => name !== label);
    return { ...series, labels: sortLabels([...others, [label, text] as const]), present };
  });
}

/** As the OpenMetrics format writes a quantile: with a point, or an exponent. */
function openMetricsNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const text = formatDecimal(value);
  return text.includes('.') ? text : `${text}.0`;
}

function quantileSeries(
  evaluation: Evaluation,
  vector: Expression,
  input: HistogramInput,
  quantiles: Float64Array,
  grid: StepGrid,
): StepSeries {
  return seriesOf(evaluation, vector, input, grid, (histogram, step) => {
    const q = quantiles[step];
    if (!Array.isArray(histogram)) {
      const { value, nan } = histogramQuantile(q, histogram);
      if (nan === 'is_nan') evaluation.annotations.inform(quantileIsNan(input.metricName), vector);
      if (nan === 'is_skewed') evaluation.annotations.inform(quantileIsSkewed(input.metricName), vector);
      return value;
    }
    const { value, lifted } = bucketQuantile(q, histogram);
    if (lifted !== undefined) {
      const fact = aboutMetric(liftedForQuantile, input.metricName);
      evaluation.annotations.informLifted(fact, vector, grid.startMs + step * grid.stepMs, lifted);
    }
    return value;
  });
}

const fractionOfHistogram: WholeFunction = {
  kind: 'whole',
  evaluate: async (evaluation, call, grid) => {
    const [lowerArgument, upperArgument, vector] = call.args;
    const lower = await evaluateScalar(evaluation, lowerArgument, grid);
    const upper = await evaluateScalar(evaluation, upperArgument, grid);
    const input = await evaluateVector(evaluation, vector, grid);
    const series = groupHistograms(evaluation, vector, input).map((one) =>
      seriesOf(evaluation, vector, one, grid, (histogram, step) => {
        if (Array.isArray(histogram)) return bucketFraction(lower[step], upper[step], histogram);
        if (Number.isNaN(histogram.sum) && histogram.count !== 0) {
          evaluation.annotations.inform(fractionExcludesNan(one.metricName), vector);
        }
        return histogramFraction(lower[step], upper[step], histogram);
      }),
    );
    return finish(evaluation, series);
  },
};

function seriesOf(
  evaluation: Evaluation,
  argument: Expression,
  input: HistogramInput,
  grid: StepGrid,
  compute: (histogram: FloatHistogram | Bucket[], step: number) => number,
): StepSeries {
  const result = emptySeries(input.labels, grid.count, input.dropsName);
  for (let step = 0; step < grid.count; step++) {
    const histogram = histogramAt(evaluation, argument, input, step);
    if (histogram === undefined) continue;
    result.values[step] = compute(histogram, step);
    result.present[step] = 1;
  }
  return result;
}

function finish(evaluation: Evaluation, series: readonly StepSeries[]): Value {
  const found = series
    .filter(({ present }) => present.includes(1))
    .map((one) => withoutName(evaluation, one));
  return { kind: 'vector', series: evaluation.delaysNameRemoval ? found : mergeSameLabels(found) };
}

/** A number of each native histogram; plain numbers go. */
function ofNative(read: (histogram: FloatHistogram) => number): WholeFunction {
  return {
    kind: 'whole',
    evaluate: async (evaluation, call, grid) => {
      const series: StepSeries[] = [];
      for (const one of await evaluateVector(evaluation, call.args[0], grid)) {
        if (one.histograms === undefined) continue;
        const result = emptySeries(one.labels, grid.count, one.dropsName);
        for (let step = 0; step < grid.count; step++) {
          const histogram = one.present[step] === 1 ? one.histograms[step] : undefined;
          if (histogram === undefined) continue;
          result.values[step] = read(histogram);
          result.present[step] = 1;
        }
        series.push(result);
      }
      return finish(evaluation, series);
    },
  };
}

export const histogramFunctions: FunctionFamily = {
  histogram_quantile: quantileOfHistogram,
  histogram_quantiles: quantilesOfHistogram,
  histogram_fraction: fractionOfHistogram,
  histogram_count: ofNative(({ count }) => count),
  histogram_sum: ofNative(({ sum }) => sum),
  histogram_avg: ofNative(({ sum, count }) => sum / count),
  histogram_stddev: ofNative((histogram) => Math.sqrt(histogramVariance(histogram))),
  histogram_stdvar: ofNative(histogramVariance),
};
