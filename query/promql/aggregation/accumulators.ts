/**
 * What an aggregation keeps of a group: columns over the steps, however many series the group has.
 * `add` takes a series into account and is forbidden to keep it; `finish` is called once.
 */

import type { FloatHistogram } from '../histogram/float-histogram.ts';
import { HistogramMean, HistogramSum } from '../histogram/histogram-sum.ts';
import { compensate } from '../neumaier-sum.ts';
import { quantile } from '../quantile.ts';
import type { StepSeries } from '../step-series.ts';
import { MixedAccumulator } from './mixed-accumulator.ts';

export interface Accumulator {
  /** 1 where any series of the group has a value. */
  readonly present: Uint8Array;
  /** Histograms come only to those that know what to do with them: sum, avg, count, group. */
  add(series: StepSeries): void;
  /** The group's values, where `present`. */
  finish(): {
    readonly values: Float64Array;
    readonly histograms?: (FloatHistogram | undefined)[] | undefined;
  };
}

/** Where accumulators leave what they found out about histograms. */
export interface HistogramNotes {
  readonly warn: (fact: string) => void;
  readonly inform: (fact: string) => void;
}

/** Runs one function per value; the first value of a step is told apart, as Prometheus does. */
abstract class StepAccumulator implements Accumulator {
  readonly present: Uint8Array;
  readonly values: Float64Array;

  constructor(stepCount: number) {
    this.present = new Uint8Array(stepCount);
    this.values = new Float64Array(stepCount);
  }

  add({ values, present }: StepSeries): void {
    for (let step = 0; step < present.length; step++) {
      if (present[step] === 0) continue;
      if (this.present[step] === 1) this.next(step, values[step]);
      else {
        this.present[step] = 1;
        this.first(step, values[step]);
      }
    }
  }

  first(step: number, value: number): void {
    this.values[step] = value;
  }

  abstract next(step: number, value: number): void;

  finish(): { values: Float64Array; histograms?: (FloatHistogram | undefined)[] | undefined } {
    return { values: this.numbers() };
  }

  numbers(): Float64Array {
    return this.values;
  }
}

class SumAccumulator extends StepAccumulator {
  readonly #compensations = new Float64Array(this.values.length);

  override next(step: number, value: number): void {
    const sum = this.values[step];
    const total = sum + value;
    this.#compensations[step] = compensate(total, sum, value, this.#compensations[step]);
    this.values[step] = total;
  }

  override numbers(): Float64Array {
    return this.values.map((sum, step) => sum + this.#compensations[step]);
  }
}

/** A plain mean as long as the sum does not overflow, then an incremental one. */
class AverageAccumulator extends StepAccumulator {
  readonly #compensations = new Float64Array(this.values.length);
  readonly #counts = new Float64Array(this.values.length);
  readonly #means = new Float64Array(this.values.length);
  readonly #isIncremental = new Uint8Array(this.values.length);

  override first(step: number, value: number): void {
    this.values[step] = value;
    this.#counts[step] = 1;
  }

  override next(step: number, value: number): void {
    const count = ++this.#counts[step];
    if (this.#isIncremental[step] === 0) {
      const sum = this.values[step];
      const total = sum + value;
      if (total !== Infinity && total !== -Infinity) {
        this.#compensations[step] = compensate(total, sum, value, this.#compensations[step]);
        this.values[step] = total;
        return;
      }
      this.#isIncremental[step] = 1;
      this.#means[step] = sum / (count - 1);
      this.#compensations[step] /= count - 1;
    }
    const weight = (count - 1) / count;
    const base = weight * this.#means[step];
    const mean = base + value / count;
    this.#compensations[step] = compensate(mean, base, value / count, weight * this.#compensations[step]);
    this.#means[step] = mean;
  }

  override numbers(): Float64Array {
    return this.values.map((sum, step) => {
      const compensation = this.#compensations[step];
      if (this.#isIncremental[step] === 1) return this.#means[step] + compensation;
      return sum / this.#counts[step] + compensation / this.#counts[step];
    });
  }
}

class MinAccumulator extends StepAccumulator {
  override next(step: number, value: number): void {
    if (this.values[step] > value || Number.isNaN(this.values[step])) this.values[step] = value;
  }
}

class MaxAccumulator extends StepAccumulator {
  override next(step: number, value: number): void {
    if (this.values[step] < value || Number.isNaN(this.values[step])) this.values[step] = value;
  }
}

class CountAccumulator extends StepAccumulator {
  override first(step: number): void {
    this.values[step] = 1;
  }

  override next(step: number): void {
    this.values[step]++;
  }
}

class GroupAccumulator extends StepAccumulator {
  override first(step: number): void {
    this.values[step] = 1;
  }

  override next(): void {}
}

/** Welford's variance. */
class VarianceAccumulator extends StepAccumulator {
  readonly #means = new Float64Array(this.values.length);
  readonly #counts = new Float64Array(this.values.length);

  override first(step: number, value: number): void {
    this.values[step] = Number.isFinite(value) ? 0 : NaN;
    this.#means[step] = value;
    this.#counts[step] = 1;
  }

  override next(step: number, value: number): void {
    const delta = value - this.#means[step];
    this.#means[step] += delta / ++this.#counts[step];
    this.values[step] += delta * (value - this.#means[step]);
  }

  override numbers(): Float64Array {
    return this.values.map((squares, step) => squares / this.#counts[step]);
  }
}

class DeviationAccumulator extends VarianceAccumulator {
  override numbers(): Float64Array {
    return super.numbers().map(Math.sqrt);
  }
}

/** Needs all values: it keeps the columns of its series. */
class QuantileAccumulator implements Accumulator {
  readonly present: Uint8Array;
  readonly #quantiles: Float64Array;
  readonly #columns: StepSeries[] = [];

  constructor(stepCount: number, quantiles: Float64Array) {
    this.present = new Uint8Array(stepCount);
    this.#quantiles = quantiles;
  }

  add(series: StepSeries): void {
    this.#columns.push(series);
    for (let step = 0; step < this.present.length; step++) this.present[step] |= series.present[step];
  }

  finish(): { values: Float64Array } {
    const values = this.#quantiles.map((q, step) => {
      const columns = this.#columns.filter(({ present }) => present[step] === 1);
      return quantile(
        q,
        Float64Array.from(columns, (column) => column.values[step]),
      );
    });
    return { values };
  }
}

type AccumulatorFactory = (
  stepCount: number,
  parameter: Float64Array | undefined,
  notes: HistogramNotes,
) => Accumulator;

/** By the operator's name. */
export const accumulators: Readonly<Record<string, AccumulatorFactory>> = {
  sum: (stepCount, _parameter, notes) =>
    new MixedAccumulator(new SumAccumulator(stepCount), HistogramSum, notes),
  avg: (stepCount, _parameter, notes) =>
    new MixedAccumulator(new AverageAccumulator(stepCount), HistogramMean, notes),
  min: (stepCount) => new MinAccumulator(stepCount),
  max: (stepCount) => new MaxAccumulator(stepCount),
  count: (stepCount) => new CountAccumulator(stepCount),
  group: (stepCount) => new GroupAccumulator(stepCount),
  stdvar: (stepCount) => new VarianceAccumulator(stepCount),
  stddev: (stepCount) => new DeviationAccumulator(stepCount),
  quantile: (stepCount, quantiles) =>
    new QuantileAccumulator(stepCount, quantiles ?? new Float64Array(stepCount).fill(NaN)),
};
