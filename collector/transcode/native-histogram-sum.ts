/**
 * Adds one native histogram to another, as OpenTelemetry's data model and Prometheus's FloatHistogram.Add do.
 *
 *   resolutions differ      -> the finer one is reduced
 *   zero buckets differ     -> the narrower one is widened; buckets that it then covers are merged into it
 *   too many buckets        -> both are reduced until the sum fits, which loses resolution and no observation
 *   buckets too far apart   -> the same
 *
 * Histograms with custom bounds can be added where these are the same.
 */
import { BucketCursor, BucketWriter } from './bucket-cursor.ts';
import {
  BucketSide,
  customBucketsSchema,
  type NativeHistogram,
  nativeBucketsMax,
} from './native-histogram.ts';
import { reduceTo } from './native-histogram-resolution.ts';
import { schemaMin } from './native-histogram-rules.ts';

/** What the offset of a span can say. */
const gapMax = 2 ** 31 - 1;

/** Says whether two histograms can be added: both exponential, or of the same custom bounds. */
export function canAdd(a: NativeHistogram, b: NativeHistogram): boolean {
  if (a.schema !== customBucketsSchema && b.schema !== customBucketsSchema) return true;
  if (a.schema !== b.schema || a.customCount !== b.customCount) return false;
  for (let i = 0; i < a.customCount; i++) if (a.customValues[i] !== b.customValues[i]) return false;
  return true;
}

export class HistogramAdder {
  readonly #a = new BucketCursor();
  readonly #b = new BucketCursor();
  readonly #writer = new BucketWriter();
  readonly #positive = new BucketSide();
  readonly #negative = new BucketSide();

  /**
   * Adds counts and sum of `other` to `to`, which keeps its times. Both must pass the rules, neither may be stale, and
   * canAdd() must hold. May reduce `other`. Returns false, with `to` in any state, where there are too many buckets in the
   * lowest resolution: no measured values make so many.
   */
  add(to: NativeHistogram, other: NativeHistogram): boolean {
    if (to.schema > other.schema) reduceTo(to, other.schema);
    else if (other.schema > to.schema) reduceTo(other, to.schema);
    while (areFarApart(to.positive, other.positive) || areFarApart(to.negative, other.negative)) {
      if (to.schema <= schemaMin) return false;
      reduceBoth(to, other);
    }
    this.#alignZeroBuckets(to, other);
    for (;;) {
      this.#merge(to.positive, other.positive, this.#positive);
      this.#merge(to.negative, other.negative, this.#negative);
      if (isHeld(this.#positive) && isHeld(this.#negative)) break;
      if (to.schema <= schemaMin) return false;
      reduceBoth(to, other);
    }
    to.positive.copy(this.#positive);
    to.negative.copy(this.#negative);
    to.zeroCount += other.zeroCount;
    to.count += other.count;
    to.sum += other.sum;
    return true;
  }

  /** Widening one may end inside a bucket, and then at its upper bound: the other is widened to that. */
  #alignZeroBuckets(to: NativeHistogram, other: NativeHistogram): void {
    while (to.zeroThreshold < other.zeroThreshold || other.zeroThreshold < to.zeroThreshold) {
      if (to.zeroThreshold < other.zeroThreshold) this.#widenZeroBucket(to, other.zeroThreshold);
      else this.#widenZeroBucket(other, to.zeroThreshold);
    }
  }

  #widenZeroBucket(histogram: NativeHistogram, threshold: number): void {
    const { positive, negative, schema } = histogram;
    let [wider, before] = [threshold, 0];
    // A bucket of one side that is cut by the threshold moves it, and then it may cut one of the other side.
    while (wider !== before) {
      before = wider;
      wider = this.#uncutThreshold(negative, schema, this.#uncutThreshold(positive, schema, wider));
    }
    histogram.zeroCount +=
      this.#dropBelow(positive, schema, wider) + this.#dropBelow(negative, schema, wider);
    histogram.zeroThreshold = wider;
  }

  /** Returns the upper bound of the populated bucket that the threshold is inside of, or the threshold. */
  #uncutThreshold(side: BucketSide, schema: number, threshold: number): number {
    const cursor = this.#a;
    cursor.begin(side);
    while (cursor.next()) {
      const upper = upperBound(cursor.index, schema);
      if (upper <= threshold) continue;
      return upperBound(cursor.index - 1, schema) < threshold ? upper : threshold;
    }
    return threshold;
  }

  /** Drops the buckets that end at or below the threshold; returns how many observations were in them. */
  #dropBelow(side: BucketSide, schema: number, threshold: number): number {
    const cursor = this.#a;
    const kept = this.#positive;
    let dropped = 0;
    cursor.begin(side);
    this.#writer.begin(kept);
    while (cursor.next()) {
      if (upperBound(cursor.index, schema) <= threshold) dropped += cursor.count;
      else this.#writer.push(cursor.index, cursor.count);
    }
    side.copy(kept);
    return dropped;
  }

  /** Of `into`, the counts may be higher than what is in its arrays: see isHeld(). */
  #merge(a: BucketSide, b: BucketSide, into: BucketSide): void {
    const [left, right, writer] = [this.#a, this.#b, this.#writer];
    left.begin(a);
    right.begin(b);
    writer.begin(into);
    let hasLeft = left.next();
    let hasRight = right.next();
    while (hasLeft || hasRight) {
      if (!hasRight || (hasLeft && left.index < right.index)) {
        writer.push(left.index, left.count);
        hasLeft = left.next();
      } else if (!hasLeft || right.index < left.index) {
        writer.push(right.index, right.count);
        hasRight = right.next();
      } else {
        writer.push(left.index, left.count + right.count);
        hasLeft = left.next();
        hasRight = right.next();
      }
    }
  }
}

function reduceBoth(a: NativeHistogram, b: NativeHistogram): void {
  reduceTo(a, a.schema - 1);
  reduceTo(b, b.schema - 1);
}

/** Says whether a gap between buckets of one or both may be longer than an offset can say. */
function areFarApart(a: BucketSide, b: BucketSide): boolean {
  if (a.spanCount === 0 && b.spanCount === 0) return false;
  const first = Math.min(firstIndex(a), firstIndex(b));
  return Math.max(endIndex(a), endIndex(b)) - first > gapMax;
}

function firstIndex({ spanCount, offsets }: BucketSide): number {
  return spanCount === 0 ? Number.POSITIVE_INFINITY : offsets[0];
}

function endIndex({ spanCount, offsets, lengths }: BucketSide): number {
  let end = spanCount === 0 ? Number.NEGATIVE_INFINITY : 0;
  for (let i = 0; i < spanCount; i++) end += offsets[i] + lengths[i];
  return end;
}

function isHeld({ spanCount, bucketCount }: BucketSide): boolean {
  return spanCount <= nativeBucketsMax && bucketCount <= nativeBucketsMax;
}

/** Bucket `index` is up to this, that included; off by one unit in the last place at most. */
function upperBound(index: number, schema: number): number {
  return 2 ** (index * 2 ** -schema);
}
