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
FROM logs
