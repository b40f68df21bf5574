/**
 * Range selectors with `anchored` or `smoothed`: values at the very bounds of a window, instead of an extrapolation to them.
 *
 *   increase(x[1m] anchored)  the last sample up to the end, less the last one up to the start
 *   increase(x[1m] smoothed)  the same with both values interpolated between the samples around the bounds
 *
 * Samples are looked for as far as the lookback goes beyond the window. Counter resets at a bound count from zero.
 * (https://github.com/prometheus/proposals/blob/main/proposals/0052-extended-range-selectors-semantics.md)
 */
import { labelValue, metricNameLabel } from '#model/labels.ts';
import { readSeries } from './evaluate-selector.ts';
import { type Evaluation, fixedTimeMs, withoutName } from './evaluation.ts';
import { executionError } from './execution-error.ts';
import type { RangeFunction, RangeWindow } from './functions/function-kinds.ts';
import { compact, type FloatHistogram, usesCustomBounds } from './histogram/float-histogram.ts';
import { hasReset, multiplyHistogram } from './histogram/histogram-arithmetic.ts';
import { mixedBuckets, mixedFloatsAndHistograms, notCounter, notGauge } from './histogram/histogram-notes.ts';
import { addAlike, interpolateHistograms, lastUpTo, subtractAlike } from './interpolation.ts';
import { noteNonCounter } from './range-notes.ts';
import { windowEnds, withoutStale } from './sample-window.ts';
import type { SeriesSamples } from './source.ts';
import { emptyMixedSeries, type StepGrid, type StepSeries, setValue } from './step-series.ts';
import type { Call, MatrixSelector, RangeModifier } from './tree.ts';

const functionsOf: Readonly<Record<RangeModifier, readonly string[]>> = {
  anchored: ['changes', 'delta', 'increase', 'rate', 'resets'],
  smoothed: ['delta', 'increase', 'rate'],
};

/** Throws where the function has no meaning with the modifier. */
export function checkExtendedRange(name: string, modifier: RangeModifier): void {
  const allowed = functionsOf[modifier];
  if (allowed.includes(name)) return;
  throw executionError(
    `${modifier} modifier can only be used with: ${allowed.join(', ')} - not with ${name}`,
  );
}

/** Yields each series that the function has a value for at some step. */
export async function* streamExtendedRange(
  evaluation: Evaluation,
  call: Call,
  implementation: RangeFunction,
  range: MatrixSelector,
  modifier: RangeModifier,
  grid: StepGrid,
): AsyncGenerator<StepSeries> {
  const { selector, rangeMs } = range;
  const ends = windowEnds(grid, selector.offsetMs, fixedTimeMs(evaluation, selector.at));
  const bounds = {
    startMs: ends.firstMs - rangeMs - evaluation.lookbackMs,
    endMs: ends.lastMs + (modifier === 'smoothed' ? evaluation.lookbackMs : 0),
  };
  for await (const samples of readSeries(evaluation, selector, bounds)) {
    const window = new ExtendedWindow(evaluation, call, range, modifier, withoutStale(samples));
    const series = emptyMixedSeries(samples.labels, grid.count);
    let hasValue = false;
    for (let step = 0; step < grid.count; step++) {
      const endMs = ends.firstMs + step * ends.stepMs;
      const value = window.valueAt(implementation, endMs - rangeMs, endMs);
      if (value === undefined) continue;
      setValue(series, step, value);
      hasValue = true;
      if (evaluation.budget.addWindow(1)) await evaluation.budget.breathe();
    }
    if (!hasValue) continue;
    if (implementation.isForCounters) noteNonCounter(evaluation, series, range);
    yield withoutName(evaluation, series);
  }
}

/** Places in a column of times around a window: of the sample at or before its start, and of the one at its end. */
interface Places {
  readonly first: number;
  readonly last: number;
}

class ExtendedWindow {
  readonly #evaluation: Evaluation;
  readonly #call: Call;
  readonly #range: MatrixSelector;
  readonly #modifier: RangeModifier;
  readonly #samples: SeriesSamples;
  readonly #metricName: string;

  constructor(
    evaluation: Evaluation,
    call: Call,
    range: MatrixSelector,
    modifier: RangeModifier,
    samples: SeriesSamples,
  ) {
    this.#evaluation = evaluation;
    this.#call = call;
    this.#range = range;
    this.#modifier = modifier;
    this.#samples = samples;
    this.#metricName = labelValue(samples.labels, metricNameLabel);
  }

  valueAt(
    implementation: RangeFunction,
    startMs: number,
    endMs: number,
  ): number | FloatHistogram | undefined {
    if (this.#call.name === 'changes' || this.#call.name === 'resets') {
      return this.#countAt(implementation, startMs, endMs);
    }
    const { timestamps, histograms } = this.#samples;
    const numbers = this.#places(timestamps, startMs, endMs);
    const places = histograms && this.#places(histograms.timestamps, startMs, endMs);
    if (numbers !== undefined && places !== undefined) {
      this.#warn(mixedFloatsAndHistograms(this.#metricName));
      return undefined;
    }
    const seconds = this.#call.name === 'rate' ? (endMs - startMs) / 1000 : 1;
    if (numbers !== undefined) return this.#difference(numbers, startMs, endMs) / seconds;
    if (places === undefined) return undefined;
    const difference = this.#histogramDifference(places, startMs, endMs);
    return difference && compact(multiplyHistogram(difference, 1 / seconds));
  }

  #warn(fact: string): void {
    this.#evaluation.annotations.warn(fact, this.#range);
  }

  get #isCounter(): boolean {
    return this.#call.name !== 'delta';
  }

  /** Undefined where the window has no samples of its own, or, smoothed, all are beyond its end. */
  #places(timestamps: Float64Array, startMs: number, endMs: number): Places | undefined {
    const { lookbackMs } = this.#evaluation;
    let last = lastUpTo(timestamps, endMs);
    const isEndOpen = last < 0 || timestamps[last] < endMs;
    if (this.#modifier === 'smoothed' && isEndOpen && timestamps[last + 1] <= endMs + lookbackMs) last++;
    if (last < 0 || timestamps[last] <= startMs) return undefined;
    let first = Math.max(0, lastUpTo(timestamps, startMs));
    if (timestamps[first] <= startMs - lookbackMs) first++;
    return timestamps[first] > endMs ? undefined : { first, last };
  }

  #difference({ first, last }: Places, startMs: number, endMs: number): number {
    const { timestamps, values } = this.#samples;
    const interpolate = (index: number, timeMs: number) => {
      const fraction = (timeMs - timestamps[index]) / (timestamps[index + 1] - timestamps[index]);
      const hasStartedAnew = this.#isCounter && values[index + 1] < values[index];
      const from = hasStartedAnew ? 0 : values[index];
      return from + (values[index + 1] - from) * fraction;
    };
    const isSmoothed = this.#modifier === 'smoothed';
    const left = isSmoothed && timestamps[first] < startMs ? interpolate(first, startMs) : values[first];
    const right = isSmoothed && timestamps[last] > endMs ? interpolate(last - 1, endMs) : values[last];
    let difference = right - left;
    if (!this.#isCounter) return difference;
    let before = left;
    for (let i = first; i <= last; i++) {
      if (timestamps[i] <= startMs || timestamps[i] >= endMs) continue;
      if (values[i] < before) difference += before;
      before = values[i];
    }
    return right < before ? difference + before : difference;
  }

  #histogramDifference({ first, last }: Places, startMs: number, endMs: number): FloatHistogram | undefined {
    const { timestamps, values } = this.#samples.histograms!;
    const used = values.slice(first, last + 1);
    if (new Set(used.map(usesCustomBounds)).size > 1) {
      this.#warn(mixedBuckets(this.#metricName));
      return undefined;
    }
    const isGauge = ({ resetHint }: FloatHistogram) => resetHint === 'gauge';
    if (this.#isCounter && used.some(isGauge)) this.#warn(notCounter(this.#metricName));
    if (!this.#isCounter && !used.every(isGauge)) this.#warn(notGauge(this.#metricName));
    const isSmoothed = this.#modifier === 'smoothed';
    const isLeftBetween = isSmoothed && timestamps[first] < startMs;
    const isRightBetween = isSmoothed && timestamps[last] > endMs;
    const between = (index: number, timeMs: number) => {
      const fraction = (timeMs - timestamps[index]) / (timestamps[index + 1] - timestamps[index]);
      return interpolateHistograms(values[index], values[index + 1], fraction, this.#isCounter);
    };
    const left = isLeftBetween ? between(first, startMs) : values[first];
    const right = isRightBetween ? between(last - 1, endMs) : values[last];
    let difference = subtractAlike(right, left);
    if (!this.#isCounter) return difference;
    const inner = values.slice(first + 1, isRightBetween ? last : last + 1);
    if (isRightBetween) inner.push(right);
    // A value between two samples has left a reset between them behind already.
    if (isLeftBetween) inner[0] = { ...inner[0], resetHint: 'not_reset' };
    let before = left;
    for (const current of inner) {
      if (hasReset(current, before)) difference = addAlike(difference, before);
      before = current;
    }
    return { ...difference, resetHint: 'gauge' };
  }

  /** changes and resets, from the last sample up to the window's start on, of whichever kind. */
  #countAt(
    { kernel, histogramKernel }: RangeFunction,
    startMs: number,
    endMs: number,
  ): number | FloatHistogram | undefined {
    const { timestamps, values, histograms } = this.#samples;
    const histogramTimes = histograms?.timestamps ?? new Float64Array();
    const to = lastUpTo(timestamps, endMs) + 1;
    const histogramTo = lastUpTo(histogramTimes, endMs) + 1;
    let from = lastUpTo(timestamps, startMs) + 1;
    let histogramFrom = lastUpTo(histogramTimes, startMs) + 1;
    if (from === to && histogramFrom === histogramTo) return undefined;
    const anchorMs = timestamps[from - 1] ?? -Infinity;
    const histogramAnchorMs = histogramTimes[histogramFrom - 1] ?? -Infinity;
    if (Math.max(anchorMs, histogramAnchorMs) > startMs - this.#evaluation.lookbackMs) {
      if (anchorMs > histogramAnchorMs) from--;
      else histogramFrom--;
    }
    const window: RangeWindow = {
      timestamps,
      values,
      from,
      to,
      startTimes: undefined,
      histogramTimes,
      histogramStartTimes: undefined,
      histograms: histograms?.values ?? [],
      histogramFrom,
      histogramTo,
      metricName: this.#metricName,
      startMs,
      endMs,
      rangeMs: this.#range.rangeMs,
      step: 0,
      stepTimeMs: endMs,
      args: [],
      result: 0,
      warn: (fact) => this.#warn(fact),
      warnEach: (fact) => this.#evaluation.annotations.warnEach(fact, this.#range),
      inform: (fact) => this.#evaluation.annotations.inform(fact, this.#range),
    };
    if (histogramFrom < histogramTo) return histogramKernel?.(window);
    return kernel(window) ? window.result : undefined;
  }
}
