/** The small protobuf bodies that OTLP answers with: export responses and `google.rpc.Status`. */

const textEncoder = new TextEncoder();

/**
 * Export{Logs,Trace,Metrics}ServiceResponse => partial_success:1 { rejected:1 varint, error_message:2 string }.
 * Full success is the empty message (OTLP 1.5, "Full Success").
 */
export function encodeExportResponse(rejected: number, message: string): Uint8Array {
  if (rejected === 0 && message === '') return new Uint8Array(0);
  const text = textEncoder.encode(message);
  const partial = [
    ...(rejected === 0 ? [] : [0x08, ...varint(rejected)]),
    ...(text.length === 0 ? [] : [0x12, ...varint(text.length)]),
  ];
  const head = [0x0a, ...varint(partial.length + text.length), ...partial];
  const reply = new Uint8Array(head.length + text.length);
  reply.set(head);
  reply.set(text, head.length);
  return reply;
}

/** google.rpc.Status => code:1 varint, message:2 string. */
export function encodeStatus(code: number, message: string): Uint8Array {
  const text = textEncoder.encode(message);
  const head = [...(code === 0 ? [] : [0x08, ...varint(code)]), 0x12, ...varint(text.length)];
  const reply = new Uint8Array(head.length + text.length);
  reply.set(head);
  reply.set(text, head.length);
  return reply;
}

/** google.rpc.Code for an HTTP status, as OTLP maps them. */
export function grpcCode(httpStatus: number): number {
  if (httpStatus === 429) return 8; // RESOURCE_EXHAUSTED
  if (httpStatus === 503) return 14; // UNAVAILABLE
  if (httpStatus === 413) return 8;
  if (httpStatus >= 500) return 13; // INTERNAL
  return 3; // INVALID_ARGUMENT
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}
