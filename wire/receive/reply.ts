/** The small protobuf bodies that OTLP answers with: export responses and `google.rpc.Status`. */
import { ByteWriter } from '../protobuf/byte-writer.ts';
import { beginMessage, endMessage, writeTextField, writeVarintField } from '../protobuf/message-writer.ts';

/**
 * Export{Logs,Trace,Metrics}ServiceResponse => partial_success:1 { rejected:1 varint, error_message:2 string }.
 * Full success is the empty message (OTLP 1.5, "Full Success").
 */
export function encodeExportResponse(rejected: number, message: string): Uint8Array {
  if (rejected === 0 && message === '') return new Uint8Array(0);
  const writer = new ByteWriter(message.length + 64);
  const partial = beginMessage(writer, 1);
  if (rejected !== 0) writeVarintField(writer, 1, rejected);
  if (message !== '') writeTextField(writer, 2, message);
  endMessage(writer, partial);
  return writer.written();
}

/** google.rpc.Status => code:1 varint, message:2 string. */
export function encodeStatus(code: number, message: string): Uint8Array {
  const writer = new ByteWriter(message.length + 64);
  if (code !== 0) writeVarintField(writer, 1, code);
  writeTextField(writer, 2, message);
  return writer.written();
}

/** google.rpc.Code for an HTTP status, as OTLP maps them. */
export function grpcCode(httpStatus: number): number {
  if (httpStatus === 429) return 8; // RESOURCE_EXHAUSTED
  if (httpStatus === 503) return 14; // UNAVAILABLE
  if (httpStatus === 413) return 8;
  if (httpStatus >= 500) return 13; // INTERNAL
  return 3; // INVALID_ARGUMENT
}
