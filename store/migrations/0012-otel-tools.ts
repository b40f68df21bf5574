/**
 * What HyperDX and Grafana's ClickHouse source look for beside the columns of step 6: the times of each trace under the
 * exporter's name for them, the name of an event, and a severity also where the sender said none.
 */
import { batchNotesMigration } from './0008-batch-notes.ts';
import type { Migration } from './migration.ts';

/**
 * A tool asks for a trace by its hex digits, which neither the key nor a bloom filter of the 16 bytes answers. Rows lie
 * in the order of their ids, and digits sort as bytes do: each granule's least and greatest digits find it.
 */
const traceIdHex =
  'ALTER TABLE trace_index ADD INDEX IF NOT EXISTS trace_id_hex lower(hex(trace_id)) TYPE minmax GRANULARITY 1';

/** As in the exporter's table, a trace may have several rows: tools take min(Start) and max(End). */
const traceTimes = `
CREATE VIEW IF NOT EXISTS otel_traces_trace_id_ts AS SELECT
  lower(hex(trace_id)) AS TraceId,
  CAST(t_min, 'DateTime(\\'UTC\\')') AS Start,
  CAST(t_max, 'DateTime(\\'UTC\\')') AS End,
  tenant AS Tenant
FROM trace_index WHERE tenant != ''`;

/** OpenTelemetry, Logs data model: the first number of each of the six ranges; their short names are in capitals. */
const severityNumbers =
  "transform(level, ['trace', 'debug', 'info', 'warn', 'error', 'fatal'], [1, 5, 9, 13, 17, 21], 0)";

/**
 * Columns of otel_logs that change, by what they were. Tools count lines by SeverityText; most lines of containers have
 * none of their own, but a level that was found in them. HyperDX offers the values of columns that are LowCardinality.
 */
const changedColumns: readonly (readonly [string, string])[] = [
  [
    'severity_text AS SeverityText',
    `CAST(multiIf(severity_text != '', severity_text, level != 'unknown', upper(level), ''), 'LowCardinality(String)') AS SeverityText`,
  ],
  [
    'severity AS SeverityNumber',
    `CAST(if(severity != 0, severity, ${severityNumbers}), 'UInt8') AS SeverityNumber`,
  ],
  ['attrs AS LogAttributes', "attrs AS LogAttributes,\n  attrs['event.name'] AS EventName"],
];

function changed(view: string): string {
  return changedColumns.reduce((sql, [before, after]) => {
    if (!sql.includes(before)) throw new Error(`BUG: otel_logs has no column ${before}`);
    return sql.replace(before, () => after);
  }, view);
}

const otelLogs = batchNotesMigration.statements
  .map(String)
  .filter((statement) => statement.includes('VIEW otel_logs '))
  .map(changed);

export const otelToolsMigration: Migration = {
  version: 12,
  name: 'otel tools',
  statements: [traceIdHex, traceTimes, ...otelLogs],
};
