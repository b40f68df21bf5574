/**
 * The samples of one remote write time series: they share a series, so it is looked up once and announced once.
 *
 *   Sample => value:double (1) timestamp:int64 ms (2)        the same in 1.0 and 2.0
 */
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import { CacheKey } from './cache-key.ts';
import { LabelSet } from './label-set.ts';
import { RangeList } from './range-list.ts';
import { type RecordWindow, twoTo32 } from './record-window.ts';
import type { RequestTally } from './request-tally.ts';
import { type SeriesRefusal, seriesRefusal } from './series-rules.ts';
import type { SeriesSink } from './series-sink.ts';

export type FillLabels = () => void;

export class SampleRun {
  /** Feed it with what the series' labels are on the wire, after beginSeries. */
  readonly hash = new CacheKey();
  /** Fill it when write() asks for labels. Labels with an empty value must be left out. */
  readonly labels = new LabelSet();
  /** Where the samples are; filled while the time series is scanned. */
  readonly samples = new RangeList();
  histogramCount = 0;
  exemplarCount = 0;

  readonly #reader: ProtobufReader;
  readonly #window: RecordWindow;
  readonly #series: SeriesSink;
  #tenantLow = 0;
  #tenantHigh = 0;
  #metricStart = 0;
  #metricLength = 0;
  /** First and last accepted time of the run; the last is -1 where there is none. */
  #firstMs = 0;
  #lastMs = -1;

  constructor(reader: ProtobufReader, window: RecordWindow, series: SeriesSink) {
    this.#reader = reader;
    this.#window = window;
    this.#series = series;
  }

  beginRequest(tenant: ByteView): void {
    this.hash.begin();
    this.hash.addRange(tenant, 0, tenant.bytes.length);
    this.#tenantLow = this.hash.low;
    this.#tenantHigh = this.hash.high;
  }

  beginSeries(): void {
    this.samples.clear();
    this.histogramCount = 0;
    this.exemplarCount = 0;
    this.#metricLength = 0;
    this.hash.resume(this.#tenantLow, this.#tenantHigh);
  }

  /** Keeps the range of the length-delimited field that comes next. */
  keep(ranges: RangeList): void {
    const reader = this.#reader;
    const length = reader.readLength();
    ranges.push(reader.position, reader.position + length);
    reader.position += length;
  }

  /** Says where the metric's name is in the request. */
  setMetric(start: number, length: number): void {
    this.#metricStart = start;
    this.#metricLength = length;
  }

  /**
   * Appends the samples under the series that `hash` names. `fillLabels` is called at most once, where the series is
   * new or must be announced: it fills `labels`, in any order.
   * Returns true where the series was announced.
   */
  write(fillLabels: FillLabels, tally: RequestTally): boolean {
    this.#countUnsupported(tally);
    if (this.samples.count === 0) return false;
    const series = this.#series;
    this.hash.finish();
    const { low, high } = this.hash;
    let entry = series.find(low, high);
    const isNew = entry === -1;
    if (isNew) {
      if (!this.#fill(fillLabels, tally)) return false;
      entry = series.add(low, high, this.labels);
    }
    const metric = series.metricIndex(this.#reader.source, this.#metricStart, this.#metricLength);
    this.#pushSamples(entry, metric, tally);
    if (this.#lastMs < 0 || series.isAnnounced(entry, this.#firstMs, this.#lastMs)) return false;
    if (!isNew && !this.#fill(fillLabels, tally)) throw new Error('BUG: a known series is refused');
    series.announce(entry, this.labels, this.#firstMs, this.#lastMs);
    return true;
  }

  /** Counts the time series' samples as refused. */
  refuse(refusal: SeriesRefusal, tally: RequestTally): void {
    this.#countUnsupported(tally);
    if (this.samples.count > 0) tally.reject(refusal.reason, refusal.message, this.samples.count);
  }

  #pushSamples(entry: number, metricIndex: number, tally: RequestTally): void {
    const reader = this.#reader;
    const { samples } = this;
    this.#firstMs = Number.POSITIVE_INFINITY;
    this.#lastMs = -1;
    for (let i = 0; i < samples.count; i++) {
      const end = samples.ends[i];
      let valueLow = 0;
      let valueHigh = 0;
      let unixMs = 0;
      reader.seek(samples.starts[i], end);
      while (reader.position < end) {
        const tag = reader.readTag();
        if (tag === 0x09) {
          reader.readFixed64();
          valueLow = reader.low;
          valueHigh = reader.high;
        } else if (tag === 0x10) {
          reader.readVarint64();
          unixMs = (reader.high | 0) * twoTo32 + reader.low;
        } else reader.skip();
      }
      const refusal = this.#window.refusalOfMs(unixMs);
      if (refusal !== undefined) {
        tally.reject(refusal, this.#window.describe(refusal, unixMs));
        continue;
      }
      this.#series.pushSample(entry, metricIndex, unixMs, valueLow, valueHigh);
      if (unixMs < this.#firstMs) this.#firstMs = unixMs;
      if (unixMs > this.#lastMs) this.#lastMs = unixMs;
    }
  }

  #countUnsupported(tally: RequestTally): void {
    if (this.histogramCount > 0) {
      tally.reject(
        'unsupported_native_histogram',
        'native histograms are not stored yet: send classic ones',
        this.histogramCount,
      );
    }
    if (this.exemplarCount > 0) {
      tally.reject('unsupported_exemplar', 'exemplars are not stored yet', this.exemplarCount);
    }
  }

  #fill(fillLabels: FillLabels, tally: RequestTally): boolean {
    this.labels.clear();
    fillLabels();
    this.labels.sort();
    const refusal = seriesRefusal(this.labels);
    if (refusal === undefined) return true;
    tally.reject(refusal.reason, refusal.message, this.samples.count);
    return false;
  }
}
