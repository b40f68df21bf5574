CREATE TABLE sonde.label_values
(
    `tenant` LowCardinality(String),
    `name` LowCardinality(String),
    `value` String CODEC(ZSTD(1)),
    `metric` LowCardinality(String),
    `t_min` SimpleAggregateFunction(min, DateTime('UTC')),
    `t_max` SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (tenant, name, value, metric)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
