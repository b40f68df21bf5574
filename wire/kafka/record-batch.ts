/**
 * Kafka record batches (message format v2) as they lie in a partition: their headers are read at once, their records only
 * when somebody wants them, so that what waits stays compressed.
 *
 *   batch   => base_offset:i64 length:i32 leader_epoch:i32 magic:i8 crc:u32 attributes:i16 last_offset_delta:i32
 *              base_timestamp:i64 max_timestamp:i64 producer_id:i64 producer_epoch:i16 base_sequence:i32 count:i32 records
 *   record  => length:varint attributes:i8 timestamp_delta:varlong offset_delta:varint key:bytes value:bytes headers
 */

import { crc32c } from '#model/crc32c.ts';
import { DecodeError } from '#model/errors.ts';
import { batchPlainBytesMax, decompressRecords, statedRecordBytes } from './compression-codecs.ts';
import type { MessageHeaders } from './message.ts';
import { VarintCursor } from './varint-cursor.ts';

export interface RecordBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly recordCount: number;
  /** Milliseconds since 1970, as the producer or the broker set it. */
  readonly firstTimestampMs: number;
  /** The records have the last timestamp, which the broker gave them (message.timestamp.type=LogAppendTime). */
  readonly appendTimestampMs: number | undefined;
  readonly codec: number;
  /** The records, compressed by `codec`: a copy of its own. Empty where the batch holds none that count. */
  readonly bytes: Buffer;
  /** What `bytes` probably become: what they state, or a guess. */
  readonly plainBytes: number;
}

/** A record of a batch; key and value are views of the batch's plain bytes. */
export interface KafkaRecord {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  /** null is a tombstone. */
  readonly value: Buffer | null;
  readonly headers: MessageHeaders;
}

/** A transaction that was aborted, of the part of the log that was fetched. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

const headerBytes = 61;
/** base_offset and length, which the length does not count. */
const prefixBytes = 12;
const magicAt = 16;
const crcAt = 17;
const attributesAt = 21;
const codecMask = 0x07;
const appendTimeFlag = 0x08;
const transactionalFlag = 0x10;
const controlFlag = 0x20;
/** Compressed telemetry is a tenth of its plain bytes or more. */
const guessedRatio = 16;
const guessedBytesLeast = 64 * 1024;

/**
 * Returns the batches of a fetch that end at `offset` or later; a last one that is cut off is left out. Those that hold
 * nothing (transaction markers, what was aborted) come without bytes. Throws DecodeError on damage.
 */
export function readBatches(
  log: Buffer,
  offset: number,
  aborted: readonly AbortedTransaction[],
): RecordBatch[] {
  const batches: RecordBatch[] = [];
  const due = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  const abortedProducers = new Set<bigint>();
  for (let at = 0; at + headerBytes <= log.length; ) {
    const end = at + prefixBytes + log.readInt32BE(at + 8);
    if (end < at + headerBytes) throw new DecodeError('a record batch is shorter than its header', at);
    if (end > log.length) break;
    const batch = log.subarray(at, end);
    const magic = batch[magicAt];
    if (magic !== 2) throw new DecodeError(`message format ${magic} is of Kafka before 0.11`, at + magicAt);
    if (crc32c(batch.subarray(attributesAt)) !== batch.readUInt32BE(crcAt)) {
      throw new DecodeError(`the record batch at offset ${batch.readBigInt64BE(0)} is damaged (CRC)`, at);
    }
    const lastOffset = Number(batch.readBigInt64BE(0)) + batch.readInt32BE(23);
    while (due.length > 0 && due[0].firstOffset <= lastOffset) abortedProducers.add(due.shift()!.producerId);
    if (lastOffset >= offset) batches.push(readHeader(batch, isEmpty(batch, abortedProducers)));
    if (isAbortMarker(batch)) abortedProducers.delete(batch.readBigInt64BE(43));
    at = end;
  }
  return batches;
}

/**
 * Returns the records of the batch. Rejects where they are no records, or more than `plainBytesMax`: whatever the batch
 * states, no more than that is held.
 */
export async function readRecords(batch: RecordBatch, plainBytesMax: number): Promise<KafkaRecord[]> {
  if (batch.bytes.length === 0) return [];
  const plain = await decompressRecords(
    batch.codec,
    batch.bytes,
    Math.min(plainBytesMax, batchPlainBytesMax),
  );
  const cursor = new VarintCursor(plain);
  const records: KafkaRecord[] = [];
  while (records.length < batch.recordCount) {
    const end = cursor.int() + cursor.at;
    cursor.at++;
    const timestampDelta = cursor.int();
    const offset = batch.baseOffset + cursor.int();
    const timestampMs = batch.appendTimestampMs ?? batch.firstTimestampMs + timestampDelta;
    const key = cursor.bytes();
    const value = cursor.bytes();
    records.push({ offset, timestampMs, key, value, headers: readHeaders(cursor) });
    if (cursor.at !== end) throw new DecodeError('a record is not as long as it says', cursor.at);
  }
  return records;
}

/** A header that is repeated is an array; one without a value is as good as none. */
function readHeaders(cursor: VarintCursor): MessageHeaders {
  // No prototype: a header may have any name.
  const headers: Record<string, Buffer | Buffer[]> = Object.create(null);
  const count = cursor.int();
  for (let index = 0; index < count; index++) {
    const name = cursor.bytes()?.toString() ?? '';
    const value = cursor.bytes();
    if (value === null) continue;
    const before = headers[name];
    headers[name] =
      before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
  }
  return headers;
}

function readHeader(batch: Buffer, isEmptied: boolean): RecordBatch {
  const baseOffset = Number(batch.readBigInt64BE(0));
  const attributes = batch.readInt16BE(attributesAt);
  const codec = attributes & codecMask;
  // A view would keep the whole answer of the broker in memory.
  const bytes = Buffer.from(new Uint8Array(isEmptied ? [] : batch.subarray(headerBytes)).buffer);
  const stated = codec === 0 ? bytes.length : statedRecordBytes(codec, bytes);
  const guess = bytes.length * guessedRatio + guessedBytesLeast;
  return {
    baseOffset,
    lastOffset: baseOffset + batch.readInt32BE(23),
    recordCount: isEmptied ? 0 : batch.readInt32BE(57),
    firstTimestampMs: Number(batch.readBigInt64BE(27)),
    appendTimestampMs: (attributes & appendTimeFlag) === 0 ? undefined : Number(batch.readBigInt64BE(35)),
    codec,
    bytes,
    plainBytes: isEmptied ? 0 : Math.min(stated ?? guess, batchPlainBytesMax),
  };
}

function isEmpty(batch: Buffer, abortedProducers: ReadonlySet<bigint>): boolean {
  const attributes = batch.readInt16BE(attributesAt);
  if ((attributes & controlFlag) !== 0 || batch.readInt32BE(57) <= 0) return true;
  return (attributes & transactionalFlag) !== 0 && abortedProducers.has(batch.readBigInt64BE(43));
}

/** A control batch has one record, never compressed, whose key is version:i16 type:i16; 0 is an abort. */
function isAbortMarker(batch: Buffer): boolean {
  if ((batch.readInt16BE(attributesAt) & controlFlag) === 0) return false;
  const cursor = new VarintCursor(batch);
  cursor.at = headerBytes;
  cursor.int();
  cursor.at++;
  cursor.int();
  cursor.int();
  const key = cursor.bytes();
  return key !== null && key.length >= 4 && key.readInt16BE(2) === 0;
}
