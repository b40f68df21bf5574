/**
 * What the compaction needs: a table between head and chunks, chunks that the engine folds, and cells that are replaced
 * as a whole. Nothing was ever written to the tables that are made anew here; the engine refuses to drop them otherwise.
 */
import { durableSettings, type Migration } from './migration.ts';

/**
 * Closed two-hour partitions of samples_head on their way into samples_chunk. MOVE PARTITION wants the same columns: a
 * later change of one table must change the other. The engine must not merge its parts: the compaction drops by name
 * exactly the parts that it has read.
 */
const samplesClosing = `
CREATE TABLE IF NOT EXISTS samples_closing (
  tenant LowCardinality(String),
  metric LowCardinality(String),
  id UInt64 CODEC(Delta(8), ZSTD(1)),
  ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  v Float64 CODEC(Delta(8), ZSTD(1))
) ENGINE = MergeTree PARTITION BY toStartOfInterval(ts, INTERVAL 2 HOUR) ORDER BY (tenant, metric, id, ts)
SETTINGS index_granularity = 1024, min_compress_block_size = 16384, max_bytes_to_merge_at_max_space_in_pool = 1,
  ${durableSettings}`;

/**
 * Late samples come as one more row of their series; merges join the arrays of rows with one key. Inserts of any
 * number of compactions commute, so none can undo another's.
 */
const samplesChunk = `
CREATE TABLE IF NOT EXISTS samples_chunk (
  tenant LowCardinality(String),
  metric LowCardinality(String),
  bucket DateTime('UTC'),
  id UInt64 CODEC(ZSTD(1)),
  ts SimpleAggregateFunction(groupArrayArray, Array(DateTime64(3, 'UTC'))) CODEC(DoubleDelta, ZSTD(1)),
  v SimpleAggregateFunction(groupArrayArray, Array(Float64)) CODEC(Delta(8), ZSTD(1))
) ENGINE = AggregatingMergeTree PARTITION BY toDate(bucket) ORDER BY (tenant, metric, bucket, id)
SETTINGS index_granularity = 16, index_granularity_bytes = 0, min_bytes_for_wide_part = 0,
  min_compress_block_size = 16384, max_compress_block_size = 65536, ${durableSettings}`;

/** The row that was made from the most samples wins: cells only ever gain samples. Read with FINAL. */
const samples5m = `
CREATE TABLE IF NOT EXISTS samples_5m (
  tenant LowCardinality(String),
  metric LowCardinality(String),
  bucket Date,
  id UInt64 CODEC(ZSTD(1)),
  cell DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
  t0 DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
  t1 DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
  v0 Float64 CODEC(Delta(8), ZSTD(1)),
  v1 Float64 CODEC(Delta(8), ZSTD(1)),
  n UInt32 CODEC(T64, ZSTD(1)),
  resets Float64 CODEC(ZSTD(1)),
  vmin Float64 CODEC(Delta(8), ZSTD(1)),
  vmax Float64 CODEC(Delta(8), ZSTD(1)),
  vsum Float64 CODEC(Delta(8), ZSTD(1)),
  stale Bool CODEC(ZSTD(1)),
  version UInt32 CODEC(T64, ZSTD(1))
) ENGINE = ReplacingMergeTree(version) PARTITION BY toYYYYMM(bucket) ORDER BY (tenant, metric, bucket, id, cell)
SETTINGS ${durableSettings}`;

export const compactionMigration: Migration = {
  version: 10,
  name: 'compaction',
  statements: [
    samplesClosing,
    'DROP TABLE IF EXISTS IF EMPTY samples_chunk',
    samplesChunk,
    'DROP TABLE IF EXISTS IF EMPTY samples_5m',
    samples5m,
  ],
};
