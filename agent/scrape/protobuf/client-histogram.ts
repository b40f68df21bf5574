/**
 * A Histogram of a protobuf page: classic buckets, a native histogram, or both in one message.
 *
 *   Histogram  => sample_count:1 uint64 sample_sum:2 double bucket:3 Bucket* sample_count_float:4 double
 *                 schema:5 sint32 zero_threshold:6 double zero_count:7 uint64 zero_count_float:8 double
 *                 negative_span:9 BucketSpan* negative_delta:10 sint64* negative_count:11 double*
 *                 positive_span:12 BucketSpan* positive_delta:13 sint64* positive_count:14 double*
 *                 created_timestamp:15 exemplars:16 Exemplar*
 *   Bucket     => cumulative_count:1 uint64 upper_bound:2 double exemplar:3 cumulative_count_float:4 double
 *   BucketSpan => offset:1 sint32 length:2 uint32
 *
 * One object is read into again and again. Repeated numbers come packed or not.
 */
import { DecodeError } from '#model/errors.ts';
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import type { HistogramSide, HistogramValue } from '#wire/remote-write/record-fields.ts';
import { readDouble, readSigned32, readSigned64, readTimestamp, twoTo32 } from './message-values.ts';

/** Buckets or spans of one side: no resolution that Prometheus knows needs as many, and a page could claim millions. */
const bucketsMax = 65_536;

export interface ClassicBucket {
  readonly upperBound: number;
  readonly cumulativeCount: number;
  /** Start and end of the Exemplar message. */
  readonly exemplar: readonly [start: number, end: number] | undefined;
}

/** Buckets of one side. Changed in place where the resolution is reduced. */
export class NativeSide implements HistogramSide {
  offsets: number[] = [];
  lengths: number[] = [];
  counts: number[] = [];
  #deltaSum = 0;

  get spanCount(): number {
    return this.offsets.length;
  }

  get bucketCount(): number {
    return this.counts.length;
  }

  clear(): void {
    this.offsets.length = 0;
    this.lengths.length = 0;
    this.counts.length = 0;
    this.#deltaSum = 0;
  }

  addSpan(offset: number, length: number): void {
    if (this.offsets.push(offset) > bucketsMax)
      throw new DecodeError(`a histogram has more than ${bucketsMax} spans`, 0);
    this.lengths.push(length);
  }

  addCount(count: number): void {
    if (this.counts.push(count) > bucketsMax)
      throw new DecodeError(`a histogram has more than ${bucketsMax} buckets`, 0);
  }

  addDelta(delta: number): void {
    this.#deltaSum += delta;
    this.addCount(this.#deltaSum);
  }
}

export class ClientHistogram implements HistogramValue {
  count = 0;
  sum = 0;
  schema = 0;
  zeroThreshold = 0;
  zeroCount = 0;
  isFloat = false;
  isGauge = false;
  startMs = 0;
  readonly negative = new NativeSide();
  readonly positive = new NativeSide();
  /** The format has none: schema -53 then has one bucket, up to infinity. */
  readonly customValues: readonly number[] = [];
  buckets: ClassicBucket[] = [];
  /** Exemplar messages of the native histogram: start and end in turn. */
  exemplars: number[] = [];
  readonly #negativeCounts = new NativeSide();
  readonly #positiveCounts = new NativeSide();
  #countFloat = 0;
  #zeroCountFloat = 0;

  /** Whether the message has a native histogram: an empty one says so by its zero bucket or an empty span. */
  get isNative(): boolean {
    return (
      this.positive.spanCount > 0 ||
      this.negative.spanCount > 0 ||
      this.zeroThreshold > 0 ||
      this.zeroCount > 0
    );
  }

  /** Reads the message that the reader is in. Throws DecodeError; judges no value. */
  read(reader: ProtobufReader, isGauge: boolean): void {
    for (const side of [this.negative, this.positive, this.#negativeCounts, this.#positiveCounts])
      side.clear();
    this.count = this.sum = this.schema = this.zeroThreshold = this.zeroCount = this.startMs = 0;
    this.#countFloat = this.#zeroCountFloat = 0;
    this.buckets = [];
    this.exemplars = [];
    this.isGauge = isGauge;
    while (reader.position < reader.limit) this.#readField(reader, reader.readTag());
    this.isFloat = this.#countFloat > 0 || this.#zeroCountFloat > 0;
    if (!this.isFloat) return;
    this.count = this.#countFloat;
    this.zeroCount = this.#zeroCountFloat;
    this.negative.counts = [...this.#negativeCounts.counts];
    this.positive.counts = [...this.#positiveCounts.counts];
  }

  #readField(reader: ProtobufReader, tag: number): void {
    switch (tag) {
      case 0x08:
        this.count = reader.readVarint();
        return;
      case 0x11:
        this.sum = readDouble(reader);
        return;
      case 0x1a:
        this.buckets.push(readBucket(reader));
        return;
      case 0x21:
        this.#countFloat = readDouble(reader);
        return;
      case 0x28:
        this.schema = readSigned32(reader);
        return;
      case 0x31:
        this.zeroThreshold = readDouble(reader);
        return;
      case 0x38:
        this.zeroCount = reader.readVarint();
        return;
      case 0x41:
        this.#zeroCountFloat = readDouble(reader);
        return;
      case 0x7a:
        this.startMs = readTimestamp(reader);
        return;
      // 16 << 3 | 2
      case 0x82:
        this.exemplars.push(reader.passBytes(), reader.position);
        return;
      default:
        this.#readSide(reader, tag);
    }
  }

  #readSide(reader: ProtobufReader, tag: number): void {
    const field = tag >>> 3;
    const isNegative = field >= 9 && field <= 11;
    const side = isNegative ? this.negative : this.positive;
    if (field === 9 || field === 12) readSpan(reader, side);
    else if (field === 10 || field === 13) readDeltas(reader, tag, side);
    else if (field === 11 || field === 14) {
      readDoubles(reader, tag, isNegative ? this.#negativeCounts : this.#positiveCounts);
    } else reader.skip();
  }
}

function readBucket(reader: ProtobufReader): ClassicBucket {
  const outer = reader.enter();
  let upperBound = 0;
  let count = 0;
  let countFloat = 0;
  let exemplar: ClassicBucket['exemplar'];
  while (reader.position < reader.limit) {
    const tag = reader.readTag();
    if (tag === 0x08) count = reader.readVarint();
    else if (tag === 0x11) upperBound = readDouble(reader);
    else if (tag === 0x1a) exemplar = [reader.passBytes(), reader.position];
    else if (tag === 0x21) countFloat = readDouble(reader);
    else reader.skip();
  }
  reader.leave(outer);
  return { upperBound, cumulativeCount: countFloat > 0 ? countFloat : count, exemplar };
}

function readSpan(reader: ProtobufReader, side: NativeSide): void {
  const outer = reader.enter();
  let offset = 0;
  let length = 0;
  while (reader.position < reader.limit) {
    const tag = reader.readTag();
    if (tag === 0x08) offset = readSigned32(reader);
    else if (tag === 0x10) length = reader.readVarint() % twoTo32;
    else reader.skip();
  }
  reader.leave(outer);
  side.addSpan(offset, length);
}

function readDeltas(reader: ProtobufReader, tag: number, side: NativeSide): void {
  if ((tag & 7) === 0) side.addDelta(readSigned64(reader));
  else if ((tag & 7) === 2) {
    const outer = reader.enter();
    while (reader.position < reader.limit) side.addDelta(readSigned64(reader));
    reader.leave(outer);
  } else reader.skip();
}

function readDoubles(reader: ProtobufReader, tag: number, side: NativeSide): void {
  if ((tag & 7) === 1) side.addCount(readDouble(reader));
  else if ((tag & 7) === 2) {
    const outer = reader.enter();
    while (reader.position < reader.limit) side.addCount(readDouble(reader));
    reader.leave(outer);
  } else reader.skip();
}
