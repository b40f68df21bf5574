/**
 * A LowCardinality(String) column: a dictionary and an index per value.
 *
 *   prefix => version:u64 = 1
 *   body   => flags:u64 keyCount:u64 key:string* count:u64 index*       nothing at all where there are no values
 *   flags  => 0x200 (has keys) | 0x400 (the keys are this block's own) | index width: 0 u8, 1 u16, 2 u32
 */
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import type { BlockWriter } from './block-writer.ts';
import type { Column } from './column.ts';
import { Dictionary } from './dictionary.ts';
import { IndexBuffer } from './index-buffer.ts';

const version = 1;
const ownKeysFlags = 0x600;

export class LowCardinalityColumn implements Column {
  readonly type = 'LowCardinality(String)';
  readonly dictionary = new Dictionary();
  readonly indexes = new IndexBuffer();

  get count(): number {
    return this.indexes.count;
  }

  get byteLength(): number {
    return this.dictionary.keys.length + this.indexes.byteLength;
  }

  pushRange(source: ByteView, start: number, length: number): void {
    this.indexes.push(this.dictionary.indexOf(source, start, length));
  }

  /** Appends one value `count` times. `index` is the value's number in the dictionary. */
  pushRepeated(index: number, count: number): void {
    if (count === 0) return;
    this.indexes.push(index);
    this.indexes.repeatLast(1, count);
  }

  pushDefault(): void {
    this.indexes.push(0);
  }

  writePrefix(out: BlockWriter): void {
    out.writeUint64(version);
  }

  writeBody(out: BlockWriter): void {
    if (this.count === 0) return;
    out.writeUint64(ownKeysFlags + (this.indexes.width >> 1));
    out.writeUint64(this.dictionary.count);
    out.writeBuffer(this.dictionary.keys);
    out.writeUint64(this.count);
    this.indexes.writeTo(out);
  }

  mark(): void {
    this.dictionary.mark();
    this.indexes.mark();
  }

  rollback(): void {
    this.dictionary.rollback();
    this.indexes.rollback();
  }

  reset(): void {
    this.dictionary.reset();
    this.indexes.reset();
  }
}
