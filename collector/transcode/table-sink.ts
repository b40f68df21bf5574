/**
 * The columns of one table, together: marks, rollbacks, and the finished block.
 *
 *   block  => columnCount:varint rowCount:varint column*
 *   column => name:string type:string prefix body
 */

import type { NativeBlock } from '#store/store.ts';
import { insertColumns, type NotedTable, noteColumns, type TableName } from '#store/tables.ts';
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import { BlockWriter } from './block-writer.ts';
import type { Column } from './column.ts';
import type { FixedColumn } from './column-fixed.ts';
import type { LowCardinalityColumn } from './column-low-cardinality.ts';

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

  /** Bytes of all columns so far. */
  get byteLength(): number {
    return this.#columns.reduce((total, column) => total + column.byteLength, 0);
  }

  /** Appends the row that says that a batch is in the partition that begins at `second`: see noteColumns. */
  pushNote(name: ByteView, second: number): void {
    const noteColumn = noteColumns[this.table as NotedTable];
    if (noteColumn === undefined) throw new Error(`BUG: ${this.table} has no notes`);
    for (const [i, [column, type]] of insertColumns[this.table].entries()) {
      if (column === noteColumn) {
        (this.#columns[i] as LowCardinalityColumn).pushRange(name, 0, name.bytes.length);
      } else if (column === 'ts') {
        const ticks = BigInt(second) * (type === "DateTime64(9, 'UTC')" ? 1_000_000_000n : 1000n);
        (this.#columns[i] as FixedColumn).pushUint64(Number(ticks & 0xffff_ffffn), Number(ticks >> 32n));
      } else this.#columns[i].pushDefault();
    }
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

  /** Hands over the rows so far as a block, and is empty. Throws where columns disagree on the row count. */
  take(): NativeBlock {
    const rowCount = this.rowCount;
    const out = new BlockWriter();
    out.writeVarint(this.#columns.length);
    out.writeVarint(rowCount);
    for (const [i, column] of this.#columns.entries()) {
      if (column.count !== rowCount) {
        throw new Error(
          `BUG: column ${i} of ${this.table} has ${column.count} values, the first has ${rowCount}`,
        );
      }
      out.writeBytes(this.#headers[i]);
      if (rowCount === 0) continue;
      column.writePrefix(out);
      column.writeBody(out);
    }
    this.reset();
    return { table: this.table, parts: out.finish(), rowCount };
  }
}

function columnHeader(name: string, type: string): Uint8Array {
  const parts = [name, type].map((text) => new TextEncoder().encode(text));
  return Uint8Array.from(parts.flatMap((bytes) => [bytes.length, ...bytes]));
}
