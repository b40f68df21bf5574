/**
 * Checks a store from its bytes to its meaning, and names each fault in words.
 *
 *   { table: 'logs', check: 'parts', fault: 'part 20261110_1_1_0: Checksum mismatch' }
 *
 * Reads every byte of every part: on a large store it takes hours and as much disk bandwidth as there is.
 */
import { errorMessage } from '#model/errors.ts';
import { localTable } from '../cluster/topology.ts';
import { pendingMigrations } from '../migrate.ts';
import { type Store, StoreError } from '../store.ts';
import { insertColumns, tenantTables } from '../tables.ts';

export interface Fault {
  readonly table: string;
  readonly check: 'schema' | 'parts' | 'chunks' | 'series' | 'labels';
  readonly fault: string;
}

export interface VerifiedTable {
  readonly table: string;
  readonly rows: number;
  readonly partCount: number;
}

export interface Verification {
  readonly tables: readonly VerifiedTable[];
  readonly faults: readonly Fault[];
}

/** Faults of one kind in one table: thousands of them say no more than the first. */
const faultsListedMax = 20;
const checkTimeoutMs = 6 * 3_600_000;
/** Sets of ids beyond this go to disk. */
const spillSettings = { max_bytes_before_external_group_by: 256 * 1024 * 1024 };

type Report = (fault: Fault) => void;

/** Rejects with StoreError where the store cannot be asked at all; what it answers wrongly is a fault. */
export async function verifyStore(
  store: Store,
  options: { readonly cluster?: string; readonly onTable?: (table: VerifiedTable) => void } = {},
): Promise<Verification> {
  const { cluster = '', onTable } = options;
  const faults: Fault[] = [];
  const report: Report = (fault) => void faults.push(fault);
  await checkSchema(store, report);
  const tables: VerifiedTable[] = [];
  for (const { name } of await mergeTreeTables(store)) {
    const table = await checkParts(store, name, report);
    tables.push(table);
    onTable?.(table);
  }
  const existing = new Set(tables.map(({ table }) => table));
  for (const { needs, run } of meaningChecks) {
    if (!needs.every((table) => existing.has(localTable(table, cluster)))) continue;
    await run(store, report);
  }
  return { tables, faults };
}

function mergeTreeTables(store: Store): Promise<{ name: string }[]> {
  return store.rows(
    `SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY name`,
  );
}

/** Names and types of the columns that ingest writes, every table that queries read, every migration. */
async function checkSchema(store: Store, report: Report): Promise<void> {
  for (const { version, name } of await pendingMigrations(store)) {
    report({
      table: 'schema_migrations',
      check: 'schema',
      fault: `version ${version} (${name}) is not applied`,
    });
  }
  const rows = await store.rows<{ table: string; name: string; type: string }>(
    `SELECT table, name, type FROM system.columns WHERE database = currentDatabase() AND default_kind = '' ORDER BY table, position`,
  );
  const found = new Map<string, string[]>();
  for (const { table, name, type } of rows) {
    const plain = type.replace(/^SimpleAggregateFunction\(\w+, (.*)\)$/, '$1');
    found.set(table, [...(found.get(table) ?? []), `${name} ${plain}`]);
  }
  for (const table of tenantTables) {
    if (!found.has(table)) report({ table, check: 'schema', fault: 'the table is missing' });
  }
  for (const [table, columns] of Object.entries(insertColumns)) {
    const has = found.get(table);
    if (has === undefined) continue;
    for (const column of columns.map(([name, type]) => `${name} ${type}`)) {
      if (!has.includes(column)) report({ table, check: 'schema', fault: `the column ${column} is missing` });
    }
  }
}

async function checkParts(store: Store, table: string, report: Report): Promise<VerifiedTable> {
  let partCount = 0;
  try {
    const parts = await store.rows<{ part_path: string; is_passed: number; message: string }>(
      'CHECK TABLE {table:Identifier}',
      { params: { table }, settings: { check_query_single_value_result: 0 }, timeoutMs: checkTimeoutMs },
    );
    partCount = parts.length;
    for (const { part_path, message } of parts.filter(({ is_passed }) => is_passed !== 1)) {
      report({ table, check: 'parts', fault: `part ${part_path}: ${message}` });
    }
    const [row] = await store.rows<{ n: string }>('SELECT count() AS n FROM {table:Identifier}', {
      params: { table },
    });
    return { table, rows: Number(row?.n ?? 0), partCount };
  } catch (error) {
    if (!(error instanceof StoreError) || error.retryable) throw error;
    report({ table, check: 'parts', fault: errorMessage(error) });
    return { table, rows: 0, partCount };
  }
}

/** Tables whose rows mean nothing without the labels in `series`. */
const namedTables = [
  'samples_head',
  'samples_closing',
  'samples_chunk',
  'samples_5m',
  'sample_starts',
  'histograms_head',
  'exemplars',
] as const;

interface MeaningCheck {
  readonly needs: readonly string[];
  readonly run: (store: Store, report: Report) => Promise<void>;
}

/** Each finds rows that contradict another row: none in a store that is well. */
const meaningChecks: readonly MeaningCheck[] = [
  {
    needs: ['samples_chunk'],
    run: chunkCheck('length(ts) != length(v)', 'its times and values differ in number'),
  },
  // Not that they are sorted: late samples are joined to a chunk at its end, and readers sort.
  {
    needs: ['samples_chunk'],
    run: chunkCheck(
      'arrayExists(t -> t < bucket OR t >= bucket + INTERVAL 2 HOUR, ts)',
      'it has times outside of its two hours',
    ),
  },
  { needs: ['samples_chunk'], run: chunkCheck('empty(ts)', 'it is empty') },
  ...namedTables.map((table) => ({
    needs: [table, 'series'],
    run: orphanCheck(table),
  })),
  { needs: ['series', 'label_values'], run: checkLabels },
];

function chunkCheck(condition: string, fact: string): MeaningCheck['run'] {
  return async (store, report) => {
    const rows = await store.rows<{ tenant: string; metric: string; id: string; bucket: string }>(
      `SELECT tenant, metric, id, bucket FROM samples_chunk WHERE ${condition} LIMIT ${faultsListedMax}`,
      { timeoutMs: checkTimeoutMs },
    );
    for (const { tenant, metric, id, bucket } of rows) {
      report({
        table: 'samples_chunk',
        check: 'chunks',
        fault: `the chunk of series ${id} (${metric}, tenant ${tenant}) at ${bucket}: ${fact}`,
      });
    }
  };
}

/** A sample whose series is unknown is in no answer. Rows of no tenant are notes: see noteColumns. */
function orphanCheck(table: (typeof namedTables)[number]): MeaningCheck['run'] {
  return async (store, report) => {
    const rows = await store.rows<{ tenant: string; metric: string; id: string; n: string }>(
      `SELECT tenant, metric, id, count() AS n FROM ${table}
       WHERE tenant != '' AND (tenant, metric, id) NOT IN (SELECT tenant, metric, id FROM series)
       GROUP BY tenant, metric, id LIMIT ${faultsListedMax}`,
      { timeoutMs: checkTimeoutMs, settings: spillSettings },
    );
    for (const { tenant, metric, id, n } of rows) {
      report({
        table,
        check: 'series',
        fault: `${n} rows of series ${id} (${metric}, tenant ${tenant}): no such series`,
      });
    }
  };
}

/** A metric that no label value names is in no drop-down. */
async function checkLabels(store: Store, report: Report): Promise<void> {
  const rows = await store.rows<{ tenant: string; metric: string }>(
    `SELECT DISTINCT tenant, metric FROM series
     WHERE (tenant, metric) NOT IN (SELECT tenant, metric FROM label_values WHERE name = '__name__')
     ORDER BY tenant, metric LIMIT ${faultsListedMax}`,
    { timeoutMs: checkTimeoutMs },
  );
  for (const { tenant, metric } of rows) {
    report({
      table: 'label_values',
      check: 'labels',
      fault: `the metric ${metric} (tenant ${tenant}) has no values`,
    });
  }
}
