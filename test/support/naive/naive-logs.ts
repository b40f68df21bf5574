/** OTLP logs and spans as JSON rows, the obvious way: what the transcoders' blocks are compared with. */

import type { PromotedField } from '#collector/transcode/promoted-fields.ts';
import { naiveBodyFields } from './naive-body-fields.ts';
import { naiveId } from './naive-labels.ts';
import { hex, naivePairs, naiveText } from './naive-value.ts';
import { decodeLogsRequest, decodeTraceRequest } from './otlp-proto.ts';

// biome-ignore lint/suspicious/noExplicitAny: whatever protobufjs decodes.
type Decoded = any;
type Row = Record<string, unknown>;

export interface NaiveTask {
  readonly tenant: string;
  readonly nowUnixMs: number;
  readonly oldestUnixMs: number;
  readonly promotedFields?: readonly PromotedField[];
}

const nanosPerMs = 1_000_000n;
const nanosMax = 2n ** 32n * 1_000_000_000n;

function isKept(nanos: bigint, task: NaiveTask): boolean {
  return nanos < nanosMax && Number(nanos / nanosPerMs) >= task.oldestUnixMs;
}

/** DateTime64(9) as JSONEachRow reads it. */
function timeText(nanos: bigint): string {
  return `${nanos / 1_000_000_000n}.${(nanos % 1_000_000_000n).toString().padStart(9, '0')}`;
}

function idText(bytes: Uint8Array | undefined, length: number): string {
  return bytes?.length === length ? hex(bytes) : '00'.repeat(length);
}

function serviceOf(labels: readonly (readonly [string, string])[]): string {
  return labels.findLast(([key, value]) => key === 'service.name' && value !== '')?.[1] ?? 'unknown_service';
}

function levelOf(severity: number, text: string): string {
  if (severity > 0)
    return ['trace', 'debug', 'info', 'warn', 'error', 'fatal'][Math.floor((severity - 1) / 4)]!;
  const known: Record<string, string> = {
    INFO: 'info',
    warning: 'warn',
    Error: 'error',
    DEBUG2: 'debug',
    critical: 'fatal',
  };
  return known[text] ?? 'unknown';
}

export function naiveLogRows(bytes: Uint8Array, task: NaiveTask): Row[] {
  const rows: Row[] = [];
  for (const group of decodeLogsRequest(bytes).resourceLogs) {
    const labels = naivePairs(group.resource?.attributes);
    for (const { scope, logRecords } of group.scopeLogs) {
      for (const record of logRecords as Decoded[]) {
        const now = BigInt(task.nowUnixMs) * nanosPerMs;
        const observed = BigInt(record.observedTimeUnixNano ?? 0) || now;
        const ts = BigInt(record.timeUnixNano ?? 0) || observed;
        if (!isKept(ts, task)) continue;
        const severity = (record.severityNumber ?? 0) > 24 ? 0 : (record.severityNumber ?? 0);
        const event: [string, string][] = record.eventName ? [['event.name', record.eventName]] : [];
        const sent = [...event, ...naivePairs(record.attributes)];
        const body = naiveText(record.body);
        rows.push({
          tenant: task.tenant,
          ts: timeText(ts),
          observed_ts: timeText(observed),
          service: serviceOf(labels),
          stream_id: naiveId(labels),
          severity,
          level: levelOf(severity, record.severityText ?? ''),
          severity_text: record.severityText ?? '',
          trace_id: idText(record.traceId, 16),
          span_id: idText(record.spanId, 8),
          flags: (record.flags ?? 0) % 256,
          scope_name: scope?.name ?? '',
          scope_version: scope?.version ?? '',
          labels,
          attrs: [...sent, ...naiveBodyFields(body, task.promotedFields ?? [], sent)],
          body,
        });
      }
    }
  }
  return rows;
}

export function naiveSpanRows(bytes: Uint8Array, task: NaiveTask): { spans: Row[]; traceIndex: Row[] } {
  const spans: Row[] = [];
  const traces = new Map<string, { first: number; last: number }>();
  for (const group of decodeTraceRequest(bytes).resourceSpans) {
    const labels = naivePairs(group.resource?.attributes);
    for (const { scope, spans: records } of group.scopeSpans) {
      for (const span of records as Decoded[]) {
        const traceId = hex(span.traceId);
        const spanId = hex(span.spanId);
        const parentId = hex(span.parentSpanId);
        if (traceId.length !== 32 || /^0+$/.test(traceId) || spanId.length !== 16 || /^0+$/.test(spanId))
          continue;
        if (parentId !== '' && parentId.length !== 16) continue;
        const end = BigInt(span.endTimeUnixNano ?? 0);
        const start = BigInt(span.startTimeUnixNano ?? 0) || end || BigInt(task.nowUnixMs) * nanosPerMs;
        if (!isKept(start, task)) continue;
        const first = Number(start / 1_000_000_000n);
        const last = end >= start ? Math.min(0xffffffff, Number(end / 1_000_000_000n)) : first;
        const seen = traces.get(traceId) ?? { first, last };
        traces.set(traceId, { first: Math.min(first, seen.first), last: Math.max(last, seen.last) });
        spans.push({
          tenant: task.tenant,
          ts: timeText(start),
          trace_id: traceId,
          span_id: spanId,
          parent_id: parentId || '00'.repeat(8),
          trace_state: span.traceState ?? '',
          service: serviceOf(labels),
          name: span.name ?? '',
          kind: span.kind ?? 0,
          duration_ns: (end >= start ? end - start : 0n).toString(),
          status: span.status?.code ?? 0,
          status_message: span.status?.message ?? '',
          scope_name: scope?.name ?? '',
          scope_version: scope?.version ?? '',
          labels,
          attrs: naivePairs(span.attributes),
          event_ts: span.events.map((event: Decoded) => timeText(BigInt(event.timeUnixNano ?? 0))),
          event_name: span.events.map((event: Decoded) => event.name ?? ''),
          event_attrs: span.events.map((event: Decoded) => naivePairs(event.attributes)),
          link_trace_id: span.links.map((link: Decoded) => idText(link.traceId, 16)),
          link_span_id: span.links.map((link: Decoded) => idText(link.spanId, 8)),
          link_trace_state: span.links.map((link: Decoded) => link.traceState ?? ''),
          link_attrs: span.links.map((link: Decoded) => naivePairs(link.attributes)),
        });
      }
    }
  }
  const traceIndex = [...traces].map(([trace_id, { first, last }]) => ({
    tenant: task.tenant,
    trace_id,
    t_min: first,
    t_max: last,
  }));
  return { spans, traceIndex };
}
