CREATE TABLE IF NOT EXISTS samples_head_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `id` UInt64 CODEC(Delta(8), ZSTD(1)),
    `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `v` Float64 CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toStartOfInterval(ts, toIntervalHour(2))
ORDER BY (tenant, metric, id, ts)
SETTINGS index_granularity = 1024, min_compress_block_size = 16384, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
