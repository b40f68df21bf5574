/**
 * A trace as Tempo's HTTP API writes it: OTLP in protobuf's own JSON mapping. That is not OTLP/JSON: ids are base64
 * (not hexadecimal) and enums are names (not numbers), and zero values are left out. Clients of Tempo decode this form.
 */
import { groupByResource } from './resource-spans.ts';
import type { Attributes, Span, Trace } from './trace.ts';

const kindNames = [
  undefined,
  'SPAN_KIND_INTERNAL',
  'SPAN_KIND_SERVER',
  'SPAN_KIND_CLIENT',
  'SPAN_KIND_PRODUCER',
  'SPAN_KIND_CONSUMER',
];
const statusNames = [undefined, 'STATUS_CODE_OK', 'STATUS_CODE_ERROR'];

/** Returns the ResourceSpans of a trace, for `batches` (API v1) or `trace.resourceSpans` (API v2). */
export function renderTempoResourceSpans(trace: Trace): object[] {
  const traceId = base64Id(trace.traceId);
  return groupByResource(trace).map((resource) => ({
    resource: withAttributes({}, resource.attributes),
    scopeSpans: resource.scopes.map((scope) => ({
      scope: withText({}, { name: scope.name, version: scope.version }),
      spans: scope.spans.map((span) => renderSpan(span, traceId)),
    })),
  }));
}

function renderSpan(span: Span, traceId: string): object {
  const out: Record<string, unknown> = { traceId, spanId: base64Id(span.spanId) };
  withText(out, {
    traceState: span.traceState,
    parentSpanId: base64Id(span.parentSpanId),
    name: span.name,
    kind: kindNames[span.kind] ?? '',
  });
  out.startTimeUnixNano = span.startUnixNano;
  out.endTimeUnixNano = span.endUnixNano;
  withAttributes(out, span.attributes);
  if (span.events.length > 0) {
    out.events = span.events.map((event) =>
      withAttributes({ timeUnixNano: event.timeUnixNano, name: event.name }, event.attributes),
    );
  }
  if (span.links.length > 0) {
    out.links = span.links.map((link) => {
      const ids = { traceId: base64Id(link.traceId), spanId: base64Id(link.spanId) };
      return withAttributes(withText(ids, { traceState: link.traceState }), link.attributes);
    });
  }
  out.status = withText({}, { code: statusNames[span.status] ?? '', message: span.statusMessage });
  return out;
}

function withText(out: Record<string, unknown>, fields: Readonly<Record<string, string>>) {
  for (const [name, text] of Object.entries(fields)) if (text !== '') out[name] = text;
  return out;
}

function withAttributes(out: Record<string, unknown>, attributes: Attributes) {
  if (attributes.length > 0) {
    out.attributes = attributes.map(([key, value]) => ({ key, value: { stringValue: value } }));
  }
  return out;
}

function base64Id(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64');
}
