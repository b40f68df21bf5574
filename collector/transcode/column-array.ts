/**
 * An Array(T) column: the end of each row among the elements, then all elements as one column.
 *
 *   prefix => T's prefix       body => end:u64* T's body
 */
import type { BlockWriter } from './block-writer.ts';
import type { Column } from './column.ts';
import { FixedColumn } from './column-fixed.ts';

export class ArrayColumn<Element extends Column> implements Column {
  readonly type: string;
  /** Push a row's elements here, then call endRow. */
  readonly elements: Element;
  readonly #ends = new FixedColumn('UInt64');
  #lastEnd = 0;

  constructor(elements: Element) {
    this.elements = elements;
    this.type = `Array(${elements.type})`;
  }

  get count(): number {
    return this.#ends.count;
  }

  get byteLength(): number {
    return this.#ends.byteLength + this.elements.byteLength;
  }

  /** Closes a row: what was pushed to `elements` since the last one is its value. */
  endRow(): void {
    this.#lastEnd = this.elements.count;
    this.#ends.pushUint64(this.#lastEnd, 0);
  }

  /** Appends a row without elements: most spans have no events and no links, but seven columns of them. */
  pushEmptyRow(): void {
    this.#ends.pushUint64(this.#lastEnd, 0);
  }

  pushDefault(): void {
    this.endRow();
  }
  writePrefix(out: BlockWriter): void {
    this.elements.writePrefix(out);
  }
  writeBody(out: BlockWriter): void {
    this.#ends.writeBody(out);
    this.elements.writeBody(out);
  }
  mark(): void {
    this.#ends.mark();
    this.elements.mark();
  }
  rollback(): void {
    this.#ends.rollback();
    this.elements.rollback();
    this.#lastEnd = this.elements.count;
  }
  reset(): void {
    this.#ends.reset();
    this.elements.reset();
    this.#lastEnd = 0;
  }
}
