CREATE TABLE sonde.alert_states
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
ENGINE = ReplacingMergeTree(updated)
ORDER BY (tenant, namespace, rule_group, rule, labels)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192
