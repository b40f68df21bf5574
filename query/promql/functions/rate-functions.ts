/** rate, increase, delta and their kin: differences over a window, extrapolated to its bounds as Prometheus does. */
import { compact, type FloatHistogram } from '../histogram/float-histogram.ts';
import { hasReset, multiplyHistogram } from '../histogram/histogram-arithmetic.ts';
import { mixedFloatsAndHistograms } from '../histogram/histogram-notes.ts';
import { extrapolationFactor } from './extrapolation.ts';
import type { FunctionFamily, RangeWindow } from './function-kinds.ts';
import {
  countNeighbours,
  histogramDifference,
  histogramsDiffer,
  instantHistogram,
} from './histogram-kernels.ts';
import { beganAnew, overlapNote, overlaps, zeroWithin } from './start-times.ts';

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
  const toZeroRatio = isCounter && difference > 0 && first >= 0 ? first / difference : Infinity;
  const { startMs, endMs, rangeMs } = window;
  const [firstMs, lastMs] = [timestamps[from], timestamps[to - 1]];
  const factor = extrapolationFactor(startMs, endMs, firstMs, lastMs, to - from, toZeroRatio, zeroMs);
  window.result = difference * (isRate ? factor / (rangeMs / 1000) : factor);
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
  const [firstMs, lastMs] = [histogramTimes[histogramFrom], histogramTimes[histogramTo - 1]];
  const first = histograms[histogramFrom].count;
  const toZeroRatio = isCounter && difference.count > 0 && first >= 0 ? first / difference.count : Infinity;
  const { startMs, endMs, rangeMs } = window;
  const factor = extrapolationFactor(startMs, endMs, firstMs, lastMs, count, toZeroRatio, zeroMs);
  return compact(multiplyHistogram(difference, isRate ? factor / (rangeMs / 1000) : factor));
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
    columnKernel: 'rate',
    histogramKernel: (window) => extrapolateHistogram(window, true, true),
    isForCounters: true,
  },
  increase: {
    kind: 'range',
    kernel: (window) => extrapolate(window, true, false),
    columnKernel: 'increase',
    histogramKernel: (window) => extrapolateHistogram(window, true, false),
    isForCounters: true,
  },
  delta: {
    kind: 'range',
    kernel: (window) => extrapolate(window, false, false),
    columnKernel: 'delta',
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
