/**
 * The TimeSeries messages of a request's series, each lying ready with one sample: a run writes value and time into it, and
 * the request gets a copy of those that were written.
 *
 *   TimeSeries => labels_refs:1 uint32* samples:2 Sample metadata:5 Metadata        (io.prometheus.write.v2)
 *   Sample     => value:1 double timestamp:2 int64
 *
 * Times of different length, and other metadata, make all messages be laid out anew.
 */
import { ByteWriter, varintBytes, varintBytesMax, writeInt64 } from '#wire/protobuf/byte-writer.ts';
import { staleHigh, staleLow } from '#wire/remote-write/request-encoder.ts';
import { grown } from './series-columns.ts';

export const tagTimeseries = 0x2a;
const tagLabelsRefs = 0x0a;
const tagSamples = 0x12;
const tagSampleValue = 0x09;
const tagSampleTimestamp = 0x10;
/** Where the value and the time of a sample are, counted from the start of its field. */
const valueOffset = 3;
const timeOffset = 12;
/** Times of this century. */
const timeBytesDefault = 6;
const bytesMin = 1024;
const seriesMin = 16;
/** What a message has beside its labels and its metadata, at most. */
const messageBytesMax = 48;

/** States of a series in the request that is being made. */
const isAbsent = 0;
const isInPlace = 1;
const isElsewhere = 2;

const noBytes = new Uint8Array(0);

export class SeriesMessages {
  /** The metadata fields that messages may end with. */
  readonly metadataFields: Uint8Array[] = [];
  count = 0;
  /** Messages that were written since the last reset. */
  writtenCount = 0;
  #bytes = new Uint8Array(bytesMin);
  #view = new DataView(this.#bytes.buffer);
  /** Behind the message of each series. */
  #ends = new Int32Array(seriesMin);
  /** Where its sample field starts. */
  #sampleAt = new Int32Array(seriesMin);
  /** A number of metadataFields, or -1. */
  #metadata = new Int32Array(seriesMin);
  #states = new Uint8Array(seriesMin);
  /** Whether messages have other metadata than they should. */
  #isOutdated = false;
  #timeBytes = timeBytesDefault;
  #timeMs = Number.NaN;
  readonly #time = new ByteWriter(varintBytesMax);

  /** Bytes of all messages. */
  get byteLength(): number {
    return this.count === 0 ? 0 : this.#ends[this.count - 1]!;
  }

  /** Adds a message whose labels_refs are the first `length` bytes of `refs`. Returns its number. */
  add(refs: Uint8Array, length: number, metadata: number): number {
    const series = this.count;
    if (series === this.#ends.length) this.#grow();
    this.count = series + 1;
    this.#metadata[series] = metadata;
    this.#states[series] = isAbsent;
    const start = this.#start(series);
    this.#reserve(start + length + this.#metadataField(series).length + messageBytesMax);
    this.#layOut(series, start, refs, 0, length);
    return series;
  }

  metadata(series: number): number {
    return this.#metadata[series]!;
  }

  setMetadata(series: number, metadata: number): void {
    if (this.#metadata[series] === metadata) return;
    this.#metadata[series] = metadata;
    this.#isOutdated = true;
  }

  /** Returns the labels_refs field of a series, valid until something is added. */
  labelsField(series: number): Uint8Array {
    return this.#bytes.subarray(this.#labelsStart(series), this.#sampleAt[series]!);
  }

  /** Returns the place behind the last reference of a series; refsStart is that of the first. */
  refsEnd(series: number): number {
    return this.#sampleAt[series]!;
  }

  refsStart(series: number): number {
    return behindVarint(this.#bytes, this.#labelsStart(series) + 1);
  }

  refAt(place: number): number {
    const bytes = this.#bytes;
    let ref = 0;
    let at = place;
    let shift = 0;
    for (; bytes[at]! >= 0x80; at++, shift += 7) ref |= (bytes[at]! & 0x7f) << shift;
    return ref | (bytes[at]! << shift);
  }

  metadataField(metadata: number): Uint8Array {
    return metadata < 0 ? noBytes : this.metadataFields[metadata]!;
  }

  /** Lays the messages out for samples of this time. Nothing may have been written since the last reset. */
  prepare(timestampMs: number): void {
    this.#setTime(timestampMs);
    if (this.#isOutdated || this.#time.position !== this.#timeBytes) this.#layOutAll();
  }

  /** Writes a sample; any NaN becomes a plain NaN. Returns false where the message has one, or cannot take this one. */
  write(series: number, value: number, timestampMs: number): boolean {
    if (timestampMs !== this.#timeMs) this.#setTime(timestampMs);
    if (!this.#isFree(series)) return false;
    this.#view.setFloat64(this.#sampleAt[series]! + valueOffset, value, true);
    this.#endWrite(series);
    return true;
  }

  /** As write, with the value that ends a series. */
  writeStale(series: number, timestampMs: number): boolean {
    if (timestampMs !== this.#timeMs) this.#setTime(timestampMs);
    if (!this.#isFree(series)) return false;
    const valueAt = this.#sampleAt[series]! + valueOffset;
    this.#view.setUint32(valueAt, staleLow, true);
    this.#view.setUint32(valueAt + 4, staleHigh, true);
    this.#endWrite(series);
    return true;
  }

  /** Says that the request has a sample of this series elsewhere: later ones must not come before it. */
  leave(series: number): void {
    if (this.#states[series] === isAbsent) this.#states[series] = isElsewhere;
  }

  /** Bytes of the messages that were written. */
  writtenBytes(): number {
    if (this.writtenCount === this.count) return this.byteLength;
    let bytes = 0;
    for (let series = 0; series < this.count; series++) {
      if (this.#states[series] === isInPlace) bytes += this.#ends[series]! - this.#start(series);
    }
    return bytes;
  }

  /** Copies the messages that were written to `start` of `request`. Returns where the copies end. */
  copyWritten(request: Uint8Array, start: number): number {
    let at = start;
    for (let series = 0; series < this.count; series++) {
      if (this.#states[series] !== isInPlace) continue;
      const from = this.#start(series);
      while (series + 1 < this.count && this.#states[series + 1] === isInPlace) series++;
      request.set(this.#bytes.subarray(from, this.#ends[series]!), at);
      at += this.#ends[series]! - from;
    }
    return at;
  }

  /** Starts the next request. */
  reset(): void {
    this.#states.fill(isAbsent, 0, this.count);
    this.writtenCount = 0;
  }

  /** Gives up the memory that is kept for more series. */
  trim(): void {
    this.#bytes = this.#bytes.slice(0, this.byteLength);
    this.#view = new DataView(this.#bytes.buffer);
    this.#ends = this.#ends.slice(0, this.count);
    this.#sampleAt = this.#sampleAt.slice(0, this.count);
    this.#metadata = this.#metadata.slice(0, this.count);
    this.#states = this.#states.slice(0, this.count);
  }

  #isFree(series: number): boolean {
    return this.#states[series] === isAbsent && this.#time.position === this.#timeBytes && !this.#isOutdated;
  }

  #endWrite(series: number): void {
    const bytes = this.#bytes;
    const time = this.#time.bytes;
    const timeAt = this.#sampleAt[series]! + timeOffset;
    for (let i = 0; i < this.#timeBytes; i++) bytes[timeAt + i] = time[i]!;
    this.#states[series] = isInPlace;
    this.writtenCount++;
  }

  #metadataField(series: number): Uint8Array {
    return this.metadataField(this.#metadata[series]!);
  }

  #start(series: number): number {
    return series === 0 ? 0 : this.#ends[series - 1]!;
  }

  /** Where the labels_refs field starts: behind tag and length of the message. */
  #labelsStart(series: number): number {
    return behindVarint(this.#bytes, this.#start(series) + 1);
  }

  /** Writes the message of a series at `start`, with the references [from, to) of `refs`. Must be reserved. */
  #layOut(series: number, start: number, refs: Uint8Array, from: number, to: number): void {
    const bytes = this.#bytes;
    const field = this.#metadataField(series);
    const sampleLength = timeOffset + this.#timeBytes;
    let at = start;
    bytes[at++] = tagTimeseries;
    at = putVarint(bytes, at, 1 + varintBytes(to - from) + to - from + sampleLength + field.length);
    bytes[at++] = tagLabelsRefs;
    at = putVarint(bytes, at, to - from);
    for (let i = from; i < to; i++) bytes[at++] = refs[i]!;
    this.#sampleAt[series] = at;
    bytes[at] = tagSamples;
    bytes[at + 1] = sampleLength - 2;
    bytes[at + 2] = tagSampleValue;
    bytes[at + timeOffset - 1] = tagSampleTimestamp;
    at += sampleLength;
    for (let i = 0; i < field.length; i++) bytes[at++] = field[i]!;
    this.#ends[series] = at;
  }

  #layOutAll(): void {
    const { count } = this;
    const before = this.#bytes;
    const refsEnds = this.#sampleAt.slice(0, count);
    const refsStarts = refsEnds.map((_, series) => this.refsStart(series));
    this.#timeBytes = this.#time.position;
    let bytes = bytesMin;
    for (let series = 0; series < count; series++) {
      const refs = refsEnds[series]! - refsStarts[series]!;
      bytes += refs + this.#metadataField(series).length + messageBytesMax;
    }
    this.#bytes = new Uint8Array(bytes);
    for (let series = 0; series < count; series++) {
      this.#layOut(series, this.#start(series), before, refsStarts[series]!, refsEnds[series]!);
    }
    this.#bytes = this.#bytes.slice(0, Math.max(this.byteLength, bytesMin));
    this.#view = new DataView(this.#bytes.buffer);
    this.#isOutdated = false;
  }

  #setTime(timestampMs: number): void {
    this.#time.clear();
    this.#time.reserve(varintBytesMax);
    writeInt64(this.#time, timestampMs);
    this.#timeMs = timestampMs;
  }

  #reserve(needed: number): void {
    const size = this.#bytes.length;
    if (needed <= size) return;
    this.#bytes = grown(this.#bytes, new Uint8Array(Math.max(size + (size >>> 1), needed)));
    this.#view = new DataView(this.#bytes.buffer);
  }

  #grow(): void {
    const length = this.#ends.length * 2;
    this.#ends = grown(this.#ends, new Int32Array(length));
    this.#sampleAt = grown(this.#sampleAt, new Int32Array(length));
    this.#metadata = grown(this.#metadata, new Int32Array(length));
    this.#states = grown(this.#states, new Uint8Array(length));
  }
}

function putVarint(bytes: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
  bytes[at++] = rest;
  return at;
}

function behindVarint(bytes: Uint8Array, start: number): number {
  let at = start;
  while (bytes[at]! >= 0x80) at++;
  return at + 1;
}
