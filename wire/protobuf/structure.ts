/**
 * A cheap walk over the messages of a request that says whether they can be decoded, without decoding any value. It
 * stands at the door of every station that forwards bytes: what a later station could not read is refused here, while
 * the sender still waits for an answer.
 */
import { DecodeError } from '#model/errors.ts';
import type { Signal } from '../envelope.ts';
import { ProtobufReader, wireBytes } from './protobuf-reader.ts';

/** Field number -> the message in that field. Other fields are stepped over. */
interface MessageShape {
  readonly [field: number]: MessageShape;
}

/** OTLP AnyValue nests in itself (arrays and maps): deeper than this is refused, as it could exhaust the stack. */
export const messageDepthMax = 100;

const leaf: MessageShape = {};
const anyValue: Record<number, MessageShape> = {};
const keyValue: MessageShape = { 2: anyValue };
anyValue[5] = { 1: anyValue };
anyValue[6] = { 1: keyValue };
const resource: MessageShape = { 1: keyValue };
const scope: MessageShape = { 3: keyValue };
const exemplar: MessageShape = { 7: keyValue };

/** Prometheus's: its spans are messages. */
const nativeHistogram: MessageShape = { 8: leaf, 11: leaf };

const scopeLogs: MessageShape = { 1: scope, 2: { 5: anyValue, 6: keyValue } };
const span: MessageShape = { 9: keyValue, 11: { 3: keyValue }, 13: { 4: keyValue }, 15: leaf };
const metric: MessageShape = {
  5: { 1: { 7: keyValue, 5: exemplar } },
  7: { 1: { 7: keyValue, 5: exemplar } },
  9: { 1: { 9: keyValue, 8: exemplar } },
  10: { 1: { 1: keyValue, 8: leaf, 9: leaf, 11: exemplar } },
  11: { 1: { 7: keyValue, 6: leaf } },
  12: keyValue,
};

const shapes: Readonly<Record<Signal, MessageShape>> = {
  logs: { 1: { 1: resource, 2: scopeLogs } },
  traces: { 1: { 1: resource, 2: { 1: scope, 2: span } } },
  metrics: { 1: { 1: resource, 2: { 1: scope, 2: metric } } },
  // Remote write 1.0 has series in field 1 and metadata in 3; 2.0 has series in field 5.
  remote_write: {
    1: { 1: leaf, 2: leaf, 3: { 1: leaf }, 4: nativeHistogram },
    3: leaf,
    5: { 2: leaf, 3: nativeHistogram, 4: leaf, 5: leaf },
  },
};

/** Throws DecodeError with the byte position where the bytes are not such a request. */
export function checkStructure(signal: Signal, bytes: Uint8Array): void {
  const reader = new ProtobufReader();
  reader.begin(bytes);
  walk(reader, shapes[signal], 0);
}

/** Fields that exist in the two outer messages of OTLP; 1000 is a deprecated one. */
const requestFields: ReadonlySet<number> = new Set([1]);
const resourceFields: ReadonlySet<number> = new Set([1, 2, 3, 1000]);

/**
 * Throws DecodeError where the bytes are not such a request, or have a field in its outer messages that OTLP does not:
 * for bytes of which nobody has said what they are. Remote write is looked at as by checkStructure.
 */
export function checkRequest(signal: Signal, bytes: Uint8Array): void {
  checkStructure(signal, bytes);
  if (signal === 'remote_write') return;
  const reader = new ProtobufReader();
  reader.begin(bytes);
  while (reader.position < reader.limit) {
    expectField(reader, requestFields);
    const outer = reader.enter();
    while (reader.position < reader.limit) {
      expectField(reader, resourceFields);
      reader.skip();
    }
    reader.leave(outer);
  }
}

/** Passes the tag of the next field, which must be a message or text. */
function expectField(reader: ProtobufReader, fields: ReadonlySet<number>): void {
  const { position } = reader;
  const tag = reader.readTag();
  if (fields.has(tag >>> 3) && (tag & 7) === wireBytes) return;
  throw new DecodeError(`OTLP has no field ${tag >>> 3} of wire type ${tag & 7} here`, position);
}

function walk(reader: ProtobufReader, shape: MessageShape, depth: number): void {
  if (depth > messageDepthMax) {
    throw new DecodeError(`messages are nested deeper than ${messageDepthMax}`, reader.position);
  }
  while (reader.position < reader.limit) {
    const tag = reader.readTag();
    const nested = (tag & 7) === wireBytes ? shape[tag >>> 3] : undefined;
    if (nested === undefined) {
      reader.skip();
      continue;
    }
    const outer = reader.enter();
    walk(reader, nested, depth + 1);
    reader.leave(outer);
  }
}
