/** Lines through a window's samples: deriv and predict_linear by least squares, double_exponential_smoothing by Holt. */
import { executionError } from '../execution-error.ts';
import { renderF } from '../go-float.ts';
import { compensate } from '../neumaier-sum.ts';
import type { FunctionFamily, RangeWindow } from './function-kinds.ts';

/** A sum that keeps what rounding loses. */
class CompensatedSum {
  #sum = 0;
  #compensation = 0;

  add(value: number): void {
    const next = this.#sum + value;
    this.#compensation = compensate(next, this.#sum, value, this.#compensation);
    this.#sum = next;
  }

  get total(): number {
    return this.#sum + this.#compensation;
  }
}

/** Slope per second, and the line's value at interceptMs. */
function fitLine(window: RangeWindow, interceptMs: number): { slope: number; intercept: number } {
  const { timestamps, values, from, to } = window;
  const x = new CompensatedSum();
  const y = new CompensatedSum();
  const xy = new CompensatedSum();
  const xx = new CompensatedSum();
  let isConstant = true;
  for (let i = from; i < to; i++) {
    if (values[i] !== values[from] && i > from) isConstant = false;
    const seconds = (timestamps[i] - interceptMs) / 1000;
    x.add(seconds);
    y.add(values[i]);
    xy.add(seconds * values[i]);
    xx.add(seconds * seconds);
  }
  if (isConstant) {
    const isInfinite = values[from] === Infinity || values[from] === -Infinity;
    return isInfinite ? { slope: NaN, intercept: NaN } : { slope: 0, intercept: values[from] };
  }
  const n = to - from;
  const covariance = xy.total - (x.total * y.total) / n;
  const variance = xx.total - (x.total * x.total) / n;
  const slope = covariance / variance;
  return { slope, intercept: y.total / n - (slope * x.total) / n };
}

/**
 * Holt's method: level and trend are smoothed by factors between 0 and 1; the value is the level at the last sample.
 * Throws where a factor is none.
 */
function smooth({ values, from, to, args, step }: RangeWindow): number {
  const [smoothing, trendFactor] = [args[0][step], args[1][step]];
  let level = values[from];
  let trend = values[from + 1] - values[from];
  let before = level;
  for (let i = from + 1; i < to; i++) {
    if (i > from + 1) trend = trendFactor * (level - before) + (1 - trendFactor) * trend;
    const next = smoothing * values[i] + (1 - smoothing) * (level + trend);
    before = level;
    level = next;
  }
  return level;
}

function checkFactors({ args, step }: RangeWindow): void {
  checkFactor('smoothing factor', args[0][step]);
  checkFactor('trend factor', args[1][step]);
}

/** NaN passes, as in Prometheus. */
function checkFactor(name: string, value: number): void {
  if (!(value <= 0 || value >= 1)) return;
  throw executionError(
    `invalid ${name}. Expected: 0 < ${name.includes('trend') ? 'tf' : 'sf'} < 1, got: ${renderF(value)}`,
  );
}

export const regressionFunctions: FunctionFamily = {
  double_exponential_smoothing: {
    kind: 'range',
    check: checkFactors,
    kernel: (window) => {
      if (window.to - window.from < 2) return false;
      window.result = smooth(window);
      return true;
    },
  },

  deriv: {
    kind: 'range',
    kernel: (window) => {
      if (window.to - window.from < 2) return false;
      window.result = fitLine(window, window.timestamps[window.from]).slope;
      return true;
    },
  },
  predict_linear: {
    kind: 'range',
    kernel: (window) => {
      if (window.to - window.from < 2) return false;
      const { slope, intercept } = fitLine(window, window.stepTimeMs);
      window.result = slope * window.args[0][window.step] + intercept;
      return true;
    },
  },
};
