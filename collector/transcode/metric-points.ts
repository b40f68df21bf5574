/**
 * The data points of one OTLP Metric, as samples.
 *
 *   gauge, sum -> name         histogram -> name_count name_sum name_bucket{le}      summary -> name{quantile} ...
 *   exponential histogram -> name, a native histogram      histogram -> the same, where that is wanted
 *
 *   Metric => name:string (1) description:string (2) unit:string (3)
 *             gauge (5) | sum (7) | histogram (9) | exponential_histogram (10) | summary (11)
 */
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import type { DeltaAccumulator } from './delta-accumulator.ts';
import { DeltaPoints } from './delta-points.ts';
import { HistogramPoints } from './histogram-points.ts';
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
import type { MetricTranslation } from './metric-translation.ts';
import { staleHigh, staleLow } from './native-histogram.ts';
import { NativePoints } from './native-points.ts';
import { isTimeKept, keptStart } from './point-admission.ts';
import type { PointExemplars } from './point-exemplars.ts';
import { noBound, type PointParts, temporalityCumulative, temporalityDelta } from './point-parts.ts';
import { PointReader } from './point-reader.ts';
import { type PointSeries, seriesRole } from './point-series.ts';
import type { RecordWindow } from './record-window.ts';
import { checkRecordCount, type RequestTally } from './request-tally.ts';
import { metricType, type SeriesSink } from './series-sink.ts';

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

/** What the points of a metric are written with. */
export interface MetricParts {
  readonly series: SeriesSink;
  readonly pointSeries: PointSeries;
  readonly exemplars: PointExemplars;
  readonly translation: MetricTranslation;
  readonly deltas: DeltaAccumulator;
}

export class MetricPoints {
  readonly #reader: ProtobufReader;
  readonly #names: MetricNameCache;
  readonly #metric: MetricMessage;
  readonly #parts: PointParts;
  readonly #histograms: HistogramPoints;
  readonly #natives: NativePoints;
  readonly #convertsHistograms: boolean;

  constructor(reader: ProtobufReader, window: RecordWindow, parts: MetricParts) {
    const { series, pointSeries, exemplars } = parts;
    const point = new PointReader(reader, window);
    const deltas = new DeltaPoints(parts.deltas, window, point, pointSeries);
    this.#reader = reader;
    this.#names = new MetricNameCache(parts.translation.strategy);
    this.#metric = new MetricMessage(reader);
    this.#parts = { window, series, pointSeries, point, exemplars, deltas };
    this.#histograms = new HistogramPoints(this.#parts);
    this.#natives = new NativePoints(reader, this.#parts);
    this.#convertsHistograms = parts.translation.convertsHistograms;
  }

  /** Appends the samples of the Metric that is [start, end) of the request. */
  readMetric(start: number, end: number, tally: RequestTally): void {
    const metric = this.#metric;
    const { point, series } = this.#parts;
    metric.read(start, end);
    if (metric.dataField === 0) return;
    point.scanData(metric.dataStart, metric.dataEnd);
    if (point.points.count === 0 || !this.#isSupported(tally)) return;
    const isCounter = metric.dataField === fieldSum && point.isMonotonic;
    const kind = isCounter ? 'counter' : kindOfField[metric.dataField];
    const { source } = this.#reader;
    const names = this.#names.get(
      source,
      metric.nameStart,
      metric.nameEnd,
      metric.unitStart,
      metric.unitEnd,
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
    if (metric.dataField === fieldExponentialHistogram) this.#natives.readExponential(names, tally);
    else if (metric.dataField === fieldHistogram && this.#convertsHistograms) {
      this.#natives.readExplicit(names, tally);
    } else if (metric.dataField === fieldHistogram) this.#histograms.readHistograms(names, tally);
    else if (metric.dataField === fieldSummary) this.#histograms.readSummaries(names, tally);
    else this.#readNumbers(names, isCounter, tally);
    checkRecordCount(this.#recordCount);
    if (this.#recordCount > before) {
      const helpLength = metric.helpEnd - metric.helpStart;
      series.describe(names.base, typeOfKind[kind], source, metric.helpStart, helpLength, names.unit);
    }
  }

  get #recordCount(): number {
    const { series } = this.#parts;
    return series.sampleCount + series.histogramCount + series.exemplarCount;
  }

  /** Refuses what has no Prometheus form, with all its points. */
  #isSupported(tally: RequestTally): boolean {
    const { points, temporality } = this.#parts.point;
    if (this.#metric.dataField === fieldGauge || this.#metric.dataField === fieldSummary) return true;
    if (temporality === temporalityCumulative || temporality === temporalityDelta) return true;
    const { nameStart, nameEnd } = this.#metric;
    const name = Buffer.from(this.#reader.source.bytes.subarray(nameStart, nameEnd)).toString();
    tally.reject(
      'invalid_temporality',
      `the metric ${JSON.stringify(name)} has aggregation temporality ${temporality}: it must be cumulative or delta`,
      points.count,
    );
    return false;
  }

  /** A gauge says nothing about what was before, and neither does a sum that may fall: only counters have a start. */
  #readNumbers(names: MetricNames, isCounter: boolean, tally: RequestTally): void {
    const { point, pointSeries, series, window, deltas, exemplars } = this.#parts;
    const { base } = names;
    const index = series.metricIndex(base, 0, base.bytes.length);
    // A gauge has no temporality, whatever its sender may write there.
    const isDelta = this.#metric.dataField === fieldSum && point.temporality === temporalityDelta;
    for (let i = 0; i < point.points.count; i++) {
      point.readNumber(i);
      if (!isTimeKept(point.unixMs, window, tally)) continue;
      if (!point.hasValue && !point.isStale) {
        tally.reject('missing_value', 'a data point has neither as_double nor as_int');
        continue;
      }
      if (isCounter || isDelta) point.startMs = keptStart(point.startMs, point.unixMs, tally);
      pointSeries.beginPoint(base, point.attributes);
      if (isDelta && !deltas.addNumber(names, isCounter, tally)) continue;
      if (isCounter) pointSeries.startMs = point.startMs;
      const low = point.isStale ? staleLow : point.valueLow;
      const high = point.isStale ? staleHigh : point.valueHigh;
      if (!pointSeries.push(base, index, seriesRole.value, 0, point.unixMs, low, high)) {
        tally.reject(pointSeries.refusal!.reason, pointSeries.refusal!.message);
      } else if (point.exemplars.count > 0) {
        exemplars.write(point.exemplars, point.unixMs, base, seriesRole.value, noBound, tally);
      }
    }
  }
}
