/**
 * The bytes of a buffer's segment file: envelopes behind one another, each with checksums, so that a file which was cut off
 * or spoilt anywhere gives every record that is whole.
 *
 *   segment => magic:'SNDB' version:u32 record*
 *   record  => payload_bytes:u32 payload_crc32c:u32 head_crc32c:u32 payload        (the last is of the eight bytes before,
 *              behind the segment's seed)
 *   payload => time_ms:f64 tenant_bytes:u16 batch_id_bytes:u16 key_bytes:u16 signal:u8 tenant batch_id key bytes
 *
 * Little-endian. The head has a checksum of its own: a length is believed before the payload is read. The seed is made of
 * the version and the file's name: records of another version are not believed, nor what looks like a record within the
 * bytes that somebody has pushed.
 */

import { crc32c } from '#model/crc32c.ts';
import { type Envelope, signals } from '#wire/envelope.ts';

export const segmentHeaderBytes = 8;
export const recordHeadBytes = 12;
const payloadHeadBytes = 8 + 3 * 2 + 1;
const version = 1;
const magic = Buffer.from('SNDB');

export const segmentHeader: Uint8Array = ((): Uint8Array => {
  const header = Buffer.alloc(segmentHeaderBytes);
  magic.copy(header);
  header.writeUInt32LE(version, magic.length);
  return header;
})();

export interface BufferedEnvelope {
  readonly envelope: Envelope;
  /** When it was taken. */
  readonly timeMs: number;
}

/** Returns whether a file's first bytes say that this process can read it. */
export function isSegmentHeader(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes.subarray(0, segmentHeaderBytes), segmentHeader) === 0;
}

/** What the heads of a segment's records are checked with. */
export function segmentSeed(number: number, createdMs: number): number {
  return crc32c(Buffer.from(`${version} ${number} ${createdMs}`));
}

/** The bytes that an envelope takes in a segment. */
export function recordBytes({ tenant, batchId, key, bytes }: Envelope): number {
  const texts = Buffer.byteLength(tenant) + Buffer.byteLength(batchId) + Buffer.byteLength(key);
  return recordHeadBytes + payloadHeadBytes + texts + bytes.length;
}

/** The record's head and all of its payload but the envelope's bytes, which follow it. */
export function encodeRecordHead(envelope: Envelope, timeMs: number, seed: number): Buffer {
  const { signal, tenant, batchId, key, bytes } = envelope;
  const texts = [tenant, batchId, key].map((text) => Buffer.from(text));
  const textBytes = texts.reduce((total, { length }) => total + length, 0);
  const head = Buffer.alloc(recordHeadBytes + payloadHeadBytes + textBytes);
  let at = head.writeDoubleLE(timeMs, recordHeadBytes);
  for (const { length } of texts) at = head.writeUInt16LE(length, at);
  at = head.writeUInt8(signals.indexOf(signal), at);
  for (const text of texts) at += text.copy(head, at);
  head.writeUInt32LE(payloadHeadBytes + textBytes + bytes.length, 0);
  head.writeUInt32LE(crc32c(bytes, crc32c(head.subarray(recordHeadBytes))), 4);
  head.writeUInt32LE(crc32c(head.subarray(0, 8), seed), 8);
  return head;
}

/** The payload's length at `at`, or -1 where no record begins there. */
export function readPayloadBytes(bytes: Buffer, at: number, seed: number): number {
  if (at + recordHeadBytes > bytes.length) return -1;
  if (crc32c(bytes.subarray(at, at + 8), seed) !== bytes.readUInt32LE(at + 8)) return -1;
  return bytes.readUInt32LE(at);
}

/**
 * Returns the envelope of the record at `at`, all of whose bytes must be there; undefined where its payload is spoilt. The
 * envelope's bytes are a part of `bytes`.
 */
export function decodeRecord(bytes: Buffer, at: number): BufferedEnvelope | undefined {
  const from = at + recordHeadBytes;
  const to = from + bytes.readUInt32LE(at);
  const payload = bytes.subarray(from, to);
  if (payload.length < payloadHeadBytes || crc32c(payload) !== bytes.readUInt32LE(at + 4)) return undefined;
  let position = payloadHeadBytes;
  const text = (index: number): string => {
    const start = position;
    position += payload.readUInt16LE(8 + 2 * index);
    return payload.toString('utf8', start, position);
  };
  const [tenant, batchId, key] = [text(0), text(1), text(2)];
  const signal = signals[payload[14]!];
  if (signal === undefined || position > payload.length) return undefined;
  return {
    timeMs: payload.readDoubleLE(0),
    envelope: { signal, tenant, batchId, key, bytes: payload.subarray(position) },
  };
}

/** Names longer than their lengths' 16 bits are nobody's. */
export function isEncodable({ tenant, batchId, key }: Envelope): boolean {
  return [tenant, batchId, key].every((text) => Buffer.byteLength(text) <= 0xffff);
}
