CREATE TABLE IF NOT EXISTS alert_states_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `namespace` String,
    `rule_group` String,
    `rule` String,
    `labels` String CODEC(ZSTD(1)),
    `state` LowCardinality(String),
    `active_at` DateTime64(3, 'UTC'),
    `fired_at` DateTime64(3, 'UTC'),
    `resolved_at` DateTime64(3, 'UTC'),
    `last_sent_at` DateTime64(3, 'UTC'),
    `value` Float64,
    `updated` DateTime64(3, 'UTC')
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', updated)
ORDER BY (tenant, namespace, rule_group, rule, labels)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1
