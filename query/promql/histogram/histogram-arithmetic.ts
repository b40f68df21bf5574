/** Sums, differences and multiples of histograms, and whether a counter started anew between two of them. */
import { type Buckets, customSchema, type FloatHistogram, type ResetHint } from './float-histogram.ts';
import { commonLayout, hasSameBounds, toLayout, widenedThreshold } from './histogram-layout.ts';

export interface Combined {
  readonly histogram: FloatHistogram;
  /** One came after a counter reset and the other did not: the result is neither. */
  readonly hasResetConflict: boolean;
  /** Custom bounds differed; those that both have are left. */
  readonly reconciledBounds: boolean;
}

/** Undefined where one has exponential and the other custom buckets. */
export function addHistograms(a: FloatHistogram, b: FloatHistogram): Combined | undefined {
  return combine(a, b, 1);
}

/** A difference is no counter: it is a gauge. Undefined as for a sum. */
export function subtractHistograms(a: FloatHistogram, b: FloatHistogram): Combined | undefined {
  const combined = combine(a, b, -1);
  return combined && { ...combined, histogram: { ...combined.histogram, resetHint: 'gauge' } };
}

function combine(a: FloatHistogram, b: FloatHistogram, sign: 1 | -1): Combined | undefined {
  const layout = commonLayout(a, b);
  if (layout === undefined) return undefined;
  const left = toLayout(a, layout);
  const right = toLayout(b, layout);
  const { hint, isConflict } = combinedHint(a.resetHint, b.resetHint);
  return {
    histogram: {
      ...left,
      resetHint: hint,
      zeroCount: left.zeroCount + sign * right.zeroCount,
      count: left.count + sign * right.count,
      sum: left.sum + sign * right.sum,
      positive: mergeBuckets(left.positive, right.positive, sign),
      negative: mergeBuckets(left.negative, right.negative, sign),
    },
    hasResetConflict: isConflict,
    reconciledBounds: !hasSameBounds(a, b),
  };
}

/** What is known of a sum's counter resets. */
export function combinedHint(a: ResetHint, b: ResetHint): { hint: ResetHint; isConflict: boolean } {
  if (a === b) return { hint: a, isConflict: false };
  if (a === 'gauge' || b === 'gauge') return { hint: 'gauge', isConflict: false };
  return { hint: 'unknown', isConflict: a !== 'unknown' && b !== 'unknown' };
}

/** `a + sign * b`, bucket by bucket. */
function mergeBuckets(a: Buckets, b: Buckets, sign: 1 | -1): Buckets {
  if (b.indexes.length === 0) return a;
  const indexes = new Int32Array(a.indexes.length + b.indexes.length);
  const counts = new Float64Array(indexes.length);
  let length = 0;
  let left = 0;
  let right = 0;
  while (left < a.indexes.length || right < b.indexes.length) {
    const leftIndex = left < a.indexes.length ? a.indexes[left] : Infinity;
    const rightIndex = right < b.indexes.length ? b.indexes[right] : Infinity;
    const index = Math.min(leftIndex, rightIndex);
    let count = 0;
    if (leftIndex === index) count += a.counts[left++];
    if (rightIndex === index) count += sign * b.counts[right++];
    indexes[length] = index;
    counts[length++] = count;
  }
  return { indexes: indexes.subarray(0, length), counts: counts.subarray(0, length) };
}

export function multiplyHistogram(histogram: FloatHistogram, factor: number): FloatHistogram {
  const scale = ({ indexes, counts }: Buckets) => ({
    indexes,
    counts: counts.map((count) => count * factor),
  });
  return {
    ...histogram,
    resetHint: factor < 0 ? 'gauge' : histogram.resetHint,
    zeroCount: histogram.zeroCount * factor,
    count: histogram.count * factor,
    sum: histogram.sum * factor,
    positive: scale(histogram.positive),
    negative: scale(histogram.negative),
  };
}

/** Division by zero leaves no buckets: they would say nothing. */
export function divideHistogram(histogram: FloatHistogram, divisor: number): FloatHistogram {
  const scale = ({ indexes, counts }: Buckets) =>
    divisor === 0
      ? { indexes: new Int32Array(), counts: new Float64Array() }
      : { indexes, counts: counts.map((count) => count / divisor) };
  return {
    ...histogram,
    resetHint: divisor < 0 ? 'gauge' : histogram.resetHint,
    zeroCount: histogram.zeroCount / divisor,
    count: histogram.count / divisor,
    sum: histogram.sum / divisor,
    positive: scale(histogram.positive),
    negative: scale(histogram.negative),
  };
}

/** Whether the counter started anew after `previous`: by its hint, else because something fell or became finer. */
export function hasReset(current: FloatHistogram, previous: FloatHistogram): boolean {
  if (current.resetHint === 'reset') return true;
  if (current.resetHint === 'not_reset') return false;
  if (current.count < previous.count) return true;
  if ((current.schema === customSchema) !== (previous.schema === customSchema)) return true;
  if (current.schema === customSchema) {
    const layout = commonLayout(current, previous)!;
    return hasFallen(toLayout(previous, layout).positive, toLayout(current, layout).positive);
  }
  if (current.schema > previous.schema) return true;
  if (current.zeroThreshold < previous.zeroThreshold) return true;
  if (widenedThreshold(previous, current.zeroThreshold) !== current.zeroThreshold) return true;
  const { schema, zeroThreshold } = current;
  const before = toLayout(previous, { schema, zeroThreshold, customBounds: undefined });
  return (
    current.zeroCount < before.zeroCount ||
    hasFallen(before.positive, current.positive) ||
    hasFallen(before.negative, current.negative)
  );
}

/** Whether any bucket holds less than before. */
function hasFallen(before: Buckets, now: Buckets): boolean {
  let at = 0;
  for (const [i, index] of before.indexes.entries()) {
    while (at < now.indexes.length && now.indexes[at] < index) at++;
    const count = at < now.indexes.length && now.indexes[at] === index ? now.counts[at] : 0;
    if (count < before.counts[i]) return true;
  }
  return false;
}
