/** What Prometheus says about histograms beside an answer, in its words. */
import type { FloatHistogram } from './float-histogram.ts';

const forMetric = (fact: string) => (name: string) => `${fact} for metric name ${JSON.stringify(name)}`;

export const mixedFloatsAndHistograms = forMetric('encountered a mix of histograms and floats');
export const mixedBuckets = forMetric(
  'vector contains a mix of histograms with exponential and custom buckets schemas',
);
export const mixedClassicAndNative = (name: string) =>
  aboutMetric('vector contains a mix of classic and native histograms', name);
export const ignoredInMixedRange = forMetric(
  'ignored histograms in a range containing both floats and histograms',
);
export const mixedInAggregation = 'encountered a mix of histograms and floats for aggregation';

export const notCounter = (name: string) =>
  `this native histogram metric is not a counter: ${JSON.stringify(name)}`;
export const notGauge = (name: string) =>
  `this native histogram metric is not a gauge: ${JSON.stringify(name)}`;

export const ignoredInAggregation = (operator: string) => `ignored histogram in ${operator} aggregation`;

export type HistogramOperation = 'addition' | 'subtraction' | 'aggregation';

export const reconciledBounds = (operation: HistogramOperation) =>
  `mismatched custom buckets were reconciled during ${operation}`;
export const conflictingResets = (operation: HistogramOperation) =>
  `conflicting counter resets during histogram ${operation}`;

export const incompatibleBuckets = (operator: string) =>
  `incompatible bucket layout encountered for binary operator ${operator}`;

export function incompatibleTypes(
  left: number | FloatHistogram,
  operator: string,
  right: number | FloatHistogram,
): string {
  const type = (side: number | FloatHistogram) => (typeof side === 'number' ? 'float' : 'histogram');
  return `incompatible sample types encountered for binary operator "${operator}": ${type(left)} ${operator} ${type(right)}`;
}

export const aboutMetric = (fact: string, name: string) =>
  name === '' ? fact : `${fact} for metric name ${JSON.stringify(name)}`;

export const quantileIsNan = (name: string) =>
  aboutMetric('input to histogram_quantile has NaN observations, result is NaN', name);
export const quantileIsSkewed = (name: string) =>
  aboutMetric('input to histogram_quantile has NaN observations, result is skewed higher', name);
export const fractionExcludesNan = (name: string) =>
  aboutMetric(
    'input to histogram_fraction has NaN observations, which are excluded from all fractions',
    name,
  );
export const liftedForQuantile =
  'input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)';
