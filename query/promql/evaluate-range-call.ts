/** Functions of a range vector: a kernel runs over each series' windows, in place, on the samples' columns. */

import { labelValue, metricNameLabel } from '#model/labels.ts';
import { checkExtendedRange, streamExtendedRange } from './evaluate-extended-range.ts';
import { readSeries } from './evaluate-selector.ts';
import { type Evaluation, evaluateScalar, fixedTimeMs, withoutName } from './evaluation.ts';
import { type ColumnTask, columnKernels } from './functions/column-kernels.ts';
import type { RangeFunction, RangeWindow } from './functions/function-kinds.ts';
import type { FloatHistogram } from './histogram/float-histogram.ts';
import { ignoredInMixedRange } from './histogram/histogram-notes.ts';
import { kernelsOnly, plannedRead } from './plan/query-plan.ts';
import { type ReadByKernel, streamPlannedSeries } from './pushed/planned-series.ts';
import type { QueryBudget } from './query-budget.ts';
import { notedPlace, noteNonCounter } from './range-notes.ts';
import { type WindowEnds, windowEnds, withoutStale } from './sample-window.ts';
import type { ComputedSeries, SeriesSamples } from './source.ts';
import {
  emptiedSeries,
  emptyMixedSeries,
  emptySeries,
  type StepGrid,
  type StepSeries,
  setValue,
} from './step-series.ts';
import { subqueryGrid } from './subquery-grid.ts';
import {
  type Call,
  type MatrixSelector,
  type Subquery,
  unwrapParentheses,
  type VectorSelector,
} from './tree.ts';

/** Yields each series that the function has a value for at some step. */
export async function* streamRangeCall(
  evaluation: Evaluation,
  call: Call,
  implementation: RangeFunction,
  grid: StepGrid,
): AsyncGenerator<StepSeries> {
  const range = rangeArgument(call);
  if (range.kind === 'matrix' && range.selector.modifier !== undefined) {
    const { modifier } = range.selector;
    checkExtendedRange(call.name, modifier);
    yield* streamExtendedRange(evaluation, call, implementation, range, modifier, grid);
    return;
  }
  const read = plannedRead(evaluation.plan, call, grid);
  if (read !== undefined && read.path !== 'kernel') {
    const bySamples = { ...evaluation, plan: kernelsOnly(evaluation.plan), readsParts: true };
    const kernel: ReadByKernel = (node, steps) =>
      streamRangeCall(bySamples, node as Call, { ...implementation, keepsName: true }, steps);
    for await (const series of streamPlannedSeries(evaluation, read, kernel)) {
      if (implementation.isForCounters) noteNonCounter(evaluation, series, range);
      yield implementation.keepsName ? series : withoutName(evaluation, series);
    }
    return;
  }
  const run = await RangeCallRun.create(evaluation, call, implementation, grid);
  for await (const samples of streamSamples(evaluation, range, grid, run.bounds)) {
    const series = await run.evaluate(samples);
    if (series !== undefined) yield series;
  }
}

type RangeSamples = SeriesSamples & { readonly dropsName?: boolean };

/** A function that is evaluated for one series after another. */
export class RangeCallRun {
  /** What is to be read, left-open. */
  readonly bounds: { readonly startMs: number; readonly endMs: number };
  /** Undefined for a subquery. */
  readonly selector: VectorSelector | undefined;
  readonly #evaluation: Evaluation;
  readonly #call: Call;
  readonly #implementation: RangeFunction;
  readonly #grid: StepGrid;
  readonly #range: MatrixSelector | Subquery;
  readonly #ends: WindowEnds;
  readonly #args: readonly Float64Array[];
  #isFirst = true;

  static async create(
    evaluation: Evaluation,
    call: Call,
    implementation: RangeFunction,
    grid: StepGrid,
  ): Promise<RangeCallRun> {
    const args = await scalarArguments(evaluation, call, grid);
    return new RangeCallRun(evaluation, call, implementation, grid, args);
  }

  private constructor(
    evaluation: Evaluation,
    call: Call,
    implementation: RangeFunction,
    grid: StepGrid,
    args: readonly Float64Array[],
  ) {
    this.#evaluation = evaluation;
    this.#call = call;
    this.#implementation = implementation;
    this.#grid = grid;
    this.#args = args;
    this.#range = rangeArgument(call);
    this.#ends = rangeEnds(evaluation, this.#range, grid);
    this.bounds = { startMs: this.#ends.firstMs - this.#range.rangeMs, endMs: this.#ends.lastMs };
    this.selector = this.#range.kind === 'matrix' ? this.#range.selector : undefined;
  }

  /** Undefined where the function has no value at any step. Stale markers of selectors are left out. */
  async evaluate(found: RangeSamples): Promise<StepSeries | undefined> {
    const inTime = this.atOnce(found, undefined);
    const { budget } = this.#evaluation;
    if (inTime !== 'later') {
      // A subquery's series are all there: nobody breathes between them.
      if (budget.isBreathDue()) await budget.breathe();
      return inTime;
    }
    const samples = withoutStale(found);
    const window = createWindow(this.#evaluation, this.#range, samples, this.#args);
    const series = await runKernel(budget, window, this.#implementation, this.#ends, this.#grid);
    return this.#finish(series);
  }

  /**
   * As evaluate, in the columns of `scratch` if there are any; 'later' where the function has to be given its windows one by one.
   */
  atOnce(found: RangeSamples, scratch: StepSeries | undefined): StepSeries | undefined | 'later' {
    const { columnKernel } = this.#implementation;
    if (columnKernel === undefined || found.histograms !== undefined || found.startTimes !== undefined) {
      return 'later';
    }
    const { count } = this.#grid;
    const samples = withoutStale(found);
    const { timestamps, values, labels } = samples;
    const { budget } = this.#evaluation;
    budget.addSamples(count);
    const series = emptiedSeries(scratch, labels, count, found.dropsName);
    const { firstMs, stepMs } = this.#ends;
    const column = { timestamps, values, firstEndMs: firstMs, stepMs, rangeMs: this.#range.rangeMs };
    const held = columnKernels[columnKernel](column, series.values, series.present);
    // Who reads the series breathes when it is time to.
    budget.addWindows(held, timestamps.length + count);
    return this.#finish(series.present.includes(1) ? series : undefined);
  }

  /** What a thread has to know to do as atOnce; undefined where there is nothing of the kind. */
  get columnTask(): ColumnTask | undefined {
    const { columnKernel: kernel } = this.#implementation;
    if (kernel === undefined) return undefined;
    const { firstMs, stepMs } = this.#ends;
    const { rangeMs } = this.#range;
    return { kernel, firstEndMs: firstMs, stepMs, rangeMs, stepCount: this.#grid.count };
  }

  /** Takes what a thread has made of the columnTask, as atOnce does its own. */
  takeComputed(computed: ComputedSeries): StepSeries | undefined {
    const { labels, windowSampleCount, hasValue, values, present } = computed;
    this.#evaluation.budget.addWindows(windowSampleCount, 0);
    this.#evaluation.budget.addSamples(this.#grid.count);
    const series = { labels, dropsName: false, values, present };
    return this.#finish(hasValue ? series : undefined);
  }

  #finish(series: StepSeries | undefined): StepSeries | undefined {
    if (series === undefined) return undefined;
    const { annotate, isForCounters, keepsName } = this.#implementation;
    if (this.#isFirst) annotate?.(this.#evaluation, this.#call, this.#args);
    this.#isFirst = false;
    if (isForCounters) noteNonCounter(this.#evaluation, series, this.#range);
    return keepsName ? series : withoutName(this.#evaluation, series);
  }
}

/** The argument that is a range vector. */
export function rangeArgument(call: Call): MatrixSelector | Subquery {
  for (const arg of call.args) {
    const inner = unwrapParentheses(arg);
    if (inner.kind === 'matrix' || inner.kind === 'subquery') return inner;
  }
  throw new Error(`BUG: ${call.name} was checked to have a range vector`);
}

async function scalarArguments(evaluation: Evaluation, call: Call, grid: StepGrid): Promise<Float64Array[]> {
  const values: Float64Array[] = [];
  for (const arg of call.args) {
    const { kind } = unwrapParentheses(arg);
    if (kind !== 'matrix' && kind !== 'subquery') values.push(await evaluateScalar(evaluation, arg, grid));
  }
  return values;
}

function rangeEnds(evaluation: Evaluation, range: MatrixSelector | Subquery, grid: StepGrid): WindowEnds {
  const { at, offsetMs } = range.kind === 'matrix' ? range.selector : range;
  return windowEnds(grid, offsetMs, fixedTimeMs(evaluation, at));
}

async function* streamSamples(
  evaluation: Evaluation,
  range: MatrixSelector | Subquery,
  grid: StepGrid,
  bounds: { readonly startMs: number; readonly endMs: number },
): AsyncGenerator<SeriesSamples> {
  if (range.kind === 'subquery') {
    yield* streamSubquery(evaluation, range, grid);
    return;
  }
  yield* readSeries(evaluation, range.selector, bounds);
}

/** A series of a subquery; `dropsName` as in StepSeries. */
export interface SubquerySamples extends SeriesSamples {
  readonly dropsName: boolean;
}

/**
 * Evaluates a subquery's expression at the multiples of its step that its windows cover. Series come one by one, and
 * where the expression lets them (Evaluation.stream), no more than one is held.
 */
export async function* streamSubquery(
  evaluation: Evaluation,
  subquery: Subquery,
  grid: StepGrid,
): AsyncGenerator<SubquerySamples> {
  const inner = subqueryGrid(evaluation, subquery, grid);
  if (inner === undefined) return;
  for await (const series of evaluation.stream(subquery.expression, inner)) yield compact(series, inner);
}

function compact(
  { labels, dropsName, values, present, histograms }: StepSeries,
  grid: StepGrid,
): SubquerySamples {
  const timeOf = (step: number) => grid.startMs + step * grid.stepMs;
  const isNumber = (step: number) => present[step] === 1 && histograms?.[step] === undefined;
  let count = 0;
  for (let step = 0; step < present.length; step++) if (isNumber(step)) count++;
  const timestamps = new Float64Array(count);
  const kept = new Float64Array(count);
  let index = 0;
  for (let step = 0; step < present.length; step++) {
    if (!isNumber(step)) continue;
    timestamps[index] = timeOf(step);
    kept[index++] = values[step];
  }
  const samples = { labels, dropsName, timestamps, values: kept };
  if (histograms === undefined) return samples;
  const steps = [...present.keys()].filter((step) => present[step] === 1 && histograms[step] !== undefined);
  return {
    ...samples,
    histograms: {
      timestamps: Float64Array.from(steps, timeOf),
      // What is known of resets between neighbours of the store says nothing of those that are steps apart.
      values: steps.map((step) => withoutHint(histograms[step]!)),
    },
  };
}

function withoutHint(histogram: FloatHistogram): FloatHistogram {
  return histogram.resetHint === 'gauge' ? histogram : { ...histogram, resetHint: 'unknown' };
}

interface SeriesWindow extends RangeWindow {
  readonly labels: SeriesSamples['labels'];
  readonly dropsName: boolean;
}

const noTimes = new Float64Array();

function createWindow(
  evaluation: Evaluation,
  range: MatrixSelector | Subquery,
  samples: SeriesSamples & { readonly dropsName?: boolean },
  args: readonly Float64Array[],
): SeriesWindow {
  return {
    labels: samples.labels,
    metricName: labelValue(samples.labels, metricNameLabel),
    dropsName: samples.dropsName ?? false,
    timestamps: samples.timestamps,
    values: samples.values,
    startTimes: samples.startTimes,
    histogramTimes: samples.histograms?.timestamps ?? noTimes,
    histogramStartTimes: samples.histograms?.startTimes,
    histograms: samples.histograms?.values ?? [],
    from: 0,
    to: 0,
    histogramFrom: 0,
    histogramTo: 0,
    startMs: 0,
    endMs: 0,
    rangeMs: range.rangeMs,
    step: 0,
    stepTimeMs: 0,
    args,
    result: 0,
    warn: (fact) => evaluation.annotations.warn(fact, notedPlace(range)),
    warnEach: (fact) => evaluation.annotations.warnEach(fact, notedPlace(range)),
    inform: (fact) => evaluation.annotations.inform(fact, notedPlace(range)),
  };
}

async function runKernel(
  budget: QueryBudget,
  window: SeriesWindow,
  implementation: RangeFunction,
  ends: WindowEnds,
  grid: StepGrid,
): Promise<StepSeries | undefined> {
  budget.addSamples(grid.count);
  const empty = window.histogramTimes.length === 0 ? emptySeries : emptyMixedSeries;
  const series = empty(window.labels, grid.count, window.dropsName);
  let hasValue = false;
  for (let step = 0; step < grid.count; step++) {
    const count = moveWindow(window, ends, grid, step);
    if (count === 0) continue;
    if (budget.addWindow(count)) await budget.breathe();
    implementation.check?.(window);
    if (window.histogramFrom === window.histogramTo) {
      if (!implementation.kernel(window)) continue;
      series.values[step] = window.result;
      series.present[step] = 1;
    } else {
      const value = histogramWindowValue(window, implementation);
      if (value === undefined) continue;
      setValue(series, step, value);
    }
    hasValue = true;
  }
  return hasValue ? series : undefined;
}

/** Moves a window on to a step. Returns how many samples it holds. */
function moveWindow(window: SeriesWindow, ends: WindowEnds, grid: StepGrid, step: number): number {
  const { timestamps } = window;
  const endMs = ends.firstMs + step * ends.stepMs;
  const startMs = endMs - window.rangeMs;
  while (window.to < timestamps.length && timestamps[window.to] <= endMs) window.to++;
  while (window.from < window.to && timestamps[window.from] <= startMs) window.from++;
  if (window.histogramTimes.length > 0) moveHistograms(window, startMs, endMs);
  window.startMs = startMs;
  window.endMs = endMs;
  window.step = step;
  window.stepTimeMs = grid.startMs + step * grid.stepMs;
  return window.to - window.from + window.histogramTo - window.histogramFrom;
}

function moveHistograms(window: SeriesWindow, startMs: number, endMs: number): void {
  const { histogramTimes } = window;
  while (window.histogramTo < histogramTimes.length && histogramTimes[window.histogramTo] <= endMs) {
    window.histogramTo++;
  }
  while (window.histogramFrom < window.histogramTo && histogramTimes[window.histogramFrom] <= startMs) {
    window.histogramFrom++;
  }
}

/** The function's value of a window with histograms; one that has no use for them looks at the numbers alone. */
function histogramWindowValue(
  window: SeriesWindow,
  { kernel, histogramKernel }: RangeFunction,
): number | FloatHistogram | undefined {
  if (histogramKernel !== undefined) return histogramKernel(window);
  if (window.from === window.to) return undefined;
  window.inform(ignoredInMixedRange(window.metricName));
  return kernel(window) ? window.result : undefined;
}
