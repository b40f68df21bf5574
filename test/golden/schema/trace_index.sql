CREATE TABLE sonde.trace_index
(
    `tenant` LowCardinality(String),
    `trace_id` FixedString(16),
    `t_min` SimpleAggregateFunction(min, DateTime('UTC')),
    `t_max` SimpleAggregateFunction(max, DateTime('UTC')),
    INDEX trace_id_hex lower(hex(trace_id)) TYPE minmax GRANULARITY 1
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(t_min)
ORDER BY (tenant, trace_id)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 10
