/**
 * The messages of Prometheus remote write 1.0.
 *
 *   TimeSeries     => labels:Label* (1) samples:Sample* (2) exemplars:Exemplar* (3) histograms:Histogram* (4)
 *   Label          => name:string (1) value:string (2)
 *   MetricMetadata => type:enum (1) metric_family_name:string (2) help:string (4) unit:string (5)
 */
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import { equalBytes } from './byte-copy.ts';
import { exemplarCountRefusal } from './exemplar-rules.ts';
import type { LabelSet } from './label-set.ts';
import { describeFamily } from './metric-family.ts';
import { RangeList } from './range-list.ts';
import type { RequestTally } from './request-tally.ts';
import type { LabelReader, SampleRun } from './sample-run.ts';
import { metricNameKey, type SeriesRefusal } from './series-rules.ts';
import type { SeriesSink } from './series-sink.ts';

export class RemoteWrite1 implements LabelReader {
  readonly #reader: ProtobufReader;
  readonly #series: SeriesSink;
  readonly #run: SampleRun;
  readonly #labels = new RangeList();
  // The Label that was read last.
  #nameStart = 0;
  #nameLength = 0;
  #valueStart = 0;
  #valueLength = 0;

  constructor(reader: ProtobufReader, series: SeriesSink, run: SampleRun) {
    this.#reader = reader;
    this.#series = series;
    this.#run = run;
  }

  /** Appends the samples of the TimeSeries that the reader is at. */
  readTimeSeries(tally: RequestTally): void {
    const reader = this.#reader;
    const run = this.#run;
    const labels = this.#labels;
    labels.clear();
    run.beginSeries();
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === 0x0a) labels.keepRun(reader, tag);
      else if (tag === 0x12) run.keep(run.samples);
      else if (tag === 0x1a) run.keep(run.exemplars);
      else if (tag === 0x22) run.keep(run.histograms);
      else reader.skip();
    }
    run.hash.addRanges(reader.source, labels);
    for (let i = 0; i < labels.count; i++) {
      this.#readLabel(labels.starts[i], labels.ends[i]);
      if (this.#valueLength === 0 || !this.#isMetricName(reader.source)) continue;
      run.setMetric(this.#valueStart, this.#valueLength);
      // Labels come sorted, and this is an early one. A second of its name makes the series refused as it is met.
      break;
    }
    run.write(this, tally);
  }

  fillLabels(): void {
    for (let i = 0; i < this.#labels.count; i++) {
      this.#addLabel(this.#run.labels, this.#labels.starts[i], this.#labels.ends[i]);
    }
  }

  fillExemplarLabels(fields: RangeList): SeriesRefusal | undefined {
    const refusal = exemplarCountRefusal(fields.count);
    if (refusal !== undefined) return refusal;
    for (let i = 0; i < fields.count; i++) {
      this.#addLabel(this.#run.exemplarLabels, fields.starts[i], fields.ends[i]);
    }
    return undefined;
  }

  #addLabel(to: LabelSet, start: number, end: number): void {
    const { source } = this.#reader;
    this.#readLabel(start, end);
    // To Prometheus an empty label is none.
    if (this.#valueLength === 0) return;
    to.add(source, this.#nameStart, this.#nameLength, source, this.#valueStart, this.#valueLength);
  }

  #readLabel(start: number, end: number): void {
    const reader = this.#reader;
    this.#nameStart = start;
    this.#nameLength = 0;
    this.#valueStart = start;
    this.#valueLength = 0;
    reader.seek(start, end);
    while (reader.position < end) {
      const tag = reader.readTag();
      if (tag === 0x0a) {
        this.#nameLength = reader.readLength();
        this.#nameStart = reader.position;
        reader.position += this.#nameLength;
      } else if (tag === 0x12) {
        this.#valueLength = reader.readLength();
        this.#valueStart = reader.position;
        reader.position += this.#valueLength;
      } else reader.skip();
    }
  }

  #isMetricName(source: ByteView): boolean {
    const { length } = metricNameKey.bytes;
    return this.#nameLength === length && equalBytes(source, this.#nameStart, metricNameKey, 0, length);
  }

  /** Appends the metadata of the MetricMetadata that the reader is at. */
  readMetadata(tally: RequestTally): void {
    const reader = this.#reader;
    const ranges = [0, 0, 0, 0, 0, 0].map(() => ({ start: 0, length: 0 }));
    let type = 0;
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === 0x08) type = reader.readVarint();
      else if (tag === 0x12 || tag === 0x22 || tag === 0x2a) {
        const length = reader.readLength();
        ranges[tag >>> 3] = { start: reader.position, length };
        reader.position += length;
      } else reader.skip();
    }
    const bytes = (field: number) => {
      const { start, length } = ranges[field];
      return reader.source.bytes.subarray(start, start + length);
    };
    describeFamily(this.#series, { name: bytes(2), type, help: bytes(4), unit: bytes(5) }, tally);
  }
}
