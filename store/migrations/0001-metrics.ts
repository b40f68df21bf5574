/**
 * Metrics: series and their labels, recent samples as rows, closed two-hour chunks as arrays, five-minute cells.
 * Every sort key of samples holds a time bucket, or a query over an hour would read the whole day.
 */
import { labelValuesView } from '../tenant-filter.ts';
import { durableSettings, type Migration, type Statement } from './migration.ts';

/** Newer servers want to be told that a column besides the sums is meant; older ones do not know the word. */
const dimensionsSetting = 'allow_dimensions_outside_sorting_key';

/** Several rows of one series are merged into its first and last second; its labels are equal in all of them. */
const series: Statement = (knownSettings) => `
CREATE TABLE IF NOT EXISTS series (
  tenant LowCardinality(String),
  metric LowCardinality(String),
  id UInt64 CODEC(ZSTD(1)),
  labels Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  kv Array(String) MATERIALIZED arrayMap((k, v) -> concat(k, '=', v), mapKeys(labels), mapValues(labels)) CODEC(ZSTD(1)),
  t_min SimpleAggregateFunction(min, DateTime('UTC')),
  t_max SimpleAggregateFunction(max, DateTime('UTC')),
  INDEX kv_text kv TYPE text(tokenizer = 'array')
) ENGINE = AggregatingMergeTree ORDER BY (tenant, metric, id)
SETTINGS index_granularity = 1024, ${knownSettings.has(dimensionsSetting) ? `${dimensionsSetting} = 1, ` : ''}${durableSettings}`;

/** Which values each label has, and in which metrics. Repeating a series changes nothing: min and max. */
const labelValues = `
CREATE TABLE IF NOT EXISTS label_values (
  tenant LowCardinality(String),
  name LowCardinality(String),
  value String CODEC(ZSTD(1)),
  metric LowCardinality(String),
  t_min SimpleAggregateFunction(min, DateTime('UTC')),
  t_max SimpleAggregateFunction(max, DateTime('UTC'))
) ENGINE = AggregatingMergeTree ORDER BY (tenant, name, value, metric)
SETTINGS index_granularity = 1024, ${durableSettings}`;

const labelValuesFeed = `
CREATE MATERIALIZED VIEW IF NOT EXISTS ${labelValuesView} TO label_values AS
SELECT tenant, label.1 AS name, label.2 AS value, metric, min(series.t_min) AS t_min, max(series.t_max) AS t_max
FROM series
ARRAY JOIN arrayPushFront(
  arrayZip(arrayMap(k -> toString(k), mapKeys(labels)), mapValues(labels)),
  ('__name__', toString(metric))
) AS label
GROUP BY tenant, name, value, metric`;

/** Dropped partition by partition once its two hours are in samples_chunk. */
const samplesHead = `
CREATE TABLE IF NOT EXISTS samples_head (
  tenant LowCardinality(String),
  metric LowCardinality(String),
  id UInt64 CODEC(Delta(8), ZSTD(1)),
  ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  v Float64 CODEC(Delta(8), ZSTD(1))
) ENGINE = MergeTree PARTITION BY toStartOfInterval(ts, INTERVAL 2 HOUR) ORDER BY (tenant, metric, id, ts)
SETTINGS index_granularity = 1024, min_compress_block_size = 16384, ${durableSettings}`;

/** One row per series and two hours. Small granules and blocks: a selector picks few rows out of many. */
const samplesChunk = `
CREATE TABLE IF NOT EXISTS samples_chunk (
  tenant LowCardinality(String),
  metric LowCardinality(String),
  bucket DateTime('UTC'),
  id UInt64 CODEC(ZSTD(1)),
  ts Array(DateTime64(3, 'UTC')) CODEC(DoubleDelta, ZSTD(1)),
  v Array(Float64) CODEC(Delta(8), ZSTD(1))
) ENGINE = MergeTree PARTITION BY toDate(bucket) ORDER BY (tenant, metric, bucket, id)
SETTINGS index_granularity = 16, index_granularity_bytes = 0, min_bytes_for_wide_part = 0,
  min_compress_block_size = 16384, max_compress_block_size = 65536, ${durableSettings}`;

/** Exact for windows that are multiples of five minutes: a cell is left-open and named by its right edge. */
const samples5m = `
CREATE TABLE IF NOT EXISTS samples_5m (
  tenant LowCardinality(String),
  metric LowCardinality(String),
  bucket Date,
  id UInt64 CODEC(ZSTD(1)),
  cell DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
  t0 DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  t1 DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  v0 Float64 CODEC(ZSTD(1)),
  v1 Float64 CODEC(ZSTD(1)),
  n UInt32 CODEC(T64, ZSTD(1)),
  resets Float64 CODEC(ZSTD(1)),
  vmin Float64 CODEC(ZSTD(1)),
  vmax Float64 CODEC(ZSTD(1)),
  vsum Float64 CODEC(ZSTD(1))
) ENGINE = MergeTree PARTITION BY toYYYYMM(bucket) ORDER BY (tenant, metric, bucket, id, cell)
SETTINGS ${durableSettings}`;

const metricMetadata = `
CREATE TABLE IF NOT EXISTS metric_metadata (
  tenant LowCardinality(String),
  metric LowCardinality(String),
  type LowCardinality(String),
  help String CODEC(ZSTD(1)),
  unit LowCardinality(String),
  updated DateTime('UTC')
) ENGINE = ReplacingMergeTree(updated) ORDER BY (tenant, metric)
SETTINGS ${durableSettings}`;

export const metricsMigration: Migration = {
  version: 1,
  name: 'metrics',
  statements: [series, labelValues, labelValuesFeed, samplesHead, samplesChunk, samples5m, metricMetadata],
};
