/** The data points of an OTLP exponential histogram, as native histograms: one row each, under the metric's own name. */
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import { ExponentialHistogramReader } from './exponential-histogram.ts';
import type { MetricNames } from './metric-names.ts';
import { NativeHistogram } from './native-histogram.ts';
import { isTimeKept, keptStart } from './point-admission.ts';
import { noBound, type PointParts, temporalityDelta } from './point-parts.ts';
import { seriesRole } from './point-series.ts';
import type { RequestTally } from './request-tally.ts';
import { inMetric } from './series-rules.ts';

export class ExponentialPoints {
  readonly #parts: PointParts;
  readonly #reader: ExponentialHistogramReader;
  readonly #histogram = new NativeHistogram();

  constructor(reader: ProtobufReader, parts: PointParts) {
    this.#parts = parts;
    this.#reader = new ExponentialHistogramReader(reader, parts.window);
  }

  /** Appends the points of an ExponentialHistogram that PointReader has scanned. */
  readHistograms(names: MetricNames, tally: RequestTally): void {
    const { point, pointSeries, series, window, exemplars, deltas } = this.#parts;
    const { base } = names;
    const { points, attributes } = point;
    const histogram = this.#histogram;
    for (let i = 0; i < points.count; i++) {
      this.#reader.read(points.starts[i], points.ends[i], histogram, attributes, point.exemplars);
      const { unixMs } = histogram;
      if (!isTimeKept(unixMs, window, tally)) continue;
      pointSeries.beginPoint(base, attributes);
      const refusal = this.#reader.finish(histogram);
      if (refusal !== undefined) {
        tally.reject(refusal.reason, inMetric(refusal.message, base.bytes));
        continue;
      }
      if (point.temporality === temporalityDelta) {
        point.hasTime = this.#reader.hasTime;
        point.unixMs = unixMs;
        point.startMs = histogram.startMs;
        if (!deltas.addNative(names, histogram, tally)) continue;
      }
      histogram.startMs = keptStart(histogram.startMs, unixMs, tally);
      const entry = pointSeries.find(base, seriesRole.native, 0, unixMs);
      if (entry === -1) {
        tally.reject(pointSeries.refusal!.reason, pointSeries.refusal!.message);
        continue;
      }
      series.pushHistogram(entry, base, 0, base.bytes.length, histogram);
      exemplars.write(point.exemplars, unixMs, base, seriesRole.native, noBound, tally);
    }
  }
}
