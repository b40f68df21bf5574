/** rate, increase, delta and their kin: differences over a window, extrapolated to its bounds as Prometheus does. */
import type { FunctionFamily, RangeWindow } from './function-kinds.ts';

/** A sample nearer to a bound than this many average intervals is taken to mean that the series goes on. */
const extrapolationFactor = 1.1;

function extrapolate(window: RangeWindow, isCounter: boolean, isRate: boolean): boolean {
  const { timestamps, values, from, to, startMs, endMs } = window;
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
  const sampled = (timestamps[to - 1] - timestamps[from]) / 1000;
  const average = sampled / (to - from - 1);
  const threshold = average * extrapolationFactor;
  let toStart = (timestamps[from] - startMs) / 1000;
  let toEnd = (endMs - timestamps[to - 1]) / 1000;
  if (toStart >= threshold) toStart = average / 2;
  if (isCounter && difference > 0 && first >= 0) {
    // A counter was not below zero: the line is not drawn further back than to there.
    const toZero = sampled * (first / difference);
    if (toZero < toStart) toStart = toZero;
  }
  if (toEnd >= threshold) toEnd = average / 2;
  let factor = (sampled + toStart + toEnd) / sampled;
  if (isRate) factor /= window.rangeMs / 1000;
  window.result = difference * factor;
  return true;
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

function resets(window: RangeWindow): boolean {
  const { values, from, to } = window;
  let count = 0;
  for (let i = from + 1; i < to; i++) if (values[i] < values[i - 1]) count++;
  window.result = count;
  return true;
}

function changes(window: RangeWindow): boolean {
  const { values, from, to } = window;
  let count = 0;
  for (let i = from + 1; i < to; i++) {
    const areNan = Number.isNaN(values[i]) && Number.isNaN(values[i - 1]);
    if (values[i] !== values[i - 1] && !areNan) count++;
  }
  window.result = count;
  return true;
}

export const rateFunctions: FunctionFamily = {
  rate: { kind: 'range', kernel: (window) => extrapolate(window, true, true), isForCounters: true },
  increase: { kind: 'range', kernel: (window) => extrapolate(window, true, false), isForCounters: true },
  delta: { kind: 'range', kernel: (window) => extrapolate(window, false, false) },
  irate: { kind: 'range', kernel: (window) => instant(window, true) },
  idelta: { kind: 'range', kernel: (window) => instant(window, false) },
  resets: { kind: 'range', kernel: resets },
  changes: { kind: 'range', kernel: changes },
};
