/**
 * A Map(LowCardinality(String), V) column: an array of keys and an array of values that share their ends.
 *
 *   prefix => key prefix, V's prefix       body => end:u64* key body, V's body
 */
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import type { BlockWriter } from './block-writer.ts';
import { equalBytes } from './byte-copy.ts';
import type { Column } from './column.ts';
import { FixedColumn } from './column-fixed.ts';
import { LowCardinalityColumn } from './column-low-cardinality.ts';
import type { StringColumn } from './column-string.ts';

/** How many places of a row remember the key that stood there last; all further ones share the last. */
const memoPositions = 64;

export class MapColumn<Value extends StringColumn | LowCardinalityColumn> implements Column {
  readonly type: string;
  readonly keys = new LowCardinalityColumn();
  /** Push one value per pushKey, then close the row with endRow. */
  readonly values: Value;
  readonly #ends = new FixedColumn('UInt64');
  /** Per place in a row: the key that stood there last, and where it is in the dictionary with its length. */
  readonly #memo: number[] = new Array(memoPositions).fill(0);
  readonly #memoStarts: number[] = new Array(memoPositions).fill(0);
  #rowStart = 0;
  #pairCount = 0;
  #markPairCount = 0;

  constructor(values: Value) {
    this.values = values;
    this.type = `Map(LowCardinality(String), ${values.type})`;
  }

  get count(): number {
    return this.#ends.count;
  }

  get byteLength(): number {
    return this.#ends.byteLength + this.keys.byteLength + this.values.byteLength;
  }

  /** Adds a key to the open row. */
  pushKey(source: ByteView, start: number, length: number): void {
    this.#pairCount++;
    this.keys.pushRange(source, start, length);
  }

  /**
   * Like pushKey, for a key that follows its length in one byte, at `start`. The n-th key of a row is mostly the n-th
   * of the row before: that is tried first, and the length is compared with the bytes.
   */
  pushEncodedKey(source: ByteView, start: number, length: number): void {
    const { dictionary, indexes } = this.keys;
    const place = Math.min(this.#pairCount - this.#rowStart, memoPositions - 1);
    this.#pairCount++;
    // The length is in the first word that is compared: nothing behind a shorter key is read.
    if (!equalBytes(dictionary.keys.data, this.#memoStarts[place], source, start, length + 1)) {
      const index = dictionary.indexOf(source, start + 1, length);
      this.#memo[place] = index;
      this.#memoStarts[place] = dictionary.keyStart(index) - 1;
    }
    indexes.push(this.#memo[place]);
  }

  /**
   * Adds a key to the open row, which must then get its value, and says so; or says that the row has it already. The
   * key follows its length in one byte, as for pushEncodedKey.
   */
  pushNewKey(source: ByteView, start: number, length: number): boolean {
    const { dictionary, indexes } = this.keys;
    const place = Math.min(this.#pairCount - this.#rowStart, memoPositions - 1);
    const isMemo = equalBytes(dictionary.keys.data, this.#memoStarts[place], source, start, length + 1);
    const index = isMemo ? this.#memo[place] : dictionary.indexOf(source, start + 1, length);
    if (indexes.includes(index, this.#rowStart)) return false;
    if (!isMemo) {
      this.#memo[place] = index;
      this.#memoStarts[place] = dictionary.keyStart(index) - 1;
    }
    this.#pairCount++;
    indexes.push(index);
    return true;
  }

  /** Takes the pairs of the open row back; `valueBytes` is what `values.byteLength` was before the first of them. */
  restartRow(this: MapColumn<StringColumn>, valueBytes: number): void {
    this.keys.indexes.truncate(this.#rowStart);
    this.values.truncate(this.#rowStart, valueBytes);
    this.#pairCount = this.#rowStart;
  }

  endRow(): void {
    this.#rowStart = this.#pairCount;
    this.#ends.pushUint64(this.#pairCount, 0);
  }

  pushDefault(): void {
    this.endRow();
  }
  writePrefix(out: BlockWriter): void {
    this.keys.writePrefix(out);
    this.values.writePrefix(out);
  }
  writeBody(out: BlockWriter): void {
    this.#ends.writeBody(out);
    this.keys.writeBody(out);
    this.values.writeBody(out);
  }
  mark(): void {
    this.#markPairCount = this.#pairCount;
    this.#ends.mark();
    this.keys.mark();
    this.values.mark();
  }
  rollback(): void {
    this.#pairCount = this.#markPairCount;
    this.#rowStart = this.#markPairCount;
    this.#ends.rollback();
    this.keys.rollback();
    this.values.rollback();
    this.#clearMemo();
  }
  reset(): void {
    this.#pairCount = 0;
    this.#rowStart = 0;
    this.#clearMemo();
    this.#ends.reset();
    this.keys.reset();
    this.values.reset();
  }

  #clearMemo(): void {
    this.#memo.fill(0);
    this.#memoStarts.fill(0);
  }

  /**
   * Closes the open row and repeats it until it is there `count` times: resource attributes are encoded once and
   * then cost memcpy. With 0 the open row is taken back. Only for maps whose values are LowCardinality.
   */
  endRowRepeated(this: MapColumn<LowCardinalityColumn>, count: number): void {
    const pairs = this.#pairCount - this.#rowStart;
    if (count === 0) {
      this.keys.indexes.truncate(this.#rowStart);
      this.values.indexes.truncate(this.#rowStart);
      this.#pairCount = this.#rowStart;
      return;
    }
    this.keys.indexes.repeatLast(pairs, count);
    this.values.indexes.repeatLast(pairs, count);
    for (let i = 0; i < count; i++) {
      this.#rowStart += pairs;
      this.#ends.pushUint64(this.#rowStart, 0);
    }
    this.#pairCount = this.#rowStart;
  }
}
