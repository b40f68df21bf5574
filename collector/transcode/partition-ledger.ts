/**
 * Which partitions of one table the rows of a request fall into, and which of these hold the request already.
 *
 * The engine commits a block partition by partition. A request that was interrupted may therefore be in some
 * partitions and not in others: its repeat writes the rows that are missing, and no others. The note that it leaves
 * in each partition (TableSink.pushNote) is committed with the rows or not at all.
 */
import { highUnitMs, nanosToMs } from './record-window.ts';
import type { TableSink } from './table-sink.ts';

/** A table whose rows carry notes. */
export interface NotedSink {
  readonly sink: TableSink;
  readonly ledger: PartitionLedger;
}

export class PartitionLedger {
  /** First seconds of the partitions that the request writes rows to, in the order of their first rows. */
  readonly touched = new Set<number>();
  /** Rows of the request that were left out, because their partition holds them. */
  skippedCount = 0;
  readonly #spanMs: number;
  #landed: ReadonlySet<number> = new Set();
  // The partition of the last row, [firstMs, endMs), and whether its rows are written.
  #firstMs = 0;
  #endMs = 0;
  #isWritten = true;
  /** Upper halves of nanosecond times that are inside that partition, whatever the lower half. */
  #highFirst = 1;
  #highEnd = 0;

  /** `spanMs` is how long a partition of the table lasts: PARTITION BY in store/migrations/. */
  constructor(spanMs: number) {
    this.#spanMs = spanMs;
  }

  /** `landed` are the first seconds of partitions that hold the request. */
  beginRequest(landed: readonly number[] | undefined): void {
    this.#landed = new Set(landed);
    this.touched.clear();
    this.skippedCount = 0;
    this.#endMs = 0;
    this.#highEnd = 0;
    this.#highFirst = 1;
  }

  /** Says whether a row of this time is to be written. Times must have been judged: 1970 to 2106. */
  admitsMs(unixMs: number): boolean {
    if (unixMs < this.#firstMs || unixMs >= this.#endMs) this.#enter(unixMs);
    if (!this.#isWritten) this.skippedCount++;
    return this.#isWritten;
  }

  /** The same for a time in nanoseconds. */
  admitsNanos(low: number, high: number): boolean {
    if (high >= this.#highFirst && high < this.#highEnd) {
      if (!this.#isWritten) this.skippedCount++;
      return this.#isWritten;
    }
    return this.admitsMs(nanosToMs(low, high));
  }

  #enter(unixMs: number): void {
    const spanMs = this.#spanMs;
    this.#firstMs = Math.floor(unixMs / spanMs) * spanMs;
    this.#endMs = this.#firstMs + spanMs;
    this.#highFirst = Math.floor(this.#firstMs / highUnitMs) + 1;
    this.#highEnd = Math.floor(this.#endMs / highUnitMs);
    const second = this.#firstMs / 1000;
    this.#isWritten = !this.#landed.has(second);
    if (this.#isWritten) this.touched.add(second);
  }
}
