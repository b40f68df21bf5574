/**
 * Fewer buckets for the same histogram. They change it in place, and only where the rules found no fault with it.
 *
 *   reduceTo:      schema 10 -> 8      four neighbouring buckets become one
 *   leaveOutEmpty: 0 0 5 0 7 0 0 0 9   ->  a span of 5 0 7 and a span of 9
 */
import { type BucketSide, emptyBucketsMax, type NativeHistogram } from './native-histogram.ts';
import { schemaMax } from './native-histogram-rules.ts';

const shiftMax = 31;

/** Merges buckets until the schema is one that is stored. Custom buckets have a negative schema and stay. */
export function reduceResolution(histogram: NativeHistogram): void {
  if (histogram.schema > schemaMax) reduceTo(histogram, schemaMax);
}

/** Merges buckets until the schema is `schema`, which must be below the histogram's. */
export function reduceTo(histogram: NativeHistogram, schema: number): void {
  const shift = Math.min(histogram.schema - schema, shiftMax);
  mergeBuckets(histogram.positive, shift);
  mergeBuckets(histogram.negative, shift);
  histogram.schema = schema;
}

/** A bucket holds what is up to its upper bound, that included: bucket 1 to 2^shift become bucket 1. */
function mergeBuckets(side: BucketSide, shift: number): void {
  const { offsets, lengths, counts } = side;
  let index = 0;
  let bucket = 0;
  let spanCount = 0;
  let bucketCount = 0;
  let lastIndex = 0;
  // Never writes beyond what was read: there are fewer spans and buckets afterwards.
  for (let span = 0; span < side.spanCount; span++) {
    index += offsets[span];
    const end = index + lengths[span];
    for (; index < end; index++) {
      const merged = ((index - 1) >> shift) + 1;
      const count = counts[bucket++];
      if (bucketCount > 0 && merged === lastIndex) {
        counts[bucketCount - 1] += count;
        continue;
      }
      if (bucketCount > 0 && merged === lastIndex + 1) lengths[spanCount - 1]++;
      else {
        offsets[spanCount] = bucketCount === 0 ? merged : merged - lastIndex - 1;
        lengths[spanCount++] = 1;
      }
      counts[bucketCount++] = count;
      lastIndex = merged;
    }
  }
  side.spanCount = spanCount;
  side.bucketCount = bucketCount;
}

/** Splits the one span of a dense side at its gaps, and drops the empty buckets at both ends. */
export function leaveOutEmpty(side: BucketSide): void {
  const { offsets, lengths, counts } = side;
  if (side.spanCount > 1) throw new Error('BUG: the side of a histogram is not dense');
  const first = side.spanCount === 0 ? 0 : offsets[0];
  const length = side.bucketCount;
  let spanCount = 0;
  let bucketCount = 0;
  let next = 0;
  for (let i = 0; i < length; i++) {
    if (counts[i] === 0) continue;
    const gap = i - next;
    if (spanCount > 0 && gap <= emptyBucketsMax) {
      for (let j = 0; j < gap; j++) counts[bucketCount++] = 0;
      lengths[spanCount - 1] += gap + 1;
    } else {
      offsets[spanCount] = spanCount === 0 ? first + i : gap;
      lengths[spanCount++] = 1;
    }
    counts[bucketCount++] = counts[i];
    next = i + 1;
  }
  side.spanCount = spanCount;
  side.bucketCount = bucketCount;
}
