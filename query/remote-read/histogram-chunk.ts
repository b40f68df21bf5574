/**
 * Native histograms as Prometheus's chunks of float histograms.
 *
 *   chunk => count:uint16 reset:2 0:6 layout sample*
 *   layout => zero threshold, schema, spans of both sides, bounds where they are custom
 *   first sample => time, count, zero count, sum, buckets;  others => delta of deltas, and each number as its XOR
 *
 * Readers take all but the first histogram of a chunk for what goes on without a reset, so that a chunk ends where that
 * does not hold, and where the layout changes.
 */
import { customSchema, type FloatHistogram } from '../promql/histogram/float-histogram.ts';
import type { HistogramSamples } from '../promql/source.ts';
import { BitWriter, fitsBits } from './bit-writer.ts';
import { type Span, spansOf } from './histogram-spans.ts';
import { chunkSamplesMax, type EncodedChunk } from './sample-chunk.ts';
import { XorValue } from './xor-value.ts';

const floatHistogramEncoding = 3;

/** What a chunk's header says of its first histogram. */
const resetBits: Readonly<Record<FloatHistogram['resetHint'], number>> = {
  unknown: 0b00,
  not_reset: 0b01,
  reset: 0b10,
  gauge: 0b11,
};

export function* encodeHistogramChunks({ timestamps, values }: HistogramSamples): Generator<EncodedChunk> {
  for (let start = 0; start < values.length; ) {
    let end = start + 1;
    while (end < values.length && end - start < chunkSamplesMax && goesOn(values[end - 1], values[end]))
      end++;
    yield {
      firstMs: timestamps[start],
      lastMs: timestamps[end - 1],
      encoding: floatHistogramEncoding,
      bytes: encodeChunk(timestamps.subarray(start, end), values.slice(start, end)),
    };
    start = end;
  }
}

function goesOn(before: FloatHistogram, next: FloatHistogram): boolean {
  const isGauge = before.resetHint === 'gauge';
  return (
    next.resetHint === (isGauge ? 'gauge' : 'not_reset') &&
    before.schema === next.schema &&
    before.zeroThreshold === next.zeroThreshold &&
    isEqual(before.positive.indexes, next.positive.indexes) &&
    isEqual(before.negative.indexes, next.negative.indexes) &&
    isEqual(before.customBounds ?? noBounds, next.customBounds ?? noBounds)
  );
}

const noBounds = new Float64Array();

function isEqual(a: Int32Array | Float64Array, b: Int32Array | Float64Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

function encodeChunk(timestamps: Float64Array, histograms: readonly FloatHistogram[]): Uint8Array {
  const writer = new BitWriter();
  const [first] = histograms;
  writer.bits(histograms.length, 16);
  writer.bits(resetBits[first.resetHint] << 6, 8);
  writeLayout(writer, first);
  const columns: XorValue[] = [];
  let delta = 0;
  for (const [i, histogram] of histograms.entries()) {
    if (i === 0) writeVarbit(writer, timestamps[0]);
    else {
      const next = timestamps[i] - timestamps[i - 1];
      writeVarbit(writer, next - delta);
      delta = next;
    }
    let column = 0;
    for (const number of numbersOf(histogram)) {
      scratch.setFloat64(0, number);
      const high = scratch.getUint32(0);
      const low = scratch.getUint32(4);
      if (i > 0) columns[column++].write(writer, high, low);
      else {
        writer.wide(high, low);
        columns.push(new XorValue(high, low));
      }
    }
  }
  return writer.finish();
}

const scratch = new DataView(new ArrayBuffer(8));

function* numbersOf({ count, zeroCount, sum, positive, negative }: FloatHistogram): Generator<number> {
  yield count;
  yield zeroCount;
  yield sum;
  yield* positive.counts;
  yield* negative.counts;
}

function writeLayout(writer: BitWriter, histogram: FloatHistogram): void {
  const { zeroThreshold, schema, positive, negative, customBounds } = histogram;
  writeZeroThreshold(writer, zeroThreshold);
  writeVarbit(writer, schema);
  writeSpans(writer, spansOf(positive.indexes));
  writeSpans(writer, spansOf(negative.indexes));
  if (schema !== customSchema) return;
  const bounds = customBounds ?? noBounds;
  writeUvarbit(writer, bounds.length);
  for (const bound of bounds) writeBound(writer, bound);
}

/** One byte for 0 and for powers of two from 2^-243 to 2^10; otherwise 255 and the eight bytes. */
function writeZeroThreshold(writer: BitWriter, threshold: number): void {
  if (threshold === 0) {
    writer.bits(0, 8);
    return;
  }
  const exponent = Math.round(Math.log2(threshold));
  if (threshold === 2 ** exponent && exponent >= -243 && exponent <= 10) {
    writer.bits(exponent + 1 + 243, 8);
    return;
  }
  writer.bits(255, 8);
  writeDouble(writer, threshold);
}

function writeSpans(writer: BitWriter, spans: readonly Span[]): void {
  writeUvarbit(writer, spans.length);
  for (const { offset, length } of spans) {
    writeUvarbit(writer, length);
    writeVarbit(writer, offset);
  }
}

const thousandthsMax = 33_554_430;

/** Thousandths, where it is so many of them; otherwise 0 and the eight bytes. */
function writeBound(writer: BitWriter, bound: number): void {
  const thousandths = Math.round(bound * 1000);
  if (bound >= 0 && bound * 1000 <= thousandthsMax && thousandths / 1000 === bound) {
    writeUvarbit(writer, thousandths + 1);
    return;
  }
  writer.bits(0, 1);
  writeDouble(writer, bound);
}

function writeDouble(writer: BitWriter, value: number): void {
  scratch.setFloat64(0, value);
  writer.wide(scratch.getUint32(0), scratch.getUint32(4));
}

/** So many bits follow 10, 110, 1110 ... 11111110; 0 alone is zero, and 11111111 is followed by all 64. */
const varbitSizes = [3, 6, 9, 12, 18, 25, 56];

function writeVarbit(writer: BitWriter, value: number): void {
  writeSized(writer, value, (bits) => fitsBits(value, bits));
}

function writeUvarbit(writer: BitWriter, value: number): void {
  writeSized(writer, value, (bits) => value < 2 ** bits);
}

function writeSized(writer: BitWriter, value: number, fits: (bits: number) => boolean): void {
  if (value === 0) {
    writer.bits(0, 1);
    return;
  }
  const index = varbitSizes.findIndex(fits);
  if (index === -1) {
    writer.bits(0xff, 8);
    writer.integer(value, 64);
    return;
  }
  // As many ones as the size's place, and a zero.
  writer.bits(2 ** (index + 2) - 2, index + 2);
  writer.integer(value, varbitSizes[index]);
}
