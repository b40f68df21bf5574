/**
 * Undoes merges that a full disk has spoilt. When the disk fills while the engine merges, 26.7 may finish with a part
 * whose files are all empty, without an error. The parts that were merged stay on the disk for eight minutes
 * (old_parts_lifetime): a table that is loaded anew within that time sets the empty part aside and takes them back.
 *
 *   parts 1, 2 and 1_2 (empty)  ->  DETACH TABLE, ATTACH TABLE  ->  parts 1, 2
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Store } from '../store.ts';

export interface RepairedTable {
  readonly table: string;
  readonly parts: readonly string[];
  /** Rows whose earlier parts were gone already: 0 where the repair came in time. */
  readonly rowsLost: number;
}

/** Older merges were looked at by an earlier call, or their sources are gone. */
const mergeSecondsMax = 900;

/**
 * Looks at the merges of the last minutes and reloads the tables that have an empty one. While a table is loaded, for
 * milliseconds, inserts into it and queries of it fail. Rejects with StoreError.
 */
export async function repairEmptyMerges(store: Store): Promise<readonly RepairedTable[]> {
  const merged = await store.rows<{ table: string; name: string; path: string }>(
    `SELECT table, name, path FROM system.parts
     WHERE database = currentDatabase() AND active AND level > 0 AND modification_time > now() - ${mergeSecondsMax}`,
  );
  const broken = new Map<string, string[]>();
  for (const { table, name, path } of merged) {
    if (await isEmpty(join(path, 'checksums.txt'))) broken.set(table, [...(broken.get(table) ?? []), name]);
  }
  const repaired: RepairedTable[] = [];
  for (const [table, parts] of broken) {
    const params = { table };
    const before = await rowCount(store, table);
    await store.exec('DETACH TABLE {table:Identifier}', { params });
    await store.exec('ATTACH TABLE {table:Identifier}', { params });
    repaired.push({ table, parts, rowsLost: Math.max(0, before - (await rowCount(store, table))) });
  }
  return repaired;
}

/** As the engine remembers it: nothing is read. */
async function rowCount(store: Store, table: string): Promise<number> {
  const [row] = await store.rows<{ n: string }>(
    `SELECT sum(rows) AS n FROM system.parts WHERE database = currentDatabase() AND active AND table = {table:String}`,
    { params: { table } },
  );
  return Number(row?.n ?? 0);
}

/** A part that was merged further in the meantime is gone, and not empty. */
async function isEmpty(path: string): Promise<boolean> {
  try {
    return (await stat(path)).size === 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
