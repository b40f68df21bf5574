CREATE TABLE sonde.scaling_decisions
(
    `tenant` LowCardinality(String),
    `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `signal` String CODEC(ZSTD(1)),
    `value` Nullable(Float64),
    `served` Nullable(Float64),
    `desired` Nullable(Int64),
    `reason` String CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (tenant, signal, ts)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192
