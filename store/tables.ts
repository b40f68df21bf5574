/**
 * The columns that ingest writes, per table, in block order: [name, type in the Native block].
 * Migrations own codecs, keys and indexes; a test compares these names and types with the engine's own tables.
 */

/** Log records, sorted by (tenant, service, ts). */
const logs = [
  ['tenant', 'LowCardinality(String)'],
  ['ts', "DateTime64(9, 'UTC')"],
  ['observed_ts', "DateTime64(9, 'UTC')"],
  ['service', 'LowCardinality(String)'],
  /** Hash of the resource's attributes: the log stream. */
  ['stream_id', 'UInt64'],
  ['severity', 'UInt8'],
  /** Lower-case text of OTLP severity: trace, debug, info, warn, error, fatal, or unknown. */
  ['level', 'LowCardinality(String)'],
  ['severity_text', 'LowCardinality(String)'],
  ['trace_id', 'FixedString(16)'],
  ['span_id', 'FixedString(8)'],
  ['flags', 'UInt8'],
  ['scope_name', 'LowCardinality(String)'],
  ['scope_version', 'LowCardinality(String)'],
  /** Resource attributes. */
  ['labels', 'Map(LowCardinality(String), LowCardinality(String))'],
  /** Record attributes. */
  ['attrs', 'Map(LowCardinality(String), String)'],
  ['body', 'String'],
] as const;

/** Spans, sorted by (tenant, service, ts). Events and links are parallel arrays. */
const spans = [
  ['tenant', 'LowCardinality(String)'],
  ['ts', "DateTime64(9, 'UTC')"],
  ['trace_id', 'FixedString(16)'],
  ['span_id', 'FixedString(8)'],
  ['parent_id', 'FixedString(8)'],
  ['trace_state', 'String'],
  ['service', 'LowCardinality(String)'],
  ['name', 'LowCardinality(String)'],
  /** OTLP enum values. */
  ['kind', 'Int8'],
  ['duration_ns', 'UInt64'],
  ['status', 'Int8'],
  ['status_message', 'String'],
  ['scope_name', 'LowCardinality(String)'],
  ['scope_version', 'LowCardinality(String)'],
  ['labels', 'Map(LowCardinality(String), LowCardinality(String))'],
  ['attrs', 'Map(LowCardinality(String), String)'],
  ['event_ts', "Array(DateTime64(9, 'UTC'))"],
  ['event_name', 'Array(LowCardinality(String))'],
  ['event_attrs', 'Array(Map(LowCardinality(String), String))'],
  ['link_trace_id', 'Array(FixedString(16))'],
  ['link_span_id', 'Array(FixedString(8))'],
  ['link_trace_state', 'Array(String)'],
  ['link_attrs', 'Array(Map(LowCardinality(String), String))'],
] as const;

/** First and last second of each trace, so that a lookup by id reads a short time range of `spans`. */
const traceIndex = [
  ['tenant', 'LowCardinality(String)'],
  ['trace_id', 'FixedString(16)'],
  ['t_min', "DateTime('UTC')"],
  ['t_max', "DateTime('UTC')"],
] as const;

/** Labels of each series; ids are 64-bit hashes of the canonical labels. `label_values` is fed from it by a view. */
const series = [
  ['tenant', 'LowCardinality(String)'],
  ['metric', 'LowCardinality(String)'],
  ['id', 'UInt64'],
  /** Without __name__. */
  ['labels', 'Map(LowCardinality(String), String)'],
  ['t_min', "DateTime('UTC')"],
  ['t_max', "DateTime('UTC')"],
] as const;

/** Recent samples, one row each. */
const samplesHead = [
  ['tenant', 'LowCardinality(String)'],
  ['metric', 'LowCardinality(String)'],
  ['id', 'UInt64'],
  ['ts', "DateTime64(3, 'UTC')"],
  ['v', 'Float64'],
] as const;

/** From `ts` on, a series counts from `start_ts`; a row where that changes, and one in every two hours. */
const sampleStarts = [
  ['tenant', 'LowCardinality(String)'],
  ['metric', 'LowCardinality(String)'],
  ['id', 'UInt64'],
  ['ts', "DateTime64(3, 'UTC')"],
  ['start_ts', "DateTime64(3, 'UTC')"],
] as const;

/** Native histograms, one row each, as Prometheus's FloatHistogram. */
const histogramsHead = [
  ['tenant', 'LowCardinality(String)'],
  ['metric', 'LowCardinality(String)'],
  ['id', 'UInt64'],
  ['ts', "DateTime64(3, 'UTC')"],
  /** 1970 where the sender does not say. */
  ['start_ts', "DateTime64(3, 'UTC')"],
  /** -4 to 8: 2^schema buckets per power of two; -53: the bounds are `custom_values`. */
  ['schema', 'Int8'],
  /** Prometheus's numbers: 0 unknown, 1 reset, 2 no reset, 3 gauge. */
  ['reset_hint', 'UInt8'],
  ['count', 'Float64'],
  ['sum', 'Float64'],
  ['zero_threshold', 'Float64'],
  ['zero_count', 'Float64'],
  /** Of each span: the index of its first bucket, counted from the end of the span before; and its buckets. */
  ['positive_offsets', 'Array(Int32)'],
  ['positive_lengths', 'Array(UInt32)'],
  ['positive_counts', 'Array(Float64)'],
  ['negative_offsets', 'Array(Int32)'],
  ['negative_lengths', 'Array(UInt32)'],
  ['negative_counts', 'Array(Float64)'],
  ['custom_values', 'Array(Float64)'],
] as const;

/** Example observations of a series, mostly with the trace that they were made in. */
const exemplars = [
  ['tenant', 'LowCardinality(String)'],
  ['metric', 'LowCardinality(String)'],
  ['id', 'UInt64'],
  ['ts', "DateTime64(3, 'UTC')"],
  ['v', 'Float64'],
  /** Of the exemplar, not of its series. */
  ['labels', 'Map(LowCardinality(String), String)'],
  /** From the label trace_id or traceID; zeros where there is none, or it is no trace id. */
  ['trace_id', 'FixedString(16)'],
] as const;

/** TYPE, HELP and UNIT of each metric family; the newest row wins. */
const metricMetadata = [
  ['tenant', 'LowCardinality(String)'],
  ['metric', 'LowCardinality(String)'],
  /** Prometheus words: counter, gauge, histogram, gaugehistogram, summary, info, stateset, unknown. */
  ['type', 'LowCardinality(String)'],
  ['help', 'String'],
  ['unit', 'LowCardinality(String)'],
  ['updated', "DateTime('UTC')"],
] as const;

/** The database that holds every table, on both engines. */
export const databaseDefault = 'sonde';

export const insertColumns = {
  logs,
  spans,
  trace_index: traceIndex,
  series,
  samples_head: samplesHead,
  sample_starts: sampleStarts,
  histograms_head: histogramsHead,
  exemplars,
  metric_metadata: metricMetadata,
} as const satisfies Record<string, readonly (readonly [string, string])[]>;

/** The tables that ingest writes. */
export type TableName = keyof typeof insertColumns;

/**
 * Tables whose rows would count twice if a batch came twice. Every batch leaves a note in them: a row of no tenant (''),
 * at the first second of its partition, with the batch's name in this column. A partition of a block is committed as a
 * whole, so that the note is there exactly when the rows are. Reads with a tenant never see notes.
 */
export const noteColumns = {
  logs: 'service',
  spans: 'service',
  samples_head: 'metric',
  histograms_head: 'metric',
  exemplars: 'metric',
} as const satisfies Partial<Record<TableName, string>>;

/** How long a partition of these tables lasts: PARTITION BY in migrations/. */
export const notePartitionMs: Readonly<Record<NotedTable, number>> = {
  logs: 86_400_000,
  spans: 86_400_000,
  samples_head: 7_200_000,
  histograms_head: 7_200_000,
  exemplars: 86_400_000,
};

export type NotedTable = keyof typeof noteColumns;

/** Every table that has a `tenant` column: a read with QueryOptions.tenant is narrowed to that tenant in all of them. */
export const tenantTables = [
  'logs',
  'spans',
  'trace_index',
  'series',
  'samples_head',
  'samples_closing',
  'samples_chunk',
  'samples_5m',
  'sample_starts',
  'histograms_head',
  'exemplars',
  'label_values',
  'metric_metadata',
  'rule_groups',
  'alert_states',
  'scaling_signals',
  'scaling_decisions',
] as const;
