/** Quantiles, fractions and variance of a histogram, interpolated within buckets as Prometheus does. */
import { compensate } from '../neumaier-sum.ts';
import { allBuckets, type BucketRange, type FloatHistogram, usesCustomBounds } from './float-histogram.ts';

/** What observations of NaN did to a result: such are in the count and in no bucket. */
export type NanEffect = 'none' | 'is_nan' | 'is_skewed';

/** The q-quantile; -Inf and +Inf where q is outside 0 to 1, NaN where nothing was observed. */
export function histogramQuantile(q: number, histogram: FloatHistogram): { value: number; nan: NanEffect } {
  const plain = (value: number) => ({ value, nan: 'none' as const });
  if (q < 0) return plain(-Infinity);
  if (q > 1) return plain(Infinity);
  if (histogram.count === 0 || Number.isNaN(q)) return plain(NaN);
  const hasNan = Number.isNaN(histogram.sum);
  // From the nearer end: rounding is less there. Observations of NaN are beyond the upper end.
  const isForward = hasNan || q < 0.5;
  const rank = isForward ? q * histogram.count : (1 - q) * histogram.count;
  const buckets = [...allBuckets(histogram)].filter(({ count }) => count !== 0);
  if (!isForward) buckets.reverse();
  let reached = 0;
  let found: BucketRange | undefined;
  for (const bucket of buckets) {
    found = bucket;
    reached += bucket.count;
    if (reached >= rank) break;
  }
  reached = Math.min(reached, histogram.count);
  if (found === undefined || reached < rank) return { value: NaN, nan: hasNan ? 'is_nan' : 'none' };
  const nan = hasNan ? 'is_skewed' : 'none';
  const { lower, upper } = assumedBounds(histogram, found);
  if (usesCustomBounds(histogram)) {
    if (lower === -Infinity) return { value: upper, nan };
    if (upper === Infinity) return { value: lower, nan };
  }
  const within = isForward ? rank - (reached - found.count) : reached - rank;
  return { value: valueWithin(histogram, lower, upper, within / found.count), nan };
}

/** Where the observations of a bucket are taken to be: a zero bucket beside positive ones alone begins at zero. */
export function assumedBounds(
  histogram: FloatHistogram,
  { lower, upper }: BucketRange,
): { lower: number; upper: number } {
  const { positive, negative } = histogram;
  if (usesCustomBounds(histogram)) {
    return lower === -Infinity && upper > 0 && upper !== Infinity ? { lower: 0, upper } : { lower, upper };
  }
  if (lower < 0 && upper > 0) {
    if (negative.indexes.length === 0 && positive.indexes.length > 0) return { lower: 0, upper };
    if (positive.indexes.length === 0 && negative.indexes.length > 0) return { lower, upper: 0 };
  }
  return { lower, upper };
}

function isLinear(histogram: FloatHistogram, lower: number, upper: number): boolean {
  return usesCustomBounds(histogram) || (lower <= 0 && upper >= 0);
}

function valueWithin(histogram: FloatHistogram, lower: number, upper: number, fraction: number): number {
  if (isLinear(histogram, lower, upper)) return lower + (upper - lower) * fraction;
  const logLower = Math.log2(Math.abs(lower));
  const logUpper = Math.log2(Math.abs(upper));
  if (lower > 0) return 2 ** (logLower + (logUpper - logLower) * fraction);
  return -(2 ** (logUpper + (logLower - logUpper) * (1 - fraction)));
}

/** The part of a bucket's observations below `value`, which lies between its bounds. */
export function fractionWithin(
  histogram: FloatHistogram,
  { lower, upper }: { readonly lower: number; readonly upper: number },
  value: number,
): number {
  // Nothing is known of where the observations of an open bucket are, but on which side.
  if (lower === -Infinity) return 1;
  if (upper === Infinity) return 0;
  if (isLinear(histogram, lower, upper)) return (value - lower) / (upper - lower);
  const logLower = Math.log2(Math.abs(lower));
  const logUpper = Math.log2(Math.abs(upper));
  const logValue = Math.log2(Math.abs(value));
  if (value > 0) return (logValue - logLower) / (logUpper - logLower);
  return 1 - (logValue - logUpper) / (logLower - logUpper);
}

/** The part of the observations between two values; NaN where nothing was observed. Those of NaN are in no part. */
export function histogramFraction(lower: number, upper: number, histogram: FloatHistogram): number {
  const { count } = histogram;
  if (count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return NaN;
  if (lower >= upper) return 0;
  const buckets = [...allBuckets(histogram)];
  const observed = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  const total = Number.isNaN(histogram.sum) ? Math.min(observed, count) : count;
  const rankOf = (value: number): number => {
    let rank = 0;
    for (const bucket of buckets) {
      const bounds = assumedBounds(histogram, bucket);
      if (bounds.lower >= value) return rank;
      if (bounds.upper > value) return rank + bucket.count * fractionWithin(histogram, bounds, value);
      rank += bucket.count;
    }
    return total;
  };
  return (Math.min(rankOf(upper), total) - Math.min(rankOf(lower), total)) / count;
}

/** The variance, taking all observations of a bucket to be at its middle. */
export function histogramVariance(histogram: FloatHistogram): number {
  const mean = histogram.sum / histogram.count;
  let sum = 0;
  let lost = 0;
  for (const { lower, upper, count } of allBuckets(histogram)) {
    if (count === 0) continue;
    const delta = middleOf(histogram, lower, upper) - mean;
    const square = count * delta * delta;
    const next = sum + square;
    lost = compensate(next, sum, square, lost);
    sum = next;
  }
  return (sum + lost) / histogram.count;
}

function middleOf(histogram: FloatHistogram, lower: number, upper: number): number {
  if (usesCustomBounds(histogram)) return (upper + lower) / 2;
  if (lower <= 0 && upper >= 0) return 0;
  return upper < 0 ? -Math.sqrt(upper * lower) : Math.sqrt(upper * lower);
}
