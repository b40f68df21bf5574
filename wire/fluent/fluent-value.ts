/**
 * MessagePack values as OTLP attributes.
 *
 *   key 'a', value {"b": [1, true]}  ->  KeyValue { a: kvlist { b: array [int 1, bool true] } }
 *
 *   KeyValue => 1:key 2:AnyValue   AnyValue => 1:string 2:bool 3:int64 4:double 5:ArrayValue 6:KeyValueList 7:bytes
 */
import { isUtf8 } from 'node:buffer';
import { DecodeError } from '#model/errors.ts';
import type { ByteWriter } from '../protobuf/byte-writer.ts';
import {
  beginMessage,
  endMessage,
  writeBytesField,
  writeDoubleField,
  writeTextField,
  writeVarintWordsField,
} from '../protobuf/message-writer.ts';
import { type MsgpackCursor, msgpackDepthMax } from './msgpack-cursor.ts';

/** What was changed on the way. */
export interface ValueTally {
  /** Texts with bytes that were not UTF-8, which are U+FFFD now. */
  repaired: number;
  /** Pairs whose key is no text. */
  keysLost: number;
}

const word = 0x1_0000_0000;

/** Appends the pair whose key the cursor has just read, as field `field`; reads its value. */
export function writePair(
  writer: ByteWriter,
  field: number,
  cursor: MsgpackCursor,
  tally: ValueTally,
  depth = 0,
): void {
  if (cursor.kind !== 'string' && cursor.kind !== 'binary') {
    tally.keysLost++;
    // A key that holds values itself has them before its value.
    const inner = cursor.kind === 'array' ? cursor.count : cursor.kind === 'map' ? 2 * cursor.count : 0;
    for (let left = inner + 1; left > 0; left--) cursor.skip();
    return;
  }
  const pair = beginMessage(writer, field);
  writeText(writer, 1, cursor, tally);
  const value = beginMessage(writer, 2);
  cursor.read();
  writeValue(writer, cursor, tally, depth);
  endMessage(writer, value);
  endMessage(writer, pair);
}

/** Appends the content of an AnyValue: what the cursor has just read. Throws DecodeError where it is nested too deep. */
function writeValue(writer: ByteWriter, cursor: MsgpackCursor, tally: ValueTally, depth: number): void {
  switch (cursor.kind) {
    case 'nil':
      break;
    case 'boolean':
      writeVarintWordsField(writer, 2, cursor.number, 0);
      break;
    case 'integer':
      writeInteger(writer, cursor);
      break;
    case 'float':
      writeDoubleField(writer, 4, cursor.number);
      break;
    case 'string':
      writeText(writer, 1, cursor, tally);
      break;
    case 'binary':
    case 'extension':
      // Ruby's and Docker's older senders pack text as binary.
      if (cursor.kind === 'binary' && isText(cursor)) writeText(writer, 1, cursor, tally);
      else writeBytesField(writer, 7, cursor.bytes.subarray(cursor.from, cursor.to));
      break;
    case 'array':
    case 'map':
      writeContainer(writer, cursor, tally, depth + 1);
      break;
    default:
      cursor.kind satisfies never;
  }
}

function writeContainer(writer: ByteWriter, cursor: MsgpackCursor, tally: ValueTally, depth: number): void {
  if (depth > msgpackDepthMax) {
    throw new DecodeError(`values are nested deeper than ${msgpackDepthMax}`, cursor.position);
  }
  const { kind, count } = cursor;
  const container = beginMessage(writer, kind === 'array' ? 5 : 6);
  for (let index = 0; index < count; index++) {
    cursor.read();
    if (kind === 'map') writePair(writer, 1, cursor, tally, depth);
    else {
      const value = beginMessage(writer, 1);
      writeValue(writer, cursor, tally, depth);
      endMessage(writer, value);
    }
  }
  endMessage(writer, container);
}

/** Unsigned integers beyond OTLP's signed ones are text: a double would round them. */
function writeInteger(writer: ByteWriter, cursor: MsgpackCursor): void {
  const { number, isExact, bytes, from } = cursor;
  if (!isExact) {
    const high = bytes.readUInt32BE(from);
    const isTooLarge = number > 0 && high >= 0x8000_0000;
    if (isTooLarge) writeTextField(writer, 1, String(bytes.readBigUInt64BE(from)));
    else writeVarintWordsField(writer, 3, bytes.readUInt32BE(from + 4), high);
    return;
  }
  const high = Math.floor(number / word);
  writeVarintWordsField(writer, 3, number - high * word, high >>> 0);
}

function isText({ bytes, from, to }: MsgpackCursor): boolean {
  return isUtf8(bytes.subarray(from, to));
}

/** Appends bytes[from, to) as a string field, repaired where they are not UTF-8. */
export function writeText(writer: ByteWriter, field: number, cursor: MsgpackCursor, tally: ValueTally): void {
  const text = cursor.bytes.subarray(cursor.from, cursor.to);
  if (isUtf8(text)) writeBytesField(writer, field, text);
  else {
    tally.repaired++;
    writeTextField(writer, field, text.toString('utf8'));
  }
}
