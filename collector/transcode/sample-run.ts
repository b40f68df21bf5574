/**
 * The samples of one remote write time series: they share a series, so it is looked up once and announced once.
 *
 *   Sample   => value:double (1) timestamp:int64 ms (2) start_timestamp:int64 ms (3)     1.0 has no start
 *   Exemplar => labels (1) value:double (2) timestamp:int64 ms (3)      1.0: Label*; 2.0: uint32*, numbers of symbols
 *
 * A sample that is the series' newest again is accepted and not stored twice; another value at its time is refused.
 */
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import { Hash64 } from './byte-hash.ts';
import { CacheKey } from './cache-key.ts';
import { exemplarRefusal } from './exemplar-rules.ts';
import { LabelSet } from './label-set.ts';
import { NativeHistogram } from './native-histogram.ts';
import { NativeHistogramReader } from './native-histogram-reader.ts';
import { reduceResolution } from './native-histogram-resolution.ts';
import { histogramRefusal } from './native-histogram-rules.ts';
import { RangeList } from './range-list.ts';
import { type RecordWindow, twoTo32 } from './record-window.ts';
import type { RequestTally } from './request-tally.ts';
import { sampleVerdict } from './sample-memory.ts';
import { inMetric, type SeriesRefusal, seriesRefusal } from './series-rules.ts';
import type { SeriesSink } from './series-sink.ts';

/** What the two protocols do in their own ways. Labels with an empty value must be left out. */
export interface LabelReader {
  /** Adds the series' labels to SampleRun.labels, in any order. */
  fillLabels(): void;
  /**
   * Adds the labels that are in an exemplar's `labels` fields to SampleRun.exemplarLabels. Returns why they cannot be
   * read, or undefined.
   */
  fillExemplarLabels(fields: RangeList): SeriesRefusal | undefined;
}

export class SampleRun {
  /** Feed it with what the series' labels are on the wire, after beginSeries. */
  readonly hash = new CacheKey();
  readonly labels = new LabelSet();
  readonly exemplarLabels = new LabelSet();
  /** Where the records are; filled while the time series is scanned. */
  readonly samples = new RangeList();
  readonly histograms = new RangeList();
  readonly exemplars = new RangeList();
  /** Since when the series counts, for samples that do not say; 0 where it is not known. */
  startMs = 0;
  /** Samples and histograms of the request that are in the store already. */
  repeatedSamples = 0;
  repeatedHistograms = 0;

  readonly #reader: ProtobufReader;
  readonly #window: RecordWindow;
  readonly #series: SeriesSink;
  readonly #histogram = new NativeHistogram();
  readonly #histogramReader: NativeHistogramReader;
  readonly #histogramHash = new Hash64();
  readonly #labelRanges = new RangeList();
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
    this.#histogramReader = new NativeHistogramReader(reader);
  }

  beginRequest(tenant: ByteView): void {
    this.hash.begin();
    this.hash.addRange(tenant, 0, tenant.bytes.length);
    this.#tenantLow = this.hash.low;
    this.#tenantHigh = this.hash.high;
    this.repeatedSamples = 0;
    this.repeatedHistograms = 0;
  }

  beginSeries(): void {
    this.samples.clear();
    this.histograms.clear();
    this.exemplars.clear();
    this.startMs = 0;
    this.#metricStart = 0;
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

  get recordCount(): number {
    return this.samples.count + this.histograms.count + this.exemplars.count;
  }

  /**
   * Appends the records under the series that `hash` names. Labels are asked for at most once, where the series is new
   * or must be announced. Returns true where the series was announced.
   */
  write(from: LabelReader, tally: RequestTally): boolean {
    if (this.recordCount === 0) return false;
    const series = this.#series;
    this.hash.finish();
    const { low, high } = this.hash;
    let entry = series.find(low, high);
    const isNew = entry === -1;
    if (isNew) {
      this.#readLabels(from);
      entry = series.admit(low, high, this.labels);
      if (entry === -1) {
        this.refuse(series.refusal!, tally);
        return false;
      }
    }
    this.#firstMs = Number.POSITIVE_INFINITY;
    this.#lastMs = -1;
    if (this.samples.count > 0) this.#pushSamples(entry, tally);
    if (this.histograms.count > 0) this.#pushHistograms(entry, tally);
    if (this.exemplars.count > 0) this.#pushExemplars(entry, from, tally);
    if (this.#lastMs < 0 || series.isAnnounced(entry, this.#firstMs, this.#lastMs)) return false;
    // The same bytes were admitted before.
    if (!isNew) this.#readLabels(from);
    series.announce(entry, this.labels, this.#firstMs, this.#lastMs);
    return true;
  }

  /** Counts the time series as refused: its records, or the series itself where it has none. */
  refuse(refusal: SeriesRefusal, tally: RequestTally): void {
    tally.reject(refusal.reason, refusal.message, Math.max(1, this.recordCount));
  }

  /** Reads the labels of a time series without records. Returns false where they are refused, and counts that. */
  checkLabels(from: LabelReader, tally: RequestTally): boolean {
    this.#readLabels(from);
    const refusal = seriesRefusal(this.labels);
    if (refusal === undefined) return true;
    this.refuse(refusal, tally);
    return false;
  }

  #readLabels(from: LabelReader): void {
    this.labels.clear();
    from.fillLabels();
    this.labels.sort();
  }

  #pushSamples(entry: number, tally: RequestTally): void {
    const reader = this.#reader;
    const { samples } = this;
    const series = this.#series;
    const { memory } = series;
    const metric = series.metricIndex(reader.source, this.#metricStart, this.#metricLength);
    for (let i = 0; i < samples.count; i++) {
      const end = samples.ends[i];
      let valueLow = 0;
      let valueHigh = 0;
      let unixMs = 0;
      let startMs = this.startMs;
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
        } else if (tag === 0x18) startMs = this.#readTime();
        else reader.skip();
      }
      if (this.#window.refusalOfMs(unixMs) !== undefined) {
        this.#refuseTime(unixMs, tally);
        continue;
      }
      const verdict = memory.judge(entry, unixMs, valueLow, valueHigh);
      if (verdict === sampleVerdict.fresh) {
        series.pushSample(entry, metric, unixMs, valueLow, valueHigh);
        if (startMs !== 0 && this.#isStart(startMs, unixMs, tally)) {
          series.noteStart(entry, reader.source, this.#metricStart, this.#metricLength, unixMs, startMs);
        }
      } else if (verdict === sampleVerdict.repeat) this.repeatedSamples++;
      else {
        this.#refuseConflict(unixMs, tally);
        continue;
      }
      if (unixMs < this.#firstMs) this.#firstMs = unixMs;
      if (unixMs > this.#lastMs) this.#lastMs = unixMs;
    }
  }

  #pushHistograms(entry: number, tally: RequestTally): void {
    const { source } = this.#reader;
    const { histograms } = this;
    const histogram = this.#histogram;
    const hash = this.#histogramHash;
    for (let i = 0; i < histograms.count; i++) {
      const start = histograms.starts[i];
      const end = histograms.ends[i];
      this.#histogramReader.read(start, end, histogram);
      if (this.#window.refusalOfMs(histogram.unixMs) !== undefined) {
        this.#refuseTime(histogram.unixMs, tally);
        continue;
      }
      const refusal = histogramRefusal(histogram);
      if (refusal !== undefined) {
        tally.reject(refusal.reason, this.#inMetric(refusal.message));
        continue;
      }
      hash.begin();
      hash.addRange(source, start, end - start);
      hash.finish();
      const verdict = this.#series.memory.judge(entry, histogram.unixMs, hash.low, hash.high);
      if (verdict === sampleVerdict.conflict) {
        this.#refuseConflict(histogram.unixMs, tally);
        continue;
      }
      if (verdict === sampleVerdict.repeat) this.repeatedHistograms++;
      else this.#pushHistogram(entry, tally);
      this.#widen(histogram.unixMs);
    }
  }

  #pushHistogram(entry: number, tally: RequestTally): void {
    const histogram = this.#histogram;
    const { unixMs } = histogram;
    let startMs = histogram.startMs === 0 ? this.startMs : histogram.startMs;
    if (startMs !== 0 && !this.#isStart(startMs, unixMs, tally)) startMs = 0;
    if (histogram.isStale) histogram.setStale(unixMs);
    else reduceResolution(histogram);
    histogram.startMs = startMs;
    this.#series.pushHistogram(entry, this.#reader.source, this.#metricStart, this.#metricLength, histogram);
  }

  #pushExemplars(entry: number, from: LabelReader, tally: RequestTally): void {
    const reader = this.#reader;
    const { exemplars } = this;
    const labels = this.exemplarLabels;
    const labelRanges = this.#labelRanges;
    // Without a time of its own, an exemplar is of the newest sample it came with.
    const timeless = this.#lastMs < 0 ? Math.floor(this.#window.nowUnixMs) : this.#lastMs;
    for (let i = 0; i < exemplars.count; i++) {
      const end = exemplars.ends[i];
      let valueLow = 0;
      let valueHigh = 0;
      let unixMs = timeless;
      labelRanges.clear();
      reader.seek(exemplars.starts[i], end);
      while (reader.position < end) {
        const tag = reader.readTag();
        if (tag === 0x11) {
          reader.readFixed64();
          valueLow = reader.low;
          valueHigh = reader.high;
        } else if (tag === 0x18) unixMs = this.#readTime() || timeless;
        else if (tag === 0x0a) this.keep(labelRanges);
        else if (tag === 0x08) {
          // Not packed: one number, that stands where a packed field's numbers would.
          const start = reader.position;
          reader.skip();
          labelRanges.push(start, reader.position);
        } else reader.skip();
      }
      labels.clear();
      const unread = from.fillExemplarLabels(labelRanges);
      labels.sort();
      const refusal = unread ?? exemplarRefusal(labels, unixMs, this.#window);
      if (refusal !== undefined) {
        tally.reject(refusal.reason, refusal.message);
        continue;
      }
      this.#series
        .beginExemplar(entry, reader.source, this.#metricStart, this.#metricLength, unixMs)
        ?.push(unixMs, valueLow, valueHigh, labels);
      this.#widen(unixMs);
    }
  }

  #readTime(): number {
    const reader = this.#reader;
    reader.readVarint64();
    return (reader.high | 0) * twoTo32 + reader.low;
  }

  #refuseTime(unixMs: number, tally: RequestTally): void {
    const refusal = this.#window.refusalOfMs(unixMs);
    if (refusal !== undefined) tally.reject(refusal, this.#window.describe(refusal, unixMs));
  }

  #isStart(startMs: number, unixMs: number, tally: RequestTally): boolean {
    if (startMs > 0 && startMs <= unixMs) return true;
    tally.reject('invalid_start_time', `a sample at ${unixMs} ms has the start time ${startMs} ms`);
    return false;
  }

  #refuseConflict(unixMs: number, tally: RequestTally): void {
    const fact = `a series has another value at ${unixMs} ms and keeps the first`;
    tally.reject('duplicate_timestamp', this.#inMetric(fact));
  }

  #inMetric(fact: string): string {
    const start = this.#metricStart;
    return inMetric(fact, this.#reader.source.bytes.subarray(start, start + this.#metricLength));
  }

  #widen(unixMs: number): void {
    if (unixMs < this.#firstMs) this.#firstMs = unixMs;
    if (unixMs > this.#lastMs) this.#lastMs = unixMs;
  }
}
