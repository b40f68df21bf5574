/**
 * The data points of one OTLP Metric, as samples.
 *
 *   gauge, sum -> name         histogram -> name_count name_sum name_bucket{le}      summary -> name{quantile} ...
 *   exponential histogram -> name, a native histogram
 *
 *   Metric => name:string (1) description:string (2) unit:string (3)
 *             gauge (5) | sum (7) | histogram (9) | exponential_histogram (10) | summary (11)
 */
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import type { DeltaAccumulator } from './delta-accumulator.ts';
import { DeltaPoints } from './delta-points.ts';
import { ExponentialHistogramReader } from './exponential-histogram.ts';
import {
  fieldExponentialHistogram,
  fieldGauge,
  fieldHistogram,
  fieldSum,
  fieldSummary,
  MetricMessage,
} from './metric-message.ts';
import type { MetricKind } from './metric-name.ts';
import { MetricNameCache, type MetricNames } from './metric-names.ts';
import type { TranslationStrategy } from './metric-translation.ts';
import { NativeHistogram, staleHigh, staleLow } from './native-histogram.ts';
import { isPointAdmitted } from './point-admission.ts';
import type { PointExemplars } from './point-exemplars.ts';
import { PointReader } from './point-reader.ts';
import { type PointSeries, seriesRole } from './point-series.ts';
import type { RecordWindow } from './record-window.ts';
import { checkRecordCount, type RequestTally } from './request-tally.ts';
import { inMetric } from './series-rules.ts';
import { metricType, type SeriesSink } from './series-sink.ts';

const temporalityDelta = 1;
const temporalityCumulative = 2;

/** Buckets of one histogram point: each becomes a series, so more than this is a mistake. */
export const histogramBucketsMax = 1024;

const typeOfKind: Readonly<Record<MetricKind, number>> = {
  gauge: metricType.gauge,
  updown: metricType.gauge,
  counter: metricType.counter,
  histogram: metricType.histogram,
  summary: metricType.summary,
};
const kindOfField: Readonly<Record<number, MetricKind>> = {
  [fieldGauge]: 'gauge',
  [fieldSum]: 'updown',
  [fieldHistogram]: 'histogram',
  [fieldExponentialHistogram]: 'histogram',
  [fieldSummary]: 'summary',
};

const noBound = (): number => 0;

/** What the points of a metric are written with. */
export interface MetricParts {
  readonly series: SeriesSink;
  readonly pointSeries: PointSeries;
  readonly exemplars: PointExemplars;
  readonly strategy: TranslationStrategy;
  readonly deltas: DeltaAccumulator;
}

export class MetricPoints {
  readonly #reader: ProtobufReader;
  readonly #window: RecordWindow;
  readonly #series: SeriesSink;
  readonly #pointSeries: PointSeries;
  readonly #names: MetricNameCache;
  readonly #point: PointReader;
  readonly #exemplars: PointExemplars;
  readonly #exponential: ExponentialHistogramReader;
  readonly #native = new NativeHistogram();
  readonly #deltas: DeltaPoints;
  /** Counts up to each bound of the histogram that is read. */
  readonly #bucketCounts = new Float64Array(histogramBucketsMax + 1);

  readonly #metric: MetricMessage;
  /** Numbers of its series names in the block. */
  #countIndex = 0;
  #sumIndex = 0;

  constructor(reader: ProtobufReader, window: RecordWindow, parts: MetricParts) {
    this.#names = new MetricNameCache(parts.strategy);
    this.#metric = new MetricMessage(reader);
    this.#reader = reader;
    this.#window = window;
    this.#series = parts.series;
    this.#pointSeries = parts.pointSeries;
    this.#point = new PointReader(reader, window);
    this.#exemplars = parts.exemplars;
    this.#exponential = new ExponentialHistogramReader(reader, window);
    this.#deltas = new DeltaPoints(parts.deltas, window, this.#point, this.#pointSeries);
  }

  /** Appends the samples of the Metric that is [start, end) of the request. */
  readMetric(start: number, end: number, tally: RequestTally): void {
    const metric = this.#metric;
    metric.read(start, end);
    if (metric.dataField === 0) return;
    const point = this.#point;
    point.scanData(this.#metric.dataStart, this.#metric.dataEnd);
    if (point.points.count === 0 || !this.#isSupported(tally)) return;
    const isCounter = this.#metric.dataField === fieldSum && point.isMonotonic;
    const kind = isCounter ? 'counter' : kindOfField[this.#metric.dataField];
    const { source } = this.#reader;
    const names = this.#names.get(
      source,
      this.#metric.nameStart,
      this.#metric.nameEnd,
      this.#metric.unitStart,
      this.#metric.unitEnd,
      kind,
    );
    if (names.base.bytes.length === 0) {
      tally.reject(
        'invalid_metric_name',
        'a metric has no name that Prometheus can show',
        point.points.count,
      );
      return;
    }
    const before = this.#recordCount;
    const isNative = this.#metric.dataField === fieldExponentialHistogram;
    if ((kind === 'histogram' && !isNative) || kind === 'summary') {
      this.#countIndex = this.#series.metricIndex(names.count, 0, names.count.bytes.length);
      this.#sumIndex = this.#series.metricIndex(names.sum, 0, names.sum.bytes.length);
    }
    if (isNative) this.#readExponential(names, tally);
    else if (kind === 'histogram') this.#readHistogram(names, tally);
    else if (kind === 'summary') this.#readSummary(names, tally);
    else this.#readNumbers(names, tally);
    checkRecordCount(this.#recordCount);
    if (this.#recordCount > before) {
      const helpLength = this.#metric.helpEnd - this.#metric.helpStart;
      this.#series.describe(
        names.base,
        typeOfKind[kind],
        source,
        this.#metric.helpStart,
        helpLength,
        names.unit,
      );
    }
  }

  get #recordCount(): number {
    const series = this.#series;
    return series.sampleCount + series.histogramCount + series.exemplarCount;
  }

  get #isDelta(): boolean {
    return this.#point.temporality === temporalityDelta;
  }

  /** Refuses what has no Prometheus form yet, with all its points. */
  #isSupported(tally: RequestTally): boolean {
    const { points, temporality } = this.#point;
    const name = () =>
      JSON.stringify(
        Buffer.from(
          this.#reader.source.bytes.subarray(this.#metric.nameStart, this.#metric.nameEnd),
        ).toString(),
      );
    if (this.#metric.dataField === fieldGauge || this.#metric.dataField === fieldSummary) return true;
    if (temporality === temporalityCumulative) return true;
    const isNative = this.#metric.dataField === fieldExponentialHistogram;
    if (temporality === temporalityDelta && !isNative) return true;
    if (temporality === temporalityDelta) {
      tally.reject(
        'unsupported_delta_exponential_histogram',
        `the metric ${name()} is an exponential histogram with delta temporality: set the exporter to cumulative`,
        points.count,
      );
      return false;
    }
    tally.reject(
      'invalid_temporality',
      `the metric ${name()} has aggregation temporality ${temporality}: it must be cumulative or delta`,
      points.count,
    );
    return false;
  }

  /** Judges the time of the point that was read, and makes it the one that samples are pushed for. */
  #beginPoint(names: MetricNames, tally: RequestTally): boolean {
    return this.#beginPointAt(this.#point.unixMs, names, tally);
  }

  #beginPointAt(unixMs: number, names: MetricNames, tally: RequestTally): boolean {
    const refusal = this.#window.refusalOfMs(unixMs);
    if (refusal !== undefined) {
      tally.reject(refusal, this.#window.describe(refusal, unixMs));
      return false;
    }
    this.#pointSeries.beginPoint(names.base, this.#point.attributes);
    return true;
  }

  #refuse(tally: RequestTally): void {
    const { refusal } = this.#pointSeries;
    if (refusal !== undefined) tally.reject(refusal.reason, refusal.message);
  }

  #readNumbers(names: MetricNames, tally: RequestTally): void {
    const point = this.#point;
    const { base } = names;
    const index = this.#series.metricIndex(base, 0, base.bytes.length);
    for (let i = 0; i < point.points.count; i++) {
      point.readNumber(i);
      if (!this.#beginPoint(names, tally)) continue;
      if (!point.hasValue && !point.isStale) {
        tally.reject('missing_value', 'a data point has neither as_double nor as_int');
        continue;
      }
      if (this.#isDelta && !this.#deltas.addNumber(names, point.isMonotonic, tally)) continue;
      const low = point.isStale ? staleLow : point.valueLow;
      const high = point.isStale ? staleHigh : point.valueHigh;
      if (!this.#pointSeries.push(base, index, seriesRole.value, 0, point.unixMs, low, high)) {
        this.#refuse(tally);
      } else if (point.exemplars.count > 0) {
        this.#exemplars.write(point.exemplars, point.unixMs, base, seriesRole.value, noBound, tally);
      }
    }
  }

  #readExponential(names: MetricNames, tally: RequestTally): void {
    const { points, attributes, exemplars } = this.#point;
    const histogram = this.#native;
    const { base } = names;
    for (let i = 0; i < points.count; i++) {
      this.#exponential.read(points.starts[i], points.ends[i], histogram, attributes, exemplars);
      const { unixMs } = histogram;
      if (!this.#beginPointAt(unixMs, names, tally)) continue;
      const refusal = this.#exponential.finish(histogram);
      if (refusal !== undefined) {
        tally.reject(refusal.reason, inMetric(refusal.message, base.bytes));
        continue;
      }
      if (histogram.startMs > unixMs) {
        tally.reject(
          'invalid_start_time',
          `a point at ${unixMs} ms has the start time ${histogram.startMs} ms`,
        );
        histogram.startMs = 0;
      }
      const entry = this.#pointSeries.find(base, seriesRole.native, 0, unixMs);
      if (entry === -1) {
        this.#refuse(tally);
        continue;
      }
      this.#series.pushHistogram(entry, base, 0, base.bytes.length, histogram);
      this.#exemplars.write(exemplars, unixMs, base, seriesRole.native, noBound, tally);
    }
  }

  #readHistogram(names: MetricNames, tally: RequestTally): void {
    const point = this.#point;
    const series = this.#pointSeries;
    const bucketIndex = this.#series.metricIndex(names.bucket, 0, names.bucket.bytes.length);
    for (let i = 0; i < point.points.count; i++) {
      point.readHistogram(i);
      if (!this.#beginPoint(names, tally)) continue;
      const boundCount = point.boundCount;
      if (boundCount > histogramBucketsMax) {
        tally.reject(
          'too_many_buckets',
          `a histogram has ${boundCount} buckets, more than ${histogramBucketsMax}`,
        );
        continue;
      }
      if (point.bucketCount !== 0 && point.bucketCount !== boundCount + 1) {
        tally.reject(
          'invalid_histogram',
          `a histogram has ${boundCount} bounds and ${point.bucketCount} bucket counts: one more is needed`,
        );
        continue;
      }
      const bucketCount = this.#countUpToBounds();
      const counts = this.#bucketCounts;
      if (this.#isDelta && !this.#deltas.addHistogram(names, counts, bucketCount, tally)) continue;
      if (!this.#writeCountAndSum(names, bucketCount)) {
        this.#refuse(tally);
        continue;
      }
      for (let b = 0; b < bucketCount; b++) {
        const bound = b === bucketCount - 1 ? Number.POSITIVE_INFINITY : point.boundAt(b);
        point.setValue(counts[b]);
        const low = point.isStale ? staleLow : point.valueLow;
        const high = point.isStale ? staleHigh : point.valueHigh;
        if (!series.push(names.bucket, bucketIndex, seriesRole.bucket, bound, point.unixMs, low, high)) {
          this.#refuse(tally);
        }
      }
      if (point.exemplars.count > 0) this.#writeBucketExemplars(names, bucketCount - 1, tally);
    }
  }

  /** An exemplar is of the first bucket whose bound is not below its value; NaN is of the last. */
  #writeBucketExemplars(names: MetricNames, boundCount: number, tally: RequestTally): void {
    const point = this.#point;
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
    this.#exemplars.write(point.exemplars, point.unixMs, names.bucket, seriesRole.bucket, boundOf, tally);
  }

  /**
   * Fills #bucketCounts and returns how many they are: OTLP counts each bucket alone, Prometheus all that is not above
   * a bound. The last one is the count.
   */
  #countUpToBounds(): number {
    const point = this.#point;
    const last = point.bucketCount === 0 ? 0 : point.boundCount;
    let total = 0;
    for (let b = 0; b < last; b++) {
      total += point.bucketAt(b);
      this.#bucketCounts[b] = total;
    }
    this.#bucketCounts[last] = point.count;
    return last + 1;
  }

  #readSummary(names: MetricNames, tally: RequestTally): void {
    const point = this.#point;
    const { base } = names;
    const index = this.#series.metricIndex(base, 0, base.bytes.length);
    for (let i = 0; i < point.points.count; i++) {
      point.readSummary(i);
      if (!this.#beginPoint(names, tally)) continue;
      if (point.quantiles.count > histogramBucketsMax) {
        tally.reject(
          'too_many_buckets',
          `a summary has ${point.quantiles.count} quantiles, more than ${histogramBucketsMax}`,
        );
        continue;
      }
      if (!this.#writeCountAndSum(names, 0)) {
        this.#refuse(tally);
        continue;
      }
      for (let q = 0; q < point.quantiles.count; q++) {
        const quantile = point.readQuantile(q);
        const low = point.isStale ? staleLow : point.valueLow;
        const high = point.isStale ? staleHigh : point.valueHigh;
        if (!this.#pointSeries.push(base, index, seriesRole.quantile, quantile, point.unixMs, low, high)) {
          this.#refuse(tally);
        }
      }
    }
  }

  /** name_count, and name_sum where the point has one. Returns false where a series of the point is refused. */
  #writeCountAndSum(names: MetricNames, bucketCount: number): boolean {
    const point = this.#point;
    const series = this.#pointSeries;
    if (this.#series.isNearLimit && !isPointAdmitted(series, names, point, bucketCount)) return false;
    const { unixMs, isStale } = point;
    const sumLow = point.valueLow;
    const sumHigh = point.valueHigh;
    point.setValue(point.count);
    const low = isStale ? staleLow : point.valueLow;
    const high = isStale ? staleHigh : point.valueHigh;
    if (!series.push(names.count, this.#countIndex, seriesRole.count, 0, unixMs, low, high)) return false;
    if (!point.hasValue) return true;
    return series.push(
      names.sum,
      this.#sumIndex,
      seriesRole.sum,
      0,
      unixMs,
      isStale ? staleLow : sumLow,
      isStale ? staleHigh : sumHigh,
    );
  }
}
