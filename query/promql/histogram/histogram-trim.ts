/**
 * `h </ x` and `h >/ x`: the histogram of the observations up to, or from, a value.
 *
 *   {1, 2]: 4, (2, 4]: 8  </ 2  ->  (1, 2]: 4
 *
 * Sum and count are made anew from what is left, each bucket's observations taken to be at its middle; a histogram that
 * loses nothing stays as it is.
 */
import {
  allBuckets,
  type BucketRange,
  type Buckets,
  type FloatHistogram,
  usesCustomBounds,
} from './float-histogram.ts';
import { assumedBounds, fractionWithin } from './histogram-quantile.ts';

export function trimHistogram(
  histogram: FloatHistogram,
  cut: number,
  keeps: 'below' | 'above',
): FloatHistogram {
  let count = 0;
  let sum = 0;
  let zeroCount = 0;
  let isTrimmed = false;
  const kept: number[] = [];
  for (const bucket of allBuckets(histogram)) {
    const part = keptPart(histogram, bucket, cut, keeps);
    if (part.fraction !== 1) isTrimmed = true;
    const left = bucket.count * part.fraction;
    if (bucket.isZero) zeroCount = left;
    else kept.push(left);
    count += left;
    if (left !== 0) sum += left * part.middle;
  }
  if (!isTrimmed) return histogram;
  const { negative, positive } = histogram;
  // allBuckets goes upwards, which is downwards in the negative buckets.
  const negativeCounts = kept.slice(0, negative.counts.length).reverse();
  const positiveCounts = kept.slice(negative.counts.length);
  const withCounts = ({ indexes }: Buckets, counts: readonly number[]): Buckets => ({
    indexes,
    counts: Float64Array.from(counts),
  });
  return {
    ...histogram,
    count,
    sum,
    zeroCount,
    negative: withCounts(negative, negativeCounts),
    positive: withCounts(positive, positiveCounts),
  };
}

/** How much of a bucket stays, and where what stays is taken to be. */
function keptPart(
  histogram: FloatHistogram,
  bucket: BucketRange,
  cut: number,
  keeps: 'below' | 'above',
): { fraction: number; middle: number } {
  if (usesCustomBounds(histogram)) return keptCustomPart(histogram, bucket, cut, keeps);
  const { lower, upper } = assumedBounds(histogram, bucket);
  const below = cut <= lower ? 0 : cut >= upper ? 1 : fractionWithin(histogram, { lower, upper }, cut);
  const from = keeps === 'below' ? lower : Math.max(lower, Math.min(cut, upper));
  const to = keeps === 'below' ? Math.min(upper, Math.max(cut, lower)) : upper;
  const isZeroBucket = lower <= 0 && upper >= 0;
  const middle = isZeroBucket ? (from + to) / 2 : Math.sign(lower + upper) * Math.sqrt(from * to);
  return { fraction: keeps === 'below' ? below : 1 - below, middle };
}

/** The outermost buckets are open: of them stays all or nothing. */
function keptCustomPart(
  histogram: FloatHistogram,
  bucket: BucketRange,
  cut: number,
  keeps: 'below' | 'above',
): { fraction: number; middle: number } {
  const { lower, upper } = bucket;
  if (lower === -Infinity && upper === Infinity) {
    const staysWhole = keeps === 'below' ? cut === Infinity : cut === -Infinity;
    return { fraction: staysWhole ? 1 : 0, middle: 0 };
  }
  if (upper === Infinity) {
    const stays = keeps === 'below' ? cut === Infinity : cut !== Infinity;
    return { fraction: stays ? 1 : 0, middle: keeps === 'below' ? lower : Math.max(lower, cut) };
  }
  if (lower === -Infinity && upper <= 0) {
    const stays = keeps === 'below' ? cut !== -Infinity : cut === -Infinity;
    return { fraction: stays ? 1 : 0, middle: keeps === 'below' ? Math.min(upper, cut) : upper };
  }
  const bounds = assumedBounds(histogram, bucket);
  if (lower === -Infinity && cut < 0) {
    // The bucket is taken to begin at zero, and still holds what is below: Prometheus gives it to neither side.
    return { fraction: cut === -Infinity && keeps === 'above' ? 1 : 0, middle: (bounds.lower + upper) / 2 };
  }
  const below = cut <= bounds.lower ? 0 : cut >= upper ? 1 : fractionWithin(histogram, bounds, cut);
  const from = keeps === 'below' ? bounds.lower : Math.max(bounds.lower, Math.min(cut, upper));
  const to = keeps === 'below' ? Math.min(upper, Math.max(cut, bounds.lower)) : upper;
  return { fraction: keeps === 'below' ? below : 1 - below, middle: (from + to) / 2 };
}
