/**
 * The contract of a column sink: it collects the values of one column and writes them as ClickHouse Native does.
 *
 *   column => prefix body       Only where the block has rows: a block without rows has names and types alone.
 *
 * The prefix stands before all of a column's data, also before the offsets of an enclosing Array or Map.
 * A mark is set at the start of each request; a request that turns out malformed half-way is rolled back to it, with its
 * dictionary keys: it is answered at once, so that what it left would count in no group, and pile up.
 */
import type { BlockWriter } from './block-writer.ts';

export interface Column {
  /** The ClickHouse type of what is written. */
  readonly type: string;
  /** Values so far: rows, or elements where the column is inside an Array or Map. */
  readonly count: number;
  /** Bytes so far, dictionary and nested columns included. */
  readonly byteLength: number;
  /** Appends the type's default: zero, or nothing. */
  pushDefault(): void;
  writePrefix(out: BlockWriter): void;
  /** Hands the values over: the column must be reset before anything is pushed again. */
  writeBody(out: BlockWriter): void;
  mark(): void;
  rollback(): void;
  /** Empties the column for the next block, and keeps its memory. */
  reset(): void;
}
