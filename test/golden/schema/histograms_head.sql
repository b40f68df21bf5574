CREATE TABLE sonde.histograms_head
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `id` UInt64 CODEC(Delta(8), ZSTD(1)),
    `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `start_ts` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `schema` Int8 CODEC(ZSTD(1)),
    `reset_hint` UInt8 CODEC(ZSTD(1)),
    `count` Float64 CODEC(Delta(8), ZSTD(1)),
    `sum` Float64 CODEC(Delta(8), ZSTD(1)),
    `zero_threshold` Float64 CODEC(ZSTD(1)),
    `zero_count` Float64 CODEC(Delta(8), ZSTD(1)),
    `positive_offsets` Array(Int32) CODEC(ZSTD(1)),
    `positive_lengths` Array(UInt32) CODEC(ZSTD(1)),
    `positive_counts` Array(Float64) CODEC(Delta(8), ZSTD(1)),
    `negative_offsets` Array(Int32) CODEC(ZSTD(1)),
    `negative_lengths` Array(UInt32) CODEC(ZSTD(1)),
    `negative_counts` Array(Float64) CODEC(Delta(8), ZSTD(1)),
    `custom_values` Array(Float64) CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toStartOfInterval(ts, toIntervalHour(2))
ORDER BY (tenant, metric, id, ts)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 10
