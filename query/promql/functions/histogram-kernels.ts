/** What functions of a range vector make of a window that has histograms in it. */
import {
  compact,
  customSchema,
  emptyLike,
  equalHistograms,
  type FloatHistogram,
} from '../histogram/float-histogram.ts';
import {
  addHistograms,
  divideHistogram,
  hasReset,
  subtractHistograms,
} from '../histogram/histogram-arithmetic.ts';
import { toLayout } from '../histogram/histogram-layout.ts';
import {
  conflictingResets,
  mixedBuckets,
  mixedFloatsAndHistograms,
  notCounter,
  notGauge,
  reconciledBounds,
} from '../histogram/histogram-notes.ts';
import type { HistogramMean, HistogramSum } from '../histogram/histogram-sum.ts';
import type { RangeWindow } from './function-kinds.ts';
import { beganAnew } from './start-times.ts';

/** The window's histograms, in order of time. */
export function windowHistograms({
  histograms,
  histogramFrom,
  histogramTo,
}: RangeWindow): readonly FloatHistogram[] {
  return histograms.slice(histogramFrom, histogramTo);
}

const hasNumbers = ({ from, to }: RangeWindow) => from < to;

/**
 * The difference over a window of histograms alone, counter resets made good; a gauge, but where there is only one, which is
 * the difference to zero. Undefined, with a warning, where
 * they do not fit together.
 */
export function histogramDifference(
  window: RangeWindow,
  isCounter: boolean,
  beginsAtZero: boolean,
): FloatHistogram | undefined {
  const points = windowHistograms(window);
  const last = points[points.length - 1];
  let previous = points[0];
  const isGauge = ({ resetHint }: FloatHistogram) => resetHint === 'gauge';
  if (isCounter && points.some(isGauge)) window.warn(notCounter(window.metricName));
  // Where the counter starts anew after the first one, that one's buckets do not matter.
  const { histogramFrom, histogramTimes, histogramStartTimes } = window;
  const isAnew = (index: number, current: FloatHistogram, before: FloatHistogram) =>
    hasReset(current, before) ||
    (histogramStartTimes !== undefined &&
      beganAnew(histogramStartTimes, histogramTimes, histogramFrom + index));
  if (points.length === 1) return last;
  if (isCounter && !beginsAtZero && isAnew(1, points[1], previous)) previous = emptyLike(points[1]);
  const isCustom = previous.schema === customSchema;
  const middle = isCounter ? points.slice(1, -1) : [];
  if ([last, ...middle].some(({ schema }) => (schema === customSchema) !== isCustom)) {
    window.warn(mixedBuckets(window.metricName));
    return undefined;
  }
  if (!isCounter && (!isGauge(points[0]) || !isGauge(last))) window.warn(notGauge(window.metricName));
  const schema = Math.min(previous.schema, last.schema, ...middle.map((point) => point.schema));
  const coarse = isCustom
    ? last
    : toLayout(last, { schema, zeroThreshold: last.zeroThreshold, customBounds: undefined });
  const difference = subtractHistograms(coarse, beginsAtZero ? emptyLike(previous) : previous)!;
  if (difference.reconciledBounds) window.inform(reconciledBounds('subtraction'));
  let { histogram } = difference;
  if (!isCounter) return histogram;
  for (const [i, current] of points.slice(1).entries()) {
    if (isAnew(i + 1, current, previous)) {
      const sum = addHistograms(histogram, previous)!;
      if (sum.reconciledBounds) window.inform(reconciledBounds('addition'));
      histogram = sum.histogram;
    }
    previous = current;
  }
  return { ...histogram, resetHint: 'gauge' };
}

/** irate and idelta: from the last two samples, which must be histograms both; not both are numbers. */
export function instantHistogram(window: RangeWindow, isRate: boolean): FloatHistogram | undefined {
  const { timestamps, to, from, histogramTimes, histogramFrom, histogramTo } = window;
  const count = to - from + histogramTo - histogramFrom;
  if (count < 2) return undefined;
  const last = histogramTo - 1;
  const newestNumberMs = to > from ? timestamps[to - 1] : -Infinity;
  const lastIsNumber = newestNumberMs > histogramTimes[last];
  if (lastIsNumber || histogramTo - histogramFrom < 2 || newestNumberMs > histogramTimes[last - 1]) {
    window.warn(mixedFloatsAndHistograms(window.metricName));
    return undefined;
  }
  const [before, current] = [window.histograms[last - 1], window.histograms[last]];
  const isGauge = before.resetHint === 'gauge' && current.resetHint === 'gauge';
  const isAnyGauge = before.resetHint === 'gauge' || current.resetHint === 'gauge';
  if (isRate && isAnyGauge) window.warn(notCounter(window.metricName));
  if (!isRate && !isGauge) window.warn(notGauge(window.metricName));
  let result = current;
  const { histogramStartTimes } = window;
  const isAnew =
    hasReset(current, before) ||
    (histogramStartTimes !== undefined && beganAnew(histogramStartTimes, histogramTimes, last));
  if (!isRate || !isAnew) {
    const difference = subtractHistograms(current, before);
    if (difference === undefined) {
      window.warn(mixedBuckets(window.metricName));
      return undefined;
    }
    if (difference.reconciledBounds) window.inform(reconciledBounds('subtraction'));
    result = difference.histogram;
  }
  const intervalMs = histogramTimes[last] - histogramTimes[last - 1];
  if (intervalMs === 0) return undefined;
  const gauge: FloatHistogram = { ...result, resetHint: 'gauge' };
  return compact(isRate ? divideHistogram(gauge, intervalMs / 1000) : gauge);
}

/** sum_over_time and avg_over_time: of histograms alone. */
export function totalHistogram(
  window: RangeWindow,
  Total: typeof HistogramSum | typeof HistogramMean,
): FloatHistogram | undefined {
  if (hasNumbers(window)) {
    window.warn(mixedFloatsAndHistograms(window.metricName));
    return undefined;
  }
  const [first, ...others] = windowHistograms(window);
  const total = new Total(first);
  for (const next of others) {
    if (total.add(next)) continue;
    window.warn(mixedBuckets(window.metricName));
    return undefined;
  }
  if (total.hasResetConflict) window.warn(conflictingResets('aggregation'));
  if (total.reconciledBounds) window.inform(reconciledBounds('aggregation'));
  return total.finish();
}

export function countSamples({ from, to, histogramFrom, histogramTo }: RangeWindow): number {
  return to - from + histogramTo - histogramFrom;
}

/** The first or last sample of whichever kind, and its time. */
export function outermostSample(
  window: RangeWindow,
  which: 'first' | 'last',
): { value: number | FloatHistogram; timeMs: number } {
  const index = which === 'first' ? window.from : window.to - 1;
  const histogramIndex = which === 'first' ? window.histogramFrom : window.histogramTo - 1;
  const histogram = {
    value: window.histograms[histogramIndex],
    timeMs: window.histogramTimes[histogramIndex],
  };
  if (!hasNumbers(window)) return histogram;
  const number = { value: window.values[index], timeMs: window.timestamps[index] };
  return number.timeMs < histogram.timeMs === (which === 'first') ? number : histogram;
}

/** Counts the pairs of neighbours, of whichever kind, that differ; `index` is that of the later one. A change of kind counts. */
export function countNeighbours(
  window: RangeWindow,
  numbersDiffer: (before: number, now: number, index: number) => boolean,
  histogramsDiffer: (before: FloatHistogram, now: FloatHistogram, index: number) => boolean,
): number {
  const { timestamps, values, to, histogramTimes, histograms, histogramTo } = window;
  let count = 0;
  let index = window.from;
  let histogramIndex = window.histogramFrom;
  let before: number | FloatHistogram | undefined;
  while (index < to || histogramIndex < histogramTo) {
    const isNumber =
      histogramIndex >= histogramTo || (index < to && timestamps[index] < histogramTimes[histogramIndex]);
    const now = isNumber ? values[index++] : histograms[histogramIndex++];
    if (before !== undefined) {
      if (typeof before === 'number' && typeof now === 'number') {
        count += Number(numbersDiffer(before, now, index - 1));
      } else if (typeof before !== 'number' && typeof now !== 'number') {
        count += Number(histogramsDiffer(before, now, histogramIndex - 1));
      } else count++;
    }
    before = now;
  }
  return count;
}

export const histogramsDiffer = (before: FloatHistogram, now: FloatHistogram) =>
  !equalHistograms(before, now);
