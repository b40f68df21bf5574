/**
 * What a gRPC sender is told with a refusal that it may repeat: `grpc-status-details-bin` with a google.rpc.RetryInfo.
 * OTLP senders repeat RESOURCE_EXHAUSTED only with it, and take its delay for UNAVAILABLE too (OTLP 1.x, "Failures").
 *
 *   Status => code:1 message:2 details:3 Any*     Any => type_url:1 value:2
 *   RetryInfo => retry_delay:1 Duration           Duration => seconds:1 nanos:2
 */
import { ByteWriter } from '../protobuf/byte-writer.ts';
import { beginMessage, endMessage, writeTextField, writeVarintField } from '../protobuf/message-writer.ts';

export const statusDetailsKey = 'grpc-status-details-bin';

const typeUrl = 'type.googleapis.com/google.rpc.RetryInfo';

/** Returns a google.rpc.Status with the delay, in milliseconds, as its one detail. */
export function encodeRetryStatus(code: number, message: string, retryAfterMs: number): Buffer {
  const writer = new ByteWriter(256);
  writeVarintField(writer, 1, code);
  writeTextField(writer, 2, message);
  const any = beginMessage(writer, 3);
  writeTextField(writer, 1, typeUrl);
  const retryInfo = beginMessage(writer, 2);
  const duration = beginMessage(writer, 1);
  writeVarintField(writer, 1, Math.floor(retryAfterMs / 1000));
  writeVarintField(writer, 2, Math.floor(retryAfterMs % 1000) * 1_000_000);
  endMessage(writer, duration);
  endMessage(writer, retryInfo);
  endMessage(writer, any);
  return Buffer.from(writer.written());
}
