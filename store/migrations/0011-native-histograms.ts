/**
 * Native histograms and exemplars, and since when counters count.
 *
 * A histogram is one row, laid out as Prometheus's FloatHistogram: spans of consecutive buckets, and each bucket's own
 * count (absolute: neither a difference to the bucket before nor a running sum). `custom_values` are upper bounds and
 * empty except in schema -53. A stale marker is a row whose `sum` is the stale NaN, and that has nothing else.
 */
import { durableSettings, type Migration } from './migration.ts';

/**
 * Cut and sorted like samples_head. Of 96,000 rows with 40 buckets, counts took 28 B a row as Delta and ZSTD, 36 as
 * ZSTD alone, 62 as Gorilla and 84 as LZ4.
 */
const histogramsHead = `
CREATE TABLE IF NOT EXISTS histograms_head (
  tenant LowCardinality(String),
  metric LowCardinality(String),
  id UInt64 CODEC(Delta(8), ZSTD(1)),
  ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  start_ts DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
  schema Int8 CODEC(ZSTD(1)),
  reset_hint UInt8 CODEC(ZSTD(1)),
  count Float64 CODEC(Delta(8), ZSTD(1)),
  sum Float64 CODEC(Delta(8), ZSTD(1)),
  zero_threshold Float64 CODEC(ZSTD(1)),
  zero_count Float64 CODEC(Delta(8), ZSTD(1)),
  positive_offsets Array(Int32) CODEC(ZSTD(1)),
  positive_lengths Array(UInt32) CODEC(ZSTD(1)),
  positive_counts Array(Float64) CODEC(Delta(8), ZSTD(1)),
  negative_offsets Array(Int32) CODEC(ZSTD(1)),
  negative_lengths Array(UInt32) CODEC(ZSTD(1)),
  negative_counts Array(Float64) CODEC(Delta(8), ZSTD(1)),
  custom_values Array(Float64) CODEC(ZSTD(1))
) ENGINE = MergeTree PARTITION BY toStartOfInterval(ts, INTERVAL 2 HOUR) ORDER BY (tenant, metric, id, ts)
SETTINGS index_granularity = 256, ${durableSettings}`;

/** A row says: from `ts` on, the series counts from `start_ts`. Repeated in every two hours, so that readers look no further back. */
const sampleStarts = `
CREATE TABLE IF NOT EXISTS sample_starts (
  tenant LowCardinality(String),
  metric LowCardinality(String),
  id UInt64 CODEC(Delta(8), ZSTD(1)),
  ts DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
  start_ts DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1))
) ENGINE = MergeTree PARTITION BY toDate(ts) ORDER BY (tenant, metric, id, ts)
SETTINGS index_granularity = 1024, ${durableSettings}`;

/** `trace_id` is what the label of that name says, where it is a trace id: from a trace to its exemplars. */
const exemplars = `
CREATE TABLE IF NOT EXISTS exemplars (
  tenant LowCardinality(String),
  metric LowCardinality(String),
  id UInt64 CODEC(Delta(8), ZSTD(1)),
  ts DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
  v Float64 CODEC(ZSTD(1)),
  labels Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  trace_id FixedString(16) CODEC(ZSTD(1)),
  INDEX trace_id_bloom trace_id TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = MergeTree PARTITION BY toDate(ts) ORDER BY (tenant, metric, id, ts)
SETTINGS index_granularity = 1024, ${durableSettings}`;

export const nativeHistogramsMigration: Migration = {
  version: 11,
  name: 'native histograms',
  statements: [histogramsHead, sampleStarts, exemplars],
};
