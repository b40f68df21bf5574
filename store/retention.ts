/**
 * Drops what is older than the retention, whole partitions at a time: no row is rewritten.
 * Tables without partitions (series, label values, metadata, rules, alerts, signals) are left alone: a series without
 * samples is not listed for times after its last one.
 */
import type { Store } from './store.ts';

export interface RetentionOptions {
  /** How long rows are kept; 0 keeps them for ever. */
  readonly retentionMs: number;
  readonly nowMs: number;
}

export interface DroppedPartition {
  readonly table: string;
  /** As the engine writes it: "2026-11-10", "2026-11-10 02:00:00", "202611". */
  readonly partition: string;
  readonly rows: number;
  readonly bytes: number;
}

const hourMs = 3_600_000;

/** How long a partition of each table lasts: PARTITION BY in migrations/. */
const partitionSpans = {
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

type PartitionedTable = keyof typeof partitionSpans;

interface PartitionRow {
  readonly table: PartitionedTable;
  readonly partition: string;
  readonly id: string;
  readonly rows: string;
  readonly bytes: string;
}

const partitionsSql = `
SELECT table, partition, partition_id AS id, sum(rows) AS rows, sum(bytes_on_disk) AS bytes
FROM system.parts
WHERE database = currentDatabase() AND active AND has({tables:Array(String)}, table)
GROUP BY table, partition, id
ORDER BY table, id`;

/**
 * Drops every partition whose last instant is older than the retention, and says which. Throws StoreError where the
 * store fails, RangeError where a time is no number; what was dropped before stays dropped.
 */
export async function dropExpired(
  store: Store,
  options: RetentionOptions,
): Promise<readonly DroppedPartition[]> {
  const { retentionMs, nowMs } = options;
  if (!(retentionMs >= 0) || !Number.isFinite(nowMs)) throw new RangeError('BUG: retention is not a time');
  if (retentionMs === 0) return [];
  const partitions = await store.rows<PartitionRow>(partitionsSql, {
    params: { tables: Object.keys(partitionSpans) },
  });
  const dropped: DroppedPartition[] = [];
  for (const { table, partition, id, rows, bytes } of partitions) {
    if (partitionEndMs(table, partition) > nowMs - retentionMs) continue;
    await store.exec(`ALTER TABLE {table:Identifier} DROP PARTITION ID {id:String}`, {
      params: { table, id },
    });
    dropped.push({ table, partition, rows: Number(rows), bytes: Number(bytes) });
  }
  return dropped;
}

/** Returns the first instant after a partition, in UTC milliseconds; +Infinity where its name cannot be read. */
export function partitionEndMs(table: PartitionedTable, partition: string): number {
  const span = partitionSpans[table];
  switch (span) {
    case 'day': {
      const start = Date.parse(`${partition}T00:00:00Z`);
      return Number.isNaN(start) ? Infinity : start + 24 * hourMs;
    }
    case 'two-hours': {
      const start = Date.parse(`${partition.replace(' ', 'T')}Z`);
      return Number.isNaN(start) ? Infinity : start + 2 * hourMs;
    }
    case 'month':
      // The month after: Date.UTC counts months from 0.
      return /^\d{6}$/.test(partition)
        ? Date.UTC(Number(partition.slice(0, 4)), Number(partition.slice(4)), 1)
        : Infinity;
    default:
      return span satisfies never;
  }
}
