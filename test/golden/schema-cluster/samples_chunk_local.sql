CREATE TABLE IF NOT EXISTS samples_chunk_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `bucket` DateTime('UTC'),
    `id` UInt64 CODEC(ZSTD(1)),
    `ts` Array(DateTime64(3, 'UTC')) CODEC(DoubleDelta, ZSTD(1)),
    `v` Array(Float64) CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toDate(bucket)
ORDER BY (tenant, metric, bucket, id)
SETTINGS index_granularity = 16, index_granularity_bytes = 0, min_bytes_for_wide_part = 0, min_compress_block_size = 16384, max_compress_block_size = 65536, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
