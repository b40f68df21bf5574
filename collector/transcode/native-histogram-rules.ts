/**
 * Which native histograms are stored: Prometheus's rules (Validate in model/histogram), one reason each, and limits of
 * our own. Schemas 9 to 52 are known and finer than what is stored: their resolution is reduced afterwards.
 */
import {
  type BucketSide,
  customBucketsSchema,
  type NativeHistogram,
  nativeBucketsMax,
} from './native-histogram.ts';
import type { SeriesRefusal } from './series-rules.ts';

export const schemaMin = -4;
export const schemaMax = 8;
const schemaMaxReserved = 52;
/** Above this, counts are not exact, and need not add up. */
const exactMax = 2 ** 53;
/** An index one below is what merging buckets computes with. */
const indexMin = -(2 ** 31) + 1;
const indexMax = 2 ** 31 - 1;

/** Returns why a histogram is refused, or undefined where it is fine. */
export function histogramRefusal(histogram: NativeHistogram): SeriesRefusal | undefined {
  const { positive, negative, customCount, schema } = histogram;
  const most = Math.max(
    positive.bucketCount,
    positive.spanCount,
    negative.bucketCount,
    negative.spanCount,
    customCount,
  );
  if (most > nativeBucketsMax) {
    return refused('too_many_buckets', `has ${most} buckets or spans, more than ${nativeBucketsMax}`);
  }
  const ofSchema =
    schema === customBucketsSchema
      ? customRefusal(histogram)
      : schema >= schemaMin && schema <= schemaMaxReserved
        ? exponentialRefusal(histogram)
        : refused(
            'histogram_invalid_schema',
            `has schema ${schema}: it must be ${customBucketsSchema}, or between ${schemaMin} and ${schemaMax}`,
          );
  return ofSchema ?? sideRefusal(negative) ?? sideRefusal(positive) ?? countRefusal(histogram);
}

function refused(reason: string, fact: string): SeriesRefusal {
  return { reason, message: `a native histogram ${fact}` };
}

function exponentialRefusal({ customCount }: NativeHistogram): SeriesRefusal | undefined {
  if (customCount === 0) return undefined;
  return refused('histogram_unexpected_custom_bounds', 'with an exponential schema has custom bounds');
}

function customRefusal(histogram: NativeHistogram): SeriesRefusal | undefined {
  const { customValues, customCount, positive, negative } = histogram;
  for (let i = 0; i < customCount; i++) {
    const bound = customValues[i];
    if (Number.isNaN(bound)) return refused('histogram_custom_bounds_nan', 'has NaN as a custom bound');
    if (i > 0 && bound <= customValues[i - 1]) {
      return refused(
        'histogram_custom_bounds_invalid',
        `has custom bounds that do not increase: ${customValues[i - 1]}, ${bound}`,
      );
    }
  }
  if (customCount > 0 && customValues[customCount - 1] === Number.POSITIVE_INFINITY) {
    return refused('histogram_custom_bounds_infinite', 'has +Inf as a custom bound: it must be left out');
  }
  if (positive.spanCount > 0 && positive.offsets[0] < 0) {
    return refused('histogram_span_negative_offset', `with custom bounds begins at ${positive.offsets[0]}`);
  }
  let length = 0;
  for (let i = 0; i < positive.spanCount; i++) length += positive.offsets[i] + positive.lengths[i];
  if (length > customCount + 1) {
    return refused(
      'histogram_custom_bounds_mismatch',
      `has ${customCount} custom bounds, too few for spans up to bucket ${length}`,
    );
  }
  if (histogram.zeroCount !== 0 || histogram.zeroThreshold !== 0) {
    return refused('histogram_custom_zero_bucket', 'with custom bounds has a zero bucket');
  }
  if (negative.spanCount > 0 || negative.bucketCount > 0) {
    return refused('histogram_custom_negative_buckets', 'with custom bounds has negative buckets');
  }
  return undefined;
}

function sideRefusal(side: BucketSide): SeriesRefusal | undefined {
  let buckets = 0;
  let index = 0;
  for (let i = 0; i < side.spanCount; i++) {
    const offset = side.offsets[i];
    if (i > 0 && offset < 0) {
      return refused('histogram_span_negative_offset', `has a span after the first with offset ${offset}`);
    }
    buckets += side.lengths[i];
    index += offset;
    if (index < indexMin) return outOfRange();
    index += side.lengths[i];
    if (index > indexMax) return outOfRange();
  }
  if (buckets !== side.bucketCount) {
    return refused(
      'histogram_spans_buckets_mismatch',
      `has spans for ${buckets} buckets and ${side.bucketCount} buckets`,
    );
  }
  for (let i = 0; i < side.bucketCount; i++) {
    if (side.counts[i] < 0) {
      return refused('histogram_negative_bucket_count', `has ${side.counts[i]} observations in a bucket`);
    }
  }
  return undefined;
}

function outOfRange(): SeriesRefusal {
  return refused('histogram_index_out_of_range', 'has buckets whose index does not fit in 32 bits');
}

function countRefusal(histogram: NativeHistogram): SeriesRefusal | undefined {
  const { count, zeroCount } = histogram;
  if (count < 0) return refused('histogram_negative_count', `has ${count} observations`);
  if (zeroCount < 0) {
    return refused('histogram_negative_bucket_count', `has ${zeroCount} observations in the zero bucket`);
  }
  if (histogram.isFloat) return undefined;
  const total = zeroCount + sumOf(histogram.positive) + sumOf(histogram.negative);
  // Observations of NaN are in no bucket: their sum is NaN.
  if (histogram.isSumNaN) {
    return total > count
      ? refused(
          'histogram_count_not_big_enough',
          `has ${total} observations in buckets, its count is ${count}`,
        )
      : undefined;
  }
  if (total === count || (total > exactMax && count > exactMax)) return undefined;
  return refused('histogram_count_mismatch', `has ${total} observations in buckets, its count is ${count}`);
}

function sumOf({ counts, bucketCount }: BucketSide): number {
  let sum = 0;
  for (let i = 0; i < bucketCount; i++) sum += counts[i];
  return sum;
}
