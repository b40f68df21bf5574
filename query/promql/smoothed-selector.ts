/** Instant selectors with `smoothed`: values between the samples before and after each step. */
import { labelValue, metricNameLabel } from '#model/labels.ts';
import type { Evaluation } from './evaluation.ts';
import { type FloatHistogram, usesCustomBounds } from './histogram/float-histogram.ts';
import { mixedBuckets, mixedFloatsAndHistograms } from './histogram/histogram-notes.ts';
import { interpolateHistograms, lastUpTo } from './interpolation.ts';
import type { WindowEnds } from './sample-window.ts';
import type { SeriesSamples } from './source.ts';
import { emptyMixedSeries, type StepSeries, setValue } from './step-series.ts';
import type { VectorSelector } from './tree.ts';

/**
 * Samples are looked for as far as the lookback goes on both sides. After the last one its value stays, before the first
 * one there is none. Undefined where the series has no value at all.
 */
export function smoothedPerStep(
  evaluation: Evaluation,
  selector: VectorSelector,
  samples: SeriesSamples,
  ends: WindowEnds,
  stepCount: number,
): StepSeries | undefined {
  const series = emptyMixedSeries(samples.labels, stepCount);
  let hasValue = false;
  for (let step = 0; step < stepCount; step++) {
    const value = smoothedAt(evaluation, selector, samples, ends.firstMs + step * ends.stepMs);
    if (value === undefined) continue;
    setValue(series, step, value);
    hasValue = true;
  }
  return hasValue ? series : undefined;
}

function smoothedAt(
  evaluation: Evaluation,
  selector: VectorSelector,
  { labels, timestamps, values, histograms }: SeriesSamples,
  timeMs: number,
): number | FloatHistogram | undefined {
  const { lookbackMs, annotations } = evaluation;
  const numbers = neighbours(timestamps, timeMs, lookbackMs);
  const places = histograms && neighbours(histograms.timestamps, timeMs, lookbackMs);
  const name = labelValue(labels, metricNameLabel);
  if (numbers.hasAny && places?.hasAny === true) {
    annotations.warn(mixedFloatsAndHistograms(name), selector);
    return undefined;
  }
  if (places?.before !== undefined) {
    const before = histograms!.values[places.before];
    if (places.after === undefined) return before;
    const after = histograms!.values[places.after];
    if (usesCustomBounds(before) !== usesCustomBounds(after)) {
      annotations.warn(mixedBuckets(name), selector);
      return undefined;
    }
    return interpolateHistograms(before, after, places.fraction, before.resetHint !== 'gauge');
  }
  if (numbers.before === undefined) return undefined;
  const before = values[numbers.before];
  return numbers.after === undefined ? before : before + (values[numbers.after] - before) * numbers.fraction;
}

interface Neighbours {
  readonly before: number | undefined;
  /** Undefined also where a sample stands at the very time. */
  readonly after: number | undefined;
  readonly fraction: number;
  /** Whether any sample is within the lookback, on either side. */
  readonly hasAny: boolean;
}

function neighbours(timestamps: Float64Array, timeMs: number, lookbackMs: number): Neighbours {
  const place = lastUpTo(timestamps, timeMs);
  const isBefore = place >= 0 && timestamps[place] > timeMs - lookbackMs;
  const isAfter = place + 1 < timestamps.length && timestamps[place + 1] <= timeMs + lookbackMs;
  const isBetween = isBefore && isAfter && timestamps[place] < timeMs;
  return {
    before: isBefore ? place : undefined,
    after: isBetween ? place + 1 : undefined,
    fraction: isBetween ? (timeMs - timestamps[place]) / (timestamps[place + 1] - timestamps[place]) : 0,
    hasAny: isBefore || isAfter,
  };
}
