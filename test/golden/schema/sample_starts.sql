CREATE TABLE sonde.sample_starts
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `id` UInt64 CODEC(Delta(8), ZSTD(1)),
    `ts` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `start_ts` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (tenant, metric, id, ts)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
