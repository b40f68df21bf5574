CREATE TABLE IF NOT EXISTS series_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `id` UInt64 CODEC(ZSTD(1)),
    `labels` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `kv` Array(String) MATERIALIZED arrayMap((k, v) -> concat(k, '=', v), mapKeys(labels), mapValues(labels)) CODEC(ZSTD(1)),
    `t_min` SimpleAggregateFunction(min, DateTime('UTC')),
    `t_max` SimpleAggregateFunction(max, DateTime('UTC')),
    INDEX kv_text kv TYPE text(tokenizer = 'array') GRANULARITY 100000000
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (tenant, metric, id)
SETTINGS index_granularity = 1024, allow_dimensions_outside_sorting_key = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
