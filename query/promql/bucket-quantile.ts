/** Quantiles and fractions of a classic histogram at one time, as Prometheus interpolates them. */
import type { LiftedBuckets } from './annotations.ts';

export interface Bucket {
  /** Inclusive upper bound. */
  readonly bound: number;
  /** Observations up to the bound. */
  count: number;
}

/** Counts that differ by no more than this part of their sum are taken as equal: rounding of rates. */
const toleratedDifference = 1e-12;
/** The smallest normal double. */
const normalMin = 2 ** -1022;

/**
 * `buckets` are sorted and changed in place; `lifted` says which were lifted because counts must not fall from one to the
 * next. NaN without a +Inf bucket, with fewer than two, or none observed.
 */
export function bucketQuantile(
  q: number,
  buckets: Bucket[],
): { value: number; lifted: LiftedBuckets | undefined } {
  const plain = (value: number) => ({ value, lifted: undefined });
  if (Number.isNaN(q)) return plain(NaN);
  if (q < 0) return plain(-Infinity);
  if (q > 1) return plain(Infinity);
  buckets.sort((a, b) => (a.bound < b.bound ? -1 : a.bound > b.bound ? 1 : 0));
  if (buckets[buckets.length - 1].bound !== Infinity) return plain(NaN);
  const merged = mergeEqualBounds(buckets);
  const lifted = ensureMonotonic(merged);
  return { value: merged.length < 2 ? NaN : interpolate(q, merged), lifted };
}

function interpolate(q: number, buckets: readonly Bucket[]): number {
  const last = buckets.length - 1;
  const observations = buckets[last].count;
  if (observations === 0) return NaN;
  let rank = q * observations;
  let index = 0;
  while (index < last && !(buckets[index].count >= rank)) index++;
  if (index === last) return buckets[last - 1].bound;
  if (index === 0 && buckets[0].bound <= 0) return buckets[0].bound;
  const start = index === 0 ? 0 : buckets[index - 1].bound;
  let count = buckets[index].count;
  if (index > 0) {
    count -= buckets[index - 1].count;
    rank -= buckets[index - 1].count;
  }
  return start + (buckets[index].bound - start) * (rank / count);
}

/** The part of the observations between two values; `buckets` are sorted in place. NaN as for a quantile. */
export function bucketFraction(lower: number, upper: number, buckets: Bucket[]): number {
  buckets.sort((a, b) => (a.bound < b.bound ? -1 : a.bound > b.bound ? 1 : 0));
  if (buckets[buckets.length - 1].bound !== Infinity) return NaN;
  const merged = mergeEqualBounds(buckets);
  const total = merged[merged.length - 1].count;
  if (total === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return NaN;
  if (lower >= upper) return 0;
  return (rankOf(upper, merged) - rankOf(lower, merged)) / total;
}

/** The observations below a value. Those of the lowest bucket are between zero and its bound, if that is positive. */
function rankOf(value: number, buckets: readonly Bucket[]): number {
  let start = buckets[0].bound > 0 ? 0 : -Infinity;
  let before = 0;
  for (const { bound, count } of buckets) {
    if (start >= value) return before;
    if (bound > value) {
      if (start === -Infinity) return bound === Infinity ? before : count;
      return bound === Infinity ? before : before + (count - before) * ((value - start) / (bound - start));
    }
    start = bound;
    before = count;
  }
  return before;
}

function mergeEqualBounds(buckets: readonly Bucket[]): Bucket[] {
  const merged: Bucket[] = [];
  for (const bucket of buckets) {
    const last = merged.at(-1);
    if (last !== undefined && last.bound === bucket.bound) last.count += bucket.count;
    else merged.push(bucket);
  }
  return merged;
}

/** Lifts counts that fall from one bucket to the next. Returns those for which that was more than rounding. */
function ensureMonotonic(buckets: Bucket[]): LiftedBuckets | undefined {
  let lifted: LiftedBuckets | undefined;
  let before = buckets[0].count;
  for (const bucket of buckets.slice(1)) {
    if (bucket.count === before) continue;
    if (isAlmostEqual(before, bucket.count)) bucket.count = before;
    else if (bucket.count < before) {
      lifted = {
        boundMin: lifted?.boundMin ?? bucket.bound,
        boundMax: bucket.bound,
        liftMax: Math.max(lifted?.liftMax ?? 0, before - bucket.count),
      };
      bucket.count = before;
    } else before = bucket.count;
  }
  return lifted;
}

function isAlmostEqual(a: number, b: number): boolean {
  if (Number.isNaN(a) && Number.isNaN(b)) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < normalMin) return difference < toleratedDifference * normalMin;
  return difference / Math.min(sum, Number.MAX_VALUE) < toleratedDifference;
}
