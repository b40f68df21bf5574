/** Values of a protobuf page as numbers and texts, read where the reader is. All throw DecodeError. */
import { DecodeError } from '#model/errors.ts';
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';

export const twoTo32 = 0x1_0000_0000;

const utf8Decoder = new TextDecoder('utf-8', { fatal: true });

export function readText(reader: ProtobufReader): string {
  const start = reader.passBytes();
  return decodeText(reader, start, reader.position);
}

/** Returns [start, end) of the page as text. */
export function decodeText(reader: ProtobufReader, start: number, end: number): string {
  try {
    return utf8Decoder.decode(reader.source.bytes.subarray(start, end));
  } catch {
    throw new DecodeError('a name, label or text is not UTF-8', start);
  }
}

export function readDouble(reader: ProtobufReader): number {
  return reader.source.view.getFloat64(reader.passFixed64(), true);
}

export function readInt64(reader: ProtobufReader): number {
  reader.readVarint64();
  return (reader.high | 0) * twoTo32 + reader.low;
}

export function readSigned32(reader: ProtobufReader): number {
  reader.readVarint64();
  return (reader.low >>> 1) ^ -(reader.low & 1);
}

/** A sint64 as a double: exact below 2^53, as counts are in the store. */
export function readSigned64(reader: ProtobufReader): number {
  reader.readVarint64();
  const value = reader.high * twoTo32 + reader.low;
  return (reader.low & 1) === 0 ? value / 2 : -(value + 1) / 2;
}

/** Returns Unix milliseconds of a google.protobuf.Timestamp. */
export function readTimestamp(reader: ProtobufReader): number {
  const outer = reader.enter();
  let seconds = 0;
  let nanos = 0;
  while (reader.position < reader.limit) {
    const tag = reader.readTag();
    if (tag === 0x08) seconds = readInt64(reader);
    else if (tag === 0x10) nanos = readInt64(reader);
    else reader.skip();
  }
  reader.leave(outer);
  const timestampMs = seconds * 1000 + Math.trunc(nanos / 1_000_000);
  if (!Number.isSafeInteger(timestampMs)) {
    throw new DecodeError(`a time has ${seconds} seconds`, reader.position);
  }
  return timestampMs;
}
