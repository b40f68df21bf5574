/**
 * A trace as OTLP protobuf (opentelemetry/proto/trace/v1/trace.proto). The bytes are a TracesData message, which is
 * also Tempo's Trace: field 1, repeated ResourceSpans.
 */
import { ProtobufWriter } from '../protobuf/protobuf-writer.ts';
import { groupByResource, type ScopeSpans } from './resource-spans.ts';
import type { Attributes, Span, SpanEvent, SpanLink, Trace } from './trace.ts';

/** Returns TracesData { repeated ResourceSpans resource_spans = 1 }. */
export function encodeTracesData(trace: Trace): Uint8Array {
  const out = new ProtobufWriter();
  for (const resource of groupByResource(trace)) {
    // ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2 }
    out.message(1, (resourceSpans) => {
      resourceSpans.message(1, (inner) => writeAttributes(inner, 1, resource.attributes));
      for (const scope of resource.scopes) {
        resourceSpans.message(2, (inner) => writeScopeSpans(inner, scope, trace.traceId));
      }
    });
  }
  return out.finish();
}

/** Returns Tempo's TraceByIDResponse { Trace trace = 1; ...; PartialStatus status = 3 (0: complete) }. */
export function encodeTraceByIdResponse(trace: Trace): Uint8Array {
  return new ProtobufWriter().bytes(1, encodeTracesData(trace)).finish();
}

// ScopeSpans { InstrumentationScope scope = 1 { name = 1; version = 2 }; repeated Span spans = 2 }
function writeScopeSpans(out: ProtobufWriter, scope: ScopeSpans, traceId: string): void {
  out.message(1, (inner) => inner.text(1, scope.name).text(2, scope.version));
  for (const span of scope.spans) out.message(2, (inner) => writeSpan(inner, span, traceId));
}

// Span { trace_id = 1; span_id = 2; trace_state = 3; parent_span_id = 4; name = 5; kind = 6; start = 7; end = 8;
//        attributes = 9; events = 11; links = 13; status = 15 { message = 2; code = 3 } }
function writeSpan(out: ProtobufWriter, span: Span, traceId: string): void {
  out.hex(1, traceId).hex(2, span.spanId).text(3, span.traceState).hex(4, span.parentSpanId);
  out.text(5, span.name).varint(6, span.kind).fixed64(7, span.startUnixNano).fixed64(8, span.endUnixNano);
  writeAttributes(out, 9, span.attributes);
  for (const event of span.events) out.message(11, (inner) => writeEvent(inner, event));
  for (const link of span.links) out.message(13, (inner) => writeLink(inner, link));
  out.message(15, (inner) => inner.text(2, span.statusMessage).varint(3, span.status));
}

// Event { time_unix_nano = 1; name = 2; attributes = 3 }
function writeEvent(out: ProtobufWriter, event: SpanEvent): void {
  writeAttributes(out.fixed64(1, event.timeUnixNano).text(2, event.name), 3, event.attributes);
}

// Link { trace_id = 1; span_id = 2; trace_state = 3; attributes = 4 }
function writeLink(out: ProtobufWriter, link: SpanLink): void {
  writeAttributes(out.hex(1, link.traceId).hex(2, link.spanId).text(3, link.traceState), 4, link.attributes);
}

// KeyValue { key = 1; AnyValue value = 2 { string_value = 1 } }
function writeAttributes(out: ProtobufWriter, field: number, attributes: Attributes): void {
  for (const [key, value] of attributes) {
    out.message(field, (pair) =>
      // A oneof is written even where it is empty: an empty string is a value, no field is none.
      pair.text(1, key).message(2, (any) => any.bytes(1, Buffer.from(value, 'utf8'))),
    );
  }
}
