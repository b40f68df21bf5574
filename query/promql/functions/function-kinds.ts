/** The shapes that a function's implementation may have. A function = one entry in one table of this folder. */
import type { Evaluation } from '../evaluation.ts';
import type { FloatHistogram } from '../histogram/float-histogram.ts';
import type { StepGrid, Value } from '../step-series.ts';
import type { Call } from '../tree.ts';
import type { ColumnKernelName } from './column-kernels.ts';

/** One window of one series. A kernel must not write to it but `result`, and is forbidden to keep it. */
export interface RangeWindow {
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  /** The samples of the window: from <= i < to, no stale markers. At least one, or one histogram. */
  from: number;
  to: number;
  /** Since when the counter of each sample counts; undefined where nobody said, or start times are not used. */
  readonly startTimes: Float64Array | undefined;
  readonly histogramTimes: Float64Array;
  readonly histogramStartTimes: Float64Array | undefined;
  readonly histograms: readonly FloatHistogram[];
  histogramFrom: number;
  histogramTo: number;
  readonly metricName: string;
  /** The window's bounds, exclusive and inclusive. */
  startMs: number;
  endMs: number;
  readonly rangeMs: number;
  /** The step's index and time; the time is not endMs where the selector has `offset` or `@`. */
  step: number;
  stepTimeMs: number;
  /** Scalar arguments in order, one value per step. */
  readonly args: readonly Float64Array[];
  /** What the kernel found. */
  result: number;
  /** Leave annotations beside the answer. */
  readonly warn: (fact: string) => void;
  /** A warning that says of how many windows it was given. */
  readonly warnEach: (fact: string) => void;
  readonly inform: (fact: string) => void;
}

export interface RangeFunction {
  readonly kind: 'range';
  /** Writes window.result and returns true; false where there is no value. */
  readonly kernel: (window: RangeWindow) => boolean;
  /**
   * The value of a window with histograms, or undefined where there is none. A function without one looks at numbers alone.
   */
  readonly histogramKernel?: (window: RangeWindow) => number | FloatHistogram | undefined;
  /** Throws where the scalar arguments of a step make no sense: asked before the kernels. */
  readonly check?: (window: RangeWindow) => void;
  /** The same as the kernel, for all steps of a series that has numbers only, and no start times. */
  readonly columnKernel?: ColumnKernelName;
  readonly keepsName?: boolean;
  /** Looks at the scalar arguments once, if there is any series at all; may leave annotations. */
  readonly annotate?: (evaluation: Evaluation, call: Call, args: readonly Float64Array[]) => void;
  /** Whether other metrics get a hint. */
  readonly isForCounters?: boolean;
}

/** A function of each value of a vector. `args` are scalars, one value per step. */
export interface ValueFunction {
  readonly kind: 'value';
  readonly map: (value: number, step: number, args: readonly Float64Array[]) => number;
}

/** A function that needs more than one value: it evaluates its own arguments. */
export interface WholeFunction {
  readonly kind: 'whole';
  readonly evaluate: (evaluation: Evaluation, call: Call, grid: StepGrid) => Promise<Value>;
  /** Whether the value depends on the step's time even where the arguments do not. */
  readonly dependsOnTime?: boolean;
}

export type FunctionImplementation = RangeFunction | ValueFunction | WholeFunction;
export type FunctionFamily = Readonly<Record<string, FunctionImplementation>>;
