/**
 * A log line that came by itself, as the OpenTelemetry Collector's `raw` encoding writes it: the request with one record.
 * A JSON string is its text (`raw` writes bodies of text so); bytes that are no UTF-8 stay bytes.
 */
import { isUtf8 } from 'node:buffer';
import { ByteWriter } from '../protobuf/byte-writer.ts';
import {
  beginMessage,
  endMessage,
  writeBytesField,
  writeFixed64Field,
  writeTextField,
} from '../protobuf/message-writer.ts';

// ExportLogsServiceRequest => 1:ResourceLogs   ResourceLogs => 2:ScopeLogs   ScopeLogs => 2:LogRecord
// LogRecord => 1:time_unix_nano 11:observed_time_unix_nano 5:body:AnyValue   AnyValue => 1:string | 7:bytes
const bytesValueField = 7;
const frameBytes = 64;

/** Returns an OTLP logs request that owns its memory. `timestampMs` is the message's own, so that a repeat has the same; without it (0, -1) the record has no time. */
export function encodeTextLog(bytes: Uint8Array, timestampMs: number): Uint8Array {
  const writer = new ByteWriter(bytes.length + frameBytes);
  const resourceLogs = beginMessage(writer, 1);
  const scopeLogs = beginMessage(writer, 2);
  const record = beginMessage(writer, 2);
  if (timestampMs > 0) {
    const nano = BigInt(timestampMs) * 1_000_000n;
    const [low, high] = [Number(nano & 0xffff_ffffn), Number(nano >> 32n)];
    writeFixed64Field(writer, 1, low, high);
    writeFixed64Field(writer, 11, low, high);
  }
  const body = beginMessage(writer, 5);
  const text = jsonText(bytes);
  if (text !== undefined) writeTextField(writer, 1, text);
  else writeBytesField(writer, isUtf8(bytes) ? 1 : bytesValueField, bytes);
  endMessage(writer, body);
  endMessage(writer, record);
  endMessage(writer, scopeLogs);
  endMessage(writer, resourceLogs);
  return new Uint8Array(writer.written());
}

function jsonText(bytes: Uint8Array): string | undefined {
  const isQuoted = bytes.length >= 2 && bytes[0] === 0x22 && bytes.at(-1) === 0x22;
  if (!isQuoted) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString());
    return typeof value === 'string' ? value : undefined;
  } catch (error) {
    // A line that merely begins and ends with a quotation mark.
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
