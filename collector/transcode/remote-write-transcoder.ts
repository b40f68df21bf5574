/**
 * Prometheus remote write -> samples, native histograms and exemplars. Both protocols, told apart by their field numbers, which do not overlap:
 *
 *   1.0  prometheus.WriteRequest           => timeseries:TimeSeries* (1) metadata:MetricMetadata* (3)
 *   2.0  io.prometheus.write.v2.Request    => symbols:string* (4) timeseries:TimeSeries* (5)
 *
 * A known series costs a hash of its labels' bytes (1.0) or of its symbols' hashes (2.0); labels are sorted and
 * validated for new ones only. Values are copied as 8 bytes: a stale marker is one NaN among many.
 */
import { DecodeError } from '#model/errors.ts';
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import { RangeList } from './range-list.ts';
import type { RecordWindow } from './record-window.ts';
import { RemoteWrite1 } from './remote-write-1.ts';
import { RemoteWrite2 } from './remote-write-2.ts';
import { checkRecordCount, type RequestTally } from './request-tally.ts';
import { textBytes } from './resource-scope.ts';
import { SampleRun } from './sample-run.ts';
import type { SeriesSink } from './series-sink.ts';

export class RemoteWriteTranscoder {
  readonly #reader: ProtobufReader;
  readonly #series: SeriesSink;
  readonly #run: SampleRun;
  readonly #version1: RemoteWrite1;
  readonly #version2: RemoteWrite2;
  readonly #timeseries = new RangeList();
  readonly #metadata = new RangeList();
  readonly #symbols = new RangeList();

  constructor(reader: ProtobufReader, window: RecordWindow, series: SeriesSink) {
    this.#reader = reader;
    this.#series = series;
    this.#run = new SampleRun(reader, window, series);
    this.#version1 = new RemoteWrite1(reader, series, this.#run);
    this.#version2 = new RemoteWrite2(reader, series, this.#run);
  }

  /** Appends the samples of the request that `reader` begins. Throws DecodeError or ExpansionError half-way. */
  transcode(tenant: string, tally: RequestTally): void {
    const version = this.#scanRequest();
    const name = textBytes(tenant);
    const timeseries = this.#timeseries;
    const series = this.#series;
    const run = this.#run;
    series.beginRequest(tenant, name);
    run.beginRequest(name);
    if (version === 2) this.#version2.beginRequest(this.#symbols);
    for (let i = 0; i < timeseries.count; i++) {
      this.#reader.seek(timeseries.starts[i], timeseries.ends[i]);
      if (version === 1) this.#version1.readTimeSeries(tally);
      else this.#version2.readTimeSeries(tally);
      checkRecordCount(series.sampleCount + series.histogramCount + series.exemplarCount);
    }
    for (let i = 0; i < this.#metadata.count; i++) {
      this.#reader.seek(this.#metadata.starts[i], this.#metadata.ends[i]);
      this.#version1.readMetadata(tally);
    }
    tally.histograms = series.histogramCount + run.repeatedHistograms;
    tally.accepted = series.sampleCount + run.repeatedSamples + tally.histograms;
    tally.exemplars = series.exemplarCount;
    series.endRequest();
  }

  /** Finds the parts, in whatever order they come, and returns the protocol's version. */
  #scanRequest(): 1 | 2 {
    const reader = this.#reader;
    this.#timeseries.clear();
    this.#metadata.clear();
    this.#symbols.clear();
    let version: 0 | 1 | 2 = 0;
    while (reader.position < reader.limit) {
      const start = reader.position;
      const tag = reader.readTag();
      const seen = tag === 0x0a || tag === 0x1a ? 1 : tag === 0x22 || tag === 0x2a ? 2 : 0;
      if (seen === 0) {
        reader.skip();
        continue;
      }
      if (version !== 0 && version !== seen) {
        throw new DecodeError('fields of remote write 1.0 and 2.0 are in one request', start);
      }
      version = seen;
      const ranges = tag === 0x1a ? this.#metadata : tag === 0x22 ? this.#symbols : this.#timeseries;
      ranges.keepRun(reader, tag);
    }
    return version === 2 ? 2 : 1;
  }
}
