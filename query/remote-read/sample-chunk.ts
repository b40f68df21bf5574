/**
 * Samples as Prometheus's XOR chunks: 120 of them at most in one, as its own store cuts them.
 *
 *   chunk => count:uint16 sample*
 *   first sample => varint time, 64 bits of value;  second => uvarint delta, XOR;  others => delta of deltas, XOR
 *   delta of deltas => 0 | 10 in 14 bits | 110 in 17 | 1110 in 20 | 1111 in 64
 */
import { highIndex, lowIndex } from '../promql/sample-window.ts';
import { BitWriter, fitsBits } from './bit-writer.ts';
import { XorValue } from './xor-value.ts';

export interface EncodedChunk {
  readonly firstMs: number;
  readonly lastMs: number;
  /** Prometheus's number of the encoding. */
  readonly encoding: number;
  readonly bytes: Uint8Array;
}

const xorEncoding = 1;
export const chunkSamplesMax = 120;

/** Times are whole milliseconds, ascending. NaN keep their bits. */
export function* encodeSampleChunks(timestamps: Float64Array, values: Float64Array): Generator<EncodedChunk> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  for (let start = 0; start < timestamps.length; start += chunkSamplesMax) {
    const end = Math.min(timestamps.length, start + chunkSamplesMax);
    yield {
      firstMs: timestamps[start],
      lastMs: timestamps[end - 1],
      encoding: xorEncoding,
      bytes: encodeChunk(timestamps, words, start, end),
    };
  }
}

function encodeChunk(timestamps: Float64Array, words: Uint32Array, start: number, end: number): Uint8Array {
  const writer = new BitWriter();
  writer.bits(end - start, 16);
  const high = words[2 * start + highIndex];
  const low = words[2 * start + lowIndex];
  writer.varint(timestamps[start]);
  writer.wide(high, low);
  const value = new XorValue(high, low);
  let delta = 0;
  for (let i = start + 1; i < end; i++) {
    const next = timestamps[i] - timestamps[i - 1];
    if (i === start + 1) writer.uvarint(next);
    else writeDeltaOfDeltas(writer, next - delta);
    delta = next;
    value.write(writer, words[2 * i + highIndex], words[2 * i + lowIndex]);
  }
  return writer.finish();
}

function writeDeltaOfDeltas(writer: BitWriter, change: number): void {
  if (change === 0) {
    writer.bits(0, 1);
  } else if (fitsBits(change, 14)) {
    writer.bits(0b10, 2);
    writer.integer(change, 14);
  } else if (fitsBits(change, 17)) {
    writer.bits(0b110, 3);
    writer.integer(change, 17);
  } else if (fitsBits(change, 20)) {
    writer.bits(0b1110, 4);
    writer.integer(change, 20);
  } else {
    writer.bits(0b1111, 4);
    writer.integer(change, 64);
  }
}
