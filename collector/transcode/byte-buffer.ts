/**
 * A growable byte buffer: where columns and scratch values are written. A column's memory leaves with its block and
 * comes back through the pool of its thread (buffer-pool.ts).
 */
import { ByteView } from '#wire/protobuf/byte-view.ts';
import { columnMemory } from './buffer-pool.ts';
import { copyBytes, copySlackBytes } from './byte-copy.ts';

/** A column of one block never grows beyond this: what would is a request that expands absurdly. */
export const columnBytesMax = 512 * 1024 * 1024;
/** A buffer that grew beyond this for one big block gives its memory back afterwards. */
const retainedBytesMax = 32 * 1024 * 1024;
const initialBytes = 4096;

/** Decoding must stop: the request is small on the wire and would cost more memory or time than any honest one. */
export class ExpansionError extends Error {
  constructor(fact: string) {
    super(fact);
    this.name = 'ExpansionError';
  }
}

/** In a table that is half full at most, honest keys are found within some fifty steps. */
const probesMax = 1024;

/** Throws where so many keys of a request collide that looking them up would take minutes. */
export function checkProbes(count: number): void {
  if (count > probesMax) {
    throw new ExpansionError(`more than ${probesMax} keys of the request have colliding hashes`);
  }
}

export class ByteBuffer {
  data: ByteView = new ByteView(new Uint8Array(initialBytes));
  length = 0;
  /** How long it was when it was taken last: the next content is mostly as long. */
  #expectedBytes = 0;

  /** Makes room for `count` more bytes and the slack that copyBytes needs. */
  ensure(count: number): void {
    if (this.length + count + copySlackBytes > this.data.length) this.#grow(count);
  }

  pushByte(value: number): void {
    this.ensure(1);
    this.data.bytes[this.length++] = value;
  }

  /** LEB128: the length prefix of strings, in protobuf and in ClickHouse Native alike. */
  pushVarint(value: number): void {
    this.ensure(10);
    const bytes = this.data.bytes;
    while (value >= 0x80) {
      bytes[this.length++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    bytes[this.length++] = value;
  }

  pushRange(source: ByteView, start: number, length: number): void {
    this.ensure(length);
    copyBytes(this.data, this.length, source, start, length);
    this.length += length;
  }

  /**
   * Repeats the last `length` bytes until they are there `count` times, doubling what is copied: the cost is memcpy.
   */
  repeatLast(length: number, count: number): void {
    const total = length * (count - 1);
    if (total <= 0) return;
    this.ensure(total);
    const start = this.length - length;
    const end = this.length + total;
    const bytes = this.data.bytes;
    let filled = length;
    while (start + filled < end) {
      const chunk = Math.min(filled, end - start - filled);
      bytes.copyWithin(start + filled, start, start + chunk);
      filled += chunk;
    }
    this.length = end;
  }

  /** Hands the content over with its memory, which nobody else uses, and starts empty. */
  take(): Uint8Array<ArrayBuffer> {
    const content = this.data.bytes.subarray(0, this.length) as Uint8Array<ArrayBuffer>;
    this.#expectedBytes = this.length;
    this.data = new ByteView(new Uint8Array(initialBytes));
    this.length = 0;
    return content;
  }

  /** Forgets the content; keeps the memory where it is not huge. */
  reset(): void {
    this.length = 0;
    if (this.data.bytes.length > retainedBytesMax) this.data = new ByteView(new Uint8Array(initialBytes));
  }

  #grow(count: number): void {
    const needed = this.length + count + copySlackBytes;
    if (needed > columnBytesMax) {
      throw new ExpansionError(
        `the request expands to more than ${columnBytesMax} bytes in one column: send smaller batches`,
      );
    }
    const old = this.data.bytes;
    const wanted = Math.max(needed, old.length * 2, this.#expectedBytes + copySlackBytes);
    this.#expectedBytes = 0;
    const bytes = columnMemory.acquire(Math.min(wanted, columnBytesMax));
    bytes.set(old.subarray(0, this.length));
    this.data = new ByteView(bytes);
    columnMemory.give(old.buffer as ArrayBuffer);
  }
}
