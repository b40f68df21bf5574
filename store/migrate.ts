/**
 * Brings the schema of a store to the version that this program knows. Safe to run at every start, and again after a
 * crash in the middle: every statement may be repeated.
 */
import { ConfigError } from '#model/errors.ts';
import { clusterStatements } from './cluster/cluster-ddl.ts';
import { metricsMigration } from './migrations/0001-metrics.ts';
import { logsMigration } from './migrations/0002-logs.ts';
import { tracesMigration } from './migrations/0003-traces.ts';
import { rulesMigration } from './migrations/0004-rules.ts';
import { scalingMigration } from './migrations/0005-scaling.ts';
import { otelViewsMigration } from './migrations/0006-otel-views.ts';
import { landedBatchesMigration } from './migrations/0007-landed-batches.ts';
import { batchNotesMigration } from './migrations/0008-batch-notes.ts';
import { searchIndexesMigration } from './migrations/0009-search-indexes.ts';
import { compactionMigration } from './migrations/0010-compaction.ts';
import { nativeHistogramsMigration } from './migrations/0011-native-histograms.ts';
import { otelToolsMigration } from './migrations/0012-otel-tools.ts';
import { mergeCostMigration } from './migrations/0013-merge-cost.ts';
import { cellExactnessMigration } from './migrations/0014-cell-exactness.ts';
import { durableSettings, type KnownSettings, type Migration } from './migrations/migration.ts';
import type { Store } from './store.ts';

/** In order of version. */
export const migrations: readonly Migration[] = [
  metricsMigration,
  logsMigration,
  tracesMigration,
  rulesMigration,
  scalingMigration,
  otelViewsMigration,
  landedBatchesMigration,
  batchNotesMigration,
  searchIndexesMigration,
  compactionMigration,
  nativeHistogramsMigration,
  otelToolsMigration,
  mergeCostMigration,
  cellExactnessMigration,
];

const recordTable = `
CREATE TABLE IF NOT EXISTS schema_migrations (
  version UInt32,
  name String,
  applied_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree ORDER BY version
SETTINGS ${durableSettings}`;

/** A statement may build an index over existing rows. */
const statementTimeoutMs = 600_000;

export interface MigrateOptions {
  readonly steps?: readonly Migration[];
  /** Name of the ClickHouse cluster; '' or absent is one engine. */
  readonly cluster?: string;
}

/**
 * Applies what is missing and returns the versions that were applied, oldest first. Throws ConfigError where the store
 * has a version that this program does not know, and StoreError where a statement fails.
 */
export async function migrate(store: Store, options: MigrateOptions = {}): Promise<readonly number[]> {
  const { steps = migrations, cluster = '' } = options;
  for (const sql of clusterStatements(recordTable, cluster)) await store.exec(sql);
  const knownSettings = await knownTableSettings(store);
  const applied: number[] = [];
  for (const step of await pendingMigrations(store, steps)) {
    for (const sql of migrationSql(step, knownSettings, cluster)) {
      await store.exec(sql, { timeoutMs: statementTimeoutMs });
    }
    await store.exec('INSERT INTO schema_migrations SELECT {version:UInt32}, {name:String}, now64(3)', {
      params: { version: step.version, name: step.name },
    });
    applied.push(step.version);
  }
  return applied;
}

/** Returns the steps that the store lacks, oldest first; changes nothing. Throws ConfigError as migrate() does. */
export async function pendingMigrations(
  store: Store,
  steps: readonly Migration[] = migrations,
): Promise<readonly Migration[]> {
  const [found] = await store.rows<{ n: string }>(
    `SELECT count() AS n FROM system.tables WHERE database = currentDatabase() AND name = 'schema_migrations'`,
  );
  const rows =
    Number(found?.n ?? 0) === 0
      ? []
      : await store.rows<{ version: number }>('SELECT DISTINCT version FROM schema_migrations');
  const done = new Set(rows.map(({ version }) => version));
  const known = Math.max(0, ...steps.map(({ version }) => version));
  const newest = Math.max(0, ...done);
  if (newest > known) {
    throw new ConfigError(
      `the store's schema is version ${newest}, this program knows up to ${known}: run a newer sonde on it`,
    );
  }
  return steps.filter(({ version }) => !done.has(version));
}

/** Every statement of the whole schema, in order, as an engine with these table settings gets them. */
export function schemaSql(knownSettings: KnownSettings, cluster = ''): readonly string[] {
  return [
    ...clusterStatements(recordTable, cluster),
    ...migrations.flatMap((step) => migrationSql(step, knownSettings, cluster)),
  ];
}

function migrationSql(step: Migration, knownSettings: KnownSettings, cluster: string): string[] {
  return step.statements.flatMap((statement) =>
    clusterStatements(typeof statement === 'string' ? statement : statement(knownSettings), cluster),
  );
}

/** The MergeTree settings that this engine has. */
async function knownTableSettings(store: Store): Promise<KnownSettings> {
  const rows = await store.rows<{ name: string }>('SELECT name FROM system.merge_tree_settings');
  return new Set(rows.map(({ name }) => name));
}
