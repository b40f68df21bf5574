CREATE TABLE IF NOT EXISTS trace_index_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `trace_id` FixedString(16),
    `t_min` SimpleAggregateFunction(min, DateTime('UTC')),
    `t_max` SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toDate(t_min)
ORDER BY (tenant, trace_id)
SETTINGS index_granularity = 1024, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
