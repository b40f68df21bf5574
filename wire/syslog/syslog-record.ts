/**
 * Writes a parsed syslog message as an OTLP LogRecord, and what it says of its sender as OTLP Resource attributes.
 *
 *   '<34>1 ... mymachine su 77 ID47 - failed'
 *     ->  resource host.name=mymachine service.name=su; severity 18 'crit', facility=4, proc_id=77, msg_id=ID47, 'failed'
 *
 * Names and severities are those of the OpenTelemetry Collector's syslog receiver; host.name and service.name those of
 * the log data model's appendix A (RFC 5424 Syslog).
 *
 *   LogRecord => 1:time:fixed64 2:severity_number 3:severity_text 5:body 6:attributes 11:observed_time:fixed64
 */
import {
  type ByteWriter,
  varintBytes,
  varintBytesMax,
  writeVarint,
  writeWords,
} from '../protobuf/byte-writer.ts';
import { beginMessage, endMessage } from '../protobuf/message-writer.ts';
import type { UnixNano } from '../unix-nano.ts';
import { writeStructuredData } from './structured-data.ts';
import type { ByteSpan, SyslogMessage } from './syslog-message.ts';

const scopeLogsRecords = 2;
const recordAttributes = 6;
const resourceAttributes = 1;

/** By syslog severity: OTLP's number, and the word. */
const severities = [
  [21, 'emerg'],
  [19, 'alert'],
  [18, 'crit'],
  [17, 'err'],
  [13, 'warning'],
  [10, 'notice'],
  [9, 'info'],
  [5, 'debug'],
] as const;
// severity_number:2 severity_text:3, as they are sent.
const severityFields = severities.map(([number, word]) =>
  Buffer.concat([Buffer.from([0x10, number, 0x1a, word.length]), Buffer.from(word)]),
);
const facilityFields = Array.from({ length: 24 }, (_, facility) => facilityField(facility));

const keyHost = Buffer.from('host.name');
const keyService = Buffer.from('service.name');
const keyProcess = Buffer.from('proc_id');
const keyMessage = Buffer.from('msg_id');
const keyProblem = Buffer.from('syslog.problem');
const problems: Readonly<Record<string, Buffer>> = Object.fromEntries(
  ['no_priority', 'no_time', 'header', 'structured_data'].map((name) => [name, Buffer.from(name)]),
);

/** Appends the record as a field of ScopeLogs. Returns how many parameters of structured data were left out. */
export function writeSyslogRecord(
  writer: ByteWriter,
  bytes: Buffer,
  message: SyslogMessage,
  observed: UnixNano,
): number {
  const record = beginMessage(writer, scopeLogsRecords);
  const { time, body } = message;
  writer.reserve(64 + body.to - body.from);
  if (time.low !== 0 || time.high !== 0) {
    writer.bytes[writer.position++] = 0x09;
    writeWords(writer, time.low, time.high);
  }
  if (message.severity >= 0) append(writer, severityFields[message.severity]!);
  const bodyBytes = body.to - body.from;
  writer.bytes[writer.position++] = 0x2a;
  writeVarint(writer, 1 + varintBytes(bodyBytes) + bodyBytes);
  writer.bytes[writer.position++] = 0x0a;
  writeVarint(writer, bodyBytes);
  writer.position += bytes.copy(writer.bytes, writer.position, body.from, body.to);
  if (message.facility >= 0) append(writer, facilityFields[message.facility]!);
  writeSpan(writer, recordAttributes, keyProcess, bytes, message.processId);
  writeSpan(writer, recordAttributes, keyMessage, bytes, message.messageId);
  const { structuredData, problem } = message;
  const left =
    structuredData.to > structuredData.from ? writeStructuredData(writer, bytes, structuredData) : 0;
  if (problem !== '') writeText(writer, recordAttributes, keyProblem, problems[problem]!);
  writer.reserve(16);
  writer.bytes[writer.position++] = 0x59;
  writeWords(writer, observed.low, observed.high);
  endMessage(writer, record);
  return left;
}

/**
 * Appends the Resource's attributes. `peer` is the sender's address, which stands for a host name that is missing (RFC
 * 3164 4.3.2 has relays do so).
 */
export function writeSyslogResource(
  writer: ByteWriter,
  bytes: Buffer,
  { host, app }: SyslogMessage,
  peer: Buffer,
): void {
  if (host.to > host.from) writeSpan(writer, resourceAttributes, keyHost, bytes, host);
  else if (peer.length > 0) writeText(writer, resourceAttributes, keyHost, peer);
  writeSpan(writer, resourceAttributes, keyService, bytes, app);
}

function append(writer: ByteWriter, field: Buffer): void {
  writer.reserve(field.length);
  writer.position += field.copy(writer.bytes, writer.position);
}

function writeSpan(
  writer: ByteWriter,
  field: number,
  key: Buffer,
  bytes: Buffer,
  { from, to }: ByteSpan,
): void {
  if (to === from) return;
  writeHead(writer, field, key, to - from);
  writer.position += bytes.copy(writer.bytes, writer.position, from, to);
}

function writeText(writer: ByteWriter, field: number, key: Buffer, text: Buffer): void {
  writeHead(writer, field, key, text.length);
  writer.position += text.copy(writer.bytes, writer.position);
}

// KeyValue => 1:key:string 2:value:AnyValue   AnyValue => 1:string
function writeHead(writer: ByteWriter, field: number, key: Buffer, textBytes: number): void {
  const valueBytes = 1 + varintBytes(textBytes) + textBytes;
  writer.reserve(key.length + textBytes + 5 * varintBytesMax);
  writer.bytes[writer.position++] = (field << 3) | 2;
  writeVarint(writer, 2 + key.length + 1 + varintBytes(valueBytes) + valueBytes);
  writer.bytes[writer.position++] = 0x0a;
  writer.bytes[writer.position++] = key.length;
  writer.position += key.copy(writer.bytes, writer.position);
  writer.bytes[writer.position++] = 0x12;
  writeVarint(writer, valueBytes);
  writer.bytes[writer.position++] = 0x0a;
  writeVarint(writer, textBytes);
}

/** The attribute facility of a record, as it is sent: AnyValue => 3:int64. */
function facilityField(facility: number): Buffer {
  const key = Buffer.from('facility');
  const keyValue = Buffer.concat([
    Buffer.from([0x0a, key.length]),
    key,
    Buffer.from([0x12, 2, 0x18, facility]),
  ]);
  return Buffer.concat([Buffer.from([(recordAttributes << 3) | 2, keyValue.length]), keyValue]);
}
