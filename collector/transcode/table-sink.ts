/**
 * The columns of one table, together: marks, rollbacks, and the finished block.
 *
 *   block  => columnCount:varint rowCount:varint column*
 *   column => name:string type:string prefix body
 */

import type { NativeBlock } from '#store/store.ts';
import { insertColumns, type TableName } from '#store/tables.ts';
import { BlockWriter, varintBytes } from './block-writer.ts';
import type { Column } from './column.ts';

export class TableSink {
  readonly table: TableName;
  readonly #columns: readonly Column[];
  readonly #headers: readonly Uint8Array[];

  /** `columns` must be those of `insertColumns[table]`, in that order and with those types. */
  constructor(table: TableName, columns: readonly Column[]) {
    const wanted = insertColumns[table];
    const types = columns.map((column) => column.type).join();
    if (types !== wanted.map(([, type]) => type).join()) {
      throw new Error(`BUG: the columns of ${table} are made with types ${types}`);
    }
    this.table = table;
    this.#columns = columns;
    this.#headers = wanted.map(([name, type]) => columnHeader(name, type));
  }

  get rowCount(): number {
    return this.#columns[0].count;
  }

  mark(): void {
    for (const column of this.#columns) column.mark();
  }

  rollback(): void {
    for (const column of this.#columns) column.rollback();
  }

  reset(): void {
    for (const column of this.#columns) column.reset();
  }

  /** Returns the rows so far as a block in memory of its own. Throws where columns disagree on the row count. */
  encode(): NativeBlock {
    const rowCount = this.rowCount;
    let size = varintBytes(this.#columns.length) + varintBytes(rowCount);
    for (const [i, column] of this.#columns.entries()) {
      if (column.count !== rowCount) {
        throw new Error(
          `BUG: column ${i} of ${this.table} has ${column.count} values, the first has ${rowCount}`,
        );
      }
      size += this.#headers[i].length;
      if (rowCount > 0) size += column.prefixBytes() + column.bodyBytes();
    }
    const out = new BlockWriter(size);
    out.writeVarint(this.#columns.length);
    out.writeVarint(rowCount);
    for (const [i, column] of this.#columns.entries()) {
      out.writeBytes(this.#headers[i]);
      if (rowCount === 0) continue;
      column.writePrefix(out);
      column.writeBody(out);
    }
    return { table: this.table, bytes: out.finish(), rowCount };
  }
}

function columnHeader(name: string, type: string): Uint8Array {
  const parts = [name, type].map((text) => new TextEncoder().encode(text));
  return Uint8Array.from(parts.flatMap((bytes) => [bytes.length, ...bytes]));
}
