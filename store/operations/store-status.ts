/**
 * How the store is: what each table holds, how much room is left, and for how many days.
 * In: the engine's own lists of tables and parts; nothing of the rows is read, so that asking is cheap.
 */
import { systemTable } from '../cluster/topology.ts';
import { listPartitions } from '../partitions.ts';
import type { Store } from '../store.ts';
import { type DaysLeft, estimateDaysLeft } from './days-left.ts';

export interface TableStatus {
  /** As the engine knows it: with a cluster, the local table. */
  readonly table: string;
  /** Notes of batches (noteColumns in tables.ts) included. */
  readonly rows: number;
  readonly parts: number;
  readonly diskBytes: number;
  readonly uncompressedBytes: number;
  /** Uncompressed by compressed; null without rows. */
  readonly ratio: number | null;
  readonly bytesPerRow: number | null;
  /** Names of partitions as the engine writes them; null where the table has none. */
  readonly oldestPartition: string | null;
  readonly newestPartition: string | null;
  /** Insert tokens that the table remembers; null where it has no such setting. */
  readonly dedupWindow: number | null;
}

export interface StoreStatus {
  readonly kind: Store['kind'];
  readonly engineVersion: string;
  /** 0 where nothing was migrated yet. */
  readonly schemaVersion: number;
  readonly tables: readonly TableStatus[];
  readonly rows: number;
  readonly diskBytes: number;
  /** What the engine's own logs take (query_log and so on): a server's operator bounds them. */
  readonly engineLogBytes: number;
  readonly diskFreeBytes: number;
  readonly diskTotalBytes: number;
  /** Inserts are refused when the disk has less. */
  readonly diskReserveBytes: number;
  /** 0 is no budget. */
  readonly budgetBytes: number;
  readonly growthBytesPerDay: number | null;
  readonly daysLeft: DaysLeft;
}

export interface StatusOptions {
  readonly nowMs: number;
  readonly retentionMs: number;
  readonly budgetBytes: number;
  readonly diskReserveBytes: number;
  readonly cluster: string;
}

interface TableRow {
  readonly table: string;
  readonly rows: string;
  readonly parts: string;
  readonly bytes: string;
  readonly uncompressed: string;
  readonly compressed: string;
  readonly oldest: string;
  readonly newest: string;
  readonly window: string;
}

/** Rejects with StoreError where the store does not answer. Makes and changes nothing. */
export async function readStoreStatus(store: Store, options: StatusOptions): Promise<StoreStatus> {
  const { cluster } = options;
  const tables = (await readTables(store, cluster)).map(toTableStatus);
  const diskBytes = sum(tables.map((table) => table.diskBytes));
  const disk = await readDisk(store, cluster);
  const record = await readMigrationRecord(store);
  const room = Math.min(
    disk.free - options.diskReserveBytes,
    options.budgetBytes === 0 ? Infinity : options.budgetBytes - diskBytes,
  );
  const partitions = await listPartitions(store, cluster);
  const estimate = estimateDaysLeft({
    partitions,
    otherBytes: diskBytes - sum(partitions.map(({ bytes }) => bytes)),
    bornMs: record.bornMs,
    nowMs: options.nowMs,
    retentionMs: options.retentionMs,
    roomBytes: Math.max(0, room),
  });
  return {
    kind: store.kind,
    engineVersion: disk.version,
    schemaVersion: record.version,
    tables,
    rows: sum(tables.map(({ rows }) => rows)),
    diskBytes,
    engineLogBytes: disk.engineLogBytes,
    diskFreeBytes: disk.free,
    diskTotalBytes: disk.total,
    diskReserveBytes: options.diskReserveBytes,
    budgetBytes: options.budgetBytes,
    ...estimate,
  };
}

function readTables(store: Store, cluster: string): Promise<TableRow[]> {
  return store.rows<TableRow>(
    `SELECT t.name AS table, p.rows AS rows, p.parts AS parts, p.bytes AS bytes, p.uncompressed AS uncompressed,
       p.compressed AS compressed, p.oldest AS oldest, p.newest AS newest,
       extract(t.engine_full, '(?:non_)?replicated_deduplication_window = (\\\\d+)') AS window
     FROM system.tables AS t LEFT JOIN (
       SELECT table, sum(rows) AS rows, count() AS parts, sum(bytes_on_disk) AS bytes,
         sum(data_uncompressed_bytes) AS uncompressed, sum(data_compressed_bytes) AS compressed,
         min(partition) AS oldest, max(partition) AS newest
       FROM ${systemTable('parts', cluster)} WHERE database = currentDatabase() AND active GROUP BY table
     ) AS p ON p.table = t.name
     WHERE t.database = currentDatabase() AND t.engine LIKE '%MergeTree' ORDER BY t.name`,
  );
}

function toTableStatus(row: TableRow): TableStatus {
  const rows = Number(row.rows);
  const diskBytes = Number(row.bytes);
  const uncompressedBytes = Number(row.uncompressed);
  const compressedBytes = Number(row.compressed);
  const partition = (name: string) => (name === '' || name === 'tuple()' ? null : name);
  return {
    table: row.table,
    rows,
    parts: Number(row.parts),
    diskBytes,
    uncompressedBytes,
    ratio: compressedBytes === 0 ? null : uncompressedBytes / compressedBytes,
    bytesPerRow: rows === 0 ? null : diskBytes / rows,
    oldestPartition: partition(row.oldest),
    newestPartition: partition(row.newest),
    dedupWindow: row.window === '' ? null : Number(row.window),
  };
}

interface Disk {
  readonly version: string;
  readonly free: number;
  readonly total: number;
  readonly engineLogBytes: number;
}

/** With several disks or servers: the smallest free one fills first, and inserts stop there. */
async function readDisk(store: Store, cluster: string): Promise<Disk> {
  const [row] = await store.rows<{ version: string; free: string; total: string; logs: string }>(
    `SELECT version() AS version, min(free_space) AS free, argMin(total_space, free_space) AS total,
       (SELECT sum(bytes_on_disk) FROM ${systemTable('parts', cluster)} WHERE database = 'system' AND active) AS logs
     FROM ${systemTable('disks', cluster)} WHERE total_space > 0`,
  );
  return {
    version: row?.version ?? '',
    free: Number(row?.free ?? 0),
    total: Number(row?.total ?? 0),
    engineLogBytes: Number(row?.logs ?? 0),
  };
}

async function readMigrationRecord(store: Store): Promise<{ version: number; bornMs: number }> {
  const [found] = await store.rows<{ n: string }>(
    `SELECT count() AS n FROM system.tables WHERE database = currentDatabase() AND name = 'schema_migrations'`,
  );
  if (Number(found?.n ?? 0) === 0) return { version: 0, bornMs: Number.NaN };
  const [row] = await store.rows<{ version: number; born: string }>(
    'SELECT max(version) AS version, toUnixTimestamp64Milli(min(applied_at)) AS born FROM schema_migrations',
  );
  return { version: row?.version ?? 0, bornMs: Number(row?.born ?? Number.NaN) };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
