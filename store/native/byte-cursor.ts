/** Moves over bytes, and never past their end: every read throws DecodeError where they are cut off. */
import { DecodeError } from '#model/errors.ts';

export class ByteCursor {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  offset = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get atEnd(): boolean {
    return this.offset === this.bytes.length;
  }

  /** Unsigned LEB128 below 2^53. */
  readVaruint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      if (this.offset >= this.bytes.length) throw this.cutOff();
      const byte = this.bytes[this.offset++];
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw this.fault('a length is too large');
      if (byte < 0x80) return value;
      scale *= 128;
    }
  }

  /** A little-endian u64 that counts something: below 2^32, because no block holds more. */
  readCount(): number {
    const at = this.skip(8);
    if (this.#view.getUint32(at + 4, true) !== 0) throw this.fault('a count is too large');
    return this.#view.getUint32(at, true);
  }

  /** Length, then as many bytes of UTF-8. */
  readString(): string {
    const length = this.readVaruint();
    const start = this.skip(length);
    const { buffer, byteOffset } = this.bytes;
    return Buffer.from(buffer, byteOffset + start, length).toString('utf8');
  }

  /** Returns the current offset and moves past `byteCount` bytes. */
  skip(byteCount: number): number {
    const start = this.offset;
    if (byteCount > this.bytes.length - start) throw this.cutOff();
    this.offset = start + byteCount;
    return start;
  }

  /**
   * Returns a buffer and an offset in it for `byteCount` bytes, aligned to `width`: the input's own memory where that
   * is aligned, else a copy.
   */
  aligned(byteCount: number, width: number): { buffer: ArrayBuffer; byteOffset: number } {
    const start = this.skip(byteCount);
    const byteOffset = this.bytes.byteOffset + start;
    if (byteOffset % width === 0) return { buffer: this.bytes.buffer as ArrayBuffer, byteOffset };
    const copy = new Uint8Array(byteCount);
    copy.set(this.bytes.subarray(start, start + byteCount));
    return { buffer: copy.buffer, byteOffset: 0 };
  }

  fault(fact: string): DecodeError {
    return new DecodeError(`native block: ${fact}`, this.offset);
  }

  cutOff(): DecodeError {
    return this.fault('the bytes are cut off');
  }
}
