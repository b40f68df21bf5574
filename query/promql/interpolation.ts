/** Places in columns of times, and histograms between two others. */
import type { FloatHistogram } from './histogram/float-histogram.ts';
import {
  addHistograms,
  hasReset,
  multiplyHistogram,
  subtractHistograms,
} from './histogram/histogram-arithmetic.ts';

/** The index of the last time up to `timeMs`, or -1. */
export function lastUpTo(timestamps: Float64Array, timeMs: number): number {
  let low = 0;
  let high = timestamps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (timestamps[middle] <= timeMs) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Between two histograms of one kind of buckets; a counter that started anew in between counts from zero. */
export function interpolateHistograms(
  before: FloatHistogram,
  after: FloatHistogram,
  fraction: number,
  isCounter: boolean,
): FloatHistogram {
  if (isCounter && hasReset(after, before)) {
    return { ...multiplyHistogram(after, fraction), resetHint: 'reset' };
  }
  const resetHint = before.resetHint === 'gauge' ? 'gauge' : 'not_reset';
  return { ...addAlike(before, multiplyHistogram(subtractAlike(after, before), fraction)), resetHint };
}

/** Of histograms that are known to have the same kind of buckets. */
export function addAlike(a: FloatHistogram, b: FloatHistogram): FloatHistogram {
  return addHistograms(a, b)!.histogram;
}

export function subtractAlike(a: FloatHistogram, b: FloatHistogram): FloatHistogram {
  return subtractHistograms(a, b)!.histogram;
}
