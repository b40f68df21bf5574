/**
 * When the indexes for searching text (substrings of log lines, values of attributes) are built.
 *
 * Never by an insert. By merges while the load is low, so that all but the newest rows are indexed. While it is high,
 * merges leave them out, and a partition is indexed when its day is over: once per row instead of once per merge.
 * A part without an index is scanned: answers are the same, only slower.
 */
import type { Store } from './store.ts';

/** By table. Cheap indexes (minmax, the bloom filter of trace ids) are not among them. */
export const searchIndexes = {
  logs: ['body_ngrams', 'attrs_text'],
  spans: ['attrs_text'],
} as const;

/** Setting of an INSERT, for engines that know it. Names that a table does not have are ignored. */
export const excludeOnInsert = 'exclude_materialize_skip_indexes_on_insert';
export const excludedOnInsert = [...new Set(Object.values(searchIndexes).flat())].join();
const excludeOnMerge = 'exclude_materialize_skip_indexes_on_merge';

/**
 * Measured: building the indexes costs some 2 us a row in each merge, and a row is merged three times. At this rate that
 * is a tenth of a core.
 */
const lowRowsPerSecond = 15_000;
/** Between the two nothing changes, so that merges do not flip with every burst. */
const highRowsPerSecond = 30_000;
const dayMs = 86_400_000;
/** Late rows have this long to come before a day's partition is indexed. */
const closedAfterMs = 3_600_000;
/** The engine remembers its last 100 mutations: older partitions would be asked for again and again. */
const closedDaysMax = 14;

type SearchTable = keyof typeof searchIndexes;

export interface SearchIndexerOptions {
  readonly store: Store;
  readonly now: () => number;
}

/** Must be ticked every minute or so. */
export class SearchIndexer {
  readonly #store: Store;
  readonly #now: () => number;
  #before: { readonly atMs: number; readonly rows: number } | undefined;
  /** Undefined until it was set: what the tables have is from an earlier process. */
  #mode: 'merge' | 'closed' | undefined;

  constructor({ store, now }: SearchIndexerOptions) {
    this.#store = store;
    this.#now = now;
  }

  /** Adapts to the load since the last tick and indexes what is closed. Rejects with StoreError. */
  async tick(): Promise<void> {
    if (!(await this.#isSupported())) return;
    const rowsPerSecond = await this.#rowsPerSecond();
    if (rowsPerSecond === undefined) return;
    const between = this.#mode ?? 'closed';
    const mode =
      rowsPerSecond < lowRowsPerSecond ? 'merge' : rowsPerSecond > highRowsPerSecond ? 'closed' : between;
    if (mode !== this.#mode) await this.#setMode(mode);
    for (const table of Object.keys(searchIndexes) as SearchTable[]) await this.#indexClosed(table);
  }

  async #isSupported(): Promise<boolean> {
    const rows = await this.#store.rows(
      'SELECT name FROM system.merge_tree_settings WHERE name = {name:String}',
      {
        params: { name: excludeOnMerge },
      },
    );
    return rows.length > 0;
  }

  /** Undefined at the first tick, and after the engine was restarted. */
  async #rowsPerSecond(): Promise<number | undefined> {
    const [row] = await this.#store.rows<{ rows: string }>(
      "SELECT sum(value) AS rows FROM system.events WHERE event = 'InsertedRows'",
    );
    const now = { atMs: this.#now(), rows: Number(row?.rows ?? 0) };
    const before = this.#before;
    this.#before = now;
    if (before === undefined || now.rows < before.rows || now.atMs <= before.atMs) return undefined;
    return ((now.rows - before.rows) * 1000) / (now.atMs - before.atMs);
  }

  async #setMode(mode: 'merge' | 'closed'): Promise<void> {
    for (const [table, indexes] of Object.entries(searchIndexes)) {
      const excluded = mode === 'merge' ? '' : indexes.join();
      await this.#store.exec(`ALTER TABLE ${table} MODIFY SETTING ${excludeOnMerge} = '${excluded}'`);
    }
    this.#mode = mode;
  }

  /**
   * Starts the indexing of partitions whose day is over and that was not started before: the engine remembers what it
   * has been asked for, also when the process ends meanwhile. Parts that have their index are left alone.
   */
  async #indexClosed(table: SearchTable): Promise<void> {
    const newestMs = this.#now() - closedAfterMs - dayMs;
    const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
    const partitions = await this.#store.rows<{ id: string }>(
      `SELECT DISTINCT partition_id AS id FROM system.parts
       WHERE database = currentDatabase() AND active AND table = {table:String} AND partition BETWEEN {oldest:String} AND {newest:String}
         AND partition_id NOT IN (
           SELECT extract(command, 'IN PARTITION ID ''([^'']+)''') FROM system.mutations
           WHERE database = currentDatabase() AND table = {table:String})
       ORDER BY id`,
      { params: { table, newest: dayOf(newestMs), oldest: dayOf(newestMs - closedDaysMax * dayMs) } },
    );
    for (const { id } of partitions) {
      for (const index of searchIndexes[table]) {
        await this.#store.exec(
          `ALTER TABLE ${table} MATERIALIZE INDEX ${index} IN PARTITION ID {id:String}`,
          {
            params: { id },
          },
        );
      }
    }
  }
}
