CREATE TABLE IF NOT EXISTS landed_batches_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `batch` String CODEC(ZSTD(1)),
    `landed_at` DateTime('UTC') CODEC(Delta(4), ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toDate(landed_at)
ORDER BY (tenant, batch)
TTL landed_at + toIntervalDay(7)
SETTINGS ttl_only_drop_parts = 1, index_granularity = 1024, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
