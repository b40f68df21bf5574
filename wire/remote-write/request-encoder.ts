/**
 * Encodes Prometheus remote write 2.0 requests for a sender whose series hardly change from one request to the next.
 *
 *   const id = encoder.addSeries([['__name__', 'up'], ['job', 'api']])
 *   encoder.writeSample(id, noMetadata, 1, 1_700_000_000_000); encoder.finish()  ->  the bytes of one Request
 *
 * Symbols, labels and metadata are kept as the bytes that the request needs, so a known series costs a copy. Labels must
 * be sorted and without empty values (see sortLabels). Equal labels have one id. A second sample of a series makes a
 * second TimeSeries message, which the specification allows.
 *
 *   Request    => symbols:4 string* timeseries:5 TimeSeries*        (io.prometheus.write.v2)
 *   TimeSeries => labels_refs:1 uint32* samples:2 Sample* metadata:5 Metadata
 *   Sample     => value:1 double timestamp:2 int64 start_timestamp:3 int64
 *   Metadata   => type:1 enum help_ref:3 uint32 unit_ref:4 uint32
 */
import type { Labels } from '#model/labels.ts';
import {
  appendBytes,
  ByteWriter,
  copyWords,
  varintBytesMax,
  writeDouble,
  writeInt64,
  writeVarint,
  writeWords,
} from '../protobuf/byte-writer.ts';
import { writeTextField } from '../protobuf/message-writer.ts';
import { ByteDictionary } from './byte-dictionary.ts';

/** Metadata.MetricType of the specification. */
export const metricTypes = {
  unknown: 0,
  counter: 1,
  gauge: 2,
  histogram: 3,
  gaugehistogram: 4,
  summary: 5,
  info: 6,
  stateset: 7,
} as const;
export type MetricType = keyof typeof metricTypes;

/** The metadata id of a sample that carries none. */
export const noMetadata = -1;

/** Low and high word of the NaN that ends a series: 0x7ff0000000000002 (remote write 2.0, "Stale Markers"). */
export const staleLow = 0x00000002;
export const staleHigh = 0x7ff00000;

const symbolsField = 4;
const tagTimeseries = 0x2a;
const tagLabelsRefs = 0x0a;
const tagSamples = 0x12;
const tagMetadata = 0x2a;
const tagSampleValue = 0x09;
const tagSampleTimestamp = 0x10;
const tagSampleStart = 0x18;
const tagMetadataType = 0x08;
const tagMetadataHelp = 0x18;
const tagMetadataUnit = 0x20;

/** What a TimeSeries with one sample of this century adds to its labels: tags, lengths, value and timestamp. */
const timeseriesOverheadBytes = 20;
/** The most that a TimeSeries adds to its labels and metadata, for reserving. */
const timeseriesOverheadBytesMax = 16 + 4 * varintBytesMax;

/** A tracker has an encoder for each target: they start small. */
const writerBytes = 256;

/**
 * Memory of requests that are finished, for the next that any encoder of this thread begins: thousands of encoders need
 * it one after the other.
 */
const idleBodies: ByteWriter[] = [];
const idleBodiesMax = 16;
/** Larger ones are not kept: requests are below a megabyte where they are to fit into a Kafka message. */
const idleBodyBytesMax = 4 * 1024 * 1024;
/** The body of a request that is not begun. Nothing is written to it. */
const noBody = new ByteWriter(0);

export class RequestEncoder {
  readonly #symbols = new Map<string, number>();
  /** The symbols field of the request, as it is sent. */
  readonly #symbolField = new ByteWriter(writerBytes);
  /** Each entry is a labels_refs field, as it is sent. */
  readonly #series = new ByteDictionary();
  /** Each entry is a metadata field, as it is sent. */
  readonly #metadata = new ByteDictionary();
  #body = noBody;
  readonly #scratch = new ByteWriter(writerBytes);
  readonly #timestamp = new ByteWriter(writerBytes);
  readonly #start = new ByteWriter(varintBytesMax);
  #timestampMs = Number.NaN;
  #startMs = 0;
  #sampleCount = 0;

  constructor() {
    this.#symbol('');
  }

  get seriesCount(): number {
    return this.#series.count;
  }

  /** Samples and stale markers since the last finish. */
  get sampleCount(): number {
    return this.#sampleCount;
  }

  /** Bytes of the request if it were finished now. */
  get requestBytes(): number {
    return this.#symbolField.position + this.#body.position;
  }

  /** Bytes of the request that carries one sample of every series, without metadata. */
  get fullRequestBytes(): number {
    return this.#symbolField.position + this.#series.bytes + this.#series.count * timeseriesOverheadBytes;
  }

  /** Returns the id of a series, which is added where it is new. Ids count from 0. */
  addSeries(labels: Labels): number {
    const scratch = this.#startScratch(labels.length * 2);
    for (const [name, value] of labels) {
      writeVarint(scratch, this.#symbol(name));
      writeVarint(scratch, this.#symbol(value));
    }
    const start = this.#wrap(tagLabelsRefs);
    return this.#series.intern(scratch.bytes, scratch.view, start, scratch.position);
  }

  /** Returns the id of what TYPE, HELP and UNIT say about a metric, for writeSample. */
  addMetadata(type: MetricType, help: string, unit: string): number {
    const scratch = this.#startScratch(6);
    const fields = [
      [tagMetadataType, metricTypes[type]],
      [tagMetadataHelp, this.#symbol(help)],
      [tagMetadataUnit, this.#symbol(unit)],
    ] as const;
    for (const [tag, value] of fields) {
      if (value === 0) continue;
      writeVarint(scratch, tag);
      writeVarint(scratch, value);
    }
    const start = this.#wrap(tagMetadata);
    return this.#metadata.intern(scratch.bytes, scratch.view, start, scratch.position);
  }

  /**
   * Adds a sample to the request. `metadata` is an id of addMetadata or noMetadata; any NaN is sent as a plain NaN.
   * `startMs` is since when a counter counts, 0 where that is not known.
   */
  writeSample(series: number, metadata: number, value: number, timestampMs: number, startMs = 0): void {
    this.#writeHead(series, metadata, timestampMs, startMs);
    writeDouble(this.#body, value);
    this.#writeTail(metadata, startMs);
  }

  /** Adds the marker which says that a series has ended. */
  writeStaleMarker(series: number, timestampMs: number): void {
    this.#writeHead(series, noMetadata, timestampMs, 0);
    writeWords(this.#body, staleLow, staleHigh);
    this.#writeTail(noMetadata, 0);
  }

  /** Returns the request with all samples since the last call, and starts the next one. Ids stay valid. */
  finish(): Uint8Array {
    const symbols = this.#symbolField;
    const request = new Uint8Array(this.requestBytes);
    request.set(symbols.written());
    request.set(this.#body.written(), symbols.position);
    this.#endBody();
    this.#sampleCount = 0;
    return request;
  }

  #endBody(): void {
    const body = this.#body;
    body.clear();
    this.#body = noBody;
    const isKept = idleBodies.length < idleBodiesMax && body.bytes.length <= idleBodyBytesMax;
    if (body !== noBody && isKept) idleBodies.push(body);
  }

  #startedBody(): ByteWriter {
    if (this.#body === noBody) this.#body = idleBodies.pop() ?? new ByteWriter(writerBytes);
    return this.#body;
  }

  #writeHead(series: number, metadata: number, timestampMs: number, startMs: number): void {
    if (timestampMs !== this.#timestampMs) {
      this.#timestamp.clear();
      this.#timestamp.reserve(varintBytesMax);
      writeInt64(this.#timestamp, timestampMs);
      this.#timestampMs = timestampMs;
    }
    if (startMs !== 0 && startMs !== this.#startMs) {
      this.#start.clear();
      writeInt64(this.#start, startMs);
      this.#startMs = startMs;
    }
    this.#sampleCount++;
    const start = this.#series.start(series);
    const end = this.#series.end(series);
    const metadataBytes = metadata < 0 ? 0 : this.#metadata.end(metadata) - this.#metadata.start(metadata);
    const startBytes = startMs === 0 ? 0 : 1 + this.#start.position;
    const sampleBytes = 10 + this.#timestamp.position + startBytes;
    const body = this.#startedBody();
    body.reserve(timeseriesOverheadBytesMax + end - start + metadataBytes);
    writeVarint(body, tagTimeseries);
    writeVarint(body, end - start + 2 + sampleBytes + metadataBytes);
    copyWords(body, this.#series.arenaView, start, end);
    writeVarint(body, tagSamples);
    writeVarint(body, sampleBytes);
    writeVarint(body, tagSampleValue);
  }

  #writeTail(metadata: number, startMs: number): void {
    writeVarint(this.#body, tagSampleTimestamp);
    copyWords(this.#body, this.#timestamp.view, 0, this.#timestamp.position);
    if (startMs !== 0) {
      writeVarint(this.#body, tagSampleStart);
      copyWords(this.#body, this.#start.view, 0, this.#start.position);
    }
    if (metadata >= 0) this.#writeMetadata(metadata);
  }

  #writeMetadata(metadata: number): void {
    copyWords(
      this.#body,
      this.#metadata.arenaView,
      this.#metadata.start(metadata),
      this.#metadata.end(metadata),
    );
  }

  #startScratch(varintCount: number): ByteWriter {
    this.#scratch.clear();
    this.#scratch.reserve(varintCount * varintBytesMax);
    return this.#scratch;
  }

  /** Makes a field of the scratch's payload, behind the payload: returns where the field starts. */
  #wrap(tag: number): number {
    const scratch = this.#scratch;
    const length = scratch.position;
    scratch.reserve(length + 1 + varintBytesMax);
    writeVarint(scratch, tag);
    writeVarint(scratch, length);
    appendBytes(scratch, scratch.bytes.subarray(0, length));
    return length;
  }

  #symbol(text: string): number {
    const known = this.#symbols.get(text);
    if (known !== undefined) return known;
    const ref = this.#symbols.size;
    this.#symbols.set(text, ref);
    writeTextField(this.#symbolField, symbolsField, text);
    return ref;
  }
}
