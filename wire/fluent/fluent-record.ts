/**
 * Writes one event of the forward protocol as an OTLP LogRecord.
 *
 *   tag 'docker.web', [1441588984, {"log": "hi\n", "source": "stdout"}]
 *     ->  time 1441588984 s, body 'hi', attributes fluent.tag=docker.web, source=stdout
 *
 *   LogRecord => 1:time:fixed64 5:body:AnyValue 6:attributes:KeyValue*
 */
import { DecodeError } from '#model/errors.ts';
import { type ByteWriter, writeWords } from '../protobuf/byte-writer.ts';
import { beginMessage, endMessage, writeBytesField } from '../protobuf/message-writer.ts';
import { setUnixNano } from '../unix-nano.ts';
import { type ValueTally, writePair, writeText } from './fluent-value.ts';
import type { MsgpackCursor } from './msgpack-cursor.ts';

const newline = 0x0a;
const recordField = 2;
const attributeField = 6;
/** Forward protocol v1, EventTime: extension type 0, seconds and nanoseconds of 32 bits. */
const eventTimeBytes = 8;
const secondsMax = 0x1_0000_0000;

const time = { low: 0, high: 0 };

/**
 * Reads an event's time and record, and appends them. `bodyKeys`: the first key of the record that is one of these, and
 * whose value is text, is the body. Throws DecodeError where it is no event; what was written of it is taken back.
 */
export function writeFluentRecord(
  writer: ByteWriter,
  cursor: MsgpackCursor,
  tag: Buffer,
  bodyKeys: readonly Buffer[],
  tally: ValueTally,
): void {
  const start = writer.position;
  try {
    const record = beginMessage(writer, recordField);
    readTime(cursor);
    writer.reserve(9);
    writer.bytes[writer.position++] = 0x09;
    writeWords(writer, time.low, time.high);
    writeTag(writer, tag);
    if (cursor.read() !== 'map') throw new DecodeError('expected a record as a map', cursor.position);
    let hasBody = false;
    for (let pairs = cursor.count; pairs > 0; pairs--) {
      cursor.read();
      if (!hasBody && isBodyKey(cursor, bodyKeys)) hasBody = writeBody(writer, cursor, tally);
      else writePair(writer, attributeField, cursor, tally);
    }
    endMessage(writer, record);
  } catch (error) {
    writer.position = start;
    throw error;
  }
}

/** Sets `time` from an EventTime, whole seconds, seconds with a fraction, or [time, metadata] of version 1.5. */
function readTime(cursor: MsgpackCursor): void {
  let kind = cursor.read();
  const hasMetadata = kind === 'array' && cursor.count === 2;
  if (hasMetadata) kind = cursor.read();
  const { bytes, from, to, number } = cursor;
  let [seconds, nanos] = [Number.NaN, 0];
  if (kind === 'extension' && cursor.extension === 0 && to - from === eventTimeBytes) {
    seconds = bytes.readUInt32BE(from);
    nanos = bytes.readUInt32BE(from + 4);
  } else if (kind === 'integer') seconds = number;
  else if (kind === 'float') {
    seconds = Math.floor(number);
    nanos = Math.floor((number - seconds) * 1e9);
  }
  if (!(seconds >= 0 && seconds < secondsMax && nanos < 1e9)) {
    throw new DecodeError('expected the time of an event: an EventTime or seconds since 1970', from);
  }
  setUnixNano(time, seconds, nanos);
  if (hasMetadata) cursor.skip();
}

function isBodyKey(cursor: MsgpackCursor, bodyKeys: readonly Buffer[]): boolean {
  if (cursor.kind !== 'string') return false;
  return bodyKeys.some((key) => key.compare(cursor.bytes, cursor.from, cursor.to) === 0);
}

/** Returns whether the value of the key that was just read is text: it is an attribute else. */
function writeBody(writer: ByteWriter, cursor: MsgpackCursor, tally: ValueTally): boolean {
  const afterKey = cursor.position;
  const keyStart = { kind: cursor.kind, from: cursor.from, to: cursor.to };
  if (cursor.read() !== 'string' && cursor.kind !== 'binary') {
    cursor.position = afterKey;
    Object.assign(cursor, keyStart);
    writePair(writer, attributeField, cursor, tally);
    return false;
  }
  // Docker and tail give lines with their ends.
  if (cursor.to > cursor.from && cursor.bytes[cursor.to - 1] === newline) cursor.to--;
  const body = beginMessage(writer, 5);
  writeText(writer, 1, cursor, tally);
  endMessage(writer, body);
  return true;
}

const tagKey = Buffer.from('fluent.tag');

function writeTag(writer: ByteWriter, tag: Buffer): void {
  const attribute = beginMessage(writer, attributeField);
  writeBytesField(writer, 1, tagKey);
  const value = beginMessage(writer, 2);
  writeBytesField(writer, 1, tag);
  endMessage(writer, value);
  endMessage(writer, attribute);
}
