/**
 * Sets aside parts that a full disk has spoilt. When the disk fills while the engine writes, 26.7 may finish with a part
 * whose files are empty, without an error. Of a merge, the parts before it stay on the disk for eight minutes
 * (old_parts_lifetime): a table that is loaded anew within that time takes them back. Of an insert there is nothing to
 * take back: its rows are lost and counted, and the table answers again.
 *
 *   parts 1, 2 and 1_2 (empty)  ->  DETACH TABLE, ATTACH TABLE  ->  parts 1, 2
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Store } from '../store.ts';

export interface RepairedTable {
  readonly table: string;
  readonly parts: readonly string[];
  /** Rows that no earlier part has: 0 for a merge that is undone in time. */
  readonly rowsLost: number;
}

/** Older parts were looked at by an earlier call. */
const partSecondsMax = 900;

/** Files that a part's size on disk does not count. */
const uncountedFiles: ReadonlySet<string> = new Set([
  'checksums.txt',
  'columns.txt',
  'columns_substreams.txt',
  'default_compression_codec.txt',
  'metadata_version.txt',
]);

export class PartRepair {
  readonly #store: Store;
  /** `table/part`: one that is still there after its table was loaded anew is as the engine wants it. */
  readonly #looked = new Set<string>();
  /** Taken off and not back: no query sees them, so that nobody else would bring them back before a restart. */
  readonly #detached = new Set<string>();

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * Looks at the parts of the last minutes and reloads the tables that have a spoilt one. While a table is loaded, for
   * milliseconds, inserts into it and queries of it fail. Rejects with StoreError.
   */
  async repair(): Promise<readonly RepairedTable[]> {
    for (const table of this.#detached) await this.#attach(table);
    const repaired: RepairedTable[] = [];
    for (const [table, parts] of await this.#spoiltParts()) {
      const before = await rowCount(this.#store, table);
      this.#detached.add(table);
      await this.#store.exec('DETACH TABLE {table:Identifier}', { params: { table } });
      await this.#attach(table);
      for (const part of parts) this.#looked.add(`${table}/${part}`);
      const rowsLost = Math.max(0, before - (await rowCount(this.#store, table)));
      repaired.push({ table, parts, rowsLost });
    }
    return repaired;
  }

  async #attach(table: string): Promise<void> {
    await this.#store.exec('ATTACH TABLE IF NOT EXISTS {table:Identifier}', { params: { table } });
    this.#detached.delete(table);
  }

  async #spoiltParts(): Promise<ReadonlyMap<string, readonly string[]>> {
    const recent = await this.#store.rows<{ table: string; name: string; path: string; bytes: string }>(
      `SELECT table, name, path, bytes_on_disk AS bytes FROM system.parts
       WHERE database = currentDatabase() AND active AND rows > 0 AND modification_time > now() - ${partSecondsMax}`,
    );
    const spoilt = new Map<string, string[]>();
    for (const { table, name, path, bytes } of recent) {
      if (this.#looked.has(`${table}/${name}`) || !(await isSpoilt(path, Number(bytes)))) continue;
      spoilt.set(table, [...(spoilt.get(table) ?? []), name]);
    }
    return spoilt;
  }
}

/** As the engine remembers it: nothing is read. */
async function rowCount(store: Store, table: string): Promise<number> {
  const [row] = await store.rows<{ n: string }>(
    `SELECT sum(rows) AS n FROM system.parts WHERE database = currentDatabase() AND active AND table = {table:String}`,
    { params: { table } },
  );
  return Number(row?.n ?? 0);
}

/** Less on the disk than the engine believes to have written. A part that is gone was merged, and is not spoilt. */
async function isSpoilt(path: string, bytesWritten: number): Promise<boolean> {
  try {
    let bytes = 0;
    for (const file of await readdir(path, { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue;
      const { size } = await stat(join(file.parentPath, file.name));
      if (size === 0 && file.name === 'checksums.txt') return true;
      if (!uncountedFiles.has(file.name)) bytes += size;
    }
    return bytes < bytesWritten;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
