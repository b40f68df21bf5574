/**
 * Answers TraceSource from ClickHouse.
 *
 * A trace is read in two steps: `trace_index` names its first and last second, then `spans` is read in that range
 * only, so that a lookup costs the same whatever the retention is. The store adds the tenant to every read.
 */
import { RefusedError } from '#model/errors.ts';
import type { QueryOptions, Store } from '#store/store.ts';
import type { Attributes, Operation, Span, Trace, TraceSource } from '../traces/trace.ts';

/** Tempo's default bound is 5 MB a trace; a span takes some 500 bytes. Bounds the reply and the memory it takes. */
const traceSpansMax = 50_000;
/** Names that one services or operations reply lists. */
const traceNamesMax = 10_000;

/** Returns the traces of one tenant. Calls reject with StoreError, and RefusedError (422) on a trace over traceSpansMax. */
export function createTraceSource(store: Store, tenant: string): TraceSource {
  const read = <Row>(sql: string, params: NonNullable<QueryOptions['params']>, abort?: AbortSignal) =>
    store.rows<Row>(sql, { tenant, params, ...(abort === undefined ? {} : { abort }) });
  return {
    async trace(traceId, abort) {
      const [bounds] = await read<IndexRow>(indexSql, { id: traceId }, abort);
      if (bounds === undefined || Number(bounds.row_count) === 0) return undefined;
      const params = { id: traceId, first: bounds.first, last: bounds.last, limit: traceSpansMax + 1 };
      const rows = await read<SpanRow>(spansSql, params, abort);
      if (rows.length > traceSpansMax) {
        throw new RefusedError(`trace ${traceId} has more than ${traceSpansMax} spans`, 422);
      }
      // The index is written before or after the spans: for a moment one may be there without the other.
      return rows.length === 0 ? undefined : toTrace(traceId, rows);
    },
    async services(startMs, endMs) {
      const rows = await read<{ service: string }>(servicesSql, range(startMs, endMs));
      return rows.map((row) => row.service);
    },
    async operations(service, startMs, endMs) {
      const rows = await read<Operation>(operationsSql, { service, ...range(startMs, endMs) });
      return rows.map((row) => ({ name: row.name, kind: Number(row.kind) }));
    },
  };
}

function range(startMs: number, endMs: number) {
  return { start: startMs, end: endMs, limit: traceNamesMax };
}

const indexSql = `
  SELECT toUnixTimestamp(min(t_min)) AS first, toUnixTimestamp(max(t_max)) AS last, count() AS row_count
  FROM trace_index WHERE trace_id = toFixedString(unhex({id:String}), 16)`;

// Whole seconds: `last` stands for all of its second.
const spansSql = `
  SELECT lower(hex(span_id)) AS span_id, lower(hex(parent_id)) AS parent_id, trace_state, service, name, kind,
    toUnixTimestamp64Nano(ts) AS start_nano, duration_ns, status, status_message, scope_name, scope_version,
    mapKeys(labels) AS label_names, mapValues(labels) AS label_values,
    mapKeys(attrs) AS attr_names, mapValues(attrs) AS attr_values,
    arrayMap(t -> toUnixTimestamp64Nano(t), event_ts) AS event_nano, event_name,
    arrayMap(m -> mapKeys(m), event_attrs) AS event_attr_names,
    arrayMap(m -> mapValues(m), event_attrs) AS event_attr_values,
    arrayMap(i -> lower(hex(i)), link_trace_id) AS link_trace_id,
    arrayMap(i -> lower(hex(i)), link_span_id) AS link_span_id, link_trace_state,
    arrayMap(m -> mapKeys(m), link_attrs) AS link_attr_names,
    arrayMap(m -> mapValues(m), link_attrs) AS link_attr_values
  FROM spans
  WHERE trace_id = toFixedString(unhex({id:String}), 16)
    AND ts >= toDateTime64({first:UInt32}, 9, 'UTC') AND ts < toDateTime64({last:UInt32} + 1, 9, 'UTC')
  ORDER BY ts, span_id LIMIT {limit:UInt32}`;

const rangeSql = `ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts <= fromUnixTimestamp64Milli({end:Int64}, 'UTC')`;

const servicesSql = `
  SELECT DISTINCT service FROM spans WHERE ${rangeSql} AND service != '' ORDER BY service LIMIT {limit:UInt32}`;

const operationsSql = `
  SELECT DISTINCT name, kind FROM spans WHERE service = {service:String} AND ${rangeSql}
  ORDER BY name, kind LIMIT {limit:UInt32}`;

interface IndexRow {
  readonly first: number;
  readonly last: number;
  readonly row_count: string;
}

interface SpanRow {
  readonly span_id: string;
  readonly parent_id: string;
  readonly trace_state: string;
  readonly service: string;
  readonly name: string;
  readonly kind: number;
  readonly start_nano: string;
  readonly duration_ns: string;
  readonly status: number;
  readonly status_message: string;
  readonly scope_name: string;
  readonly scope_version: string;
  readonly label_names: string[];
  readonly label_values: string[];
  readonly attr_names: string[];
  readonly attr_values: string[];
  readonly event_nano: string[];
  readonly event_name: string[];
  readonly event_attr_names: string[][];
  readonly event_attr_values: string[][];
  readonly link_trace_id: string[];
  readonly link_span_id: string[];
  readonly link_trace_state: string[];
  readonly link_attr_names: string[][];
  readonly link_attr_values: string[][];
}

const noSpanId = '0000000000000000';

function toTrace(traceId: string, rows: readonly SpanRow[]): Trace {
  return { traceId, spans: rows.map(toSpan) };
}

function toSpan(row: SpanRow): Span {
  return {
    spanId: row.span_id,
    parentSpanId: row.parent_id === noSpanId ? '' : row.parent_id,
    traceState: row.trace_state,
    service: row.service,
    name: row.name,
    kind: row.kind,
    startUnixNano: row.start_nano,
    endUnixNano: String(BigInt(row.start_nano) + BigInt(row.duration_ns)),
    status: row.status,
    statusMessage: row.status_message,
    scopeName: row.scope_name,
    scopeVersion: row.scope_version,
    resource: toAttributes(row.label_names, row.label_values),
    attributes: toAttributes(row.attr_names, row.attr_values),
    events: row.event_nano.map((timeUnixNano, i) => ({
      timeUnixNano,
      name: row.event_name[i],
      attributes: toAttributes(row.event_attr_names[i], row.event_attr_values[i]),
    })),
    links: row.link_trace_id.map((linkTraceId, i) => ({
      traceId: linkTraceId,
      spanId: row.link_span_id[i],
      traceState: row.link_trace_state[i],
      attributes: toAttributes(row.link_attr_names[i], row.link_attr_values[i]),
    })),
  };
}

function toAttributes(names: readonly string[], values: readonly string[]): Attributes {
  return names.map((name, i) => [name, values[i]]);
}
