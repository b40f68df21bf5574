CREATE VIEW sonde.otel_logs
(
    `Timestamp` DateTime64(9, 'UTC'),
    `TimestampTime` DateTime('UTC'),
    `TraceId` String,
    `SpanId` String,
    `TraceFlags` UInt8,
    `SeverityText` LowCardinality(String),
    `SeverityNumber` UInt8,
    `ServiceName` LowCardinality(String),
    `Body` String,
    `ResourceSchemaUrl` LowCardinality(String),
    `ResourceAttributes` Map(LowCardinality(String), String),
    `ScopeSchemaUrl` LowCardinality(String),
    `ScopeName` String,
    `ScopeVersion` LowCardinality(String),
    `ScopeAttributes` Map(LowCardinality(String), String),
    `LogAttributes` Map(LowCardinality(String), String),
    `EventName` String,
    `Tenant` LowCardinality(String)
)
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
FROM sonde.logs
WHERE tenant != ''
