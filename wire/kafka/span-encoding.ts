/**
 * Tells the span encodings of the Collector's Kafka exporter that begin like OTLP from it, so that none is taken for a
 * request with fields that nobody knows.
 *
 *   OTLP          => resource_spans:ResourceSpans* (1)   ResourceSpans => resource (1) scope_spans* (2) schema_url (3)
 *   jaeger_proto  => trace_id:16 bytes (1) span_id:8 bytes (2) operation_name (3) ...     one span, model.proto
 *   zipkin_proto  => spans:Span* (1)   Span => trace_id:8 or 16 bytes (1) parent_id (2) id:8 bytes (3) kind (4) name (5) timestamp (6) ...
 */
import { DecodeError } from '#model/errors.ts';
import { ProtobufReader, wireBytes } from '../protobuf/protobuf-reader.ts';

/** The highest field of ResourceSpans that is below zipkin's own, and the deprecated one far above them. */
const resourceSpansFieldMax = 3;
const resourceSpansFieldDeprecated = 1000;

/** Returns the encoding's name in the Collector, or undefined where the bytes may be OTLP. */
export function spanEncoding(bytes: Uint8Array): 'jaeger_proto' | 'zipkin_proto' | undefined {
  const reader = new ProtobufReader();
  reader.begin(bytes);
  try {
    reader.readTag();
    const outer = reader.enter();
    const { position, limit } = reader;
    reader.leave(outer);
    // OTLP's requests have no field 2.
    if (limit - position === 16 && isBytesField(reader, 2, [8])) return 'jaeger_proto';
    reader.seek(position, limit);
    return isZipkinSpan(reader) ? 'zipkin_proto' : undefined;
  } catch (error) {
    // Whoever transcodes it says what is wrong with it.
    if (!(error instanceof DecodeError)) throw error;
    return undefined;
  }
}

function isZipkinSpan(reader: ProtobufReader): boolean {
  if (!isBytesField(reader, 1, [8, 16])) return false;
  while (reader.position < reader.limit) {
    const field = reader.readTag() >>> 3;
    if (field > resourceSpansFieldMax) return field !== resourceSpansFieldDeprecated;
    reader.skip();
  }
  return false;
}

/** Steps over the next field, and says whether it is that one, with one of these lengths. */
function isBytesField(reader: ProtobufReader, field: number, lengths: readonly number[]): boolean {
  if (reader.position >= reader.limit) return false;
  const tag = reader.readTag();
  if (tag !== ((field << 3) | wireBytes)) return false;
  const start = reader.passBytes();
  return lengths.includes(reader.position - start);
}
