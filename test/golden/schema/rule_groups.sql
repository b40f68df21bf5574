CREATE TABLE sonde.rule_groups
(
    `tenant` LowCardinality(String),
    `namespace` String,
    `name` String,
    `version` UInt64,
    `yaml` String CODEC(ZSTD(1)),
    `deleted` UInt8,
    `updated` DateTime64(3, 'UTC'),
    `author` String
)
ENGINE = MergeTree
ORDER BY (tenant, namespace, name, version)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192
