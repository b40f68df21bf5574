/**
 * A native histogram at one time, as queries work on it: counts are doubles, buckets are sparse.
 *
 *   schema 0, positive { indexes: [0, 2], counts: [1, 3] }  ->  (0.5, 1]: 1, (2, 4]: 3
 *
 * An exponential bucket i of schema s holds (2^((i-1)/2^s), 2^(i/2^s)]; negative buckets mirror that. With custom bounds,
 * bucket i ends at bounds[i], the last one at +Inf. Histograms are immutable: every operation makes a new one.
 * (https://prometheus.io/docs/specs/native_histograms/)
 */
import { exponentialBound } from './exponential-bounds.ts';

/** What is known of counter resets before a histogram; a gauge has none. */
export type ResetHint = 'unknown' | 'reset' | 'not_reset' | 'gauge';

/** Ascending bucket indexes, and how much each of them holds. */
export interface Buckets {
  readonly indexes: Int32Array;
  readonly counts: Float64Array;
}

export interface FloatHistogram {
  /** -4 to 8, or customSchema. */
  readonly schema: number;
  readonly resetHint: ResetHint;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  readonly count: number;
  readonly sum: number;
  readonly positive: Buckets;
  /** Empty with custom bounds. */
  readonly negative: Buckets;
  /** Ascending, without the +Inf; undefined for exponential buckets. */
  readonly customBounds: Float64Array | undefined;
}

export const customSchema = -53;
export const noBuckets: Buckets = { indexes: new Int32Array(), counts: new Float64Array() };
const noBounds = new Float64Array();

export function usesCustomBounds(histogram: FloatHistogram): boolean {
  return histogram.schema === customSchema;
}

export function boundsOf(histogram: FloatHistogram): Float64Array {
  return histogram.customBounds ?? noBounds;
}

/** Nothing observed, in the buckets of another histogram. */
export function emptyLike({ schema, customBounds }: FloatHistogram): FloatHistogram {
  return {
    schema,
    customBounds,
    resetHint: 'unknown',
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: 0,
    positive: noBuckets,
    negative: noBuckets,
  };
}

/** The inclusive upper bound of a positive bucket. The largest exponential one ends at the largest double. */
export function upperBound(schema: number, customBounds: Float64Array | undefined, index: number): number {
  if (schema === customSchema) {
    const bounds = customBounds ?? noBounds;
    return index < 0 ? -Infinity : index < bounds.length ? bounds[index] : Infinity;
  }
  return exponentialBound(schema, index);
}

export interface BucketRange {
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
  /** Whether a bound belongs to the bucket. */
  readonly includesLower: boolean;
  readonly includesUpper: boolean;
  readonly isZero: boolean;
}

/** All buckets with their bounds, by ascending bound; the zero bucket among them where it holds something. */
export function allBuckets(histogram: FloatHistogram): Generator<BucketRange> {
  return bucketsByBound(histogram, histogram.zeroCount > 0);
}

/** The same with a zero bucket that holds less than nothing, as that of a difference may. */
export function allSignedBuckets(histogram: FloatHistogram): Generator<BucketRange> {
  return bucketsByBound(histogram, histogram.zeroCount !== 0);
}

function* bucketsByBound(histogram: FloatHistogram, hasZeroBucket: boolean): Generator<BucketRange> {
  const { schema, customBounds, positive, negative, zeroCount, zeroThreshold } = histogram;
  for (let i = negative.indexes.length - 1; i >= 0; i--) {
    const index = negative.indexes[i];
    yield {
      lower: -upperBound(schema, customBounds, index),
      upper: -upperBound(schema, customBounds, index - 1),
      count: negative.counts[i],
      includesLower: true,
      includesUpper: false,
      isZero: false,
    };
  }
  if (hasZeroBucket) {
    yield {
      lower: -zeroThreshold,
      upper: zeroThreshold,
      count: zeroCount,
      includesLower: true,
      includesUpper: true,
      isZero: true,
    };
  }
  for (const [i, index] of positive.indexes.entries()) {
    const lower = upperBound(schema, customBounds, index - 1);
    yield {
      lower,
      upper: upperBound(schema, customBounds, index),
      count: positive.counts[i],
      includesLower: schema === customSchema && index === 0,
      includesUpper: true,
      isZero: false,
    };
  }
}

/** Leaves out empty buckets. */
export function compact(histogram: FloatHistogram): FloatHistogram {
  const positive = withoutEmpty(histogram.positive);
  const negative = withoutEmpty(histogram.negative);
  if (positive === histogram.positive && negative === histogram.negative) return histogram;
  return { ...histogram, positive, negative };
}

function withoutEmpty(buckets: Buckets): Buckets {
  if (!buckets.counts.includes(0)) return buckets;
  return {
    indexes: buckets.indexes.filter((_index, i) => buckets.counts[i] !== 0),
    counts: buckets.counts.filter((count) => count !== 0),
  };
}

/** Whether two histograms are the same but for their hints; as in Prometheus, equal NaNs are equal. */
export function equalHistograms(a: FloatHistogram, b: FloatHistogram): boolean {
  if (
    a.schema !== b.schema ||
    !Object.is(a.count, b.count) ||
    !(Object.is(a.sum, b.sum) || a.sum === b.sum) ||
    !equalNumbers(boundsOf(a), boundsOf(b))
  ) {
    return false;
  }
  if (a.schema !== customSchema && (a.zeroThreshold !== b.zeroThreshold || a.zeroCount !== b.zeroCount)) {
    return false;
  }
  return (
    equalBuckets(withoutEmpty(a.positive), withoutEmpty(b.positive)) &&
    equalBuckets(withoutEmpty(a.negative), withoutEmpty(b.negative))
  );
}

function equalBuckets(a: Buckets, b: Buckets): boolean {
  return equalNumbers(a.indexes, b.indexes) && equalNumbers(a.counts, b.counts);
}

/** Element by element; NaN is equal to NaN, and 0 to -0. */
export function equalNumbers(a: Int32Array | Float64Array, b: Int32Array | Float64Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i] && !Object.is(a[i], b[i])) return false;
  return true;
}
