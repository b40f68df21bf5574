/** rate, increase, delta and their kin: differences over a window, extrapolated to its bounds as Prometheus does. */
import { compact, type FloatHistogram } from '../histogram/float-histogram.ts';
import { multiplyHistogram } from '../histogram/histogram-arithmetic.ts';
import { mixedFloatsAndHistograms } from '../histogram/histogram-notes.ts';
import type { FunctionFamily, RangeWindow } from './function-kinds.ts';
import {
  countNeighbours,
  histogramDifference,
  histogramResets,
  histogramsDiffer,
  instantHistogram,
} from './histogram-kernels.ts';

/** A sample nearer to a bound than this many average intervals is taken to mean that the series goes on. */
const extrapolationFactor = 1.1;

interface SampledRange {
  readonly firstMs: number;
  readonly lastMs: number;
  /** At least two. */
  readonly count: number;
}

/**
 * What a difference between the first and the last sample is multiplied by to stand for the whole window; `toZeroSeconds`
 * is how far back before the first sample the line through them reaches zero.
 */
function extrapolationOf(
  { startMs, endMs, rangeMs }: RangeWindow,
  { firstMs, lastMs, count }: SampledRange,
  toZeroSeconds: (sampledSeconds: number) => number,
  isRate: boolean,
): number {
  const sampled = (lastMs - firstMs) / 1000;
  const average = sampled / (count - 1);
  const threshold = average * extrapolationFactor;
  let toStart = (firstMs - startMs) / 1000;
  let toEnd = (endMs - lastMs) / 1000;
  if (toStart >= threshold) toStart = average / 2;
  // A counter was not below zero: the line is not drawn further back than to there.
  toStart = Math.min(toStart, toZeroSeconds(sampled));
  if (toEnd >= threshold) toEnd = average / 2;
  const factor = (sampled + toStart + toEnd) / sampled;
  return isRate ? factor / (rangeMs / 1000) : factor;
}

function extrapolate(window: RangeWindow, isCounter: boolean, isRate: boolean): boolean {
  const { timestamps, values, from, to } = window;
  if (to - from < 2) return false;
  const first = values[from];
  let difference = values[to - 1] - first;
  if (isCounter) {
    let before = first;
    for (let i = from + 1; i < to; i++) {
      const value = values[i];
      if (value < before) difference += before;
      before = value;
    }
  }
  const sampled = { firstMs: timestamps[from], lastMs: timestamps[to - 1], count: to - from };
  const toZero = (seconds: number) =>
    isCounter && difference > 0 && first >= 0 ? seconds * (first / difference) : Infinity;
  window.result = difference * extrapolationOf(window, sampled, toZero, isRate);
  return true;
}

function extrapolateHistogram(
  window: RangeWindow,
  isCounter: boolean,
  isRate: boolean,
): FloatHistogram | undefined {
  const { from, to, histogramFrom, histogramTo, histograms, histogramTimes } = window;
  if (to > from) {
    window.warn(mixedFloatsAndHistograms(window.metricName));
    return undefined;
  }
  const count = histogramTo - histogramFrom;
  if (count < 2) return undefined;
  const difference = histogramDifference(window, isCounter);
  if (difference === undefined) return undefined;
  const sampled = { firstMs: histogramTimes[histogramFrom], lastMs: histogramTimes[histogramTo - 1], count };
  const first = histograms[histogramFrom].count;
  const toZero = (seconds: number) =>
    isCounter && difference.count > 0 && first >= 0 ? seconds * (first / difference.count) : Infinity;
  return compact(multiplyHistogram(difference, extrapolationOf(window, sampled, toZero, isRate)));
}

function instant(window: RangeWindow, isRate: boolean): boolean {
  const { timestamps, values, from, to } = window;
  if (to - from < 2) return false;
  const intervalMs = timestamps[to - 1] - timestamps[to - 2];
  if (intervalMs === 0) return false;
  const last = values[to - 1];
  const before = values[to - 2];
  const difference = isRate && last < before ? last : last - before;
  window.result = isRate ? difference / (intervalMs / 1000) : difference;
  return true;
}

/** Of a window with histograms: its last two samples may be numbers all the same. */
function instantSample(window: RangeWindow, isRate: boolean): number | FloatHistogram | undefined {
  const { timestamps, from, to, histogramTimes, histogramTo } = window;
  const endsInNumbers = to - from > 1 && timestamps[to - 2] > histogramTimes[histogramTo - 1];
  if (endsInNumbers) return instant(window, isRate) ? window.result : undefined;
  return instantHistogram(window, isRate);
}

const isReset = (before: number, now: number) => now < before;

function isChange(before: number, now: number): boolean {
  return now !== before && !(Number.isNaN(now) && Number.isNaN(before));
}

function countPairs(window: RangeWindow, differ: (before: number, now: number) => boolean): boolean {
  const { values, from, to } = window;
  let count = 0;
  for (let i = from + 1; i < to; i++) if (differ(values[i - 1], values[i])) count++;
  window.result = count;
  return true;
}

export const rateFunctions: FunctionFamily = {
  rate: {
    kind: 'range',
    kernel: (window) => extrapolate(window, true, true),
    histogramKernel: (window) => extrapolateHistogram(window, true, true),
    isForCounters: true,
  },
  increase: {
    kind: 'range',
    kernel: (window) => extrapolate(window, true, false),
    histogramKernel: (window) => extrapolateHistogram(window, true, false),
    isForCounters: true,
  },
  delta: {
    kind: 'range',
    kernel: (window) => extrapolate(window, false, false),
    histogramKernel: (window) => extrapolateHistogram(window, false, false),
  },
  irate: {
    kind: 'range',
    kernel: (window) => instant(window, true),
    histogramKernel: (window) => instantSample(window, true),
  },
  idelta: {
    kind: 'range',
    kernel: (window) => instant(window, false),
    histogramKernel: (window) => instantSample(window, false),
  },
  resets: {
    kind: 'range',
    kernel: (window) => countPairs(window, isReset),
    histogramKernel: (window) => countNeighbours(window, isReset, histogramResets),
  },
  changes: {
    kind: 'range',
    kernel: (window) => countPairs(window, isChange),
    histogramKernel: (window) => countNeighbours(window, isChange, histogramsDiffer),
  },
};
