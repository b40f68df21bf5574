CREATE TABLE IF NOT EXISTS metric_metadata_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `type` LowCardinality(String),
    `help` String CODEC(ZSTD(1)),
    `unit` LowCardinality(String),
    `updated` DateTime('UTC')
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', updated)
ORDER BY (tenant, metric)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
