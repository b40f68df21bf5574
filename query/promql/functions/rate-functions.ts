/** rate, increase, delta and their kin: differences over a window, extrapolated to its bounds as Prometheus does. */
import { compact, type FloatHistogram } from '../histogram/float-histogram.ts';
import { hasReset, multiplyHistogram } from '../histogram/histogram-arithmetic.ts';
import { mixedFloatsAndHistograms } from '../histogram/histogram-notes.ts';
import type { FunctionFamily, RangeWindow } from './function-kinds.ts';
import {
  countNeighbours,
  histogramDifference,
  histogramsDiffer,
  instantHistogram,
} from './histogram-kernels.ts';
import { beganAnew, overlapNote, overlaps, zeroWithin } from './start-times.ts';

/** A sample nearer to a bound than this many average intervals is taken to mean that the series goes on. */
const extrapolationFactor = 1.1;

interface SampledRange {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly count: number;
  /** Where the counter is known to have been zero within the window; undefined where it is not. */
  readonly zeroMs: number | undefined;
}

/**
 * What a difference between the first and the last sample is multiplied by to stand for the whole window; `toZeroSeconds`
 * is how far back before the first sample the line through them reaches zero.
 */
export function extrapolationOf(
  { startMs, endMs, rangeMs }: Pick<RangeWindow, 'startMs' | 'endMs' | 'rangeMs'>,
  { firstMs, lastMs, count, zeroMs }: SampledRange,
  toZeroSeconds: (sampledSeconds: number) => number,
  isRate: boolean,
): number {
  const average = count === 1 ? 0 : (lastMs - firstMs) / 1000 / (count - 1);
  const threshold = average * extrapolationFactor;
  const sampled = (lastMs - (zeroMs ?? firstMs)) / 1000;
  let toStart = 0;
  if (zeroMs === undefined) {
    toStart = (firstMs - startMs) / 1000;
    if (toStart >= threshold) toStart = average / 2;
    // A counter was not below zero: the line is not drawn further back than to there.
    toStart = Math.min(toStart, toZeroSeconds(sampled));
  }
  let toEnd = (endMs - lastMs) / 1000;
  if (toEnd >= threshold) toEnd = average / 2;
  const factor = (sampled + toStart + toEnd) / sampled;
  return isRate ? factor / (rangeMs / 1000) : factor;
}

function extrapolate(window: RangeWindow, isCounter: boolean, isRate: boolean): boolean {
  const { timestamps, values, from, to, startTimes } = window;
  const zeroMs = isCounter ? zeroWithin(startTimes, timestamps, from, window.startMs) : undefined;
  if (to - from < 2 && zeroMs === undefined) return false;
  const first = values[from];
  let difference = values[to - 1] - (zeroMs === undefined ? first : 0);
  if (isCounter) {
    let before = first;
    for (let i = from + 1; i < to; i++) {
      const value = values[i];
      if (value < before || (startTimes !== undefined && beganAnew(startTimes, timestamps, i))) {
        difference += before;
      }
      before = value;
    }
    if (startTimes !== undefined) noteOverlaps(window, startTimes, timestamps, from, to);
  }
  const sampled = { firstMs: timestamps[from], lastMs: timestamps[to - 1], count: to - from, zeroMs };
  const toZero = (seconds: number) =>
    isCounter && difference > 0 && first >= 0 ? seconds * (first / difference) : Infinity;
  window.result = difference * extrapolationOf(window, sampled, toZero, isRate);
  return true;
}

function noteOverlaps(
  window: RangeWindow,
  startTimes: Float64Array,
  timestamps: Float64Array,
  from: number,
  to: number,
): void {
  for (let i = from + 1; i < to; i++) {
    if (!overlaps(startTimes, timestamps, i)) continue;
    window.warnEach(overlapNote(window.metricName));
    return;
  }
}

function extrapolateHistogram(
  window: RangeWindow,
  isCounter: boolean,
  isRate: boolean,
): FloatHistogram | undefined {
  const { from, to, histogramFrom, histogramTo, histograms, histogramTimes, histogramStartTimes } = window;
  if (to > from) {
    window.warn(mixedFloatsAndHistograms(window.metricName));
    return undefined;
  }
  const count = histogramTo - histogramFrom;
  const zeroMs = isCounter
    ? zeroWithin(histogramStartTimes, histogramTimes, histogramFrom, window.startMs)
    : undefined;
  if (count < 2 && zeroMs === undefined) return undefined;
  const difference = histogramDifference(window, isCounter, zeroMs !== undefined);
  if (difference === undefined) return undefined;
  if (isCounter && histogramStartTimes !== undefined) {
    noteOverlaps(window, histogramStartTimes, histogramTimes, histogramFrom, histogramTo);
  }
  const firstMs = histogramTimes[histogramFrom];
  const sampled = { firstMs, lastMs: histogramTimes[histogramTo - 1], count, zeroMs };
  const first = histograms[histogramFrom].count;
  const toZero = (seconds: number) =>
    isCounter && difference.count > 0 && first >= 0 ? seconds * (first / difference.count) : Infinity;
  return compact(multiplyHistogram(difference, extrapolationOf(window, sampled, toZero, isRate)));
}

function instant(window: RangeWindow, isRate: boolean): boolean {
  const { timestamps, values, from, to, startTimes } = window;
  if (to - from < 2) return false;
  const intervalMs = timestamps[to - 1] - timestamps[to - 2];
  if (intervalMs === 0) return false;
  const last = values[to - 1];
  const before = values[to - 2];
  const isAnew = last < before || (startTimes !== undefined && beganAnew(startTimes, timestamps, to - 1));
  const difference = isRate && isAnew ? last : last - before;
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

/** Whether the counter began anew between two neighbours among the numbers, and among the histograms. */
function countResets(window: RangeWindow): number {
  const { timestamps, histogramTimes, startTimes, histogramStartTimes } = window;
  return countNeighbours(
    window,
    (before, now, index) =>
      now < before || (startTimes !== undefined && beganAnew(startTimes, timestamps, index)),
    (before, now, index) =>
      hasReset(now, before) ||
      (histogramStartTimes !== undefined && beganAnew(histogramStartTimes, histogramTimes, index)),
  );
}

function isChange(before: number, now: number): boolean {
  return now !== before && !(Number.isNaN(now) && Number.isNaN(before));
}

const countChanges = (window: RangeWindow) => countNeighbours(window, isChange, histogramsDiffer);

/** A kernel of a count that numbers and histograms have alike. */
const ofNumbers = (count: (window: RangeWindow) => number) => (window: RangeWindow) => {
  window.result = count(window);
  return true;
};

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
    kernel: ofNumbers(countResets),
    histogramKernel: countResets,
  },
  changes: {
    kind: 'range',
    kernel: ofNumbers(countChanges),
    histogramKernel: countChanges,
  },
};
