CREATE VIEW sonde.otel_traces_trace_id_ts
(
    `TraceId` String,
    `Start` DateTime('UTC'),
    `End` DateTime('UTC'),
    `Tenant` LowCardinality(String)
)
AS SELECT
    lower(hex(trace_id)) AS TraceId,
    CAST(t_min, 'DateTime(\'UTC\')') AS Start,
    CAST(t_max, 'DateTime(\'UTC\')') AS End,
    tenant AS Tenant
FROM sonde.trace_index
WHERE tenant != ''
