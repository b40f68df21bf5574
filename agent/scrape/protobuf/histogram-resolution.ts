/**
 * Fewer buckets for a native histogram that has too many: neighbours are merged, each step halves the resolution
 * (Prometheus, native_histogram_bucket_limit).
 *
 *   limit 2, schema 1, buckets 1 2 3 4   ->   schema 0, buckets 1+2 3+4
 */
import { DecodeError } from '#model/errors.ts';
import type { ClientHistogram, NativeSide } from './client-histogram.ts';

/** The coarsest resolution that there is. */
const schemaMin = -4;

/** Reduces the histogram in place; a limit of 0 is none. Throws DecodeError where even the coarsest is too much. */
export function reduceToBuckets(histogram: ClientHistogram, bucketsMax: number, metric: string): void {
  const { negative, positive } = histogram;
  if (bucketsMax === 0) return;
  while (negative.bucketCount + positive.bucketCount > bucketsMax) {
    if (histogram.schema <= schemaMin) {
      throw new DecodeError(
        `the histogram ${metric} has ${negative.bucketCount + positive.bucketCount} buckets at the lowest resolution, the limit is ${bucketsMax}`,
        0,
      );
    }
    mergePairs(negative, metric);
    mergePairs(positive, metric);
    histogram.schema--;
  }
}

/** A bucket holds what is up to its upper bound, that included: buckets 1 and 2 become bucket 1. */
function mergePairs(side: NativeSide, metric: string): void {
  const offsets: number[] = [];
  const lengths: number[] = [];
  const counts: number[] = [];
  let index = 0;
  let bucket = 0;
  let last = 0;
  for (let span = 0; span < side.spanCount; span++) {
    index += side.offsets[span]!;
    for (const end = index + side.lengths[span]!; index < end; index++) {
      if (bucket === side.bucketCount) break;
      const merged = Math.ceil(index / 2);
      const count = side.counts[bucket++]!;
      if (counts.length > 0 && merged === last) {
        counts[counts.length - 1]! += count;
        continue;
      }
      if (counts.length > 0 && merged === last + 1) lengths[lengths.length - 1]!++;
      else {
        offsets.push(counts.length === 0 ? merged : merged - last - 1);
        lengths.push(1);
      }
      counts.push(count);
      last = merged;
    }
  }
  if (bucket < side.bucketCount) {
    throw new DecodeError(
      `the histogram ${metric} has ${side.bucketCount} buckets and spans for ${bucket}`,
      0,
    );
  }
  side.offsets = offsets;
  side.lengths = lengths;
  side.counts = counts;
}
