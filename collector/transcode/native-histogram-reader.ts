/**
 * Reads remote write's Histogram messages, which are the same in 1.0 and 2.0, into a NativeHistogram.
 *
 *   Histogram => count_int:uint64 (1) | count_float:double (2)
 *                sum:double (3) schema:sint32 (4) zero_threshold:double (5)
 *                zero_count_int:uint64 (6) | zero_count_float:double (7)
 *                negative_spans:BucketSpan* (8) negative_deltas:sint64* (9) negative_counts:double* (10)
 *                positive_spans:BucketSpan* (11) positive_deltas:sint64* (12) positive_counts:double* (13)
 *                reset_hint:enum (14) timestamp:int64 ms (15) custom_values:double* (16) start_timestamp:int64 ms (17)
 *   BucketSpan => offset:sint32 (1) length:uint32 (2)
 *
 * An integer histogram has differences from bucket to bucket, a float histogram counts. What a sender says about the
 * other kind is left out, as Prometheus does.
 */
import { DecodeError } from '#model/errors.ts';
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import { BucketSide, type NativeHistogram } from './native-histogram.ts';
import { twoTo32 } from './record-window.ts';

const resetHintMax = 3;

export class NativeHistogramReader {
  readonly #reader: ProtobufReader;
  /** Counts of a float histogram, until it is known to be one. */
  readonly #positive = new BucketSide();
  readonly #negative = new BucketSide();
  #floatCount = 0;
  #floatZeroCount = 0;
  #positiveSum = 0;
  #negativeSum = 0;

  constructor(reader: ProtobufReader) {
    this.#reader = reader;
  }

  /** Reads the message that is [start, end). Throws DecodeError where it is malformed; judges no value. */
  read(start: number, end: number, into: NativeHistogram): void {
    const reader = this.#reader;
    into.clear();
    this.#positive.clear();
    this.#negative.clear();
    this.#floatCount = 0;
    this.#floatZeroCount = 0;
    this.#positiveSum = 0;
    this.#negativeSum = 0;
    reader.seek(start, end);
    while (reader.position < end) this.#readField(reader.readTag(), into);
    if (!into.isFloat) return;
    into.count = this.#floatCount;
    into.zeroCount = this.#floatZeroCount;
    copyCounts(this.#positive, into.positive);
    copyCounts(this.#negative, into.negative);
  }

  #readField(tag: number, into: NativeHistogram): void {
    const reader = this.#reader;
    switch (tag) {
      case 0x08:
        into.count = reader.readVarint();
        into.isFloat = false;
        return;
      case 0x11:
        this.#floatCount = this.#readDouble();
        into.isFloat = true;
        return;
      case 0x19:
        reader.readFixed64();
        into.sumLow = reader.low;
        into.sumHigh = reader.high;
        return;
      case 0x20:
        into.schema = this.#readSigned32();
        return;
      case 0x29:
        into.zeroThreshold = this.#readDouble();
        return;
      case 0x30:
        into.zeroCount = reader.readVarint();
        return;
      case 0x39:
        this.#floatZeroCount = this.#readDouble();
        return;
      case 0x70: {
        const hint = reader.readVarint();
        into.resetHint = hint > resetHintMax ? 0 : hint;
        return;
      }
      case 0x78:
        into.unixMs = this.#readTime();
        return;
      // 17 << 3
      case 0x88:
        into.startMs = this.#readTime();
        return;
      default:
        this.#readBuckets(tag, into);
    }
  }

  #readBuckets(tag: number, into: NativeHistogram): void {
    switch (tag) {
      case 0x42:
        this.#readSpan(into.negative);
        return;
      case 0x4a:
      case 0x48:
        this.#readDeltas(tag, into.negative);
        return;
      case 0x52:
      case 0x51:
        this.#readDoubles(tag, this.#negative);
        return;
      case 0x5a:
        this.#readSpan(into.positive);
        return;
      case 0x62:
      case 0x60:
        this.#readDeltas(tag, into.positive);
        return;
      case 0x6a:
      case 0x69:
        this.#readDoubles(tag, this.#positive);
        return;
      // 16 << 3, packed and not
      case 0x82:
      case 0x81:
        this.#readDoubles(tag, into);
        return;
      default:
        this.#reader.skip();
    }
  }

  #readSpan(side: BucketSide): void {
    const reader = this.#reader;
    const outer = reader.enter();
    let offset = 0;
    let length = 0;
    while (reader.position < reader.limit) {
      const tag = reader.readTag();
      if (tag === 0x08) offset = this.#readSigned32();
      else if (tag === 0x10) length = reader.readVarint() % twoTo32;
      else reader.skip();
    }
    reader.leave(outer);
    side.addSpan(offset, length);
  }

  #readDeltas(tag: number, side: BucketSide): void {
    const reader = this.#reader;
    const isPacked = (tag & 7) === 2;
    const outer = isPacked ? reader.enter() : reader.limit;
    let sum = tag < 0x60 ? this.#negativeSum : this.#positiveSum;
    do {
      if (isPacked && reader.position === reader.limit) break;
      reader.readVarint64();
      // Zigzag, in doubles: exact below 2^53, as counts are in the store.
      const value = reader.high * twoTo32 + reader.low;
      sum += (reader.low & 1) === 0 ? value / 2 : -(value + 1) / 2;
      side.addBucket(sum);
    } while (isPacked);
    if (tag < 0x60) this.#negativeSum = sum;
    else this.#positiveSum = sum;
    if (isPacked) reader.leave(outer);
  }

  #readDoubles(tag: number, into: BucketSide | NativeHistogram): void {
    const reader = this.#reader;
    const length = (tag & 7) === 2 ? reader.readLength() : 8;
    if (length % 8 !== 0) {
      throw new DecodeError(`field ${tag >>> 3} packs doubles into ${length} bytes`, reader.position);
    }
    for (let i = 0; i < length; i += 8) {
      const value = this.#readDouble();
      if (into instanceof BucketSide) into.addBucket(value);
      else into.addCustomValue(value);
    }
  }

  #readDouble(): number {
    const reader = this.#reader;
    reader.readFixed64();
    return reader.source.view.getFloat64(reader.position - 8, true);
  }

  #readTime(): number {
    const reader = this.#reader;
    reader.readVarint64();
    return (reader.high | 0) * twoTo32 + reader.low;
  }

  #readSigned32(): number {
    const reader = this.#reader;
    reader.readVarint64();
    return (reader.low >>> 1) ^ -(reader.low & 1);
  }
}

function copyCounts(from: BucketSide, to: BucketSide): void {
  to.bucketCount = from.bucketCount;
  to.counts.set(from.counts.subarray(0, from.bucketCount));
}
