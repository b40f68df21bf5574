/** Scaling signals with their history, and every decision that was served. */
import { durableSettings, type Migration } from './migration.ts';

const scalingSignals = `
CREATE TABLE IF NOT EXISTS scaling_signals (
  tenant LowCardinality(String),
  name String,
  version UInt64,
  definition String CODEC(ZSTD(1)),
  deleted UInt8,
  updated DateTime64(3, 'UTC')
) ENGINE = MergeTree ORDER BY (tenant, name, version)
SETTINGS ${durableSettings}`;

const scalingDecisions = `
CREATE TABLE IF NOT EXISTS scaling_decisions (
  tenant LowCardinality(String),
  ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  signal String CODEC(ZSTD(1)),
  value Nullable(Float64),
  served Nullable(Float64),
  desired Nullable(Int64),
  reason String CODEC(ZSTD(1))
) ENGINE = MergeTree PARTITION BY toDate(ts) ORDER BY (tenant, signal, ts)
SETTINGS ${durableSettings}`;

export const scalingMigration: Migration = {
  version: 5,
  name: 'scaling',
  statements: [scalingSignals, scalingDecisions],
};
