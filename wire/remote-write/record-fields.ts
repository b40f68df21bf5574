/**
 * The fields of a TimeSeries (remote write 2.0) that few series have: native histograms, exemplars, and a sample beside
 * exemplars. Each call appends one field.
 *
 *   TimeSeries => samples:2 Sample* histograms:3 Histogram* exemplars:4 Exemplar*
 *   Sample     => value:1 double timestamp:2 int64 start_timestamp:3 int64
 *   Histogram  => count_int:1 uint64 | count_float:2 double  sum:3 double schema:4 sint32 zero_threshold:5 double
 *                 zero_count_int:6 uint64 | zero_count_float:7 double
 *                 negative_spans:8 BucketSpan* negative_deltas:9 sint64* negative_counts:10 double*
 *                 positive_spans:11 BucketSpan* positive_deltas:12 sint64* positive_counts:13 double*
 *                 reset_hint:14 enum timestamp:15 int64 custom_values:16 double* start_timestamp:17 int64
 *   BucketSpan => offset:1 sint32 length:2 uint32
 *   Exemplar   => labels_refs:1 uint32* value:2 double timestamp:3 int64
 */
import {
  appendBytes,
  type ByteWriter,
  varintBytesMax,
  writeInt64,
  writeVarint,
} from '../protobuf/byte-writer.ts';
import {
  beginMessage,
  endMessage,
  writeDoubleField,
  writeFixed64Field,
  writeVarintField,
} from '../protobuf/message-writer.ts';
import { staleHigh, staleLow } from './request-encoder.ts';

/** One side of a histogram's buckets: span i covers `lengths[i]` buckets, `offsets[i]` behind the span before. */
export interface HistogramSide {
  readonly spanCount: number;
  readonly offsets: ArrayLike<number>;
  readonly lengths: ArrayLike<number>;
  readonly bucketCount: number;
  /** Observations of each bucket, not differences. */
  readonly counts: ArrayLike<number>;
}

/** A native histogram. Counts of an integer histogram are whole numbers below 2^53. */
export interface HistogramValue {
  readonly isFloat: boolean;
  readonly count: number;
  readonly sum: number;
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  readonly negative: HistogramSide;
  readonly positive: HistogramSide;
  /** Upper bounds where the schema is -53. */
  readonly customValues: ArrayLike<number>;
  /** A gauge histogram may go down: that is no reset. */
  readonly isGauge: boolean;
}

const resetHintGauge = 3;

export function writeSampleField(
  writer: ByteWriter,
  value: number,
  timestampMs: number,
  startMs: number,
): void {
  const mark = beginMessage(writer, 2);
  writeDoubleField(writer, 1, value);
  writeInt64Field(writer, 2, timestampMs);
  if (startMs !== 0) writeInt64Field(writer, 3, startMs);
  endMessage(writer, mark);
}

/** Appends the sample which says that a series has ended. */
export function writeStaleSampleField(writer: ByteWriter, timestampMs: number): void {
  const mark = beginMessage(writer, 2);
  writeFixed64Field(writer, 1, staleLow, staleHigh);
  writeInt64Field(writer, 2, timestampMs);
  endMessage(writer, mark);
}

/** Writes a Histogram's payload without its times: writeHistogramField adds them when they are known. */
export function writeHistogramValue(writer: ByteWriter, histogram: HistogramValue): void {
  const { isFloat, count, zeroCount } = histogram;
  if (isFloat) writeDoubleField(writer, 2, count);
  else writeVarintField(writer, 1, count);
  writeDoubleField(writer, 3, histogram.sum);
  writeVarintField(writer, 4, zigzag(histogram.schema));
  if (histogram.zeroThreshold !== 0) writeDoubleField(writer, 5, histogram.zeroThreshold);
  if (isFloat) writeDoubleField(writer, 7, zeroCount);
  else writeVarintField(writer, 6, zeroCount);
  writeSide(writer, 8, histogram.negative, isFloat);
  writeSide(writer, 11, histogram.positive, isFloat);
  if (histogram.isGauge) writeVarintField(writer, 14, resetHintGauge);
  if (histogram.customValues.length > 0)
    writeDoubles(writer, 16, histogram.customValues, histogram.customValues.length);
}

/** Appends a histogram whose payload came from writeHistogramValue. */
export function writeHistogramField(
  writer: ByteWriter,
  payload: Uint8Array,
  timestampMs: number,
  startMs: number,
): void {
  const mark = beginMessage(writer, 3);
  appendBytes(writer, payload);
  writeInt64Field(writer, 15, timestampMs);
  if (startMs !== 0) writeInt64Field(writer, 17, startMs);
  endMessage(writer, mark);
}

/** Appends the marker which says that a series of histograms has ended: a histogram whose sum is the stale NaN. */
export function writeStaleHistogramField(writer: ByteWriter, timestampMs: number): void {
  const mark = beginMessage(writer, 3);
  writeVarintField(writer, 1, 0);
  writeFixed64Field(writer, 3, staleLow, staleHigh);
  writeInt64Field(writer, 15, timestampMs);
  endMessage(writer, mark);
}

/** `refs` are symbols of the request, name and value in turn. */
export function writeExemplarField(
  writer: ByteWriter,
  refs: readonly number[],
  value: number,
  timestampMs: number,
): void {
  const mark = beginMessage(writer, 4);
  const refsMark = beginMessage(writer, 1);
  writer.reserve(refs.length * varintBytesMax);
  for (const ref of refs) writeVarint(writer, ref);
  endMessage(writer, refsMark);
  writeDoubleField(writer, 2, value);
  writeInt64Field(writer, 3, timestampMs);
  endMessage(writer, mark);
}

function writeSide(writer: ByteWriter, field: number, side: HistogramSide, isFloat: boolean): void {
  for (let i = 0; i < side.spanCount; i++) {
    const mark = beginMessage(writer, field);
    writeVarintField(writer, 1, zigzag(side.offsets[i]!));
    writeVarintField(writer, 2, side.lengths[i]!);
    endMessage(writer, mark);
  }
  if (side.bucketCount === 0) return;
  if (isFloat) writeDoubles(writer, field + 2, side.counts, side.bucketCount);
  else writeDeltas(writer, field + 1, side);
}

function writeDeltas(writer: ByteWriter, field: number, { counts, bucketCount }: HistogramSide): void {
  const mark = beginMessage(writer, field);
  writer.reserve(bucketCount * varintBytesMax);
  let before = 0;
  for (let i = 0; i < bucketCount; i++) {
    writeVarint(writer, zigzag(counts[i]! - before));
    before = counts[i]!;
  }
  endMessage(writer, mark);
}

function writeDoubles(writer: ByteWriter, field: number, values: ArrayLike<number>, count: number): void {
  const mark = beginMessage(writer, field);
  writer.reserve(count * 8);
  for (let i = 0; i < count; i++, writer.position += 8)
    writer.view.setFloat64(writer.position, values[i]!, true);
  endMessage(writer, mark);
}

function writeInt64Field(writer: ByteWriter, field: number, value: number): void {
  writer.reserve(2 * varintBytesMax);
  writeVarint(writer, field << 3);
  writeInt64(writer, value);
}

/** protobuf's sint32 and sint64 of a whole number: exact up to 2^52. */
function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}
