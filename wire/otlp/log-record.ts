/**
 * Writes one OTLP LogRecord, as a field of ScopeLogs, straight into a byte writer.
 *
 * The record's length is computed before it is written, so that nothing is moved afterwards.
 */
import {
  type ByteSource,
  type ByteWriter,
  copyBytes,
  varintBytes,
  writeVarint,
} from '../protobuf/byte-writer.ts';

/** What a record is made of. Callers reuse one object for all records: the writer keeps no reference to it. */
export interface LogRecordFields {
  /** Unix time in ns as two 32-bit halves, signed or not; both 0 means that the time is not known. */
  timeLow: number;
  timeHigh: number;
  /** The body is body.bytes[bodyFrom, bodyTo) and must be UTF-8: protobuf strings are. */
  body: ByteSource;
  bodyFrom: number;
  bodyTo: number;
  /** Encoded KeyValue fields with number 6 (encodeKeyValues), with copySlackBytes behind them. */
  attributes: ByteSource;
  attributesBytes: number;
  /** OTLP's number, 1 to 24; 0 means that it is not known, and neither number nor text are written. */
  severityNumber: number;
  /** severityText.bytes[0, severityTextBytes), UTF-8 with copySlackBytes behind it; at most severityTextBytesMax. */
  severityText: ByteSource;
  severityTextBytes: number;
}

/** Names of levels are short. */
export const severityTextBytesMax = 32;

/** The field number of LogRecord.attributes. */
export const logAttributesField = 6;

// ScopeLogs.log_records => 2:LogRecord
// LogRecord => 1:time_unix_nano:fixed64 2:severity_number:varint 3:severity_text:string 5:body:AnyValue 6:attributes:KeyValue*   AnyValue => 1:string
const recordTag = 0x12;
const timeTag = 0x09;
const severityNumberTag = 0x10;
const severityTextTag = 0x1a;
const bodyTag = 0x2a;
const stringTag = 0x0a;
/** Tags, lengths, time and severity: the most that a record takes beside its body and attributes. */
const frameBytesMax = 48 + 4 + severityTextBytesMax;

/** Appends one record. A record without a time has no time field: the receiver then puts its arrival time. */
export function writeLogRecord(writer: ByteWriter, record: LogRecordFields): void {
  const bodyBytes = record.bodyTo - record.bodyFrom;
  writer.reserve(bodyBytes + record.attributesBytes + frameBytesMax);
  const hasTime = record.timeLow !== 0 || record.timeHigh !== 0;
  const anyValueBytes = 1 + varintBytes(bodyBytes) + bodyBytes;
  const severityBytes = record.severityNumber === 0 ? 0 : 4 + record.severityTextBytes;
  const length =
    (hasTime ? 9 : 0) +
    severityBytes +
    1 +
    varintBytes(anyValueBytes) +
    anyValueBytes +
    record.attributesBytes;
  writer.bytes[writer.position++] = recordTag;
  writeVarint(writer, length);
  if (hasTime) {
    writer.bytes[writer.position] = timeTag;
    writer.view.setUint32(writer.position + 1, record.timeLow, true);
    writer.view.setUint32(writer.position + 5, record.timeHigh, true);
    writer.position += 9;
  }
  if (severityBytes !== 0) writeSeverity(writer, record);
  writer.bytes[writer.position++] = bodyTag;
  writeVarint(writer, anyValueBytes);
  writer.bytes[writer.position++] = stringTag;
  writeVarint(writer, bodyBytes);
  copyBytes(writer, record.body, record.bodyFrom, record.bodyTo);
  copyBytes(writer, record.attributes, 0, record.attributesBytes);
}

/** Apart from writeLogRecord, which V8 inlines without it. */
function writeSeverity(writer: ByteWriter, record: LogRecordFields): void {
  writer.bytes[writer.position++] = severityNumberTag;
  writer.bytes[writer.position++] = record.severityNumber;
  writer.bytes[writer.position++] = severityTextTag;
  writer.bytes[writer.position++] = record.severityTextBytes;
  copyBytes(writer, record.severityText, 0, record.severityTextBytes);
}
