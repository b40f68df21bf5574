/**
 * The data points of an OTLP histogram with explicit buckets, and of a summary, as the samples of several series.
 *
 *   histogram -> name_count name_sum name_bucket{le}      summary -> name_count name_sum name{quantile}
 *
 * All that counts up has a start time; a quantile is a value of its moment and has none.
 */
import type { MetricNames } from './metric-names.ts';
import { staleHigh, staleLow } from './native-histogram.ts';
import {
  hasFittingBuckets,
  histogramBucketsMax,
  isPointAdmitted,
  isTimeKept,
  keptStart,
} from './point-admission.ts';
import { type PointParts, temporalityDelta } from './point-parts.ts';
import { seriesRole } from './point-series.ts';
import type { RequestTally } from './request-tally.ts';

export class HistogramPoints {
  readonly #parts: PointParts;
  /** Counts up to each bound of the histogram that is read. */
  readonly #bucketCounts = new Float64Array(histogramBucketsMax + 1);
  // Numbers of the metric's series names in the block.
  #countIndex = 0;
  #sumIndex = 0;

  constructor(parts: PointParts) {
    this.#parts = parts;
  }

  /** Appends the points of a Histogram that PointReader has scanned. */
  readHistograms(names: MetricNames, tally: RequestTally): void {
    const { point, pointSeries, series, window, deltas } = this.#parts;
    this.#beginMetric(names);
    const bucketIndex = series.metricIndex(names.bucket, 0, names.bucket.bytes.length);
    const counts = this.#bucketCounts;
    for (let i = 0; i < point.points.count; i++) {
      point.readHistogram(i);
      if (!isTimeKept(point.unixMs, window, tally) || !hasFittingBuckets(point, tally)) continue;
      point.startMs = keptStart(point.startMs, point.unixMs, tally);
      pointSeries.beginPoint(names.base, point.attributes);
      const bucketCount = this.#countUpToBounds();
      if (point.temporality === temporalityDelta) {
        if (!deltas.addHistogram(names, counts, bucketCount, tally)) continue;
      }
      pointSeries.startMs = point.startMs;
      if (!this.#writeCountAndSum(names, bucketCount)) {
        this.#refuse(tally);
        continue;
      }
      for (let b = 0; b < bucketCount; b++) {
        const bound = b === bucketCount - 1 ? Number.POSITIVE_INFINITY : point.boundAt(b);
        point.setValue(counts[b]);
        const low = point.isStale ? staleLow : point.valueLow;
        const high = point.isStale ? staleHigh : point.valueHigh;
        if (!pointSeries.push(names.bucket, bucketIndex, seriesRole.bucket, bound, point.unixMs, low, high)) {
          this.#refuse(tally);
        }
      }
      if (point.exemplars.count > 0) this.#writeBucketExemplars(names, bucketCount - 1, tally);
    }
  }

  /** Appends the points of a Summary that PointReader has scanned. */
  readSummaries(names: MetricNames, tally: RequestTally): void {
    const { point, pointSeries, series, window } = this.#parts;
    const { base } = names;
    this.#beginMetric(names);
    const index = series.metricIndex(base, 0, base.bytes.length);
    for (let i = 0; i < point.points.count; i++) {
      point.readSummary(i);
      if (!isTimeKept(point.unixMs, window, tally)) continue;
      if (point.quantiles.count > histogramBucketsMax) {
        const fact = `a summary has ${point.quantiles.count} quantiles, more than ${histogramBucketsMax}`;
        tally.reject('too_many_buckets', fact);
        continue;
      }
      pointSeries.beginPoint(base, point.attributes);
      pointSeries.startMs = keptStart(point.startMs, point.unixMs, tally);
      if (!this.#writeCountAndSum(names, 0)) {
        this.#refuse(tally);
        continue;
      }
      pointSeries.startMs = 0;
      for (let q = 0; q < point.quantiles.count; q++) {
        const quantile = point.readQuantile(q);
        const low = point.isStale ? staleLow : point.valueLow;
        const high = point.isStale ? staleHigh : point.valueHigh;
        if (!pointSeries.push(base, index, seriesRole.quantile, quantile, point.unixMs, low, high)) {
          this.#refuse(tally);
        }
      }
    }
  }

  #beginMetric({ count, sum }: MetricNames): void {
    const { series } = this.#parts;
    this.#countIndex = series.metricIndex(count, 0, count.bytes.length);
    this.#sumIndex = series.metricIndex(sum, 0, sum.bytes.length);
  }

  #refuse(tally: RequestTally): void {
    const { refusal } = this.#parts.pointSeries;
    if (refusal !== undefined) tally.reject(refusal.reason, refusal.message);
  }

  /** An exemplar is of the first bucket whose bound is not below its value; NaN is of the last. */
  #writeBucketExemplars(names: MetricNames, boundCount: number, tally: RequestTally): void {
    const { point, exemplars } = this.#parts;
    const boundOf = (value: number): number => {
      let first = 0;
      let last = boundCount;
      while (first < last) {
        const middle = (first + last) >> 1;
        if (value <= point.boundAt(middle)) last = middle;
        else first = middle + 1;
      }
      return first < boundCount ? point.boundAt(first) : Number.POSITIVE_INFINITY;
    };
    exemplars.write(point.exemplars, point.unixMs, names.bucket, seriesRole.bucket, boundOf, tally);
  }

  /**
   * Fills #bucketCounts and returns how many they are: OTLP counts each bucket alone, Prometheus all that is not above
   * a bound. The last one is the count.
   */
  #countUpToBounds(): number {
    const { point } = this.#parts;
    const last = point.bucketCount === 0 ? 0 : point.boundCount;
    let total = 0;
    for (let b = 0; b < last; b++) {
      total += point.bucketAt(b);
      this.#bucketCounts[b] = total;
    }
    this.#bucketCounts[last] = point.count;
    return last + 1;
  }

  /** name_count, and name_sum where the point has one. Returns false where a series of the point is refused. */
  #writeCountAndSum(names: MetricNames, bucketCount: number): boolean {
    const { point, pointSeries, series } = this.#parts;
    if (series.isNearLimit && !isPointAdmitted(pointSeries, names, point, bucketCount)) return false;
    const { unixMs, isStale } = point;
    const sumLow = isStale ? staleLow : point.valueLow;
    const sumHigh = isStale ? staleHigh : point.valueHigh;
    point.setValue(point.count);
    const low = isStale ? staleLow : point.valueLow;
    const high = isStale ? staleHigh : point.valueHigh;
    if (!pointSeries.push(names.count, this.#countIndex, seriesRole.count, 0, unixMs, low, high))
      return false;
    if (!point.hasValue) return true;
    return pointSeries.push(names.sum, this.#sumIndex, seriesRole.sum, 0, unixMs, sumLow, sumHigh);
  }
}
