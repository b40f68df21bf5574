/** The *_over_time family: aggregates of one series' samples in a window. */

import { HistogramMean, HistogramSum } from '../histogram/histogram-sum.ts';
import { compensate } from '../neumaier-sum.ts';
import { quantile } from '../quantile.ts';
import { warnInvalidQuantile } from '../quantile-warning.ts';
import type { FunctionFamily, RangeFunction, RangeWindow } from './function-kinds.ts';
import { countSamples, outermostSample, totalHistogram } from './histogram-kernels.ts';

/** Makes a kernel that always has a value. */
function always(compute: (window: RangeWindow) => number): RangeFunction {
  return {
    kind: 'range',
    kernel: (window) => {
      window.result = compute(window);
      return true;
    },
  };
}

function sum({ values, from, to }: RangeWindow): number {
  let total = 0;
  let compensation = 0;
  for (let i = from; i < to; i++) {
    const next = total + values[i];
    compensation = compensate(next, total, values[i], compensation);
    total = next;
  }
  return Number.isFinite(total) || Number.isNaN(total) ? total + compensation : total;
}

/** A plain mean as long as the sum does not overflow, then an incremental one. */
function average({ values, from, to }: RangeWindow): number {
  let total = values[from];
  let compensation = 0;
  let mean = 0;
  let isIncremental = false;
  for (let i = from + 1; i < to; i++) {
    const count = i - from + 1;
    if (!isIncremental) {
      const next = total + values[i];
      if (next !== Infinity && next !== -Infinity) {
        compensation = compensate(next, total, values[i], compensation);
        total = next;
        continue;
      }
      isIncremental = true;
      mean = total / (count - 1);
      compensation /= count - 1;
    }
    const weight = (count - 1) / count;
    const base = weight * mean;
    const next = base + values[i] / count;
    compensation = compensate(next, base, values[i] / count, weight * compensation);
    mean = next;
  }
  const count = to - from;
  return isIncremental ? mean + compensation : total / count + compensation / count;
}

function variance({ values, from, to }: RangeWindow): number {
  let mean = 0;
  let meanCompensation = 0;
  let squares = 0;
  let squaresCompensation = 0;
  for (let i = from; i < to; i++) {
    const delta = values[i] - (mean + meanCompensation);
    const step = delta / (i - from + 1);
    const nextMean = mean + step;
    meanCompensation = compensate(nextMean, mean, step, meanCompensation);
    mean = nextMean;
    const square = delta * (values[i] - (mean + meanCompensation));
    const nextSquares = squares + square;
    squaresCompensation = compensate(nextSquares, squares, square, squaresCompensation);
    squares = nextSquares;
  }
  return (squares + squaresCompensation) / (to - from);
}

function extremeIndex(
  { values, from, to }: RangeWindow,
  isBetter: (value: number, best: number) => boolean,
): number {
  let best = from;
  for (let i = from; i < to; i++)
    if (isBetter(values[i], values[best]) || Number.isNaN(values[best])) best = i;
  return best;
}

const windowValues = ({ values, from, to }: RangeWindow) => values.slice(from, to);

function medianAbsoluteDeviation(window: RangeWindow): number {
  const values = windowValues(window);
  if (values.some(Number.isNaN)) return NaN;
  const median = quantile(0.5, values);
  for (let i = 0; i < values.length; i++) values[i] = Math.abs(values[i] - median);
  return quantile(0.5, values);
}

const greater = (value: number, best: number) => value > best;
const less = (value: number, best: number) => value < best;
const notLess = (value: number, best: number) => value >= best;
const notGreater = (value: number, best: number) => value <= best;

export const overTimeFunctions: FunctionFamily = {
  sum_over_time: { ...always(sum), histogramKernel: (window) => totalHistogram(window, HistogramSum) },
  avg_over_time: { ...always(average), histogramKernel: (window) => totalHistogram(window, HistogramMean) },
  count_over_time: { ...always(({ from, to }) => to - from), histogramKernel: countSamples },
  min_over_time: always((window) => window.values[extremeIndex(window, less)]),
  max_over_time: always((window) => window.values[extremeIndex(window, greater)]),
  stdvar_over_time: always(variance),
  stddev_over_time: always((window) => Math.sqrt(variance(window))),
  mad_over_time: always(medianAbsoluteDeviation),
  quantile_over_time: {
    ...always((window) => quantile(window.args[0][window.step], windowValues(window))),
    annotate: (evaluation, call, [q]) => warnInvalidQuantile(evaluation, call.args[0], q),
  },
  present_over_time: { ...always(() => 1), histogramKernel: () => 1 },
  first_over_time: {
    ...always(({ values, from }) => values[from]),
    histogramKernel: (window) => outermostSample(window, 'first').value,
    keepsName: true,
  },
  last_over_time: {
    ...always(({ values, to }) => values[to - 1]),
    histogramKernel: (window) => outermostSample(window, 'last').value,
    keepsName: true,
  },
  ts_of_first_over_time: {
    ...always(({ timestamps, from }) => timestamps[from] / 1000),
    histogramKernel: (window) => outermostSample(window, 'first').timeMs / 1000,
  },
  ts_of_last_over_time: {
    ...always(({ timestamps, to }) => timestamps[to - 1] / 1000),
    histogramKernel: (window) => outermostSample(window, 'last').timeMs / 1000,
  },
  ts_of_min_over_time: always((window) => window.timestamps[extremeIndex(window, notGreater)] / 1000),
  ts_of_max_over_time: always((window) => window.timestamps[extremeIndex(window, notLess)] / 1000),
};
