/**
 * Dictionary indexes of one LowCardinality column, as narrow as the dictionary allows: one byte each up to 256 keys,
 * then two, then four. Widening rewrites what is there; it happens at most twice per block.
 */
import type { BlockWriter } from './block-writer.ts';
import { ByteBuffer } from './byte-buffer.ts';

export class IndexBuffer {
  /** Bytes per index: 1, 2 or 4. */
  width: 1 | 2 | 4 = 1;
  readonly #buffer = new ByteBuffer();
  #markCount = 0;
  #markWidth: 1 | 2 | 4 = 1;

  get count(): number {
    // Of 1, 2 and 4, halves are the exponents.
    return this.#buffer.length >>> (this.width >> 1);
  }

  get byteLength(): number {
    return this.#buffer.length;
  }

  push(index: number): void {
    if (this.width === 1 && index < 0x100) this.#buffer.pushByte(index);
    else this.#pushWide(index);
  }

  #pushWide(index: number): void {
    const needed = index < 0x100 ? 1 : index < 0x1_0000 ? 2 : 4;
    if (needed > this.width) this.#widen(needed as 2 | 4);
    const buffer = this.#buffer;
    buffer.ensure(4);
    if (this.width === 2) buffer.data.view.setUint16(buffer.length, index, true);
    else buffer.data.view.setUint32(buffer.length, index, true);
    buffer.length += this.width;
  }

  /** Says whether an index is among those from number `first` on. */
  includes(index: number, first: number): boolean {
    const { count, width } = this;
    const { bytes, view } = this.#buffer.data;
    for (let i = first; i < count; i++) {
      const found =
        width === 1 ? bytes[i] : width === 2 ? view.getUint16(i * 2, true) : view.getUint32(i * 4, true);
      if (found === index) return true;
    }
    return false;
  }

  /** Repeats the last `length` indexes until they are there `count` times. */
  repeatLast(length: number, count: number): void {
    this.#buffer.repeatLast(length * this.width, count);
  }

  truncate(count: number): void {
    this.#buffer.length = count * this.width;
  }

  writeTo(out: BlockWriter): void {
    out.writeBuffer(this.#buffer);
  }

  mark(): void {
    this.#markCount = this.count;
    this.#markWidth = this.width;
  }

  rollback(): void {
    this.truncate(this.#markCount);
    if (this.width !== this.#markWidth) this.#narrow(this.#markWidth);
  }

  reset(): void {
    this.#buffer.reset();
    this.width = 1;
    this.#markCount = 0;
    this.#markWidth = 1;
  }

  /** From the end backwards, in place: an index's new bytes never overlap one that is still to be read. */
  #widen(width: 2 | 4): void {
    const count = this.count;
    const old = this.width;
    const buffer = this.#buffer;
    buffer.ensure(count * (width - old));
    const { bytes, view } = buffer.data;
    for (let i = count - 1; i >= 0; i--) {
      const index = old === 1 ? bytes[i] : view.getUint16(i * 2, true);
      if (width === 2) view.setUint16(i * 2, index, true);
      else view.setUint32(i * 4, index, true);
    }
    buffer.length = count * width;
    this.width = width;
  }

  /** From the start, in place. All indexes must fit. */
  #narrow(width: 1 | 2 | 4): void {
    const { count, width: old } = this;
    const { bytes, view } = this.#buffer.data;
    for (let i = 0; i < count; i++) {
      const index = old === 2 ? view.getUint16(i * 2, true) : view.getUint32(i * 4, true);
      if (width === 1) bytes[i] = index;
      else view.setUint16(i * 2, index, true);
    }
    this.#buffer.length = count * width;
    this.width = width;
  }
}
