/**
 * OTLP ExportMetricsServiceRequest -> samples under Prometheus names, by OpenTelemetry's compatibility rules.
 *
 * A request is scanned from the outside in: a resource, a scope and a metric are known before their points are read,
 * whatever order their fields came in. A known series costs a hash of its raw bytes; labels are built for new ones.
 *
 *   ExportMetricsServiceRequest => resource_metrics:ResourceMetrics* (1)
 *   ResourceMetrics             => resource:Resource (1) scope_metrics:ScopeMetrics* (2)
 *   ScopeMetrics                => scope:InstrumentationScope (1) metrics:Metric* (2) schema_url:string (3)
 */
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import { AttributeReader } from './any-value.ts';
import type { DeltaAccumulator } from './delta-accumulator.ts';
import { MetricPoints } from './metric-points.ts';
import type { MetricTranslation } from './metric-translation.ts';
import { PointExemplars } from './point-exemplars.ts';
import { PointSeries } from './point-series.ts';
import { RangeList } from './range-list.ts';
import type { RecordWindow } from './record-window.ts';
import type { RequestTally } from './request-tally.ts';
import { textBytes } from './resource-scope.ts';
import type { SeriesSink } from './series-sink.ts';

export class MetricsTranscoder {
  readonly #reader: ProtobufReader;
  readonly #series: SeriesSink;
  readonly #pointSeries: PointSeries;
  readonly #points: MetricPoints;
  readonly #resources = new RangeList();
  readonly #scopeGroups = new RangeList();
  readonly #scopes = new RangeList();
  readonly #schemaUrls = new RangeList();
  readonly #metrics = new RangeList();

  constructor(
    reader: ProtobufReader,
    window: RecordWindow,
    series: SeriesSink,
    translation: MetricTranslation,
    deltas: DeltaAccumulator,
  ) {
    this.#reader = reader;
    this.#series = series;
    const values = new AttributeReader(reader);
    const pointSeries = new PointSeries(reader, values, series, translation);
    const exemplars = new PointExemplars(reader, window, series, pointSeries, values);
    this.#pointSeries = pointSeries;
    this.#points = new MetricPoints(reader, window, { series, pointSeries, exemplars, translation, deltas });
  }

  /** Appends the samples of the request that `reader` begins. Throws DecodeError or ExpansionError half-way. */
  transcode(tenant: string, tally: RequestTally): void {
    const reader = this.#reader;
    const name: ByteView = textBytes(tenant);
    this.#series.beginRequest(tenant, name);
    this.#pointSeries.beginRequest(name);
    while (reader.position < reader.limit) {
      if (reader.readTag() === 0x0a) {
        const outer = reader.enter();
        const end = reader.limit;
        this.#readResourceMetrics(tally);
        reader.seek(end, outer);
      } else reader.skip();
    }
    tally.histograms = this.#series.histogramCount;
    tally.accepted = this.#series.sampleCount + tally.histograms;
    tally.exemplars = this.#series.exemplarCount;
    this.#series.endRequest();
  }

  #readResourceMetrics(tally: RequestTally): void {
    const reader = this.#reader;
    const groups = this.#scopeGroups;
    this.#resources.clear();
    groups.clear();
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === 0x0a) this.#keep(this.#resources);
      else if (tag === 0x12) this.#keep(groups);
      else reader.skip();
    }
    this.#pointSeries.beginResource(this.#resources);
    for (let i = 0; i < groups.count; i++) {
      reader.seek(groups.starts[i], groups.ends[i]);
      this.#readScopeMetrics(tally);
    }
    this.#pointSeries.writeTargetInfo(tally);
  }

  #readScopeMetrics(tally: RequestTally): void {
    const reader = this.#reader;
    const metrics = this.#metrics;
    this.#scopes.clear();
    this.#schemaUrls.clear();
    metrics.clear();
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === 0x0a) this.#keep(this.#scopes);
      else if (tag === 0x12) this.#keep(metrics);
      else if (tag === 0x1a) this.#keep(this.#schemaUrls);
      else reader.skip();
    }
    this.#pointSeries.beginScope(this.#scopes, this.#schemaUrls);
    for (let i = 0; i < metrics.count; i++) {
      this.#points.readMetric(metrics.starts[i], metrics.ends[i], tally);
    }
  }

  #keep(ranges: RangeList): void {
    const reader = this.#reader;
    const length = reader.readLength();
    ranges.push(reader.position, reader.position + length);
    reader.position += length;
  }
}
