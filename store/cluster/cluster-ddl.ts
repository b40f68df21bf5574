/**
 * Makes a cluster's statements from those of one engine, so that there is one copy of every column.
 *
 *   CREATE TABLE IF NOT EXISTS logs (...) ENGINE = MergeTree ...
 *     ->  CREATE TABLE IF NOT EXISTS logs_local ON CLUSTER 'main' (...) ENGINE = ReplicatedMergeTree(...) ...
 *     ->  CREATE TABLE IF NOT EXISTS logs ON CLUSTER 'main' AS logs_local ENGINE = Distributed('main', ..., stream_id)
 *
 * Rows lie in the _local tables, replicated; queries and inserts use the Distributed ones, under today's names.
 * Materialized views run where rows land, over the local tables; plain views stand over the Distributed ones.
 * A kind of statement that is not known here throws: a migration must not reach a cluster half.
 */
import { nothingToDo } from '../migrations/migration.ts';
import { localTable, onCluster } from './topology.ts';

/**
 * Which shard a row goes to. A series is on one shard with all of its samples, and so is a trace with its spans: joins
 * and IN (SELECT ...) of the queries stay within a shard. What a Replacing table merges has one key here.
 */
export const shardingKeys: Readonly<Record<string, string>> = {
  logs: 'stream_id',
  spans: 'cityHash64(trace_id)',
  trace_index: 'cityHash64(trace_id)',
  series: 'id',
  samples_head: 'id',
  samples_closing: 'id',
  histograms_head: 'id',
  sample_starts: 'id',
  exemplars: 'id',
  samples_chunk: 'id',
  samples_5m: 'id',
  // Fed on each shard from its own series: readers take the values of all shards together.
  label_values: 'cityHash64(tenant, name, value)',
  metric_metadata: 'cityHash64(tenant, metric)',
  landed_batches: 'cityHash64(tenant, batch)',
  rule_groups: 'cityHash64(tenant, namespace, name)',
  alert_states: 'cityHash64(tenant, namespace, rule_group)',
  scaling_signals: 'cityHash64(tenant, name)',
  scaling_decisions: 'cityHash64(tenant, signal)',
  schema_migrations: 'version',
};

/** Replicas forget tokens by age too, after an hour by default; an agent may repeat a batch for days. */
const dedupSeconds = 7 * 86_400;
/** The server fills in its macros; {uuid} keeps a table that is dropped and made anew apart from its past. */
const replicaArguments = "'/clickhouse/tables/{uuid}/{shard}', '{replica}'";

/** Returns the statements that do on a cluster what `statement` does on one engine; itself where cluster is ''. */
export function clusterStatements(statement: string, cluster: string): readonly string[] {
  if (cluster === '') return [statement];
  const sql = statement.trim();
  const table = /^CREATE TABLE IF NOT EXISTS (\w+) \(/.exec(sql)?.[1];
  if (table !== undefined) return [localTableSql(sql, table, cluster), distributedTableSql(table, cluster)];
  const materialized = /^CREATE MATERIALIZED VIEW IF NOT EXISTS (\w+) TO (\w+) AS\b/.exec(sql);
  if (materialized !== null) return [materializedViewSql(sql, materialized, cluster)];
  const view = /^CREATE VIEW IF NOT EXISTS (\w+) AS\b/.exec(sql)?.[1];
  if (view !== undefined) return [afterName(sql, view, onCluster(cluster))];
  const replaced = /^CREATE OR REPLACE VIEW (\w+) AS\b/.exec(sql)?.[1];
  if (replaced !== undefined)
    return [sql.replace(` ${replaced} AS`, () => ` ${replaced}${onCluster(cluster)} AS`)];
  const dropped = /^DROP TABLE IF EXISTS( IF EMPTY)? (\w+)$/.exec(sql);
  if (dropped !== null) return dropSql(dropped, cluster);
  if (sql === nothingToDo) return [];
  const altered = /^ALTER TABLE (\w+)\s/.exec(sql)?.[1];
  if (altered !== undefined) return alterSql(sql, altered, cluster);
  throw new Error(`BUG: cluster-ddl.ts does not know how to do this on a cluster: ${sql.slice(0, 100)}`);
}

function localTableSql(sql: string, table: string, cluster: string): string {
  const named = sql.replace(
    `CREATE TABLE IF NOT EXISTS ${table} `,
    () => `CREATE TABLE IF NOT EXISTS ${localTable(table, cluster)}${onCluster(cluster)} `,
  );
  const replicated = replaceOnce(
    named,
    /\) ENGINE = (\w*MergeTree)(?:\(([^()]*)\))?(?=\s)/,
    (_all, engine, inner) =>
      `) ENGINE = Replicated${engine}(${replicaArguments}${inner === undefined || inner === '' ? '' : `, ${inner}`})`,
  );
  return replaceOnce(
    replicated,
    /\bnon_replicated_deduplication_window = (\d+)/,
    (_all, count) =>
      `replicated_deduplication_window = ${count}, replicated_deduplication_window_seconds = ${dedupSeconds}`,
  );
}

function distributedTableSql(table: string, cluster: string): string {
  const key = shardingKeys[table];
  if (key === undefined) throw new Error(`BUG: ${table} has no sharding key`);
  const local = localTable(table, cluster);
  return (
    `CREATE TABLE IF NOT EXISTS ${table}${onCluster(cluster)} AS ${local} ` +
    `ENGINE = Distributed('${cluster}', currentDatabase(), ${local}, ${key})`
  );
}

function materializedViewSql(sql: string, [, view, target]: RegExpExecArray, cluster: string): string {
  const targeted = sql.replace(` TO ${target} AS`, () => ` TO ${localTable(target, cluster)} AS`);
  const placed = afterName(targeted, view, onCluster(cluster));
  // The block of an insert is known by its table's name: `series.t_min` tells the column from the alias beside it.
  const source = replaceOnce(placed, /\bFROM (\w+)\b/, (_all, name) => `FROM ${localTable(name, cluster)}`);
  const [, name] = /\bFROM (\w+)_local\b/.exec(source) ?? [];
  return source.replaceAll(`${name}.`, () => `${localTable(name, cluster)}.`);
}

/** Rows first: a table that was to be empty and is not stops the migration before anything is gone. */
function dropSql([, ifEmpty = '', table]: RegExpExecArray, cluster: string): string[] {
  return [
    `DROP TABLE IF EXISTS${ifEmpty} ${localTable(table, cluster)}${onCluster(cluster)} SYNC`,
    `DROP TABLE IF EXISTS ${table}${onCluster(cluster)} SYNC`,
  ];
}

/** Columns are altered in both tables, everything else (indexes, settings, TTL) where the rows are. */
function alterSql(sql: string, table: string, cluster: string): string[] {
  const on = (name: string) =>
    sql.replace(/^ALTER TABLE \w+/, () => `ALTER TABLE ${name}${onCluster(cluster)}`);
  const local = on(localTable(table, cluster));
  const altersColumns = /\b(ADD|DROP|MODIFY|RENAME)\s+COLUMN\b/.test(sql);
  if (!altersColumns) return [local];
  if (/\b(ADD|DROP|MODIFY|RESET|MATERIALIZE)\s+(INDEX|SETTING|TTL|ORDER|PROJECTION)\b/.test(sql)) {
    throw new Error(`BUG: a statement for columns and another for the rest, please: ${sql.slice(0, 100)}`);
  }
  // A Distributed table must not name a column that the local one lacks.
  return /\bDROP\s+COLUMN\b/.test(sql) ? [on(table), local] : [local, on(table)];
}

function afterName(sql: string, name: string, clause: string): string {
  return sql.replace(` IF NOT EXISTS ${name} `, () => ` IF NOT EXISTS ${name}${clause} `);
}

function replaceOnce(sql: string, pattern: RegExp, render: (...found: string[]) => string): string {
  if (!pattern.test(sql))
    throw new Error(`BUG: cluster-ddl.ts does not find ${pattern} in ${sql.slice(0, 100)}`);
  return sql.replace(pattern, render);
}
