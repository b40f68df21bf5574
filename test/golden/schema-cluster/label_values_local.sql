CREATE TABLE IF NOT EXISTS label_values_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `name` LowCardinality(String),
    `value` String CODEC(ZSTD(1)),
    `metric` LowCardinality(String),
    `t_min` SimpleAggregateFunction(min, DateTime('UTC')),
    `t_max` SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (tenant, name, value, metric)
SETTINGS index_granularity = 1024, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
