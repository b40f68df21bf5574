/**
 * Reads one Metric of a protobuf page: its labels stay bytes, its values go to the sink, one call per series.
 *
 *   Counter   => value:1 double exemplar:2 created_timestamp:3
 *   Gauge     => value:1 double            Untyped => value:1 double
 *   Summary   => sample_count:1 uint64 sample_sum:2 double quantile:3 (quantile:1 value:2)* created_timestamp:4
 *   Exemplar  => label:1 LabelPair* value:2 double timestamp:3
 *   Timestamp => seconds:1 int64 nanos:2 int32
 */

import { DecodeError } from '#model/errors.ts';
import { type Labels, metricNameLabel, sortLabels } from '#model/labels.ts';
import { appendBytes, ByteWriter, writeDouble } from '#wire/protobuf/byte-writer.ts';
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import { writeHistogramValue } from '#wire/remote-write/record-fields.ts';
import type { MetricType } from '#wire/remote-write/request-encoder.ts';
import { renderBound } from '../bound-label.ts';
import { CustomHistogram } from '../custom-histogram.ts';
import type { PageExemplar } from '../exemplar-memory.ts';
import { ClientHistogram } from './client-histogram.ts';
import { reduceToBuckets } from './histogram-resolution.ts';
import { decodeText, readDouble, readInt64, readTimestamp } from './message-values.ts';

export interface HistogramSettings {
  /** Native histograms are taken; else only what a classic histogram has. */
  readonly isTakingNativeHistograms: boolean;
  /** Classic buckets are taken where there is a native histogram too. */
  readonly isTakingClassicHistograms: boolean;
  /** Classic histograms become native ones with custom buckets. */
  readonly isConvertingClassicHistograms: boolean;
  readonly limits: { readonly nativeHistogramBuckets: number };
}

/** Makes the labels of the series whose key was just looked up. */
export interface LabelSource {
  readLabels(): Map<string, string>;
}

export interface MetricSink {
  family(name: string, type: MetricType, help: string, unit: string): void;
  /** Returns the number of the series with this key; asks `source` for its labels where it is new. */
  seriesOf(key: ByteWriter, source: LabelSource): number;
  /** A sample, or a histogram as writeHistogramValue made it, with the exemplars that came before. */
  add(series: number, value: number, timestampMs: number, startMs: number, histogram?: Uint8Array): void;
  addExemplar(exemplar: PageExemplar): void;
}

/** The first byte of a series' key: no text of another format begins with one of these. */
const keyKinds = { '': 1, _count: 2, _sum: 3, _bucket: 4 } as const;
type Suffix = keyof typeof keyKinds;

const keyBytes = 256;
const histogramBytes = 512;

export class MetricReader implements LabelSource {
  readonly #reader: ProtobufReader;
  readonly #settings: HistogramSettings;
  readonly #sink: MetricSink;
  readonly #key = new ByteWriter(keyBytes);
  readonly #histogram = new ClientHistogram();
  readonly #converted = new CustomHistogram();
  readonly #encoded = new ByteWriter(histogramBytes);
  #family = '';
  #nameStart = 0;
  #nameEnd = 0;
  #type: MetricType = 'unknown';
  /** LabelPair messages of the metric: start and end in turn. */
  #labels: number[] = [];
  #timestampMs = Number.NaN;
  /** Of the series that is looked up. */
  #suffix: Suffix = '';
  #bound = Number.NaN;

  constructor(reader: ProtobufReader, settings: HistogramSettings, sink: MetricSink) {
    this.#reader = reader;
    this.#settings = settings;
    this.#sink = sink;
  }

  beginFamily(name: string, nameStart: number, nameEnd: number, type: MetricType): void {
    this.#family = name;
    this.#nameStart = nameStart;
    this.#nameEnd = nameEnd;
    this.#type = type;
  }

  /** Reads the Metric that the reader is in. */
  readMetric(): void {
    const reader = this.#reader;
    const end = reader.limit;
    let valueTag = 0;
    let valueStart = 0;
    let valueEnd = 0;
    this.#labels = [];
    this.#timestampMs = Number.NaN;
    while (reader.position < end) {
      const tag = reader.readTag();
      if (tag === 0x0a) this.#labels.push(reader.passBytes(), reader.position);
      else if (tag === 0x30) this.#timestampMs = readInt64(reader) || Number.NaN;
      else if (tag === 0x12 || tag === 0x1a || tag === 0x22 || tag === 0x2a || tag === 0x3a) {
        valueTag = tag;
        valueStart = reader.passBytes();
        valueEnd = reader.position;
      } else reader.skip();
    }
    if (valueTag !== valueTags[this.#type]) {
      throw new DecodeError(`a metric of ${this.#family} has no ${this.#type} value`, end);
    }
    reader.seek(valueStart, valueEnd);
    if (this.#type === 'summary') this.#readSummary();
    else if (valueTag === 0x3a) this.#readHistogram();
    else this.#readNumber();
    reader.seek(end, end);
  }

  readLabels(): Map<string, string> {
    const labels = new Map<string, string>();
    for (let i = 0; i < this.#labels.length; i += 2) {
      readLabelPair(this.#reader, this.#labels[i]!, this.#labels[i + 1]!, labels);
    }
    labels.set(metricNameLabel, this.#family + this.#suffix);
    if (this.#suffix === '_bucket') labels.set('le', renderBound(this.#bound));
    else if (this.#type === 'summary' && this.#suffix === '')
      labels.set('quantile', renderBound(this.#bound));
    return labels;
  }

  #readNumber(): void {
    const reader = this.#reader;
    const isCounter = this.#type === 'counter';
    let value = 0;
    let startMs = 0;
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === 0x09) value = readDouble(reader);
      else if (tag === 0x12 && isCounter) this.#readExemplar(false);
      else if (tag === 0x1a && isCounter) startMs = readTimestamp(reader);
      else reader.skip();
    }
    this.#add('', Number.NaN, value, startMs);
  }

  #readSummary(): void {
    const reader = this.#reader;
    let count = 0;
    let sum = 0;
    let startMs = 0;
    const quantiles: number[] = [];
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === 0x08) count = reader.readVarint();
      else if (tag === 0x11) sum = readDouble(reader);
      else if (tag === 0x1a) quantiles.push(...readQuantile(reader));
      else if (tag === 0x22) startMs = readTimestamp(reader);
      else reader.skip();
    }
    this.#add('_count', Number.NaN, count, startMs);
    this.#add('_sum', Number.NaN, sum, startMs);
    for (let i = 0; i < quantiles.length; i += 2) this.#add('', quantiles[i]!, quantiles[i + 1]!, startMs);
  }

  #readHistogram(): void {
    const { isTakingNativeHistograms, isTakingClassicHistograms, isConvertingClassicHistograms, limits } =
      this.#settings;
    const histogram = this.#histogram;
    histogram.read(this.#reader, this.#type === 'gaugehistogram');
    const isNative = isTakingNativeHistograms && histogram.isNative;
    if (isNative) {
      this.#addNativeExemplars();
      reduceToBuckets(histogram, limits.nativeHistogramBuckets, this.#family);
      this.#encoded.clear();
      writeHistogramValue(this.#encoded, histogram);
      this.#add(
        '',
        Number.NaN,
        0,
        histogram.startMs,
        Uint8Array.prototype.slice.call(this.#encoded.written()),
      );
    }
    // An empty native histogram beside no buckets is none to convert.
    const isConverted = !isNative && isConvertingClassicHistograms && this.#type === 'histogram';
    if (isConverted) this.#addConverted();
    const isKeptToo = isTakingClassicHistograms && histogram.buckets.length > 0;
    if ((!isNative && !isConverted) || isKeptToo) this.#addClassic();
  }

  #addConverted(): void {
    const { buckets, count, sum, startMs } = this.#histogram;
    const converted = this.#converted;
    converted.clear();
    for (const { upperBound, cumulativeCount } of buckets) converted.setBucket(upperBound, cumulativeCount);
    converted.setCount(count);
    converted.setSum(sum);
    const bucketsMax = this.#settings.limits.nativeHistogramBuckets;
    if (bucketsMax > 0 && converted.bucketCount > bucketsMax) {
      throw new DecodeError(
        `the histogram ${this.#family} has ${converted.bucketCount} buckets, which cannot be merged: the limit is ${bucketsMax}`,
        0,
      );
    }
    const bytes = converted.encode();
    if (!bytes) return;
    this.#addNativeExemplars();
    this.#add('', Number.NaN, 0, startMs, bytes);
  }

  /** An exemplar of a native histogram needs a time: nothing else says which ones are new. */
  #addNativeExemplars(): void {
    const { exemplars, buckets } = this.#histogram;
    const ranges = exemplars.length > 0 ? exemplars : buckets.flatMap(({ exemplar }) => exemplar ?? []);
    for (let i = 0; i < ranges.length; i += 2) {
      this.#reader.seek(ranges[i]!, ranges[i + 1]!);
      this.#readExemplarBody(true);
    }
  }

  #addClassic(): void {
    const { count, sum, startMs, buckets } = this.#histogram;
    this.#add('_count', Number.NaN, count, startMs);
    this.#add('_sum', Number.NaN, sum, startMs);
    let isInfiniteBucketThere = false;
    for (const { upperBound, cumulativeCount, exemplar } of buckets) {
      if (exemplar) {
        this.#reader.seek(exemplar[0], exemplar[1]);
        this.#readExemplarBody(false);
      }
      if (upperBound === Number.POSITIVE_INFINITY) isInfiniteBucketThere = true;
      this.#add('_bucket', upperBound, cumulativeCount, startMs);
    }
    if (!isInfiniteBucketThere) this.#add('_bucket', Number.POSITIVE_INFINITY, count, startMs);
  }

  #add(suffix: Suffix, bound: number, value: number, startMs: number, histogram?: Uint8Array): void {
    const { bytes } = this.#reader.source;
    const key = this.#key;
    this.#suffix = suffix;
    this.#bound = bound;
    key.clear();
    key.reserve(1 + 8);
    key.bytes[key.position++] = keyKinds[suffix];
    writeDouble(key, bound);
    appendBytes(key, bytes.subarray(this.#nameStart, this.#nameEnd));
    for (let i = 0; i < this.#labels.length; i += 2) {
      const [start, end] = [this.#labels[i]!, this.#labels[i + 1]!];
      // As a field, so that no two sets of labels have the same bytes.
      key.reserve(1 + 4);
      key.bytes[key.position++] = 0x0a;
      key.view.setUint32(key.position, end - start, true);
      key.position += 4;
      appendBytes(key, bytes.subarray(start, end));
    }
    this.#sink.add(this.#sink.seriesOf(key, this), value, this.#timestampMs, startMs, histogram);
  }

  #readExemplar(mustHaveTime: boolean): void {
    const outer = this.#reader.enter();
    this.#readExemplarBody(mustHaveTime);
    this.#reader.leave(outer);
  }

  #readExemplarBody(mustHaveTime: boolean): void {
    const reader = this.#reader;
    const start = reader.position;
    const end = reader.limit;
    const ranges: number[] = [];
    let value = 0;
    let timestampMs = Number.NaN;
    while (reader.position < end) {
      const tag = reader.readTag();
      if (tag === 0x0a) ranges.push(reader.passBytes(), reader.position);
      else if (tag === 0x11) value = readDouble(reader);
      else if (tag === 0x1a) timestampMs = readTimestamp(reader);
      else reader.skip();
    }
    if (mustHaveTime && Number.isNaN(timestampMs)) return;
    const raw = reader.source.bytes.subarray(start, end);
    this.#sink.addExemplar({ raw, value, timestampMs, readLabels: () => readPairs(reader, ranges) });
  }
}

const valueTags: Readonly<Record<string, number>> = {
  counter: 0x1a,
  gauge: 0x12,
  summary: 0x22,
  unknown: 0x2a,
  histogram: 0x3a,
  gaugehistogram: 0x3a,
};

function readPairs(reader: ProtobufReader, ranges: readonly number[]): Labels {
  const { position, limit } = reader;
  const labels = new Map<string, string>();
  for (let i = 0; i < ranges.length; i += 2) readLabelPair(reader, ranges[i]!, ranges[i + 1]!, labels);
  reader.seek(position, limit);
  return sortLabels(labels);
}

/** Adds the LabelPair [start, end), and leaves the reader where it is. */
function readLabelPair(
  reader: ProtobufReader,
  start: number,
  end: number,
  labels: Map<string, string>,
): void {
  const { position, limit } = reader;
  reader.seek(start, end);
  let name = '';
  let value = '';
  while (reader.position < end) {
    const tag = reader.readTag();
    if (tag === 0x0a) name = decodeText(reader, reader.passBytes(), reader.position);
    else if (tag === 0x12) value = decodeText(reader, reader.passBytes(), reader.position);
    else reader.skip();
  }
  reader.seek(position, limit);
  if (name === '') throw new DecodeError('a label name is empty', start);
  if (labels.has(name)) throw new DecodeError(`the label ${name} stands twice in one metric`, start);
  labels.set(name, value);
}

function readQuantile(reader: ProtobufReader): [quantile: number, value: number] {
  const outer = reader.enter();
  let quantile = 0;
  let value = 0;
  while (reader.position < reader.limit) {
    const tag = reader.readTag();
    if (tag === 0x09) quantile = readDouble(reader);
    else if (tag === 0x11) value = readDouble(reader);
    else reader.skip();
  }
  reader.leave(outer);
  return [quantile, value];
}
