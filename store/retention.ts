/**
 * Drops what is too old or too much, whole partitions at a time: no row is rewritten.
 *
 *   dropExpired     what is older than the retention
 *   dropOverBudget  the oldest partition over all tables, again and again, while our tables take more than bytesMax
 */
import { systemTable } from './cluster/topology.ts';
import { dropPartition, listPartitions, type Partition } from './partitions.ts';
import type { Store } from './store.ts';

export type DroppedPartition = Pick<Partition, 'table' | 'partition' | 'rows' | 'bytes'>;

interface DropOptions {
  /** Name of the ClickHouse cluster; '' or absent is one engine. */
  readonly cluster?: string;
  /** Told of each partition when it is gone, so that a failure at the next one leaves none uncounted. */
  readonly onDropped?: (dropped: DroppedPartition) => void;
}

export interface RetentionOptions extends DropOptions {
  /** How long rows are kept; 0 keeps them for ever. */
  readonly retentionMs: number;
  readonly nowMs: number;
}

export interface BudgetOptions extends DropOptions {
  /** Bytes on disk of all our tables together, indexes included; 0 is no budget. */
  readonly bytesMax: number;
}

/**
 * Drops every partition whose last instant is older than the retention, and says which. Throws StoreError where the
 * store fails, RangeError where a time is no number; what was dropped before stays dropped.
 */
export async function dropExpired(
  store: Store,
  options: RetentionOptions,
): Promise<readonly DroppedPartition[]> {
  const { retentionMs, nowMs, cluster = '' } = options;
  if (!(retentionMs >= 0) || !Number.isFinite(nowMs)) throw new RangeError('BUG: retention is not a time');
  if (retentionMs === 0) return [];
  const partitions = await listPartitions(store, cluster);
  const expired = partitions.filter(({ endMs }) => endMs <= nowMs - retentionMs);
  return dropAll(store, expired, options);
}

/**
 * Drops oldest partitions until the tables fit, and says which. The newest partition of a table is never dropped, so
 * that the tables may stay above the budget: `bytesOver` says by how much. Throws StoreError.
 */
export async function dropOverBudget(
  store: Store,
  options: BudgetOptions,
): Promise<{ readonly dropped: readonly DroppedPartition[]; readonly bytesOver: number }> {
  const { bytesMax, cluster = '' } = options;
  if (!(bytesMax >= 0)) throw new RangeError('BUG: the byte budget is not a size');
  if (bytesMax === 0) return { dropped: [], bytesOver: 0 };
  let bytesOver = (await tableBytes(store, cluster)) - bytesMax;
  if (bytesOver <= 0) return { dropped: [], bytesOver: 0 };
  const chosen: Partition[] = [];
  for (const partition of oldestFirst(await listPartitions(store, cluster))) {
    if (bytesOver <= 0) break;
    chosen.push(partition);
    bytesOver -= partition.bytes;
  }
  return { dropped: await dropAll(store, chosen, options), bytesOver: Math.max(0, bytesOver) };
}

/** Every partition that may go, by its last instant; the larger first where two end together. */
function oldestFirst(partitions: readonly Partition[]): Partition[] {
  const newestEndMs = new Map<string, number>();
  for (const { table, endMs } of partitions) {
    newestEndMs.set(table, Math.max(endMs, newestEndMs.get(table) ?? -Infinity));
  }
  return partitions
    .filter(({ table, endMs }) => endMs < (newestEndMs.get(table) ?? Infinity))
    .sort((a, b) => a.endMs - b.endMs || b.bytes - a.bytes);
}

/** Parts that a merge has replaced are gone within minutes and not counted. */
async function tableBytes(store: Store, cluster: string): Promise<number> {
  const [row] = await store.rows<{ bytes: string }>(
    `SELECT sum(bytes_on_disk) AS bytes FROM ${systemTable('parts', cluster)}
     WHERE database = currentDatabase() AND active`,
  );
  return Number(row?.bytes ?? 0);
}

async function dropAll(
  store: Store,
  partitions: readonly Partition[],
  { cluster, onDropped }: DropOptions,
): Promise<DroppedPartition[]> {
  const dropped: DroppedPartition[] = [];
  for (const { table, partition, id, rows, bytes } of partitions) {
    await dropPartition(store, { table, id }, cluster);
    const gone = { table, partition, rows, bytes };
    dropped.push(gone);
    onDropped?.(gone);
  }
  return dropped;
}
