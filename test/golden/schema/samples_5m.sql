CREATE TABLE sonde.samples_5m
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `bucket` Date,
    `id` UInt64 CODEC(ZSTD(1)),
    `cell` DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    `t0` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `t1` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `v0` Float64 CODEC(Delta(8), ZSTD(1)),
    `v1` Float64 CODEC(Delta(8), ZSTD(1)),
    `n` UInt32 CODEC(T64, ZSTD(1)),
    `resets` Float64 CODEC(ZSTD(1)),
    `vmin` Float64 CODEC(Delta(8), ZSTD(1)),
    `vmax` Float64 CODEC(Delta(8), ZSTD(1)),
    `vsum` Float64 CODEC(Delta(8), ZSTD(1)),
    `stale` Bool CODEC(ZSTD(1)),
    `version` UInt32 CODEC(T64, ZSTD(1)),
    `reset_count` UInt32 DEFAULT if((resets = 0) AND (vmin >= 0), 0, 4294967295) CODEC(T64, ZSTD(1)),
    `traits` UInt8 CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(bucket)
ORDER BY (tenant, metric, bucket, id, cell)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192
