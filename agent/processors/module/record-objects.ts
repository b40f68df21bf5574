/**
 * The agent's own OTLP logs request <-> records as objects: for modules only, everything else works on the bytes.
 *
 *   ExportLogsServiceRequest => 1:ResourceLogs*   ResourceLogs => 1:Resource 2:ScopeLogs*   ScopeLogs => 2:LogRecord*
 *   LogRecord => 1:time_unix_nano:fixed64 2:severity_number 3:severity_text 5:body:AnyValue 6:attributes:KeyValue*
 *
 * It reads what the agent writes, which has no scopes, and bodies that are texts.
 */
import { ByteWriter } from '#wire/protobuf/byte-writer.ts';
import {
  beginMessage,
  endMessage,
  writeBytesField,
  writeDoubleField,
  writeFixed64Field,
  writeTextField,
  writeVarintField,
  writeVarintWordsField,
} from '#wire/protobuf/message-writer.ts';
import type { LogAttribute, LogRecord } from '../extension.ts';

export interface ResourceGroup {
  /** The Resource message as it came. */
  readonly resourceBytes: Uint8Array;
  readonly resource: Readonly<Record<string, LogAttribute>>;
  records: readonly LogRecord[];
}

type Attributes = Record<string, LogAttribute>;

/** Reads a request that this agent has written. Records are frozen. */
export function decodeRequest(bytes: Uint8Array): ResourceGroup[] {
  const groups: ResourceGroup[] = [];
  for (const { bytes: resourceLogs } of fieldsOf(bytes)) {
    let resourceBytes: Uint8Array = new Uint8Array();
    let resource: Readonly<Attributes> = {};
    const records: LogRecord[] = [];
    for (const field of fieldsOf(resourceLogs!)) {
      if (field.number === 1) {
        resourceBytes = field.bytes!;
        resource = Object.freeze(attributesOf(resourceBytes, 1));
      } else {
        for (const record of fieldsOf(field.bytes!)) records.push(decodeRecord(record.bytes!, resource));
      }
    }
    groups.push({ resourceBytes, resource, records });
  }
  return groups;
}

/** Writes the groups that have records. */
export function encodeRequest(groups: readonly ResourceGroup[]): Uint8Array {
  const writer = new ByteWriter(64 * 1024);
  for (const { resourceBytes, records } of groups) {
    if (records.length === 0) continue;
    const resourceLogs = beginMessage(writer, 1);
    writeBytesField(writer, 1, resourceBytes);
    const scopeLogs = beginMessage(writer, 2);
    for (const record of records) encodeRecord(writer, record);
    endMessage(writer, scopeLogs);
    endMessage(writer, resourceLogs);
  }
  return writer.written();
}

function decodeRecord(bytes: Uint8Array, resource: Readonly<Attributes>): LogRecord {
  let body = '';
  let severityNumber = 0;
  let severityText = '';
  let timeUnixNano = 0n;
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) timeUnixNano = field.value!;
    else if (field.number === 2) severityNumber = Number(field.value!);
    else if (field.number === 3) severityText = textOf(field.bytes!);
    else if (field.number === 5) body = String(anyValueOf(field.bytes!) ?? '');
  }
  const attributes = Object.freeze(attributesOf(bytes, 6));
  return Object.freeze({ body, severityNumber, severityText, timeUnixNano, attributes, resource });
}

function encodeRecord(writer: ByteWriter, record: LogRecord): void {
  const mark = beginMessage(writer, 2);
  if (record.timeUnixNano !== 0n) {
    const time = record.timeUnixNano;
    writeFixed64Field(writer, 1, Number(time & 0xffff_ffffn), Number(time >> 32n));
  }
  if (record.severityNumber !== 0) writeVarintField(writer, 2, record.severityNumber);
  if (record.severityText !== '') writeTextField(writer, 3, record.severityText);
  const body = beginMessage(writer, 5);
  writeTextField(writer, 1, record.body);
  endMessage(writer, body);
  for (const [key, value] of Object.entries(record.attributes)) {
    const attribute = beginMessage(writer, 6);
    writeTextField(writer, 1, key);
    const anyValue = beginMessage(writer, 2);
    encodeValue(writer, value);
    endMessage(writer, anyValue);
    endMessage(writer, attribute);
  }
  endMessage(writer, mark);
}

function encodeValue(writer: ByteWriter, value: LogAttribute): void {
  if (typeof value === 'string') writeTextField(writer, 1, value);
  else if (typeof value === 'boolean') writeVarintField(writer, 2, value ? 1 : 0);
  else if (typeof value === 'number' && !Number.isSafeInteger(value)) writeDoubleField(writer, 4, value);
  else {
    const bits = BigInt.asUintN(64, BigInt(value));
    writeVarintWordsField(writer, 3, Number(bits & 0xffff_ffffn), Number(bits >> 32n));
  }
}

function attributesOf(bytes: Uint8Array, number: number): Attributes {
  const attributes: Attributes = {};
  for (const field of fieldsOf(bytes)) {
    if (field.number !== number) continue;
    let key = '';
    let value: LogAttribute | undefined;
    for (const part of fieldsOf(field.bytes!)) {
      if (part.number === 1) key = textOf(part.bytes!);
      else value = anyValueOf(part.bytes!);
    }
    if (value === undefined) continue;
    // '__proto__' is a name like any other.
    Object.defineProperty(attributes, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return attributes;
}

function anyValueOf(bytes: Uint8Array): LogAttribute | undefined {
  for (const { number, bytes: text, value } of fieldsOf(bytes)) {
    if (number === 1) return textOf(text!);
    if (number === 2) return value !== 0n;
    if (number === 3) {
      const whole = BigInt.asIntN(64, value!);
      return Number.isSafeInteger(Number(whole)) ? Number(whole) : whole;
    }
    if (number === 4) return doubleOf(value!);
  }
  return undefined;
}

function doubleOf(bits: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

function textOf(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}

interface Field {
  readonly number: number;
  readonly bytes: Uint8Array | undefined;
  readonly value: bigint | undefined;
}

/** The fields of a message, in order. The agent wrote them: they are whole. */
function* fieldsOf(message: Uint8Array): Generator<Field> {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = Number(varint());
    const number = tag >>> 3;
    if ((tag & 7) === 2) {
      const length = Number(varint());
      yield { number, bytes: message.subarray(at, at + length), value: undefined };
      at += length;
    } else if ((tag & 7) === 1) {
      yield { number, bytes: undefined, value: view.getBigUint64(at, true) };
      at += 8;
    } else yield { number, bytes: undefined, value: varint() };
  }
}
