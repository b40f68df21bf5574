CREATE TABLE IF NOT EXISTS samples_5m_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `bucket` Date,
    `id` UInt64 CODEC(ZSTD(1)),
    `cell` DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    `t0` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `t1` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `v0` Float64 CODEC(ZSTD(1)),
    `v1` Float64 CODEC(ZSTD(1)),
    `n` UInt32 CODEC(T64, ZSTD(1)),
    `resets` Float64 CODEC(ZSTD(1)),
    `vmin` Float64 CODEC(ZSTD(1)),
    `vmax` Float64 CODEC(ZSTD(1)),
    `vsum` Float64 CODEC(ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toYYYYMM(bucket)
ORDER BY (tenant, metric, bucket, id, cell)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
