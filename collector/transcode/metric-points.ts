/**
 * The data points of one OTLP Metric, as samples.
 *
 *   gauge, sum -> name         histogram -> name_count name_sum name_bucket{le}      summary -> name{quantile} ...
 *
 *   Metric => name:string (1) description:string (2) unit:string (3)
 *             gauge (5) | sum (7) | histogram (9) | exponential_histogram (10) | summary (11)
 */
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import type { DeltaAccumulator } from './delta-accumulator.ts';
import { DeltaPoints } from './delta-points.ts';
import type { MetricKind } from './metric-name.ts';
import { MetricNameCache, type MetricNames } from './metric-names.ts';
import type { TranslationStrategy } from './metric-translation.ts';
import { PointReader } from './point-reader.ts';
import { type PointSeries, seriesRole } from './point-series.ts';
import type { RecordWindow } from './record-window.ts';
import { checkRecordCount, type RequestTally } from './request-tally.ts';
import { metricType, type SeriesSink } from './series-sink.ts';

const fieldGauge = 5;
const fieldSum = 7;
const fieldHistogram = 9;
const fieldExponentialHistogram = 10;
const fieldSummary = 11;
const temporalityDelta = 1;
const temporalityCumulative = 2;

/** Buckets of one histogram point: each becomes a series, so more than this is a mistake. */
export const histogramBucketsMax = 1024;

/** What Prometheus stores where a series ended: this very NaN, no other (flag no_recorded_value). */
const staleLow = 0x2;
const staleHigh = 0x7ff0_0000;

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
  [fieldSummary]: 'summary',
};

export class MetricPoints {
  readonly #reader: ProtobufReader;
  readonly #window: RecordWindow;
  readonly #series: SeriesSink;
  readonly #pointSeries: PointSeries;
  readonly #names: MetricNameCache;
  readonly #point: PointReader;
  readonly #deltas: DeltaPoints;
  /** Counts up to each bound of the histogram that is read. */
  readonly #bucketCounts = new Float64Array(histogramBucketsMax + 1);

  // The metric that is being read.
  #nameStart = 0;
  #nameEnd = 0;
  #helpStart = 0;
  #helpEnd = 0;
  #unitStart = 0;
  #unitEnd = 0;
  #dataField = 0;
  #dataStart = 0;
  #dataEnd = 0;
  /** Numbers of its series names in the block. */
  #countIndex = 0;
  #sumIndex = 0;

  constructor(
    reader: ProtobufReader,
    window: RecordWindow,
    series: SeriesSink,
    pointSeries: PointSeries,
    strategy: TranslationStrategy,
    deltas: DeltaAccumulator,
  ) {
    this.#names = new MetricNameCache(strategy);
    this.#reader = reader;
    this.#window = window;
    this.#series = series;
    this.#pointSeries = pointSeries;
    this.#point = new PointReader(reader, window);
    this.#deltas = new DeltaPoints(deltas, window, this.#point, pointSeries);
  }

  /** Appends the samples of the Metric that is [start, end) of the request. */
  readMetric(start: number, end: number, tally: RequestTally): void {
    this.#scanMetric(start, end);
    if (this.#dataField === 0) return;
    const point = this.#point;
    point.scanData(this.#dataStart, this.#dataEnd);
    if (point.points.count === 0 || !this.#isSupported(tally)) return;
    const isCounter = this.#dataField === fieldSum && point.isMonotonic;
    const kind = isCounter ? 'counter' : kindOfField[this.#dataField];
    const { source } = this.#reader;
    const names = this.#names.get(
      source,
      this.#nameStart,
      this.#nameEnd,
      this.#unitStart,
      this.#unitEnd,
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
    const before = this.#series.sampleCount;
    if (kind === 'histogram' || kind === 'summary') {
      this.#countIndex = this.#series.metricIndex(names.count, 0, names.count.bytes.length);
      this.#sumIndex = this.#series.metricIndex(names.sum, 0, names.sum.bytes.length);
    }
    if (kind === 'histogram') this.#readHistogram(names, tally);
    else if (kind === 'summary') this.#readSummary(names, tally);
    else this.#readNumbers(names, tally);
    checkRecordCount(this.#series.sampleCount);
    if (point.exemplarCount > 0) {
      tally.reject('unsupported_exemplar', 'exemplars are not stored yet', point.exemplarCount);
    }
    if (this.#series.sampleCount > before) {
      const helpLength = this.#helpEnd - this.#helpStart;
      this.#series.describe(names.base, typeOfKind[kind], source, this.#helpStart, helpLength, names.unit);
    }
  }

  get #isDelta(): boolean {
    return this.#point.temporality === temporalityDelta;
  }

  #scanMetric(start: number, end: number): void {
    const reader = this.#reader;
    this.#nameEnd = this.#nameStart = start;
    this.#helpEnd = this.#helpStart = start;
    this.#unitEnd = this.#unitStart = start;
    this.#dataField = 0;
    reader.seek(start, end);
    while (reader.position < end) {
      const tag = reader.readTag();
      if ((tag & 7) !== 2 || tag > (fieldSummary << 3) + 2) {
        reader.skip();
        continue;
      }
      const length = reader.readLength();
      const from = reader.position;
      const to = from + length;
      reader.position = to;
      switch (tag >>> 3) {
        case 1:
          this.#nameStart = from;
          this.#nameEnd = to;
          break;
        case 2:
          this.#helpStart = from;
          this.#helpEnd = to;
          break;
        case 3:
          this.#unitStart = from;
          this.#unitEnd = to;
          break;
        case fieldGauge:
        case fieldSum:
        case fieldHistogram:
        case fieldExponentialHistogram:
        case fieldSummary:
          this.#dataField = tag >>> 3;
          this.#dataStart = from;
          this.#dataEnd = to;
      }
    }
  }

  /** Refuses what has no Prometheus form yet, with all its points. */
  #isSupported(tally: RequestTally): boolean {
    const { points, temporality } = this.#point;
    const name = () =>
      JSON.stringify(
        Buffer.from(this.#reader.source.bytes.subarray(this.#nameStart, this.#nameEnd)).toString(),
      );
    if (this.#dataField === fieldExponentialHistogram) {
      tally.reject(
        'unsupported_exponential_histogram',
        `the metric ${name()} is an exponential histogram: send explicit buckets`,
        points.count,
      );
      return false;
    }
    if (this.#dataField !== fieldSum && this.#dataField !== fieldHistogram) return true;
    if (temporality === temporalityCumulative || temporality === temporalityDelta) return true;
    tally.reject(
      'invalid_temporality',
      `the metric ${name()} has aggregation temporality ${temporality}: it must be cumulative or delta`,
      points.count,
    );
    return false;
  }

  /** Judges the time of the point that was read, and makes it the one that samples are pushed for. */
  #beginPoint(names: MetricNames, tally: RequestTally): boolean {
    const point = this.#point;
    const refusal = this.#window.refusalOfMs(point.unixMs);
    if (refusal !== undefined) {
      tally.reject(refusal, this.#window.describe(refusal, point.unixMs));
      return false;
    }
    this.#pointSeries.beginPoint(names.base, point.attributes);
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
      }
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
      if (!this.#writeCountAndSum(names)) {
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
    }
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
      if (!this.#writeCountAndSum(names)) {
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

  /** name_count, and name_sum where the point has one. */
  #writeCountAndSum(names: MetricNames): boolean {
    const point = this.#point;
    const series = this.#pointSeries;
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
