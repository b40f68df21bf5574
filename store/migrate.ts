/**
 * Brings the schema of a store to the version that this program knows. Safe to run at every start, and again after a
 * crash in the middle: every statement may be repeated.
 */
import { ConfigError } from '#model/errors.ts';
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
import { durableSettings, type Migration } from './migrations/migration.ts';
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

/**
 * Applies what is missing and returns the versions that were applied, oldest first. Throws ConfigError where the store
 * has a version that this program does not know, and StoreError where a statement fails.
 */
export async function migrate(
  store: Store,
  steps: readonly Migration[] = migrations,
): Promise<readonly number[]> {
  await store.exec(recordTable);
  const rows = await store.rows<{ version: number }>('SELECT DISTINCT version FROM schema_migrations');
  const done = new Set(rows.map(({ version }) => version));
  const known = Math.max(0, ...steps.map(({ version }) => version));
  const newest = Math.max(0, ...done);
  if (newest > known) {
    throw new ConfigError(
      `the store's schema is version ${newest}, this program knows up to ${known}: run a newer sonde on it`,
    );
  }
  const settings = await store.rows<{ name: string }>('SELECT name FROM system.merge_tree_settings');
  const knownSettings = new Set(settings.map(({ name }) => name));
  const applied: number[] = [];
  for (const step of steps) {
    if (done.has(step.version)) continue;
    for (const statement of step.statements) {
      const sql = typeof statement === 'string' ? statement : statement(knownSettings);
      await store.exec(sql, { timeoutMs: statementTimeoutMs });
    }
    await store.exec('INSERT INTO schema_migrations SELECT {version:UInt32}, {name:String}, now64(3)', {
      params: { version: step.version, name: step.name },
    });
    applied.push(step.version);
  }
  return applied;
}
