/**
 * Reads LZ4 frames (lz4_Frame_format.md 1.6), as Kafka producers write them. Read only: we write zstd.
 * Checksums of headers and blocks are skipped: TCP and the record batch's own checksum at the broker guard the bytes.
 */
import { DecodeError } from '#model/errors.ts';

const frameMagic = 0x184d2204;
const uncompressedFlag = 0x80000000;

/** Returns the plain bytes. Throws DecodeError on damage, and where they would be more than `bytesMax`. */
export function decompressLz4Frame(frame: Buffer, bytesMax: number): Buffer {
  if (frame.length < 7 || frame.readUInt32LE(0) !== frameMagic) throw new DecodeError('not an LZ4 frame', 0);
  const flags = frame[4]!;
  if (flags >> 6 !== 1) throw new DecodeError(`LZ4 frame version ${flags >> 6} is not supported`, 4);
  if ((flags & 0x01) !== 0) throw new DecodeError('LZ4 frames with a dictionary are not supported', 4);
  const hasBlockChecksum = (flags & 0x10) !== 0;
  const hasContentSize = (flags & 0x08) !== 0;
  let at = hasContentSize ? 15 : 7;
  const out = new GrowingBuffer(frame.length * 4, bytesMax);
  for (;;) {
    if (at + 4 > frame.length) throw new DecodeError('the LZ4 frame ends in a block header', at);
    const header = frame.readUInt32LE(at);
    at += 4;
    if (header === 0) return out.bytes();
    const length = header & 0x7fffffff;
    const end = at + length;
    if (end > frame.length) throw new DecodeError('the LZ4 frame ends in a block', at);
    if (header >= uncompressedFlag) out.append(frame.subarray(at, end));
    else decompressBlock(frame, at, end, out);
    at = end + (hasBlockChecksum ? 4 : 0);
  }
}

/** lz4_Block_format.md: sequences of a token, literals, and a copy of earlier output. */
function decompressBlock(input: Buffer, start: number, end: number, out: GrowingBuffer): void {
  let at = start;
  const longLength = (length: number): number => {
    let total = length;
    if (length < 15) return total;
    for (;;) {
      if (at >= end) throw new DecodeError('the LZ4 block ends in a length', at);
      const byte = input[at++]!;
      total += byte;
      if (byte !== 255) return total;
    }
  };
  while (at < end) {
    const token = input[at++]!;
    const literals = longLength(token >> 4);
    if (at + literals > end) throw new DecodeError('the LZ4 block ends in literals', at);
    out.append(input.subarray(at, at + literals));
    at += literals;
    if (at === end) return;
    if (at + 2 > end) throw new DecodeError('the LZ4 block ends in an offset', at);
    const distance = input.readUInt16LE(at);
    at += 2;
    out.repeat(distance, longLength(token & 0x0f) + 4, at);
  }
}

/** Output that grows by doubling up to a limit that is checked before each allocation. */
class GrowingBuffer {
  readonly #bytesMax: number;
  #buffer: Buffer;
  #length = 0;

  constructor(sizeHint: number, bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#buffer = Buffer.allocUnsafe(Math.min(sizeHint, bytesMax));
  }

  append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Copies `length` bytes from `distance` back; the ranges may overlap, which repeats a pattern. */
  repeat(distance: number, length: number, position: number): void {
    if (distance === 0 || distance > this.#length)
      throw new DecodeError('an LZ4 offset points before the start', position);
    this.#reserve(length);
    const buffer = this.#buffer;
    if (distance >= length) {
      buffer.copyWithin(this.#length, this.#length - distance, this.#length - distance + length);
    } else {
      for (let at = this.#length; at < this.#length + length; at++) buffer[at] = buffer[at - distance]!;
    }
    this.#length += length;
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#buffer.length) return;
    if (needed > this.#bytesMax)
      throw new DecodeError(`LZ4 output is larger than ${this.#bytesMax} bytes`, this.#length);
    const grown = Buffer.allocUnsafe(Math.min(Math.max(needed, this.#buffer.length * 2), this.#bytesMax));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}
