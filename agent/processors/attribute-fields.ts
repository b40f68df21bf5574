/**
 * Attributes of a record as they are encoded: finds them, walks over them, writes them.
 *
 *   32 len  0a len key  12 len value           value => 0a len text | 10 bool | 18 int | 21 double | ...
 *
 * They were written by this process (wire/otlp/key-values.ts, or a processor), in this order of fields.
 */
import { type LogRecordFields, logAttributesField } from '#wire/otlp/log-record.ts';
import {
  type ByteSource,
  ByteWriter,
  copyBytes,
  varintBytes,
  writeVarint,
} from '#wire/protobuf/byte-writer.ts';

const fieldTag = (logAttributesField << 3) | 2;
const keyTag = 0x0a;
const valueTag = 0x12;
export const textTag = 0x0a;
export const boolTag = 0x10;
export const intTag = 0x18;
export const doubleTag = 0x21;
/** Tags and lengths of one attribute. */
const headerBytesMax = 64;

export function attributeKey(name: string): Buffer {
  return Buffer.from(name);
}

/** A name: bytes[0, length). */
export interface AttributeName {
  readonly bytes: Uint8Array;
  readonly length: number;
}

export function attributeName(bytes: Uint8Array): AttributeName {
  return { bytes, length: bytes.length };
}

/** Stands on one attribute after the other: while (cursor.next()) { ... } */
export class AttributeCursor {
  /** The whole field: [fieldFrom, fieldTo). */
  fieldFrom = 0;
  fieldTo = 0;
  keyFrom = 0;
  keyTo = 0;
  /** The AnyValue message: its first byte says what it is (textTag, ...). */
  valueFrom = 0;
  valueTo = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #position = 0;
  #end = 0;

  begin({ attributes, attributesBytes }: LogRecordFields): void {
    this.#bytes = attributes.bytes;
    this.#position = 0;
    this.#end = attributesBytes;
  }

  next(): boolean {
    if (this.#position >= this.#end) return false;
    this.fieldFrom = this.#position++;
    const fieldBytes = this.#readVarint();
    this.fieldTo = this.#position + fieldBytes;
    this.#position++;
    const keyBytes = this.#readVarint();
    this.keyFrom = this.#position;
    this.keyTo = this.keyFrom + keyBytes;
    this.#position = this.keyTo + 1;
    this.#readVarint();
    this.valueFrom = this.#position;
    this.valueTo = this.fieldTo;
    this.#position = this.fieldTo;
    return true;
  }

  isKey(key: Uint8Array): boolean {
    if (this.keyTo - this.keyFrom !== key.length) return false;
    for (let index = 0; index < key.length; index++) {
      if (this.#bytes[this.keyFrom + index] !== key[index]) return false;
    }
    return true;
  }

  /** Where the value's text starts; -1 where it is no text. It ends at valueTo. */
  textFrom(): number {
    if (this.valueFrom >= this.valueTo || this.#bytes[this.valueFrom] !== textTag) return -1;
    this.#position = this.valueFrom + 1;
    this.#readVarint();
    const from = this.#position;
    this.#position = this.fieldTo;
    return from;
  }

  #readVarint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#bytes[this.#position++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
  }
}

const cursor = new AttributeCursor();
const scratch = new ByteWriter(32);

/** Where a value is, as text. */
export interface AttributeText {
  readonly source: ByteSource;
  readonly from: number;
  readonly to: number;
}

/**
 * The value of an attribute as text, numbers as JSON writes them; undefined where there is none of that name. Valid until
 * the next call.
 */
export function findAttributeText(record: LogRecordFields, key: Uint8Array): AttributeText | undefined {
  cursor.begin(record);
  while (cursor.next()) {
    if (!cursor.isKey(key)) continue;
    const from = cursor.textFrom();
    if (from !== -1) return { source: record.attributes, from, to: cursor.valueTo };
    scratch.clear();
    scratch.position = scratch.bytes.write(
      scalarText(record.attributes, cursor.valueFrom, cursor.valueTo),
      'latin1',
    );
    return { source: scratch, from: 0, to: scratch.position };
  }
  return undefined;
}

/** At most 24 letters; '' for what this process does not write. */
function scalarText({ bytes, view }: ByteSource, from: number, to: number): string {
  const tag = bytes[from];
  if (tag === boolTag) return bytes[from + 1] === 0 ? 'false' : 'true';
  if (tag === intTag) return integerText(bytes, from + 1, to);
  return tag === doubleTag ? String(view.getFloat64(from + 1, true)) : '';
}

/** The int64 that the varint bytes[from, to) is. */
export function integerText(bytes: Uint8Array, from: number, to: number): string {
  let value = 0n;
  for (let at = to - 1; at >= from; at--) value = (value << 7n) | BigInt(bytes[at] & 0x7f);
  return BigInt.asIntN(64, value).toString();
}

/** Appends an attribute whose value is the text source[from, to), which must be UTF-8. */
export function writeTextAttribute(
  writer: ByteWriter,
  key: AttributeName,
  source: ByteSource,
  from: number,
  to: number,
): void {
  const textBytes = to - from;
  beginAttribute(writer, key, 1 + varintBytes(textBytes) + textBytes);
  writer.bytes[writer.position++] = textTag;
  writeVarint(writer, textBytes);
  copyBytes(writer, source, from, to);
}

/** Appends an attribute whose AnyValue is value[from, to). */
export function writeAttribute(
  writer: ByteWriter,
  key: AttributeName,
  value: ByteSource,
  from: number,
  to: number,
): void {
  beginAttribute(writer, key, to - from);
  copyBytes(writer, value, from, to);
}

/** Appends all of an attribute but its AnyValue, which must take `valueBytes`, and makes room for it. */
export function beginAttribute(writer: ByteWriter, key: AttributeName, valueBytes: number): void {
  const keyBytes = 1 + varintBytes(key.length) + key.length;
  const length = keyBytes + 1 + varintBytes(valueBytes) + valueBytes;
  writer.reserve(length + headerBytesMax);
  writer.bytes[writer.position++] = fieldTag;
  writeVarint(writer, length);
  writer.bytes[writer.position++] = keyTag;
  writeVarint(writer, key.length);
  // Names are short: a loop costs less than the call of set().
  const { bytes } = writer;
  const keyAt = writer.position;
  for (let index = 0; index < key.length; index++) bytes[keyAt + index] = key.bytes[index];
  writer.position = keyAt + key.length;
  writer.bytes[writer.position++] = valueTag;
  writeVarint(writer, valueBytes);
}

/** Appends all attributes of a record. */
export function copyAttributes(writer: ByteWriter, { attributes, attributesBytes }: LogRecordFields): void {
  writer.reserve(attributesBytes);
  copyBytes(writer, attributes, 0, attributesBytes);
}

/** Makes what was written to `writer` the record's attributes. */
export function setAttributes(record: LogRecordFields, writer: ByteWriter): void {
  writer.reserve(0);
  record.attributes = writer;
  record.attributesBytes = writer.position;
}
