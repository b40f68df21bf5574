/**
 * The store as the rest of Sonde sees it: ClickHouse, embedded in this process or on a server. Same SQL, same tables.
 * `embedded/` and `server/` implement it; test/store/conformance.case.ts runs one suite over both.
 */
import type { TableName } from './tables.ts';

/** One Native block (FORMAT Native, revision 0) for one table, as the transcoders make it. */
export interface NativeBlock {
  readonly table: TableName;
  /**
   * The block's bytes, in pieces that follow one another: columns are handed over as they were collected, never joined.
   * Columns are in the order of `insertColumns[table]`; types may be narrower than the table's where ClickHouse casts.
   */
  readonly parts: readonly Uint8Array[];
  readonly rowCount: number;
}

/** Values for `{name:Type}` placeholders. Values must never be written into SQL text. */
export type QueryParams = Readonly<
  Record<string, string | number | boolean | null | readonly (string | number)[]>
>;

export interface QueryOptions {
  readonly params?: QueryParams;
  /** ClickHouse settings of this query only. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Cancels the query in the engine (not just the wait for it). */
  readonly abort?: AbortSignal;
  /** Default and upper bound come from config; the engine stops the query and it rejects with StoreError. */
  readonly timeoutMs?: number;
  /** Adds the tenant filter to every tenant table that the query reads. Absent only for admin queries. */
  readonly tenant?: string;
}

export interface Store {
  readonly kind: 'embedded' | 'server';
  /** Runs a statement that returns nothing. */
  exec(sql: string, options?: QueryOptions): Promise<void>;
  /**
   * Inserts one block atomically per partition. Must resolve only when it is durable.
   * A token that this table remembers makes the insert a success that changes nothing.
   */
  insert(block: NativeBlock, token: string): Promise<void>;
  /** Runs a SELECT with a small result. 64-bit integers arrive as strings, DateTime64 as text. */
  rows<Row>(sql: string, options?: QueryOptions): Promise<Row[]>;
  /**
   * Runs a SELECT as FORMAT Native; each item is one or more whole Native blocks. Leaving the loop cancels it.
   * The embedded engine plans it on the main thread, scalar subqueries and IN (SELECT ...) included: keep those cheap.
   */
  stream(sql: string, options?: QueryOptions): AsyncIterable<Uint8Array>;
  /** Resolves when the store answers; rejects with StoreError saying why not. */
  ping(): Promise<void>;
  /** Waits for running calls, then lets go of the data directory or the sockets. */
  close(): Promise<void>;
}

/** A failed store call. `retryable` says whether the same call may succeed later (store down, too many parts). */
export class StoreError extends Error {
  readonly code = 'SONDE_STORE';
  readonly retryable: boolean;
  /** ClickHouse's error number, where it gave one. */
  readonly clickhouseCode: number | undefined;
  constructor(fact: string, options: ErrorOptions & { retryable: boolean; clickhouseCode?: number }) {
    super(fact, options);
    this.name = 'StoreError';
    this.retryable = options.retryable;
    this.clickhouseCode = options.clickhouseCode;
  }
}
