/** Sums and means of many histograms that keep what rounding would lose (Neumaier), bucket by bucket. */
import { compensate } from '../neumaier-sum.ts';
import { type Buckets, compact, type FloatHistogram } from './float-histogram.ts';
import { combinedHint, divideHistogram, multiplyHistogram } from './histogram-arithmetic.ts';
import { commonLayout, hasSameBounds, toLayout } from './histogram-layout.ts';

/** A sum and what it has lost so far: the same buckets, with the same indexes. */
interface Compensated {
  readonly sum: FloatHistogram;
  readonly lost: FloatHistogram;
}

abstract class HistogramAccumulator {
  protected total: Compensated;
  #sawReset = false;
  #sawNoReset = false;
  #reconciledBounds = false;

  constructor(first: FloatHistogram) {
    this.total = exact(first);
    this.#noteHint(first);
  }

  /** Some histogram came after a counter reset and some other did not. */
  get hasResetConflict(): boolean {
    return this.#sawReset && this.#sawNoReset;
  }

  get reconciledBounds(): boolean {
    return this.#reconciledBounds;
  }

  #noteHint({ resetHint }: FloatHistogram): void {
    this.#sawReset ||= resetHint === 'reset';
    this.#sawNoReset ||= resetHint === 'not_reset';
  }

  /** Returns false, and has added nothing, where exponential meet custom buckets. */
  add(next: FloatHistogram): boolean {
    this.#noteHint(next);
    return this.include(next);
  }

  protected abstract include(next: FloatHistogram): boolean;

  /** The value so far, without empty buckets. */
  abstract finish(): FloatHistogram;

  protected plus(total: Compensated, next: FloatHistogram): Compensated | undefined {
    const layout = commonLayout(total.sum, next);
    if (layout === undefined) return undefined;
    this.#reconciledBounds ||= !hasSameBounds(total.sum, next);
    const { hint } = combinedHint(total.sum.resetHint, next.resetHint);
    return addCompensated(
      { ...toLayout(total.sum, layout), resetHint: hint },
      toLayout(total.lost, layout),
      toLayout(next, layout),
    );
  }
}

export class HistogramSum extends HistogramAccumulator {
  protected include(next: FloatHistogram): boolean {
    const total = this.plus(this.total, next);
    if (total === undefined) return false;
    this.total = total;
    return true;
  }

  finish(): FloatHistogram {
    return compact(withLost(this.total));
  }
}

/** A plain mean as long as the sum does not overflow, then an incremental one. */
export class HistogramMean extends HistogramAccumulator {
  #count = 1;
  #isIncremental = false;

  protected include(next: FloatHistogram): boolean {
    const count = this.#count + 1;
    if (!this.#isIncremental) {
      const total = this.plus(this.total, next);
      if (total === undefined) return false;
      if (!overflows(total.sum)) {
        this.total = total;
        this.#count = count;
        return true;
      }
      this.#isIncremental = true;
      this.total = scale(this.total, 1 / this.#count);
    }
    const mean = this.plus(scale(this.total, this.#count / count), divideHistogram(next, count));
    if (mean === undefined) return false;
    this.total = mean;
    this.#count = count;
    return true;
  }

  finish(): FloatHistogram {
    if (this.#isIncremental) return compact(withLost(this.total));
    const { sum, lost } = this.total;
    return compact(
      withLost({ sum: divideHistogram(sum, this.#count), lost: divideHistogram(lost, this.#count) }),
    );
  }
}

function exact(sum: FloatHistogram): Compensated {
  const zero = ({ indexes }: Buckets): Buckets => ({ indexes, counts: new Float64Array(indexes.length) });
  const lost = {
    ...sum,
    zeroCount: 0,
    count: 0,
    sum: 0,
    positive: zero(sum.positive),
    negative: zero(sum.negative),
  };
  return { sum, lost };
}

function scale({ sum, lost }: Compensated, factor: number): Compensated {
  return { sum: multiplyHistogram(sum, factor), lost: multiplyHistogram(lost, factor) };
}

function withLost({ sum, lost }: Compensated): FloatHistogram {
  const plus = (a: Buckets, b: Buckets): Buckets => ({
    indexes: a.indexes,
    counts: a.counts.map((count, i) => count + b.counts[i]),
  });
  return {
    ...sum,
    zeroCount: sum.zeroCount + lost.zeroCount,
    count: sum.count + lost.count,
    sum: sum.sum + lost.sum,
    positive: plus(sum.positive, lost.positive),
    negative: plus(sum.negative, lost.negative),
  };
}

/** All three have one layout, `sum` and `lost` the same indexes. */
function addCompensated(sum: FloatHistogram, lost: FloatHistogram, next: FloatHistogram): Compensated {
  const positive = addBuckets(sum.positive, lost.positive, next.positive);
  const negative = addBuckets(sum.negative, lost.negative, next.negative);
  const zero = addNumber(sum.zeroCount, lost.zeroCount, next.zeroCount);
  const count = addNumber(sum.count, lost.count, next.count);
  const total = addNumber(sum.sum, lost.sum, next.sum);
  return {
    sum: {
      ...sum,
      zeroCount: zero.sum,
      count: count.sum,
      sum: total.sum,
      positive: positive.sum,
      negative: negative.sum,
    },
    lost: {
      ...lost,
      zeroCount: zero.lost,
      count: count.lost,
      sum: total.lost,
      positive: positive.lost,
      negative: negative.lost,
    },
  };
}

function addNumber(sum: number, lost: number, value: number): { sum: number; lost: number } {
  const next = sum + value;
  return { sum: next, lost: compensate(next, sum, value, lost) };
}

function addBuckets(sum: Buckets, lost: Buckets, next: Buckets): { sum: Buckets; lost: Buckets } {
  if (next.indexes.length === 0) return { sum, lost };
  const room = sum.indexes.length + next.indexes.length;
  const indexes = new Int32Array(room);
  const sums = new Float64Array(room);
  const losses = new Float64Array(room);
  let length = 0;
  let left = 0;
  let right = 0;
  while (left < sum.indexes.length || right < next.indexes.length) {
    const leftIndex = left < sum.indexes.length ? sum.indexes[left] : Infinity;
    const rightIndex = right < next.indexes.length ? next.indexes[right] : Infinity;
    const index = Math.min(leftIndex, rightIndex);
    const before = leftIndex === index ? sum.counts[left] : 0;
    const lostBefore = leftIndex === index ? lost.counts[left++] : 0;
    const value = rightIndex === index ? next.counts[right++] : 0;
    const added = addNumber(before, lostBefore, value);
    indexes[length] = index;
    sums[length] = added.sum;
    losses[length++] = added.lost;
  }
  const shared = indexes.subarray(0, length);
  return {
    sum: { indexes: shared, counts: sums.subarray(0, length) },
    lost: { indexes: shared, counts: losses.subarray(0, length) },
  };
}

function overflows({ count, sum, zeroCount, positive, negative }: FloatHistogram): boolean {
  const isInfinite = (value: number) => value === Infinity || value === -Infinity;
  return (
    isInfinite(count) ||
    isInfinite(sum) ||
    isInfinite(zeroCount) ||
    positive.counts.some(isInfinite) ||
    negative.counts.some(isInfinite)
  );
}
