/**
 * Kernels that work on a whole series at once, for functions that dashboards ask of millions of samples. Each gives, to the bit,
 * what the function's kernel of one window gives for the windows of all steps.
 */
import { extrapolationFactor } from './extrapolation.ts';

/** A series of numbers without stale markers and start times, and where its windows are. */
export interface SampleColumn {
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  /** Of the first step's window, inclusive. */
  readonly firstEndMs: number;
  /** Zero where all steps have one window. */
  readonly stepMs: number;
  readonly rangeMs: number;
}

/** Writes the values of the steps that have one, and sets their `present`. Returns how many samples all windows hold. */
export type ColumnKernel = (column: SampleColumn, values: Float64Array, present: Uint8Array) => number;

/** What a thread needs to know to run a kernel over a request's series. */
export interface ColumnTask {
  readonly kernel: ColumnKernelName;
  readonly firstEndMs: number;
  readonly stepMs: number;
  readonly rangeMs: number;
  readonly stepCount: number;
}

/** rate, increase and delta. Only where a counter began anew within a window are all of its samples looked at. */
function extrapolateColumn(isCounter: boolean, isRate: boolean): ColumnKernel {
  return (column, results, present) => {
    const { timestamps, values, firstEndMs, stepMs, rangeMs } = column;
    const sampleCount = timestamps.length;
    let from = 0;
    let to = 0;
    /** The newest sample up to `to` that is below the one before it. */
    let resetAt = 0;
    let held = 0;
    for (let step = 0; step < results.length; step++) {
      const endMs = firstEndMs + step * stepMs;
      const startMs = endMs - rangeMs;
      while (to < sampleCount && timestamps[to] <= endMs) {
        if (to > 0 && values[to] < values[to - 1]) resetAt = to;
        to++;
      }
      while (from < to && timestamps[from] <= startMs) from++;
      const count = to - from;
      held += count;
      if (count < 2) continue;
      const first = values[from];
      let difference = values[to - 1] - first;
      if (isCounter && resetAt > from) difference = addResets(values, from, to, difference);
      const toZeroRatio = isCounter && difference > 0 && first >= 0 ? first / difference : Infinity;
      const factor = extrapolationFactor(
        startMs,
        endMs,
        timestamps[from],
        timestamps[to - 1],
        count,
        toZeroRatio,
        undefined,
      );
      results[step] = difference * (isRate ? factor / (rangeMs / 1000) : factor);
      present[step] = 1;
    }
    return held;
  };
}

function addResets(values: Float64Array, from: number, to: number, difference: number): number {
  let sum = difference;
  for (let i = from + 1; i < to; i++) if (values[i] < values[i - 1]) sum += values[i - 1];
  return sum;
}

/** By the function's name, so that threads can be told. */
export const columnKernels = {
  rate: extrapolateColumn(true, true),
  increase: extrapolateColumn(true, false),
  delta: extrapolateColumn(false, false),
} as const satisfies Readonly<Record<string, ColumnKernel>>;

export type ColumnKernelName = keyof typeof columnKernels;
