/** Sums and means of groups in which histograms may be: at each step of numbers alone, or of histograms alone. */
import type { FloatHistogram } from '../histogram/float-histogram.ts';
import {
  conflictingResets,
  mixedBuckets,
  mixedInAggregation,
  reconciledBounds,
} from '../histogram/histogram-notes.ts';
import type { HistogramMean, HistogramSum } from '../histogram/histogram-sum.ts';
import { numbersOnly, type StepSeries } from '../step-series.ts';
import type { Accumulator, HistogramNotes } from './accumulators.ts';

type Total = HistogramSum | HistogramMean;

export class MixedAccumulator implements Accumulator {
  readonly #numbers: Accumulator;
  readonly #Total: new (
    first: FloatHistogram,
  ) => Total;
  readonly #notes: HistogramNotes;
  /** Undefined as long as the group has no histogram at all; then per step. */
  #totals: (Total | undefined)[] | undefined;
  /** Steps at which exponential and custom buckets met: they have no value. */
  readonly #spoilt = new Set<number>();

  constructor(numbers: Accumulator, total: new (first: FloatHistogram) => Total, notes: HistogramNotes) {
    this.#numbers = numbers;
    this.#Total = total;
    this.#notes = notes;
  }

  get present(): Uint8Array {
    return this.#numbers.present;
  }

  add(series: StepSeries): void {
    const { histograms, present } = series;
    if (histograms === undefined) {
      this.#numbers.add(series);
      return;
    }
    this.#numbers.add(numbersOnly(series));
    this.#totals ??= new Array<Total | undefined>(present.length).fill(undefined);
    for (let step = 0; step < present.length; step++) {
      const histogram = present[step] === 1 ? histograms[step] : undefined;
      if (histogram !== undefined) this.#addHistogram(step, histogram);
    }
  }

  #addHistogram(step: number, histogram: FloatHistogram): void {
    const totals = this.#totals!;
    const total = totals[step];
    if (total === undefined) totals[step] = new this.#Total(histogram);
    else if (!total.add(histogram)) {
      this.#notes.warn(mixedBuckets(''));
      this.#spoilt.add(step);
    }
  }

  finish(): { values: Float64Array; histograms: (FloatHistogram | undefined)[] | undefined } {
    const { values } = this.#numbers.finish();
    const { present } = this;
    const histograms = this.#totals?.map((total, step) => {
      if (total === undefined) return undefined;
      if (present[step] === 1) {
        this.#notes.warn(mixedInAggregation);
        present[step] = 0;
        return undefined;
      }
      if (this.#spoilt.has(step)) return undefined;
      if (total.hasResetConflict) this.#notes.warn(conflictingResets('aggregation'));
      if (total.reconciledBounds) this.#notes.inform(reconciledBounds('aggregation'));
      present[step] = 1;
      return total.finish();
    });
    return { values, histograms };
  }
}
