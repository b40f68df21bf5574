/**
 * Attributes as the bytes of repeated KeyValue fields: encoded once per file or stream and copied into each record.
 *
 *   encodeKeyValues(6, { 'log.iostream': 'stdout' })  ->  32 1c 0a 0c 'log.iostream' 12 08 0a 06 'stdout'
 */
import { ByteWriter, varintBytes, writeVarint } from '../protobuf/byte-writer.ts';

/** Attribute values that agents write: text, or a whole number from 0 to 2^53 - 1. */
export type AttributeValue = string | number;

// KeyValue => 1:key:string 2:value:AnyValue   AnyValue => 1:string | 3:int64
const keyTag = 0x0a;
const valueTag = 0x12;
const stringTag = 0x0a;
const intTag = 0x18;

/** Returns the KeyValue fields under `fieldNumber` (at most 15) of the enclosing message, in the record's order. */
export function encodeKeyValues(
  fieldNumber: number,
  attributes: Readonly<Record<string, AttributeValue>>,
): Buffer {
  const writer = new ByteWriter();
  for (const [name, value] of Object.entries(attributes)) {
    const key = Buffer.from(name);
    const anyValue = encodeAnyValue(value);
    const keyBytes = 1 + varintBytes(key.length) + key.length;
    const length = keyBytes + 1 + varintBytes(anyValue.length) + anyValue.length;
    writer.reserve(length + 16);
    writeVarint(writer, (fieldNumber << 3) | 2);
    writeVarint(writer, length);
    writeField(writer, keyTag, key);
    writeField(writer, valueTag, anyValue);
  }
  return Buffer.from(writer.written());
}

function encodeAnyValue(value: AttributeValue): Buffer {
  const text = typeof value === 'string' ? Buffer.from(value) : undefined;
  const writer = new ByteWriter((text?.length ?? 0) + 16);
  if (text !== undefined) {
    writeField(writer, stringTag, text);
  } else {
    writeVarint(writer, intTag);
    writeVarint(writer, value as number);
  }
  return writer.written();
}

function writeField(writer: ByteWriter, tag: number, content: Buffer): void {
  writeVarint(writer, tag);
  writeVarint(writer, content.length);
  writer.bytes.set(content, writer.position);
  writer.position += content.length;
}
