CREATE TABLE sonde.metric_metadata
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `type` LowCardinality(String),
    `help` String CODEC(ZSTD(1)),
    `unit` LowCardinality(String),
    `updated` DateTime('UTC')
)
ENGINE = ReplacingMergeTree(updated)
ORDER BY (tenant, metric)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192
