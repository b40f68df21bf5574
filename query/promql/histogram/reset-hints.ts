/**
 * Hints of counter resets for a series' histograms: what a store knows from having looked at them one after the other.
 * Functions trust them, and need not compare buckets again.
 */
import { type FloatHistogram, noBuckets } from './float-histogram.ts';
import { hasReset } from './histogram-arithmetic.ts';

/** As Prometheus's own store answers: 'unknown' for the first one and after a reset, else 'not_reset'. Gauges stay. */
export function storedHints(histograms: readonly FloatHistogram[]): FloatHistogram[] {
  let previous: FloatHistogram | undefined;
  return histograms.map((histogram) => {
    const before = previous;
    previous = histogram;
    if (histogram.resetHint === 'gauge') return histogram;
    const unhinted: FloatHistogram = { ...histogram, resetHint: 'unknown' };
    const goesOn = before !== undefined && before.resetHint !== 'gauge' && !hasReset(unhinted, before);
    return { ...histogram, resetHint: goesOn ? 'not_reset' : 'unknown' };
  });
}

/**
 * Counts and sums alone, for queries that ask for nothing else. Without buckets a reset could not be seen any more, so
 * that each hint is decided here.
 */
export function statsOnly(histograms: readonly FloatHistogram[]): FloatHistogram[] {
  let previous: FloatHistogram | undefined;
  return histograms.map((histogram) => {
    const before = previous;
    previous = histogram;
    const { resetHint } = histogram;
    const isDecided = resetHint !== 'unknown' || before === undefined;
    return {
      ...histogram,
      resetHint: isDecided ? resetHint : hasReset(histogram, before) ? 'reset' : 'not_reset',
      zeroThreshold: 0,
      zeroCount: 0,
      positive: noBuckets,
      negative: noBuckets,
    };
  });
}
