CREATE TABLE sonde.logs
(
    `tenant` LowCardinality(String),
    `ts` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `observed_ts` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `service` LowCardinality(String),
    `stream_id` UInt64 CODEC(ZSTD(1)),
    `severity` UInt8 CODEC(ZSTD(1)),
    `level` LowCardinality(String),
    `severity_text` LowCardinality(String),
    `trace_id` FixedString(16) CODEC(ZSTD(1)),
    `span_id` FixedString(8) CODEC(ZSTD(1)),
    `flags` UInt8 CODEC(ZSTD(1)),
    `scope_name` LowCardinality(String),
    `scope_version` LowCardinality(String),
    `labels` Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(1)),
    `attrs` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `body` String CODEC(ZSTD(1)),
    INDEX body_ngrams body TYPE ngrambf_v1(4, 65536, 3, 0) GRANULARITY 1,
    INDEX attrs_text mapValues(attrs) TYPE text(tokenizer = 'array') GRANULARITY 100000000,
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (tenant, service, ts)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192, exclude_materialize_skip_indexes_on_merge = 'body_ngrams,attrs_text', merge_selector_base = 10
