/**
 * A column of values of one width: integers, floats, times, FixedString. Little-endian, one after the other.
 */
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import type { BlockWriter } from './block-writer.ts';
import { ByteBuffer } from './byte-buffer.ts';
import type { Column } from './column.ts';

/** Bytes of the types that ingest writes; FixedString(N) is N. */
const typeBytes: Readonly<Record<string, number>> = {
  UInt8: 1,
  Int8: 1,
  Int32: 4,
  UInt32: 4,
  UInt64: 8,
  Float64: 8,
  "DateTime('UTC')": 4,
  "DateTime64(3, 'UTC')": 8,
  "DateTime64(9, 'UTC')": 8,
  'FixedString(8)': 8,
  'FixedString(16)': 16,
};

export class FixedColumn implements Column {
  readonly type: string;
  readonly width: number;
  readonly #buffer = new ByteBuffer();
  readonly #shift: number;
  #markLength = 0;

  constructor(type: string) {
    const width = typeBytes[type];
    if (width === undefined) throw new Error(`BUG: the width of ${type} is not known`);
    this.type = type;
    this.width = width;
    this.#shift = Math.log2(width);
  }

  get count(): number {
    // Widths are powers of two.
    return this.#buffer.length >>> this.#shift;
  }

  get byteLength(): number {
    return this.#buffer.length;
  }

  /** For columns of width 1. */
  pushUint8(value: number): void {
    this.#buffer.pushByte(value);
  }

  /** For columns of width 4. */
  pushUint32(value: number): void {
    const buffer = this.#buffer;
    buffer.ensure(4);
    buffer.data.view.setUint32(buffer.length, value, true);
    buffer.length += 4;
  }

  /** For columns of width 8: any 64 bits, by their halves. Floats too: NaN payloads must arrive unchanged. */
  pushUint64(low: number, high: number): void {
    const buffer = this.#buffer;
    buffer.ensure(8);
    const view = buffer.data.view;
    view.setUint32(buffer.length, low, true);
    view.setUint32(buffer.length + 4, high, true);
    buffer.length += 8;
  }

  /** For columns of width 8: a number that we computed. What comes from a sender goes by its halves. */
  pushFloat64(value: number): void {
    const buffer = this.#buffer;
    buffer.ensure(8);
    buffer.data.view.setFloat64(buffer.length, value, true);
    buffer.length += 8;
  }

  /** For columns of width 8 and 16: copies one value. */
  pushRange(source: ByteView, start: number): void {
    const buffer = this.#buffer;
    const { width } = this;
    buffer.ensure(width);
    const target = buffer.data.view;
    target.setBigInt64(buffer.length, source.view.getBigInt64(start, true), true);
    if (width === 16) {
      target.setBigInt64(buffer.length + 8, source.view.getBigInt64(start + 8, true), true);
    }
    buffer.length += width;
  }

  /** For columns of width 8 and 16. */
  pushZero(): void {
    const buffer = this.#buffer;
    const { width } = this;
    buffer.ensure(width);
    const target = buffer.data.view;
    target.setBigInt64(buffer.length, 0n, true);
    if (width === 16) target.setBigInt64(buffer.length + 8, 0n, true);
    buffer.length += width;
  }

  /** Repeats the last value until it is there `count` times; with 0 it is taken back. */
  repeatLast(count: number): void {
    if (count === 0) this.#buffer.length -= this.width;
    else this.#buffer.repeatLast(this.width, count);
  }

  pushDefault(): void {
    this.pushZero();
  }
  writePrefix(): void {}
  writeBody(out: BlockWriter): void {
    out.writeBuffer(this.#buffer);
  }
  mark(): void {
    this.#markLength = this.#buffer.length;
  }
  rollback(): void {
    this.#buffer.length = this.#markLength;
  }
  reset(): void {
    this.#buffer.reset();
    this.#markLength = 0;
  }
}
