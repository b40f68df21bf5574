CREATE TABLE sonde.spans
(
    `tenant` LowCardinality(String),
    `ts` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `trace_id` FixedString(16) CODEC(ZSTD(1)),
    `span_id` FixedString(8) CODEC(ZSTD(1)),
    `parent_id` FixedString(8) CODEC(ZSTD(1)),
    `trace_state` String CODEC(ZSTD(1)),
    `service` LowCardinality(String),
    `name` LowCardinality(String),
    `kind` Int8 CODEC(ZSTD(1)),
    `duration_ns` UInt64 CODEC(T64, ZSTD(1)),
    `status` Int8 CODEC(ZSTD(1)),
    `status_message` String CODEC(ZSTD(1)),
    `scope_name` LowCardinality(String),
    `scope_version` LowCardinality(String),
    `labels` Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(1)),
    `attrs` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `event_ts` Array(DateTime64(9, 'UTC')) CODEC(ZSTD(1)),
    `event_name` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `event_attrs` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    `link_trace_id` Array(FixedString(16)) CODEC(ZSTD(1)),
    `link_span_id` Array(FixedString(8)) CODEC(ZSTD(1)),
    `link_trace_state` Array(String) CODEC(ZSTD(1)),
    `link_attrs` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX attrs_text mapValues(attrs) TYPE text(tokenizer = 'array') GRANULARITY 100000000,
    INDEX duration_minmax duration_ns TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (tenant, service, ts)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192, exclude_materialize_skip_indexes_on_merge = 'attrs_text', merge_selector_base = 10, string_serialization_version = 'single_stream'
