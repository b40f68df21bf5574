/**
 * Fields of a body on their way to attributes of its record: names are bounded in number and length, values in length, and
 * the first of a name counts.
 *
 * What does not fit is left out and counted; the body has it still.
 */
import type { LogRecordFields } from '#wire/otlp/log-record.ts';
import { type ByteSource, ByteWriter, writeDouble, writeInt64 } from '#wire/protobuf/byte-writer.ts';
import {
  AttributeCursor,
  type AttributeName,
  boolTag,
  copyAttributes,
  doubleTag,
  intTag,
  setAttributes,
  writeAttribute,
  writeTextAttribute,
} from '../attribute-fields.ts';
import type { FieldName } from './field-sink.ts';

export interface FieldLimits {
  readonly attributesMax: number;
  readonly valueBytesMax: number;
}

/** Names of parsed attributes, with their prefix. */
export const nameBytesMax = 128;

export class FieldWriter {
  /** Fields that found no room since the last begin(). */
  skipped = 0;
  /** Fields that were written. */
  count = 0;
  readonly #limits: FieldLimits;
  readonly #wanted: ReadonlySet<string> | undefined;
  readonly #out = new ByteWriter(512);
  readonly #value = new ByteWriter(16);
  readonly #cursor = new AttributeCursor();
  readonly #key: { bytes: Uint8Array; length: number } = { bytes: this.#out.bytes, length: 0 };
  /** Keys in #out: [from, to) of each. */
  readonly #keyFrom: number[] = [];
  readonly #keyTo: number[] = [];

  /** `wanted`: only these names become attributes. */
  constructor(limits: FieldLimits, wanted: readonly string[] | undefined) {
    this.#limits = limits;
    this.#wanted = wanted === undefined ? undefined : new Set(wanted);
  }

  /** Starts with the attributes that the record has. */
  begin(record: LogRecordFields): void {
    this.skipped = 0;
    this.count = 0;
    this.#out.clear();
    this.#keyFrom.length = 0;
    this.#keyTo.length = 0;
    copyAttributes(this.#out, record);
    this.#cursor.begin(record);
    while (this.#cursor.next()) {
      this.#keyFrom.push(this.#cursor.keyFrom);
      this.#keyTo.push(this.#cursor.keyTo);
    }
  }

  /** Makes what was written the record's attributes. */
  finish(record: LogRecordFields): void {
    setAttributes(record, this.#out);
  }

  putText(key: FieldName, source: ByteSource, from: number, to: number): void {
    if (!this.#hasRoom(key, to - from)) return;
    const fieldFrom = this.#out.position;
    writeTextAttribute(this.#out, this.#named(key), source, from, to);
    this.#note(key, fieldFrom);
  }

  putBoolean(key: FieldName, isTrue: boolean): void {
    const value = this.#startValue(boolTag);
    value.bytes[value.position++] = isTrue ? 1 : 0;
    this.#putValue(key);
  }

  /** A whole number of at most 53 bits, or any other number. */
  putNumber(key: FieldName, number: number): void {
    const isWhole = Number.isSafeInteger(number);
    const value = this.#startValue(isWhole ? intTag : doubleTag);
    if (isWhole) writeInt64(value, number);
    else writeDouble(value, number);
    this.#putValue(key);
  }

  #startValue(tag: number): ByteWriter {
    const value = this.#value;
    value.clear();
    value.reserve(16);
    value.bytes[value.position++] = tag;
    return value;
  }

  #putValue(key: FieldName): void {
    const value = this.#value;
    if (!this.#hasRoom(key, value.position)) return;
    const fieldFrom = this.#out.position;
    writeAttribute(this.#out, this.#named(key), value, 0, value.position);
    this.#note(key, fieldFrom);
  }

  #hasRoom(key: FieldName, valueBytes: number): boolean {
    if (this.#wanted !== undefined && !this.#wanted.has(key.written().toString())) return false;
    const { attributesMax, valueBytesMax } = this.#limits;
    if (
      key.position === 0 ||
      key.position > nameBytesMax ||
      valueBytes > valueBytesMax ||
      this.count >= attributesMax
    ) {
      this.skipped++;
      return false;
    }
    for (let index = 0; index < this.#keyFrom.length; index++) {
      const from = this.#keyFrom[index]!;
      const to = this.#keyTo[index]!;
      if (to - from === key.position && isEqual(this.#out.bytes, from, key)) return false;
    }
    return true;
  }

  #named(key: FieldName): AttributeName {
    this.#key.bytes = key.bytes;
    this.#key.length = key.position;
    return this.#key;
  }

  /** Remembers where the key of the field that starts at `fieldFrom` is. */
  #note(key: FieldName, fieldFrom: number): void {
    // field => tag, length (a varint), key tag, key length (one byte: nameBytesMax), key
    let at = fieldFrom + 1;
    while (this.#out.bytes[at] >= 0x80) at++;
    const keyLengthBytes = key.position < 0x80 ? 1 : 2;
    const keyFrom = at + 2 + keyLengthBytes;
    this.#keyFrom.push(keyFrom);
    this.#keyTo.push(keyFrom + key.position);
    this.count++;
  }
}

function isEqual(bytes: Uint8Array, from: number, key: FieldName): boolean {
  for (let index = 0; index < key.position; index++)
    if (bytes[from + index] !== key.bytes[index]) return false;
  return true;
}
