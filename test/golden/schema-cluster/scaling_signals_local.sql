CREATE TABLE IF NOT EXISTS scaling_signals_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `name` String,
    `version` UInt64,
    `definition` String CODEC(ZSTD(1)),
    `deleted` UInt8,
    `updated` DateTime64(3, 'UTC')
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (tenant, name, version)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
