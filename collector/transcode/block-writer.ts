/**
 * Collects the pieces of one block: small ones are written one after the other into shared memory, a column's buffer
 * becomes a piece as it is, so that a block of a hundred megabytes is never copied here.
 */
import type { ByteBuffer } from './byte-buffer.ts';

/** A shorter buffer is copied: a piece of its own costs more. */
const pieceBytesMin = 4096;
const smallBytes = 16 * 1024;
/** The longest number: a varint of 64 bits. */
const numberBytesMax = 10;

export class BlockWriter {
  readonly #parts: Uint8Array[] = [];
  #small = new Uint8Array(smallBytes);
  #view = new DataView(this.#small.buffer);
  #start = 0;
  #position = 0;

  writeVarint(value: number): void {
    this.#ensure(numberBytesMax);
    while (value >= 0x80) {
      this.#small[this.#position++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#small[this.#position++] = value;
  }

  /** An unsigned number below 2^53, as 8 bytes little-endian. */
  writeUint64(value: number): void {
    this.#ensure(numberBytesMax);
    this.#view.setUint32(this.#position, value % 0x1_0000_0000, true);
    this.#view.setUint32(this.#position + 4, Math.floor(value / 0x1_0000_0000), true);
    this.#position += 8;
  }

  writeBytes(bytes: Uint8Array): void {
    this.#ensure(bytes.length);
    this.#small.set(bytes, this.#position);
    this.#position += bytes.length;
  }

  /** Writes what a buffer holds, and empties it. */
  writeBuffer(buffer: ByteBuffer): void {
    if (buffer.length < pieceBytesMin) {
      this.writeBytes(buffer.data.bytes.subarray(0, buffer.length));
      buffer.length = 0;
      return;
    }
    this.#endPiece();
    this.#parts.push(buffer.take());
  }

  finish(): Uint8Array[] {
    this.#endPiece();
    return this.#parts;
  }

  #endPiece(): void {
    if (this.#position > this.#start) this.#parts.push(this.#small.subarray(this.#start, this.#position));
    this.#start = this.#position;
  }

  #ensure(byteCount: number): void {
    if (this.#position + byteCount <= this.#small.length) return;
    this.#endPiece();
    this.#small = new Uint8Array(Math.max(smallBytes, byteCount));
    this.#view = new DataView(this.#small.buffer);
    this.#start = 0;
    this.#position = 0;
  }
}
