/**
 * The partitions of the tables that age: what each holds and the time it covers.
 *
 *   { table: 'samples_head', partition: '2026-11-10 02:00:00', ... }  covers  02:00 (startMs) up to 04:00 (endMs)
 *
 * Tables without partitions (series, label values, metadata, rules, alerts, signals) are not here: nothing of theirs is
 * ever dropped. A series without samples is not listed for times after its last one.
 */
import { localTable, logicalTable, onCluster, systemTable } from './cluster/topology.ts';
import type { Store } from './store.ts';

/** How long a partition of each table lasts: PARTITION BY in migrations/. */
export const partitionSpans = {
  logs: 'day',
  spans: 'day',
  trace_index: 'day',
  scaling_decisions: 'day',
  samples_head: 'two-hours',
  samples_closing: 'two-hours',
  histograms_head: 'two-hours',
  sample_starts: 'day',
  exemplars: 'day',
  samples_chunk: 'day',
  samples_5m: 'month',
} as const;

export type PartitionedTable = keyof typeof partitionSpans;

export interface Partition {
  readonly table: PartitionedTable;
  /** As the engine writes it: "2026-11-10", "2026-11-10 02:00:00", "202611". */
  readonly partition: string;
  readonly id: string;
  readonly rows: number;
  /** Compressed, on disk. */
  readonly bytes: number;
  /** UTC milliseconds. Where the name cannot be read: -Infinity and +Infinity. */
  readonly startMs: number;
  readonly endMs: number;
}

interface PartitionRow {
  readonly table: string;
  readonly partition: string;
  readonly id: string;
  readonly rows: string;
  readonly bytes: string;
}

const hourMs = 3_600_000;

/** Returns every partition that holds rows, by table and age. Rejects with StoreError. */
export async function listPartitions(store: Store, cluster = ''): Promise<readonly Partition[]> {
  const tables = Object.keys(partitionSpans).map((table) => localTable(table, cluster));
  const rows = await store.rows<PartitionRow>(
    `SELECT table, partition, partition_id AS id, sum(rows) AS rows, sum(bytes_on_disk) AS bytes
     FROM ${systemTable('parts', cluster)}
     WHERE database = currentDatabase() AND active AND has({tables:Array(String)}, table)
     GROUP BY table, partition, id
     ORDER BY table, id`,
    { params: { tables } },
  );
  return rows.map((row) => {
    const table = logicalTable(row.table, cluster) as PartitionedTable;
    const { partition, id } = row;
    return {
      table,
      partition,
      id,
      rows: Number(row.rows),
      bytes: Number(row.bytes),
      ...partitionRangeMs(table, partition),
    };
  });
}

/** Rejects with StoreError; a partition that is gone already is no fault. */
export async function dropPartition(
  store: Store,
  { table, id }: Pick<Partition, 'table' | 'id'>,
  cluster = '',
): Promise<void> {
  await store.exec(`ALTER TABLE {table:Identifier}${onCluster(cluster)} DROP PARTITION ID {id:String}`, {
    params: { table: localTable(table, cluster), id },
  });
}

/** Returns the time that a partition covers, the end not included. */
export function partitionRangeMs(
  table: PartitionedTable,
  partition: string,
): { readonly startMs: number; readonly endMs: number } {
  const span = partitionSpans[table];
  switch (span) {
    case 'day':
      return range(Date.parse(`${partition}T00:00:00Z`), 24 * hourMs);
    case 'two-hours':
      return range(Date.parse(`${partition.replace(' ', 'T')}Z`), 2 * hourMs);
    case 'month': {
      if (!/^\d{6}$/.test(partition)) return range(Number.NaN, 0);
      const year = Number(partition.slice(0, 4));
      const month = Number(partition.slice(4));
      // Date.UTC counts months from 0.
      return { startMs: Date.UTC(year, month - 1, 1), endMs: Date.UTC(year, month, 1) };
    }
    default:
      return span satisfies never;
  }
}

function range(startMs: number, lengthMs: number): { startMs: number; endMs: number } {
  return Number.isNaN(startMs)
    ? { startMs: -Infinity, endMs: Infinity }
    : { startMs, endMs: startMs + lengthMs };
}
