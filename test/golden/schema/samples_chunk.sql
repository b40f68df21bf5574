CREATE TABLE sonde.samples_chunk
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `bucket` DateTime('UTC'),
    `id` UInt64 CODEC(ZSTD(1)),
    `ts` SimpleAggregateFunction(groupArrayArray, Array(DateTime64(3, 'UTC'))) CODEC(DoubleDelta, ZSTD(1)),
    `v` SimpleAggregateFunction(groupArrayArray, Array(Float64)) CODEC(Delta(8), ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(bucket)
ORDER BY (tenant, metric, bucket, id)
SETTINGS index_granularity = 16, index_granularity_bytes = 0, min_bytes_for_wide_part = 0, min_compress_block_size = 16384, max_compress_block_size = 65536, non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
