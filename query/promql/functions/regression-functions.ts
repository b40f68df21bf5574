/** deriv and predict_linear: a least-squares line through a window's samples. */
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

export const regressionFunctions: FunctionFamily = {
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
