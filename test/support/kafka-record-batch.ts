/** One Kafka record batch of one uncompressed record, as a producer writes it, by the protocol's guide. */

import { crc32c } from '#model/crc32c.ts';
import type { RecordBatch } from '#wire/kafka/record-batch.ts';

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value < 0 ? -value * 2 - 1 : value * 2;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}

/** The record has key "k" and a header h=v. */
export function recordBatch(value: Uint8Array): Buffer {
  const headers = [...varint(1), ...varint(1), 0x68, ...varint(1), 0x76];
  const front = Buffer.from([0, ...varint(0), ...varint(0), ...varint(1), 0x6b, ...varint(value.length)]);
  const body = Buffer.concat([front, value, Buffer.from(headers)]);
  const records = Buffer.concat([Buffer.from(varint(body.length)), body]);
  const header = Buffer.alloc(61);
  header.writeInt32BE(61 - 12 + records.length, 8);
  header[16] = 2;
  header.writeBigInt64BE(1_700_000_000_000n, 27);
  header.writeBigInt64BE(1_700_000_000_000n, 35);
  header.writeBigInt64BE(-1n, 43);
  header.writeInt32BE(1, 57);
  const batch = Buffer.concat([header, records]);
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  return batch;
}

/** Any bytes as the records of a batch. */
export function uncompressedBatch(bytes: Uint8Array): RecordBatch {
  return {
    baseOffset: 0,
    lastOffset: 0,
    recordCount: 1,
    firstTimestampMs: 0,
    appendTimestampMs: undefined,
    codec: 0,
    bytes: Buffer.from(bytes),
    plainBytes: bytes.length,
  };
}
