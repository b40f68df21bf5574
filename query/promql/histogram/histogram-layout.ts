/**
 * Brings histograms to the same buckets, so that they can be added: the coarser schema, the wider zero bucket, the
 * bounds that both have.
 */
import {
  type Buckets,
  boundsOf,
  customSchema,
  equalNumbers,
  type FloatHistogram,
  noBuckets,
  upperBound,
} from './float-histogram.ts';

/** The buckets that two histograms have in common. */
export interface Layout {
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly customBounds: Float64Array | undefined;
}

/** Returns undefined where one has exponential and the other custom buckets: they have nothing in common. */
export function commonLayout(a: FloatHistogram, b: FloatHistogram): Layout | undefined {
  if ((a.schema === customSchema) !== (b.schema === customSchema)) return undefined;
  if (a.schema === customSchema) {
    const [left, right] = [boundsOf(a), boundsOf(b)];
    const customBounds = equalNumbers(left, right) ? left : left.filter((bound) => right.includes(bound));
    return { schema: customSchema, zeroThreshold: 0, customBounds };
  }
  let threshold = Math.max(a.zeroThreshold, b.zeroThreshold);
  // Widening the zero bucket of one may end in a bucket of it, which widens that of the other.
  for (;;) {
    const widened = Math.max(widenedThreshold(a, threshold), widenedThreshold(b, threshold));
    if (widened === threshold) break;
    threshold = widened;
  }
  return { schema: Math.min(a.schema, b.schema), zeroThreshold: threshold, customBounds: undefined };
}

export function hasSameBounds(a: FloatHistogram, b: FloatHistogram): boolean {
  return equalNumbers(boundsOf(a), boundsOf(b));
}

/** The threshold, or the end of the populated bucket that it would fall into. */
export function widenedThreshold(
  { schema, positive, negative, zeroThreshold }: FloatHistogram,
  wanted: number,
): number {
  if (wanted <= zeroThreshold) return Math.max(wanted, zeroThreshold);
  let threshold = wanted;
  for (;;) {
    const before = threshold;
    for (const buckets of [positive, negative]) {
      for (const [i, index] of buckets.indexes.entries()) {
        const lower = upperBound(schema, undefined, index - 1);
        if (lower >= threshold) break;
        const upper = upperBound(schema, undefined, index);
        if (upper > threshold && buckets.counts[i] !== 0) threshold = upper;
      }
    }
    if (threshold === before) return threshold;
  }
}

/** The histogram in a layout that is at most as fine as its own. */
export function toLayout(histogram: FloatHistogram, layout: Layout): FloatHistogram {
  if (layout.schema === customSchema) return toBounds(histogram, layout.customBounds ?? new Float64Array());
  let { positive, negative, zeroCount } = histogram;
  if (layout.zeroThreshold > histogram.zeroThreshold) {
    const isInside = (index: number) =>
      upperBound(histogram.schema, undefined, index - 1) < layout.zeroThreshold;
    for (const buckets of [positive, negative]) {
      for (const [i, index] of buckets.indexes.entries()) if (isInside(index)) zeroCount += buckets.counts[i];
    }
    positive = keep(positive, (index) => !isInside(index));
    negative = keep(negative, (index) => !isInside(index));
  }
  const shift = histogram.schema - layout.schema;
  if (shift > 0) {
    // Bucket i of a finer schema lies in bucket ceil(i / 2^shift).
    const target = (index: number) => ((index - 1) >> shift) + 1;
    positive = regroup(positive, target);
    negative = regroup(negative, target);
  }
  const { schema, zeroThreshold } = layout;
  return { ...histogram, schema, zeroThreshold, zeroCount, positive, negative };
}

function toBounds(histogram: FloatHistogram, bounds: Float64Array): FloatHistogram {
  const own = boundsOf(histogram);
  if (equalNumbers(own, bounds)) return histogram;
  const target = (index: number) => {
    const upper = upperBound(customSchema, own, index);
    let at = 0;
    while (at < bounds.length && bounds[at] < upper) at++;
    return at;
  };
  return {
    ...histogram,
    customBounds: bounds,
    positive: regroup(histogram.positive, target),
    negative: noBuckets,
  };
}

function keep(buckets: Buckets, isKept: (index: number) => boolean): Buckets {
  if (buckets.indexes.every(isKept)) return buckets;
  return {
    indexes: buckets.indexes.filter(isKept),
    counts: buckets.counts.filter((_count, i) => isKept(buckets.indexes[i])),
  };
}

/** Sums the buckets that have one target; `target` never falls. */
function regroup(buckets: Buckets, target: (index: number) => number): Buckets {
  const indexes = new Int32Array(buckets.indexes.length);
  const counts = new Float64Array(buckets.indexes.length);
  let length = 0;
  for (const [i, index] of buckets.indexes.entries()) {
    const wanted = target(index);
    if (length > 0 && indexes[length - 1] === wanted) counts[length - 1] += buckets.counts[i];
    else {
      indexes[length] = wanted;
      counts[length++] = buckets.counts[i];
    }
  }
  return { indexes: indexes.subarray(0, length), counts: counts.subarray(0, length) };
}
