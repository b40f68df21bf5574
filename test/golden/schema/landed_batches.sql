CREATE TABLE sonde.landed_batches
(
    `tenant` LowCardinality(String),
    `batch` String CODEC(ZSTD(1)),
    `landed_at` DateTime('UTC') CODEC(Delta(4), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(landed_at)
ORDER BY (tenant, batch)
TTL landed_at + toIntervalDay(7)
SETTINGS ttl_only_drop_parts = 1, index_granularity = 1024, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
