/**
 * Views with the column names and types of the OpenTelemetry Collector's ClickHouse exporter, so that tools made for
 * its tables (ClickStack, Grafana's ClickHouse source) read ours. Times keep their zone, UTC: the exporter's columns
 * have the server's. `Tenant` is ours and comes last.
 */
import type { Migration } from './migration.ts';

/** An id of zeros is no id. */
function hexId(expression: string, byteCount: number): string {
  return `if(${expression} = toFixedString('', ${byteCount}), '', lower(hex(${expression})))`;
}

const stringMap = 'Map(LowCardinality(String), String)';

const otelLogs = `
CREATE VIEW IF NOT EXISTS otel_logs AS SELECT
  ts AS Timestamp,
  toDateTime(ts) AS TimestampTime,
  ${hexId('trace_id', 16)} AS TraceId,
  ${hexId('span_id', 8)} AS SpanId,
  flags AS TraceFlags,
  severity_text AS SeverityText,
  severity AS SeverityNumber,
  service AS ServiceName,
  body AS Body,
  CAST('', 'LowCardinality(String)') AS ResourceSchemaUrl,
  CAST(labels, '${stringMap}') AS ResourceAttributes,
  CAST('', 'LowCardinality(String)') AS ScopeSchemaUrl,
  CAST(scope_name, 'String') AS ScopeName,
  scope_version AS ScopeVersion,
  CAST(map(), '${stringMap}') AS ScopeAttributes,
  attrs AS LogAttributes,
  tenant AS Tenant
FROM logs`;

/** opentelemetry-proto, trace.proto: SpanKind and StatusCode, in the exporter's spelling. */
const spanKinds = "['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer']";
const statusCodes = "['Unset', 'Ok', 'Error']";

const otelTraces = `
CREATE VIEW IF NOT EXISTS otel_traces AS SELECT
  ts AS Timestamp,
  ${hexId('trace_id', 16)} AS TraceId,
  ${hexId('span_id', 8)} AS SpanId,
  ${hexId('parent_id', 8)} AS ParentSpanId,
  trace_state AS TraceState,
  name AS SpanName,
  CAST(${spanKinds}[if(kind BETWEEN 0 AND 5, kind, 0) + 1], 'LowCardinality(String)') AS SpanKind,
  service AS ServiceName,
  CAST(labels, '${stringMap}') AS ResourceAttributes,
  CAST(scope_name, 'String') AS ScopeName,
  CAST(scope_version, 'String') AS ScopeVersion,
  attrs AS SpanAttributes,
  duration_ns AS Duration,
  CAST(${statusCodes}[if(status BETWEEN 0 AND 2, status, 0) + 1], 'LowCardinality(String)') AS StatusCode,
  status_message AS StatusMessage,
  event_ts AS \`Events.Timestamp\`,
  event_name AS \`Events.Name\`,
  event_attrs AS \`Events.Attributes\`,
  arrayMap(id -> lower(hex(id)), link_trace_id) AS \`Links.TraceId\`,
  arrayMap(id -> lower(hex(id)), link_span_id) AS \`Links.SpanId\`,
  link_trace_state AS \`Links.TraceState\`,
  link_attrs AS \`Links.Attributes\`,
  tenant AS Tenant
FROM spans`;

export const otelViewsMigration: Migration = {
  version: 6,
  name: 'otel-views',
  statements: [otelLogs, otelTraces],
};
