/**
 * Fields and nested messages of protobuf, appended to a byte writer without knowing a message's length beforehand.
 *
 *   const mark = beginMessage(writer, 1); writeTextField(writer, 1, 'ab'); endMessage(writer, mark)  ->  0a 04 0a 02 61 62
 *
 * A message keeps one byte for its length; a message of 128 bytes or more is moved up when it ends. Zero values are
 * written too: what is present stays present. Everything here makes its own room. Field numbers are below 2^28.
 *
 *   field => tag:varint value       tag => number << 3 | wire type (0 varint, 1 fixed64, 2 length-delimited, 5 fixed32)
 */
import {
  appendBytes,
  type ByteWriter,
  varintBytes,
  varintBytesMax,
  writeDouble,
  writeVarint,
  writeVarintWords,
  writeWords,
} from './byte-writer.ts';

/** A tag and a 64-bit value, or a tag and a length. */
const fieldBytesMax = 2 * varintBytesMax;

/** Starts a length-delimited field. Returns what endMessage needs; messages must end in reverse order. */
export function beginMessage(writer: ByteWriter, field: number): number {
  writer.reserve(fieldBytesMax);
  writeVarint(writer, (field << 3) | 2);
  return writer.position++;
}

export function endMessage(writer: ByteWriter, mark: number): void {
  const start = mark + 1;
  const length = writer.position - start;
  const lengthBytes = varintBytes(length);
  if (lengthBytes > 1) {
    writer.reserve(lengthBytes);
    writer.bytes.copyWithin(mark + lengthBytes, start, writer.position);
  }
  writer.position = mark;
  writeVarint(writer, length);
  writer.position += length;
}

export function writeBytesField(writer: ByteWriter, field: number, value: Uint8Array): void {
  writer.reserve(fieldBytesMax + value.length);
  writeVarint(writer, (field << 3) | 2);
  writeVarint(writer, value.length);
  appendBytes(writer, value);
}

/** Text as UTF-8; a lone surrogate becomes U+FFFD. */
export function writeTextField(writer: ByteWriter, field: number, value: string): void {
  const byteCount = Buffer.byteLength(value);
  writer.reserve(fieldBytesMax + byteCount);
  writeVarint(writer, (field << 3) | 2);
  writeVarint(writer, byteCount);
  writer.position += writer.bytes.write(value, writer.position, byteCount, 'utf8');
}

/** A whole number from 0 to 2^53 - 1. */
export function writeVarintField(writer: ByteWriter, field: number, value: number): void {
  writer.reserve(fieldBytesMax);
  writeVarint(writer, field << 3);
  writeVarint(writer, value);
}

/** Unsigned low and high word of 64 bits. */
export function writeVarintWordsField(writer: ByteWriter, field: number, low: number, high: number): void {
  writer.reserve(fieldBytesMax);
  writeVarint(writer, field << 3);
  writeVarintWords(writer, low, high);
}

/** Unsigned low and high word of 64 bits. */
export function writeFixed64Field(writer: ByteWriter, field: number, low: number, high: number): void {
  writer.reserve(fieldBytesMax);
  writeVarint(writer, (field << 3) | 1);
  writeWords(writer, low, high);
}

/** Unsigned, below 2^32. */
export function writeFixed32Field(writer: ByteWriter, field: number, value: number): void {
  writer.reserve(fieldBytesMax);
  writeVarint(writer, (field << 3) | 5);
  writer.view.setUint32(writer.position, value, true);
  writer.position += 4;
}

export function writeDoubleField(writer: ByteWriter, field: number, value: number): void {
  writer.reserve(fieldBytesMax);
  writeVarint(writer, (field << 3) | 1);
  writeDouble(writer, value);
}
