/** A String column: per value a varint length, then the bytes. Any bytes: ClickHouse strings need not be UTF-8. */
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import type { BlockWriter } from './block-writer.ts';
import { ByteBuffer } from './byte-buffer.ts';
import { copyBytes } from './byte-copy.ts';
import type { Column } from './column.ts';

/** Digits of the largest integer below 2^31. */
const intDigitsMax = 10;

export class StringColumn implements Column {
  readonly type = 'String';
  count = 0;
  readonly #buffer = new ByteBuffer();
  #markLength = 0;
  #markCount = 0;

  pushRange(source: ByteView, start: number, length: number): void {
    const buffer = this.#buffer;
    buffer.ensure(length + 10);
    if (length < 0x80) buffer.data.bytes[buffer.length++] = length;
    else buffer.pushVarint(length);
    copyBytes(buffer.data, buffer.length, source, start, length);
    buffer.length += length;
    this.count++;
  }

  /** A value whose bytes follow its length already, in one byte or a varint of the shortest form. */
  pushEncoded(source: ByteView, start: number, encodedLength: number): void {
    const buffer = this.#buffer;
    buffer.ensure(encodedLength);
    copyBytes(buffer.data, buffer.length, source, start, encodedLength);
    buffer.length += encodedLength;
    this.count++;
  }

  /** A number in [0, 2^31) in decimal digits: no string is made for the integers that occur. */
  pushInteger(value: number): void {
    const buffer = this.#buffer;
    buffer.ensure(1 + intDigitsMax);
    const { bytes } = buffer.data;
    let digits = 1;
    for (let power = 10; power <= value; power *= 10) digits++;
    const start = buffer.length;
    bytes[start] = digits;
    for (let at = start + digits; at > start; at--) {
      const rest = (value / 10) | 0;
      bytes[at] = 0x30 + (value - rest * 10);
      value = rest;
    }
    buffer.length = start + 1 + digits;
    this.count++;
  }

  /** Bytes so far: what truncate() takes. */
  get byteLength(): number {
    return this.#buffer.length;
  }

  /** Takes values back. `byteLength` must be what it was when there were `count`. */
  truncate(count: number, byteLength: number): void {
    this.count = count;
    this.#buffer.length = byteLength;
  }

  /** A value that was written to a scratch buffer. */
  pushBuffer(value: ByteBuffer): void {
    this.pushRange(value.data, 0, value.length);
  }

  pushEmpty(): void {
    this.#buffer.pushByte(0);
    this.count++;
  }

  pushDefault(): void {
    this.pushEmpty();
  }
  writePrefix(): void {}
  writeBody(out: BlockWriter): void {
    out.writeBuffer(this.#buffer);
  }
  mark(): void {
    this.#markLength = this.#buffer.length;
    this.#markCount = this.count;
  }
  rollback(): void {
    this.#buffer.length = this.#markLength;
    this.count = this.#markCount;
  }
  reset(): void {
    this.#buffer.reset();
    this.count = 0;
    this.#markLength = 0;
    this.#markCount = 0;
  }
}
