CREATE TABLE IF NOT EXISTS schema_migrations_local ON CLUSTER main
(
    `version` UInt32,
    `name` String,
    `applied_at` DateTime64(3, 'UTC')
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY version
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS schema_migrations ON CLUSTER main AS schema_migrations_local
ENGINE = Distributed('main', currentDatabase(), schema_migrations_local, version);

CREATE TABLE IF NOT EXISTS series_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `id` UInt64 CODEC(ZSTD(1)),
    `labels` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `kv` Array(String) MATERIALIZED arrayMap((k, v) -> concat(k, '=', v), mapKeys(labels), mapValues(labels)) CODEC(ZSTD(1)),
    `t_min` SimpleAggregateFunction(min, DateTime('UTC')),
    `t_max` SimpleAggregateFunction(max, DateTime('UTC')),
    INDEX kv_text kv TYPE text(tokenizer = 'array') GRANULARITY 100000000
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (tenant, metric, id)
SETTINGS index_granularity = 1024, allow_dimensions_outside_sorting_key = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS series ON CLUSTER main AS series_local
ENGINE = Distributed('main', currentDatabase(), series_local, id);

CREATE TABLE IF NOT EXISTS label_values_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `name` LowCardinality(String),
    `value` String CODEC(ZSTD(1)),
    `metric` LowCardinality(String),
    `t_min` SimpleAggregateFunction(min, DateTime('UTC')),
    `t_max` SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (tenant, name, value, metric)
SETTINGS index_granularity = 1024, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS label_values ON CLUSTER main AS label_values_local
ENGINE = Distributed('main', currentDatabase(), label_values_local, cityHash64(tenant, name, value));

CREATE MATERIALIZED VIEW IF NOT EXISTS label_values_feed ON CLUSTER main TO label_values_local
AS SELECT
    tenant,
    label.1 AS name,
    label.2 AS value,
    metric,
    min(series_local.t_min) AS t_min,
    max(series_local.t_max) AS t_max
FROM series_local
ARRAY JOIN arrayPushFront(arrayZip(arrayMap(k -> toString(k), mapKeys(labels)), mapValues(labels)), ('__name__', toString(metric))) AS label
GROUP BY
    tenant,
    name,
    value,
    metric;

CREATE TABLE IF NOT EXISTS samples_head_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `id` UInt64 CODEC(Delta(8), ZSTD(1)),
    `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `v` Float64 CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toStartOfInterval(ts, toIntervalHour(2))
ORDER BY (tenant, metric, id, ts)
SETTINGS index_granularity = 1024, min_compress_block_size = 16384, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS samples_head ON CLUSTER main AS samples_head_local
ENGINE = Distributed('main', currentDatabase(), samples_head_local, id);

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
SETTINGS index_granularity = 16, index_granularity_bytes = 0, min_bytes_for_wide_part = 0, min_compress_block_size = 16384, max_compress_block_size = 65536, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS samples_chunk ON CLUSTER main AS samples_chunk_local
ENGINE = Distributed('main', currentDatabase(), samples_chunk_local, id);

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
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS samples_5m ON CLUSTER main AS samples_5m_local
ENGINE = Distributed('main', currentDatabase(), samples_5m_local, id);

CREATE TABLE IF NOT EXISTS metric_metadata_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `type` LowCardinality(String),
    `help` String CODEC(ZSTD(1)),
    `unit` LowCardinality(String),
    `updated` DateTime('UTC')
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', updated)
ORDER BY (tenant, metric)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS metric_metadata ON CLUSTER main AS metric_metadata_local
ENGINE = Distributed('main', currentDatabase(), metric_metadata_local, cityHash64(tenant, metric));

CREATE TABLE IF NOT EXISTS logs_local ON CLUSTER main
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
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toDate(ts)
ORDER BY (tenant, service, ts)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS logs ON CLUSTER main AS logs_local
ENGINE = Distributed('main', currentDatabase(), logs_local, stream_id);

CREATE TABLE IF NOT EXISTS spans_local ON CLUSTER main
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
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toDate(ts)
ORDER BY (tenant, service, ts)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS spans ON CLUSTER main AS spans_local
ENGINE = Distributed('main', currentDatabase(), spans_local, cityHash64(trace_id));

CREATE TABLE IF NOT EXISTS trace_index_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `trace_id` FixedString(16),
    `t_min` SimpleAggregateFunction(min, DateTime('UTC')),
    `t_max` SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toDate(t_min)
ORDER BY (tenant, trace_id)
SETTINGS index_granularity = 1024, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS trace_index ON CLUSTER main AS trace_index_local
ENGINE = Distributed('main', currentDatabase(), trace_index_local, cityHash64(trace_id));

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
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS rule_groups ON CLUSTER main AS rule_groups_local
ENGINE = Distributed('main', currentDatabase(), rule_groups_local, cityHash64(tenant, namespace, name));

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
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS alert_states ON CLUSTER main AS alert_states_local
ENGINE = Distributed('main', currentDatabase(), alert_states_local, cityHash64(tenant, namespace, rule_group));

CREATE TABLE IF NOT EXISTS scaling_signals_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `name` String,
    `version` UInt64,
    `definition` String CODEC(ZSTD(1)),
    `deleted` UInt8,
    `updated` DateTime64(3, 'UTC')
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (tenant, name, version)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS scaling_signals ON CLUSTER main AS scaling_signals_local
ENGINE = Distributed('main', currentDatabase(), scaling_signals_local, cityHash64(tenant, name));

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
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS scaling_decisions ON CLUSTER main AS scaling_decisions_local
ENGINE = Distributed('main', currentDatabase(), scaling_decisions_local, cityHash64(tenant, signal));

CREATE VIEW IF NOT EXISTS otel_logs ON CLUSTER main
AS SELECT
    ts AS Timestamp,
    toDateTime(ts) AS TimestampTime,
    if(trace_id = toFixedString('', 16), '', lower(hex(trace_id))) AS TraceId,
    if(span_id = toFixedString('', 8), '', lower(hex(span_id))) AS SpanId,
    flags AS TraceFlags,
    severity_text AS SeverityText,
    severity AS SeverityNumber,
    service AS ServiceName,
    body AS Body,
    CAST('', 'LowCardinality(String)') AS ResourceSchemaUrl,
    CAST(labels, 'Map(LowCardinality(String), String)') AS ResourceAttributes,
    CAST('', 'LowCardinality(String)') AS ScopeSchemaUrl,
    CAST(scope_name, 'String') AS ScopeName,
    scope_version AS ScopeVersion,
    CAST(map(), 'Map(LowCardinality(String), String)') AS ScopeAttributes,
    attrs AS LogAttributes,
    tenant AS Tenant
FROM logs;

CREATE VIEW IF NOT EXISTS otel_traces ON CLUSTER main
AS SELECT
    ts AS Timestamp,
    if(trace_id = toFixedString('', 16), '', lower(hex(trace_id))) AS TraceId,
    if(span_id = toFixedString('', 8), '', lower(hex(span_id))) AS SpanId,
    if(parent_id = toFixedString('', 8), '', lower(hex(parent_id))) AS ParentSpanId,
    trace_state AS TraceState,
    name AS SpanName,
    CAST(['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'][if((kind >= 0) AND (kind <= 5), kind, 0) + 1], 'LowCardinality(String)') AS SpanKind,
    service AS ServiceName,
    CAST(labels, 'Map(LowCardinality(String), String)') AS ResourceAttributes,
    CAST(scope_name, 'String') AS ScopeName,
    CAST(scope_version, 'String') AS ScopeVersion,
    attrs AS SpanAttributes,
    duration_ns AS Duration,
    CAST(['Unset', 'Ok', 'Error'][if((status >= 0) AND (status <= 2), status, 0) + 1], 'LowCardinality(String)') AS StatusCode,
    status_message AS StatusMessage,
    event_ts AS `Events.Timestamp`,
    event_name AS `Events.Name`,
    event_attrs AS `Events.Attributes`,
    arrayMap(id -> lower(hex(id)), link_trace_id) AS `Links.TraceId`,
    arrayMap(id -> lower(hex(id)), link_span_id) AS `Links.SpanId`,
    link_trace_state AS `Links.TraceState`,
    link_attrs AS `Links.Attributes`,
    tenant AS Tenant
FROM spans;

CREATE TABLE IF NOT EXISTS landed_batches_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `batch` String CODEC(ZSTD(1)),
    `landed_at` DateTime('UTC') CODEC(Delta(4), ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toDate(landed_at)
ORDER BY (tenant, batch)
TTL landed_at + toIntervalDay(7)
SETTINGS ttl_only_drop_parts = 1, index_granularity = 1024, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS landed_batches ON CLUSTER main AS landed_batches_local
ENGINE = Distributed('main', currentDatabase(), landed_batches_local, cityHash64(tenant, batch));

CREATE OR REPLACE VIEW otel_logs ON CLUSTER main
AS SELECT
    ts AS Timestamp,
    toDateTime(ts) AS TimestampTime,
    if(trace_id = toFixedString('', 16), '', lower(hex(trace_id))) AS TraceId,
    if(span_id = toFixedString('', 8), '', lower(hex(span_id))) AS SpanId,
    flags AS TraceFlags,
    severity_text AS SeverityText,
    severity AS SeverityNumber,
    service AS ServiceName,
    body AS Body,
    CAST('', 'LowCardinality(String)') AS ResourceSchemaUrl,
    CAST(labels, 'Map(LowCardinality(String), String)') AS ResourceAttributes,
    CAST('', 'LowCardinality(String)') AS ScopeSchemaUrl,
    CAST(scope_name, 'String') AS ScopeName,
    scope_version AS ScopeVersion,
    CAST(map(), 'Map(LowCardinality(String), String)') AS ScopeAttributes,
    attrs AS LogAttributes,
    tenant AS Tenant
FROM logs
WHERE tenant != '';

CREATE OR REPLACE VIEW otel_traces ON CLUSTER main
AS SELECT
    ts AS Timestamp,
    if(trace_id = toFixedString('', 16), '', lower(hex(trace_id))) AS TraceId,
    if(span_id = toFixedString('', 8), '', lower(hex(span_id))) AS SpanId,
    if(parent_id = toFixedString('', 8), '', lower(hex(parent_id))) AS ParentSpanId,
    trace_state AS TraceState,
    name AS SpanName,
    CAST(['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'][if((kind >= 0) AND (kind <= 5), kind, 0) + 1], 'LowCardinality(String)') AS SpanKind,
    service AS ServiceName,
    CAST(labels, 'Map(LowCardinality(String), String)') AS ResourceAttributes,
    CAST(scope_name, 'String') AS ScopeName,
    CAST(scope_version, 'String') AS ScopeVersion,
    attrs AS SpanAttributes,
    duration_ns AS Duration,
    CAST(['Unset', 'Ok', 'Error'][if((status >= 0) AND (status <= 2), status, 0) + 1], 'LowCardinality(String)') AS StatusCode,
    status_message AS StatusMessage,
    event_ts AS `Events.Timestamp`,
    event_name AS `Events.Name`,
    event_attrs AS `Events.Attributes`,
    arrayMap(id -> lower(hex(id)), link_trace_id) AS `Links.TraceId`,
    arrayMap(id -> lower(hex(id)), link_span_id) AS `Links.SpanId`,
    link_trace_state AS `Links.TraceState`,
    link_attrs AS `Links.Attributes`,
    tenant AS Tenant
FROM spans
WHERE tenant != '';

DROP TABLE IF EXISTS landed_batches_local ON CLUSTER main SYNC;

DROP TABLE IF EXISTS landed_batches ON CLUSTER main SYNC;

ALTER TABLE logs_local ON CLUSTER main
    (MODIFY SETTING exclude_materialize_skip_indexes_on_merge = 'body_ngrams,attrs_text');

ALTER TABLE spans_local ON CLUSTER main
    (MODIFY SETTING exclude_materialize_skip_indexes_on_merge = 'attrs_text');

CREATE TABLE IF NOT EXISTS samples_closing_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `id` UInt64 CODEC(Delta(8), ZSTD(1)),
    `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `v` Float64 CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toStartOfInterval(ts, toIntervalHour(2))
ORDER BY (tenant, metric, id, ts)
SETTINGS index_granularity = 1024, min_compress_block_size = 16384, max_bytes_to_merge_at_max_space_in_pool = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS samples_closing ON CLUSTER main AS samples_closing_local
ENGINE = Distributed('main', currentDatabase(), samples_closing_local, id);

DROP TABLE IF EXISTS IF EMPTY samples_chunk_local ON CLUSTER main SYNC;

DROP TABLE IF EXISTS samples_chunk ON CLUSTER main SYNC;

CREATE TABLE IF NOT EXISTS samples_chunk_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `bucket` DateTime('UTC'),
    `id` UInt64 CODEC(ZSTD(1)),
    `ts` SimpleAggregateFunction(groupArrayArray, Array(DateTime64(3, 'UTC'))) CODEC(DoubleDelta, ZSTD(1)),
    `v` SimpleAggregateFunction(groupArrayArray, Array(Float64)) CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toDate(bucket)
ORDER BY (tenant, metric, bucket, id)
SETTINGS index_granularity = 16, index_granularity_bytes = 0, min_bytes_for_wide_part = 0, min_compress_block_size = 16384, max_compress_block_size = 65536, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS samples_chunk ON CLUSTER main AS samples_chunk_local
ENGINE = Distributed('main', currentDatabase(), samples_chunk_local, id);

DROP TABLE IF EXISTS IF EMPTY samples_5m_local ON CLUSTER main SYNC;

DROP TABLE IF EXISTS samples_5m ON CLUSTER main SYNC;

CREATE TABLE IF NOT EXISTS samples_5m_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `bucket` Date,
    `id` UInt64 CODEC(ZSTD(1)),
    `cell` DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    `t0` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `t1` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `v0` Float64 CODEC(Delta(8), ZSTD(1)),
    `v1` Float64 CODEC(Delta(8), ZSTD(1)),
    `n` UInt32 CODEC(T64, ZSTD(1)),
    `resets` Float64 CODEC(ZSTD(1)),
    `vmin` Float64 CODEC(Delta(8), ZSTD(1)),
    `vmax` Float64 CODEC(Delta(8), ZSTD(1)),
    `vsum` Float64 CODEC(Delta(8), ZSTD(1)),
    `stale` Bool CODEC(ZSTD(1)),
    `version` UInt32 CODEC(T64, ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', version)
PARTITION BY toYYYYMM(bucket)
ORDER BY (tenant, metric, bucket, id, cell)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS samples_5m ON CLUSTER main AS samples_5m_local
ENGINE = Distributed('main', currentDatabase(), samples_5m_local, id);

CREATE TABLE IF NOT EXISTS histograms_head_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `id` UInt64 CODEC(Delta(8), ZSTD(1)),
    `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    `start_ts` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `schema` Int8 CODEC(ZSTD(1)),
    `reset_hint` UInt8 CODEC(ZSTD(1)),
    `count` Float64 CODEC(Delta(8), ZSTD(1)),
    `sum` Float64 CODEC(Delta(8), ZSTD(1)),
    `zero_threshold` Float64 CODEC(ZSTD(1)),
    `zero_count` Float64 CODEC(Delta(8), ZSTD(1)),
    `positive_offsets` Array(Int32) CODEC(ZSTD(1)),
    `positive_lengths` Array(UInt32) CODEC(ZSTD(1)),
    `positive_counts` Array(Float64) CODEC(Delta(8), ZSTD(1)),
    `negative_offsets` Array(Int32) CODEC(ZSTD(1)),
    `negative_lengths` Array(UInt32) CODEC(ZSTD(1)),
    `negative_counts` Array(Float64) CODEC(Delta(8), ZSTD(1)),
    `custom_values` Array(Float64) CODEC(ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toStartOfInterval(ts, toIntervalHour(2))
ORDER BY (tenant, metric, id, ts)
SETTINGS index_granularity = 256, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS histograms_head ON CLUSTER main AS histograms_head_local
ENGINE = Distributed('main', currentDatabase(), histograms_head_local, id);

CREATE TABLE IF NOT EXISTS sample_starts_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `id` UInt64 CODEC(Delta(8), ZSTD(1)),
    `ts` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `start_ts` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toDate(ts)
ORDER BY (tenant, metric, id, ts)
SETTINGS index_granularity = 1024, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS sample_starts ON CLUSTER main AS sample_starts_local
ENGINE = Distributed('main', currentDatabase(), sample_starts_local, id);

CREATE TABLE IF NOT EXISTS exemplars_local ON CLUSTER main
(
    `tenant` LowCardinality(String),
    `metric` LowCardinality(String),
    `id` UInt64 CODEC(Delta(8), ZSTD(1)),
    `ts` DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `v` Float64 CODEC(ZSTD(1)),
    `labels` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `trace_id` FixedString(16) CODEC(ZSTD(1)),
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
PARTITION BY toDate(ts)
ORDER BY (tenant, metric, id, ts)
SETTINGS index_granularity = 1024, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS exemplars ON CLUSTER main AS exemplars_local
ENGINE = Distributed('main', currentDatabase(), exemplars_local, id);

ALTER TABLE trace_index_local ON CLUSTER main
    (ADD INDEX IF NOT EXISTS trace_id_hex lower(hex(trace_id)) TYPE minmax GRANULARITY 1);

CREATE VIEW IF NOT EXISTS otel_traces_trace_id_ts ON CLUSTER main
AS SELECT
    lower(hex(trace_id)) AS TraceId,
    CAST(t_min, 'DateTime(\'UTC\')') AS Start,
    CAST(t_max, 'DateTime(\'UTC\')') AS End,
    tenant AS Tenant
FROM trace_index
WHERE tenant != '';

CREATE OR REPLACE VIEW otel_logs ON CLUSTER main
AS SELECT
    ts AS Timestamp,
    toDateTime(ts) AS TimestampTime,
    if(trace_id = toFixedString('', 16), '', lower(hex(trace_id))) AS TraceId,
    if(span_id = toFixedString('', 8), '', lower(hex(span_id))) AS SpanId,
    flags AS TraceFlags,
    CAST(multiIf(severity_text != '', severity_text, level != 'unknown', upper(level), ''), 'LowCardinality(String)') AS SeverityText,
    CAST(if(severity != 0, severity, transform(level, ['trace', 'debug', 'info', 'warn', 'error', 'fatal'], [1, 5, 9, 13, 17, 21], 0)), 'UInt8') AS SeverityNumber,
    service AS ServiceName,
    body AS Body,
    CAST('', 'LowCardinality(String)') AS ResourceSchemaUrl,
    CAST(labels, 'Map(LowCardinality(String), String)') AS ResourceAttributes,
    CAST('', 'LowCardinality(String)') AS ScopeSchemaUrl,
    CAST(scope_name, 'String') AS ScopeName,
    scope_version AS ScopeVersion,
    CAST(map(), 'Map(LowCardinality(String), String)') AS ScopeAttributes,
    attrs AS LogAttributes,
    attrs['event.name'] AS EventName,
    tenant AS Tenant
FROM logs
WHERE tenant != '';

ALTER TABLE logs_local ON CLUSTER main
    (MODIFY SETTING merge_selector_base = 10);

ALTER TABLE spans_local ON CLUSTER main
    (MODIFY SETTING merge_selector_base = 10);

ALTER TABLE samples_head_local ON CLUSTER main
    (MODIFY SETTING merge_selector_base = 10);

ALTER TABLE histograms_head_local ON CLUSTER main
    (MODIFY SETTING merge_selector_base = 10);

ALTER TABLE trace_index_local ON CLUSTER main
    (MODIFY SETTING merge_selector_base = 10);

ALTER TABLE spans_local ON CLUSTER main
    (MODIFY SETTING string_serialization_version = 'single_stream');

ALTER TABLE samples_head_local ON CLUSTER main
    (MODIFY COLUMN `id` UInt64 CODEC(Delta(8), LZ4));

ALTER TABLE samples_head ON CLUSTER main
    (MODIFY COLUMN `id` UInt64 CODEC(Delta(8), LZ4));

ALTER TABLE samples_head_local ON CLUSTER main
    (MODIFY COLUMN `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4));

ALTER TABLE samples_head ON CLUSTER main
    (MODIFY COLUMN `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4));

ALTER TABLE samples_head_local ON CLUSTER main
    (MODIFY COLUMN `v` Float64 CODEC(Delta(8), LZ4));

ALTER TABLE samples_head ON CLUSTER main
    (MODIFY COLUMN `v` Float64 CODEC(Delta(8), LZ4));

ALTER TABLE samples_closing_local ON CLUSTER main
    (MODIFY COLUMN `id` UInt64 CODEC(Delta(8), LZ4));

ALTER TABLE samples_closing ON CLUSTER main
    (MODIFY COLUMN `id` UInt64 CODEC(Delta(8), LZ4));

ALTER TABLE samples_closing_local ON CLUSTER main
    (MODIFY COLUMN `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4));

ALTER TABLE samples_closing ON CLUSTER main
    (MODIFY COLUMN `ts` DateTime64(3, 'UTC') CODEC(DoubleDelta, LZ4));

ALTER TABLE samples_closing_local ON CLUSTER main
    (MODIFY COLUMN `v` Float64 CODEC(Delta(8), LZ4));

ALTER TABLE samples_closing ON CLUSTER main
    (MODIFY COLUMN `v` Float64 CODEC(Delta(8), LZ4));

ALTER TABLE samples_5m_local ON CLUSTER main
    (ADD COLUMN IF NOT EXISTS `reset_count` UInt32 DEFAULT if((resets = 0) AND (vmin >= 0), 0, 4294967295) CODEC(T64, ZSTD(1))),
    (ADD COLUMN IF NOT EXISTS `traits` UInt8 CODEC(ZSTD(1)));

ALTER TABLE samples_5m ON CLUSTER main
    (ADD COLUMN IF NOT EXISTS `reset_count` UInt32 DEFAULT if((resets = 0) AND (vmin >= 0), 0, 4294967295) CODEC(T64, ZSTD(1))),
    (ADD COLUMN IF NOT EXISTS `traits` UInt8 CODEC(ZSTD(1)));
