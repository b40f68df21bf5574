CREATE TABLE IF NOT EXISTS scaling_decisions_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `signal` String CODEC(ZSTD(1)),
    `value` Nullable(Float64),
    `served` Nullable(Float64),
    `desired` Nullable(Int64),
    `reason` String CODEC(ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toDate(ts)
ORDER BY (tenant, signal, ts)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
