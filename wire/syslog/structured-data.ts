/**
 * RFC 5424's structured data as attributes of a log record.
 *
 *   '[origin@32473 ip="10.0.0.1"][meta seq="1"]'
 *     ->  structured_data.origin@32473.ip = '10.0.0.1', structured_data.meta.seq = '1'
 *
 *   SD-ELEMENT => '[' SD-ID (SP PARAM-NAME '=' '"' PARAM-VALUE '"')* ']'      in a value, \" \\ and \] stand for themselves
 */
import { type ByteWriter, varintBytesMax, writeVarint } from '../protobuf/byte-writer.ts';
import { beginMessage, endMessage } from '../protobuf/message-writer.ts';
import type { ByteSpan } from './syslog-message.ts';

/** Attributes that one message may have of it; what is more is counted and left out. */
export const structuredParametersMax = 128;

const prefix = Buffer.from('structured_data.');
const attributesField = 6;
const dot = 0x2e;
const space = 0x20;
const quote = 0x22;
const equals = 0x3d;
const backslash = 0x5c;
const closeBracket = 0x5d;

/**
 * Appends a KeyValue for each parameter of an SD field that parseSyslog has found, and `true` for each element without any.
 * Returns how many parameters were left out: those over the limit, and text that is no parameter.
 */
export function writeStructuredData(writer: ByteWriter, bytes: Buffer, data: ByteSpan): number {
  let [written, left] = [0, 0];
  let at = data.from;
  while (at < data.to) {
    const idFrom = at + 1;
    at = skipName(bytes, idFrom, data.to);
    const idTo = at;
    let count = 0;
    for (;;) {
      while (at < data.to && bytes[at] === space) at++;
      if (at >= data.to || bytes[at] === closeBracket) break;
      const nameFrom = at;
      at = skipName(bytes, nameFrom, data.to);
      const nameTo = at;
      const hasValue = bytes[at] === equals && bytes[at + 1] === quote;
      if (!hasValue || nameTo === nameFrom || written >= structuredParametersMax) {
        left++;
        at = skipOther(bytes, at, data.to);
        continue;
      }
      count++;
      written++;
      at = writeParameter(writer, bytes, data.to, idFrom, idTo, nameFrom, nameTo);
    }
    if (count === 0 && idTo > idFrom) {
      if (written < structuredParametersMax) {
        written++;
        writeBare(writer, bytes, idFrom, idTo);
      } else left++;
    }
    at++;
  }
  return left;
}

/** RFC 5424 6.3.3: SD-NAME is printable, without '=', space, ']' and quote. */
function skipName(bytes: Buffer, from: number, to: number): number {
  let at = from;
  for (; at < to; at++) {
    const byte = bytes[at];
    if (byte === space || byte === equals || byte === closeBracket || byte === quote) break;
  }
  return at;
}

/** The position behind what is not written: up to a space or bracket outside of quotes. Always moves on. */
function skipOther(bytes: Buffer, from: number, to: number): number {
  let isQuoted = false;
  let at = from;
  for (; at < to; at++) {
    const byte = bytes[at];
    if (byte === quote) isQuoted = !isQuoted;
    else if (isQuoted && byte === backslash) at++;
    else if (!isQuoted && (byte === space || byte === closeBracket)) break;
  }
  return Math.min(at, to);
}

/** Returns the position behind the closing quote. */
function writeParameter(
  writer: ByteWriter,
  bytes: Buffer,
  to: number,
  idFrom: number,
  idTo: number,
  nameFrom: number,
  nameTo: number,
): number {
  const attribute = beginMessage(writer, attributesField);
  writeKey(writer, bytes, idFrom, idTo, nameFrom, nameTo);
  const value = beginMessage(writer, 2);
  const text = beginMessage(writer, 1);
  let at = nameTo + 2;
  writer.reserve(to - at);
  for (; at < to && bytes[at] !== quote; at++) {
    if (bytes[at] === backslash && isEscaped(bytes[at + 1])) at++;
    writer.bytes[writer.position++] = bytes[at]!;
  }
  endMessage(writer, text);
  endMessage(writer, value);
  endMessage(writer, attribute);
  return Math.min(at + 1, to);
}

/** RFC 5424 6.3.3: a backslash before any other character is a backslash. */
function isEscaped(byte: number | undefined): boolean {
  return byte === quote || byte === backslash || byte === closeBracket;
}

function writeBare(writer: ByteWriter, bytes: Buffer, idFrom: number, idTo: number): void {
  const attribute = beginMessage(writer, attributesField);
  writeKey(writer, bytes, idFrom, idTo, 0, 0);
  const value = beginMessage(writer, 2);
  writer.reserve(2);
  // AnyValue => 2:bool
  writer.bytes[writer.position++] = 0x10;
  writer.bytes[writer.position++] = 1;
  endMessage(writer, value);
  endMessage(writer, attribute);
}

// KeyValue => 1:key:string
function writeKey(
  writer: ByteWriter,
  bytes: Buffer,
  idFrom: number,
  idTo: number,
  nameFrom: number,
  nameTo: number,
): void {
  const nameBytes = nameTo > nameFrom ? 1 + nameTo - nameFrom : 0;
  const keyBytes = prefix.length + idTo - idFrom + nameBytes;
  writer.reserve(1 + varintBytesMax + keyBytes);
  writer.bytes[writer.position++] = 0x0a;
  writeVarint(writer, keyBytes);
  writer.position += prefix.copy(writer.bytes, writer.position);
  writer.position += bytes.copy(writer.bytes, writer.position, idFrom, idTo);
  if (nameBytes === 0) return;
  writer.bytes[writer.position++] = dot;
  writer.position += bytes.copy(writer.bytes, writer.position, nameFrom, nameTo);
}
