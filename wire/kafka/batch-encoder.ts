/**
 * Writes Kafka record batches (format v2, "magic 2") as bytes: what kafkajs does with an encoder, and a copy or two, for
 * each record. Kafka protocol guide, "Record Batch".
 *
 *   RecordBatch => baseOffset:int64 batchLength:int32 partitionLeaderEpoch:int32 magic:int8 crc:uint32 attributes:int16
 *                  lastOffsetDelta:int32 baseTimestamp:int64 maxTimestamp:int64 producerId:int64 producerEpoch:int16
 *                  baseSequence:int32 recordCount:int32 records
 *   Record      => length:varint attributes:int8 timestampDelta:varlong offsetDelta:varint key value headers
 *
 * Varints are zigzag. Records are compressed as a whole, the header is not: a batch can be sent again under another
 * producer id without compressing it again.
 */
import { crc32c } from '#model/crc32c.ts';
import { freeBytes } from '#model/free-bytes.ts';
import { compressionIds, compressRecords, type KafkaCompression } from './compression-codecs.ts';
import type { OutgoingMessage } from './message.ts';

/** Who wrote a batch, and the number of its first record: what brokers recognize a repeat by. */
export interface BatchIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
}

export interface EncodedBatch {
  readonly recordCount: number;
  readonly timestampMs: number;
  readonly compression: KafkaCompression;
  /** The records, compressed. */
  readonly payload: Buffer;
  /** Before compression. */
  readonly plainBytes: number;
}

export const batchHeaderBytes = 61;
const magic = 2;
const crcPosition = 17;
/** What the checksum covers begins here. */
const attributesPosition = 21;
/** Behind baseOffset and batchLength. */
const lengthCountsFrom = 12;
/** Memory for records that are about to be compressed, kept for the next batch. */
const sparesMax = 2;
const spareBytesMax = 4 * 1024 * 1024;
const spares: Buffer[] = [];

/** Size of a batch as the broker compares it with its limit. */
export function batchBytes({ payload }: EncodedBatch): number {
  return batchHeaderBytes + payload.length;
}

/** Encodes and compresses the messages, of which there must be one at least. All get one timestamp. */
export async function encodeBatch(
  messages: readonly OutgoingMessage[],
  compression: KafkaCompression,
  timestampMs: number,
): Promise<EncodedBatch> {
  let plainBytes = 0;
  const bodySizes = messages.map((message, index) => {
    const size = recordBodyBytes(message, index);
    plainBytes += varintBytes(size) + size;
    return size;
  });
  const plain = takeSpare(plainBytes);
  let position = 0;
  for (let index = 0; index < messages.length; index++) {
    position = writeRecord(plain, position, messages[index]!, index, bodySizes[index]!);
  }
  if (position !== plainBytes) throw new Error('BUG: a record batch has another size than was calculated');
  const records = plain.subarray(0, plainBytes);
  const facts = { recordCount: messages.length, timestampMs, compression, plainBytes };
  if (compression === 'none') return { ...facts, payload: records };
  try {
    return { ...facts, payload: await compressRecords(compression, records) };
  } finally {
    giveSpare(plain);
  }
}

/** Returns the header that must stand before the batch's payload. */
export function batchHeader(
  { payload, recordCount, timestampMs, compression }: EncodedBatch,
  { producerId, producerEpoch, baseSequence }: BatchIdentity,
): Buffer {
  const header = Buffer.allocUnsafe(batchHeaderBytes);
  header.writeBigInt64BE(0n, 0);
  header.writeInt32BE(batchHeaderBytes - lengthCountsFrom + payload.length, 8);
  header.writeInt32BE(-1, 12);
  header.writeInt8(magic, 16);
  header.writeInt16BE(compressionIds[compression], attributesPosition);
  header.writeInt32BE(recordCount - 1, 23);
  header.writeBigInt64BE(BigInt(timestampMs), 27);
  header.writeBigInt64BE(BigInt(timestampMs), 35);
  header.writeBigInt64BE(producerId, 43);
  header.writeInt16BE(producerEpoch, 51);
  header.writeInt32BE(baseSequence, 53);
  header.writeInt32BE(recordCount, 57);
  header.writeUInt32BE(crc32c(payload, crc32c(header.subarray(attributesPosition))), crcPosition);
  return header;
}

function recordBodyBytes({ key, value, headers }: OutgoingMessage, offsetDelta: number): number {
  const keyBytes = Buffer.byteLength(key);
  let size = 2 + varintBytes(offsetDelta) + varintBytes(keyBytes) + keyBytes;
  size += varintBytes(value.length) + value.length;
  const entries = Object.entries(headers);
  size += varintBytes(entries.length);
  for (const [name, text] of entries) {
    const [nameBytes, textBytes] = [Buffer.byteLength(name), Buffer.byteLength(text)];
    size += varintBytes(nameBytes) + nameBytes + varintBytes(textBytes) + textBytes;
  }
  return size;
}

function writeRecord(
  target: Buffer,
  start: number,
  { key, value, headers }: OutgoingMessage,
  offsetDelta: number,
  bodyBytes: number,
): number {
  let position = writeVarint(target, start, bodyBytes);
  // No attributes are defined, and the timestamp is the batch's.
  target[position++] = 0;
  target[position++] = 0;
  position = writeVarint(target, position, offsetDelta);
  position = writeText(target, position, key);
  position = writeVarint(target, position, value.length);
  target.set(value, position);
  position += value.length;
  const entries = Object.entries(headers);
  position = writeVarint(target, position, entries.length);
  for (const [name, text] of entries) {
    position = writeText(target, writeText(target, position, name), text);
  }
  return position;
}

function writeText(target: Buffer, start: number, text: string): number {
  const length = Buffer.byteLength(text);
  const position = writeVarint(target, start, length);
  target.write(text, position, length, 'utf8');
  return position + length;
}

/** Of a number from 0 to 2^30-1: zigzag doubles it. */
function writeVarint(target: Buffer, start: number, value: number): number {
  let position = start;
  let rest = value * 2;
  for (; rest > 0x7f; rest >>>= 7) target[position++] = (rest & 0x7f) | 0x80;
  target[position++] = rest;
  return position;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value * 2; rest > 0x7f; rest >>>= 7) bytes++;
  return bytes;
}

function takeSpare(bytes: number): Buffer {
  const index = spares.findIndex((spare) => spare.length >= bytes);
  return index < 0 ? Buffer.allocUnsafeSlow(bytes) : spares.splice(index, 1)[0]!;
}

function giveSpare(buffer: Buffer): void {
  if (buffer.length <= spareBytesMax && spares.length < sparesMax) spares.push(buffer);
  else freeBytes(buffer);
}
