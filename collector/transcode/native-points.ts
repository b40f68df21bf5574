/**
 * The data points of OTLP histograms as native histograms: one row each, under the metric's own name.
 *
 *   exponential buckets -> their own schema      explicit buckets -> custom bounds, where that is wanted
 *
 * Both go on as a whole, and both are added up as a whole where they are deltas.
 */
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import { BucketWriter } from './bucket-cursor.ts';
import { ExponentialHistogramReader } from './exponential-histogram.ts';
import type { MetricNames } from './metric-names.ts';
import { customBucketsSchema, NativeHistogram } from './native-histogram.ts';
import { histogramRefusal } from './native-histogram-rules.ts';
import { hasFittingBuckets, isTimeKept, keptStart } from './point-admission.ts';
import { noBound, type PointParts, temporalityDelta } from './point-parts.ts';
import { seriesRole } from './point-series.ts';
import type { RequestTally } from './request-tally.ts';
import { inMetric, type SeriesRefusal } from './series-rules.ts';

export class NativePoints {
  readonly #parts: PointParts;
  readonly #reader: ExponentialHistogramReader;
  readonly #histogram = new NativeHistogram();
  readonly #writer = new BucketWriter();

  constructor(reader: ProtobufReader, parts: PointParts) {
    this.#parts = parts;
    this.#reader = new ExponentialHistogramReader(reader, parts.window);
  }

  /** Appends the points of an ExponentialHistogram that PointReader has scanned. */
  readExponential(names: MetricNames, tally: RequestTally): void {
    const { point, window } = this.#parts;
    const { points, attributes, exemplars } = point;
    const histogram = this.#histogram;
    for (let i = 0; i < points.count; i++) {
      this.#reader.read(points.starts[i], points.ends[i], histogram, attributes, exemplars);
      point.hasTime = this.#reader.hasTime;
      point.unixMs = histogram.unixMs;
      point.startMs = this.#reader.startMs;
      if (isTimeKept(point.unixMs, window, tally)) {
        this.#write(names, this.#reader.finish(histogram), tally);
      }
    }
  }

  /** Appends the points of a Histogram that PointReader has scanned, with custom bounds. */
  readExplicit(names: MetricNames, tally: RequestTally): void {
    const { point, window } = this.#parts;
    for (let i = 0; i < point.points.count; i++) {
      point.readHistogram(i);
      if (!isTimeKept(point.unixMs, window, tally) || !hasFittingBuckets(point, tally)) continue;
      this.#convert();
      this.#write(names, histogramRefusal(this.#histogram), tally);
    }
  }

  /**
   * The explicit histogram that was read as one with custom bounds, by the rules of Prometheus's
   * convert_histograms_to_nhcb. Without buckets, all observations are in the one up to +Inf.
   */
  #convert(): void {
    const { point } = this.#parts;
    const histogram = this.#histogram;
    histogram.clear();
    histogram.unixMs = point.unixMs;
    if (point.isStale) {
      histogram.setStale(point.unixMs);
      return;
    }
    histogram.schema = customBucketsSchema;
    histogram.count = point.count;
    if (point.hasValue) {
      histogram.sumLow = point.valueLow;
      histogram.sumHigh = point.valueHigh;
    }
    const hasBuckets = point.bucketCount > 0;
    const boundCount = hasBuckets ? point.boundCount : 0;
    for (let b = 0; b < boundCount; b++) histogram.addCustomValue(point.boundAt(b));
    this.#writer.begin(histogram.positive);
    for (let b = 0; b <= boundCount; b++) {
      const count = hasBuckets ? point.bucketAt(b) : point.count;
      if (count !== 0) this.#writer.push(b, count);
    }
  }

  /** Appends the histogram and the exemplars of the point, unless `refusal` says why not. */
  #write(names: MetricNames, refusal: SeriesRefusal | undefined, tally: RequestTally): void {
    const { point, pointSeries, series, exemplars, deltas } = this.#parts;
    const { base } = names;
    const histogram = this.#histogram;
    if (refusal !== undefined) {
      tally.reject(refusal.reason, inMetric(refusal.message, base.bytes));
      return;
    }
    point.startMs = keptStart(point.startMs, point.unixMs, tally);
    if (!histogram.isStale) histogram.startMs = point.startMs;
    pointSeries.beginPoint(base, point.attributes);
    if (point.temporality === temporalityDelta && !deltas.addNative(names, histogram, tally)) return;
    const entry = pointSeries.find(base, seriesRole.native, 0, point.unixMs);
    if (entry === -1) {
      tally.reject(pointSeries.refusal!.reason, pointSeries.refusal!.message);
      return;
    }
    series.pushHistogram(entry, base, 0, base.bytes.length, histogram);
    exemplars.write(point.exemplars, point.unixMs, base, seriesRole.native, noBound, tally);
  }
}
