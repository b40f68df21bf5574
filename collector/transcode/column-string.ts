/** A String column: per value a varint length, then the bytes. Any bytes: ClickHouse strings need not be UTF-8. */
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import type { BlockWriter } from './block-writer.ts';
import { ByteBuffer } from './byte-buffer.ts';
import { copyBytes } from './byte-copy.ts';
import type { Column } from './column.ts';

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
