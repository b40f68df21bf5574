/**
 * An OTLP/JSON export request to the same request in protobuf, in one pass and without a tree of objects.
 *
 *   {"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"5"}]}]}]}  ->  0a 0d 12 0b 12 09 09 05 00 00 ...
 *
 * Invariant: what is present in the JSON is present in the protobuf, zero or not. By the specification ("JSON Protobuf
 * Encoding") ids are hexadecimal, enums are integers, 64-bit integers are text or numbers, unknown fields are ignored;
 * by protobuf's own mapping null is absent. Errors name the path: `resourceLogs[0].scopeLogs[0].logRecords[3].spanId`.
 */
import { DecodeError, RefusedError } from '#model/errors.ts';
import { type Conversion, type ConversionTask, conversionLimit } from '../conversion/conversion.ts';
import { IntegerWords } from '../json/integer-words.ts';
import { JsonCursor } from '../json/json-cursor.ts';
import { writeTokenField } from '../json/token-field.ts';
import { ByteWriter, writeDouble, writeVarintWords, writeWords } from '../protobuf/byte-writer.ts';
import {
  beginMessage,
  endMessage,
  writeBytesField,
  writeDoubleField,
  writeFixed32Field,
  writeFixed64Field,
  writeVarintField,
  writeVarintWordsField,
} from '../protobuf/message-writer.ts';
import { messageDepthMax } from '../protobuf/structure.ts';
import type { FieldShape, MessageShape } from './message-shape.ts';
import { requestShapes } from './request-shapes.ts';

/** Throws RefusedError with the path of what is wrong. */
export function convertOtlpJson(signal: keyof typeof requestShapes, task: ConversionTask): Conversion {
  const bytes = new OtlpJsonReader(task).read(requestShapes[signal]);
  return { bytes, rejections: [], ignored: 0, isClocked: false };
}

class OtlpJsonReader {
  readonly #cursor = new JsonCursor();
  readonly #integer = new IntegerWords();
  readonly #writer: ByteWriter;
  readonly #bytes: Uint8Array;
  /** Field names and indexes down to the value that is being read. */
  readonly #path: (string | number)[] = [];

  constructor(task: ConversionTask) {
    this.#bytes = task.bytes;
    this.#writer = new ByteWriter(task.bytes.length + 64, conversionLimit(task));
  }

  read(shape: MessageShape): Uint8Array {
    try {
      this.#cursor.begin(this.#bytes);
      this.#readMessage(shape, 0);
      this.#cursor.expectEnd();
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw new RefusedError(`${this.#renderPath()}${error.message}`, 400, { cause: error });
    }
    return new Uint8Array(this.#writer.written());
  }

  #readMessage(shape: MessageShape, depth: number): void {
    const cursor = this.#cursor;
    if (depth > messageDepthMax) {
      throw new DecodeError(`messages are nested deeper than ${messageDepthMax}`, cursor.position);
    }
    cursor.enterObject();
    // Senders write the fields of each message in the same order, mostly in that of the table.
    let next = 0;
    while (cursor.nextKey()) {
      const found = this.#findField(shape, next);
      if (found === -1) {
        cursor.skipValue();
        continue;
      }
      next = found + 1;
      if (cursor.takeNull()) continue;
      const field = shape.fields[found]!;
      this.#path.push(field.name);
      if (field.isRepeated) this.#readRepeated(field, depth);
      else if (field.kind !== 'message') this.#readScalar(field);
      else this.#readNested(field, depth);
      this.#path.pop();
    }
  }

  /** Returns the index of the field that the key names, looked for from `from` on; -1 for an unknown key. */
  #findField({ fields }: MessageShape, from: number): number {
    const cursor = this.#cursor;
    const name = cursor.hasEscape ? cursor.text() : undefined;
    for (let i = 0; i < fields.length; i++) {
      const index = (from + i) % fields.length;
      const field = fields[index]!;
      if (name === undefined ? cursor.isToken(field.nameBytes) : field.name === name) return index;
    }
    return -1;
  }

  #readNested(field: FieldShape, depth: number): void {
    const mark = beginMessage(this.#writer, field.number);
    this.#readMessage(field.message!, depth + 1);
    endMessage(this.#writer, mark);
  }

  #readRepeated(field: FieldShape, depth: number): void {
    const cursor = this.#cursor;
    const isPacked = field.kind !== 'message' && field.kind !== 'string';
    cursor.enterArray();
    let mark = -1;
    const last = this.#path.push(0) - 1;
    for (let index = 0; cursor.nextElement(); index++) {
      this.#path[last] = index;
      if (isPacked) {
        if (mark === -1) mark = beginMessage(this.#writer, field.number);
        this.#readPacked(field);
      } else if (field.kind === 'message') this.#readNested(field, depth);
      else this.#readScalar(field);
    }
    this.#path.pop();
    if (mark !== -1) endMessage(this.#writer, mark);
  }

  /** An element of a packed field: the value without a tag. */
  #readPacked({ kind }: FieldShape): void {
    const writer = this.#writer;
    writer.reserve(16);
    if (kind === 'double') writeDouble(writer, this.#readDouble());
    else {
      this.#readInteger(false, 64);
      const { low, high } = this.#integer;
      if (kind === 'fixed64') writeWords(writer, low, high);
      else writeVarintWords(writer, low, high);
    }
  }

  #readScalar({ kind, number }: FieldShape): void {
    const writer = this.#writer;
    const cursor = this.#cursor;
    if (kind === 'string') {
      cursor.readString();
      writeTokenField(writer, number, cursor);
    } else if (kind === 'hex') this.#readHex(number);
    else if (kind === 'bytes') this.#readBase64(number);
    else if (kind === 'bool') writeVarintField(writer, number, cursor.readBoolean() ? 1 : 0);
    else if (kind === 'double') writeDoubleField(writer, number, this.#readDouble());
    else this.#readIntegerField(number, kind);
  }

  #readIntegerField(number: number, kind: FieldShape['kind']): void {
    const writer = this.#writer;
    const integer = this.#integer;
    if (kind === 'enum' && this.#cursor.peek() === 0x22) {
      throw new DecodeError('an enum must be an integer in OTLP/JSON, not a name,', this.#cursor.position);
    }
    const isSigned = kind === 'enum' || kind === 'int64' || kind === 'sfixed64' || kind === 'sint32';
    const is32 = kind === 'enum' || kind === 'uint32' || kind === 'fixed32' || kind === 'sint32';
    this.#readInteger(isSigned, is32 ? 32 : 64);
    if (kind === 'fixed64' || kind === 'sfixed64') {
      writeFixed64Field(writer, number, integer.low, integer.high);
    } else if (kind === 'fixed32') writeFixed32Field(writer, number, integer.low);
    else if (kind === 'sint32') {
      const value = integer.low | 0;
      // Zigzag: small negative numbers are small varints.
      writeVarintField(writer, number, ((value << 1) ^ (value >> 31)) >>> 0);
    } else writeVarintWordsField(writer, number, integer.low, integer.high);
  }

  #readInteger(isSigned: boolean, bits: 32 | 64): void {
    const cursor = this.#cursor;
    if (cursor.peek() === 0x22) cursor.readString();
    else cursor.readNumber();
    const integer = this.#integer;
    integer.parse(cursor.bytes, cursor.start, cursor.end, isSigned);
    // A negative number of 32 bits has all ones above them.
    const fits =
      bits === 64 ||
      (isSigned ? integer.high === (integer.low > 0x7fffffff ? 0xffffffff : 0) : integer.high === 0);
    if (!fits) throw new DecodeError('an integer does not fit in its 32 bits', cursor.start);
  }

  #readDouble(): number {
    const cursor = this.#cursor;
    if (cursor.peek() !== 0x22) {
      cursor.readNumber();
      return Number(cursor.bytes.toString('latin1', cursor.start, cursor.end));
    }
    cursor.readString();
    const text = cursor.text();
    if (/^(NaN|-?Infinity|-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?)$/.test(text)) return Number(text);
    throw new DecodeError('expected a number, or "NaN", "Infinity", "-Infinity",', cursor.start);
  }

  /** An id, in any case. Of another length than ids have it goes on: the record is refused for it, not the request. */
  #readHex(number: number): void {
    const cursor = this.#cursor;
    cursor.readString();
    const digits = cursor.bytes.toString('latin1', cursor.start, cursor.end);
    if (digits === '') return;
    const id = Buffer.from(digits, 'hex');
    // Node stops at the first character that is no digit.
    if (id.length * 2 !== digits.length) {
      throw new DecodeError('an id must be hexadecimal (not base64) in OTLP/JSON,', cursor.start);
    }
    writeBytesField(this.#writer, number, id);
  }

  #readBase64(number: number): void {
    const cursor = this.#cursor;
    cursor.readString();
    const text = cursor.text();
    if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw new DecodeError('expected base64', cursor.start);
    writeBytesField(this.#writer, number, Buffer.from(text, 'base64'));
  }

  #renderPath(): string {
    const path = this.#path
      .map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`))
      .join('');
    return path === '' ? '' : `${path}: `;
  }
}
