/** The batches that landed lately, for repeats that come under another token than the first time. */
import { durableSettings, type Migration } from './migration.ts';

/** How long a repeat is recognised: an agent that was down for longer may land its last unconfirmed batches twice. */
export const landedBatchDays = 7;

const landedBatches = `
CREATE TABLE IF NOT EXISTS landed_batches (
  tenant LowCardinality(String),
  batch String CODEC(ZSTD(1)),
  landed_at DateTime('UTC') CODEC(Delta(4), ZSTD(1))
) ENGINE = MergeTree PARTITION BY toDate(landed_at) ORDER BY (tenant, batch)
TTL landed_at + INTERVAL ${landedBatchDays} DAY DELETE
SETTINGS ttl_only_drop_parts = 1, index_granularity = 1024, ${durableSettings}`;

export const landedBatchesMigration: Migration = {
  version: 7,
  name: 'landed batches',
  statements: [landedBatches],
};
