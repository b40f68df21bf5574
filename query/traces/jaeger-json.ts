/**
 * A trace as Jaeger's query API (v1 JSON) writes it, mapped from OTLP as OpenTelemetry's "OTel to Jaeger
 * transformation" says: kind, status, scope and trace state become tags; events become logs; links become references.
 * Times are whole microseconds.
 */
import { resourceIdentity } from './resource-spans.ts';
import type { Attributes, Span, SpanEvent, Trace } from './trace.ts';

interface JaegerTag {
  readonly key: string;
  readonly type: 'string' | 'bool';
  readonly value: string | boolean;
}

const kindTags = [undefined, 'internal', 'server', 'client', 'producer', 'consumer'];
const statusOk = 1;
const statusError = 2;

/** Returns one element of the reply's `data`. */
export function renderJaegerTrace(trace: Trace): object {
  const traceID = jaegerTraceId(trace.traceId);
  const processIds = new Map<string, string>();
  const processes: Record<string, object> = {};
  const spans = trace.spans.map((span) => {
    const identity = resourceIdentity(span);
    let processID = processIds.get(identity);
    if (processID === undefined) {
      processID = `p${processIds.size + 1}`;
      processIds.set(identity, processID);
      const attributes = span.resource.filter(([name]) => name !== 'service.name');
      processes[processID] = { serviceName: span.service, tags: attributes.map(textTag) };
    }
    return renderSpan(span, traceID, processID);
  });
  return { traceID, spans, processes, warnings: null };
}

function renderSpan(span: Span, traceID: string, processID: string): object {
  const startTime = microseconds(span.startUnixNano);
  const parent = { refType: 'CHILD_OF', traceID, spanID: span.parentSpanId };
  const links = span.links.map((link) => ({
    refType: 'FOLLOWS_FROM',
    traceID: jaegerTraceId(link.traceId),
    spanID: link.spanId,
  }));
  return {
    traceID,
    spanID: span.spanId,
    flags: 1,
    operationName: span.name,
    references: span.parentSpanId === '' ? links : [parent, ...links],
    startTime,
    // Of the duration, not the difference of two rounded times.
    duration: microseconds(String(BigInt(span.endUnixNano) - BigInt(span.startUnixNano))),
    tags: spanTags(span),
    logs: span.events.map(renderEvent),
    processID,
    warnings: null,
  };
}

function spanTags(span: Span): JaegerTag[] {
  const derived: [string, string][] = [
    ['otel.scope.name', span.scopeName],
    ['otel.scope.version', span.scopeVersion],
    ['span.kind', kindTags[span.kind] ?? ''],
    ['otel.status_code', span.status === statusOk ? 'OK' : span.status === statusError ? 'ERROR' : ''],
    ['otel.status_description', span.statusMessage],
    ['w3c.tracestate', span.traceState],
  ];
  const tags = [...span.attributes, ...derived.filter(([, value]) => value !== '')].map(textTag);
  const isMarked = span.attributes.some(([name]) => name === 'error');
  if (span.status === statusError && !isMarked) tags.push({ key: 'error', type: 'bool', value: true });
  return tags;
}

function renderEvent(event: SpanEvent): object {
  const named: Attributes = event.name === '' ? [] : [['event', event.name]];
  return {
    timestamp: microseconds(event.timeUnixNano),
    fields: [...named, ...event.attributes].map(textTag),
  };
}

function textTag([key, value]: readonly [string, string]): JaegerTag {
  return { key, type: 'string', value };
}

/** Jaeger writes ids of 64 bits with 16 digits. */
function jaegerTraceId(traceId: string): string {
  return traceId.startsWith('0000000000000000') ? traceId.slice(16) : traceId;
}

function microseconds(nanoseconds: string): number {
  return Number(BigInt(nanoseconds) / 1000n);
}
