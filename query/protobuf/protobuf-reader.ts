/**
 * Reads small protobuf messages, field by field: requests of a few hundred bytes, not telemetry.
 *
 *   for (const field of readFields(bytes)) switch (field.number) { case 1: name = textOf(field); ... }
 *
 * Everything throws DecodeError, with the byte position, on bytes that are not protobuf.
 */
import { DecodeError } from '#model/errors.ts';

export interface ProtobufField {
  readonly number: number;
  /** 0 varint, 1 fixed64, 2 bytes, 5 fixed32. */
  readonly wireType: number;
  /** Of a varint, as signed 64-bit; exact within 2^53. 0 for the other wire types. */
  readonly value: number;
  /** Of wire type 2; shares memory with the input. */
  readonly bytes: Uint8Array;
  /** Of the field's tag, in the message that it is in. */
  readonly position: number;
}

const noBytes = new Uint8Array();
const fieldNumberMax = 0x1fffffff;

export function* readFields(bytes: Uint8Array): Generator<ProtobufField> {
  const cursor = { bytes, position: 0 };
  while (cursor.position < bytes.length) {
    const { position } = cursor;
    const tag = readVarint(cursor);
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (tag < 8 || number > fieldNumberMax) throw new DecodeError('a field has no number', position);
    switch (wireType) {
      case 0:
        yield { number, wireType, value: readVarint(cursor), bytes: noBytes, position };
        break;
      case 1:
        yield { number, wireType, value: 0, bytes: take(cursor, 8), position };
        break;
      case 2:
        yield { number, wireType, value: 0, bytes: take(cursor, readVarint(cursor)), position };
        break;
      case 5:
        yield { number, wireType, value: 0, bytes: take(cursor, 4), position };
        break;
      default:
        throw new DecodeError(`a field has the wire type ${wireType}`, position);
    }
  }
}

/** The number of a varint field. */
export function numberOf(field: ProtobufField): number {
  check(field, 0);
  return field.value;
}

/** The bytes of a message or a bytes field. */
export function bytesOf(field: ProtobufField): Uint8Array {
  check(field, 2);
  return field.bytes;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function textOf(field: ProtobufField): string {
  check(field, 2);
  try {
    return utf8.decode(field.bytes);
  } catch (error) {
    if (error instanceof TypeError) throw new DecodeError('a text is not UTF-8', field.position);
    throw error;
  }
}

/** The numbers of a repeated varint field: one, or packed. */
export function numbersOf(field: ProtobufField): number[] {
  if (field.wireType === 0) return [field.value];
  check(field, 2);
  const cursor = { bytes: field.bytes, position: 0 };
  const numbers: number[] = [];
  while (cursor.position < field.bytes.length) numbers.push(readVarint(cursor));
  return numbers;
}

function check({ wireType, position }: ProtobufField, wanted: number): void {
  if (wireType !== wanted) throw new DecodeError(`a field has the wire type ${wireType}`, position);
}

interface Cursor {
  readonly bytes: Uint8Array;
  position: number;
}

function take(cursor: Cursor, length: number): Uint8Array {
  const start = cursor.position;
  if (length < 0 || length > cursor.bytes.length - start) {
    throw new DecodeError('a field is longer than its message', start);
  }
  cursor.position = start + length;
  return cursor.bytes.subarray(start, cursor.position);
}

const twoTo32 = 4_294_967_296;

function readVarint(cursor: Cursor): number {
  const start = cursor.position;
  let low = 0;
  let high = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    if (cursor.position === cursor.bytes.length) throw new DecodeError('a varint is cut off', start);
    const byte = cursor.bytes[cursor.position++];
    const bits = byte & 0x7f;
    if (shift < 28) low |= bits << shift;
    else if (shift === 28) {
      low |= bits << 28;
      high = bits >>> 4;
    } else high |= shift < 63 ? bits << (shift - 32) : (bits & 1) << 31;
    // The upper half is a signed integer by now.
    if (byte < 0x80) return high * twoTo32 + (low >>> 0);
  }
  throw new DecodeError('a varint has more than ten bytes', start);
}
