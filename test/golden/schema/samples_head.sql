CREATE TABLE sonde.samples_head
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `id` UInt64 CODEC(Delta(8), LZ4),
    `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4),
    `v` Float64 CODEC(Delta(8), LZ4)
)
ENGINE = MergeTree
PARTITION BY toStartOfInterval(ts, toIntervalHour(2))
ORDER BY (tenant, metric, id, ts)
SETTINGS index_granularity = 1024, min_compress_block_size = 16384, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 10
