CREATE TABLE IF NOT EXISTS rule_groups_local ON CLUSTER main
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
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (tenant, namespace, name, version)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
