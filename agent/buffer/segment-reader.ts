/**
 * Reads the records of one segment, in order, and steps over what is spoilt.
 *
 *   next()  ->  { offset: 8, envelope, ... }, then 'wait' at the end of a segment that still grows, or 'end'
 */

import type { Segment } from './segment.ts';
import {
  type BufferedEnvelope,
  decodeRecord,
  readPayloadBytes,
  recordHeadBytes,
  segmentHeaderBytes,
} from './segment-format.ts';

export interface ReadRecord extends BufferedEnvelope {
  /** Where the record begins. */
  readonly offset: number;
}

/** What a reader met besides records. */
export interface Damage {
  /** A record's payload, or bytes between records, were not what was written. */
  corrupt(bytes: number): void;
  /** The file ends within a record: it was being written, and nobody was told that it was durable. */
  torn(bytes: number): void;
}

const chunkBytes = 256 * 1024;

export class SegmentReader {
  readonly #segment: Segment;
  readonly #damage: Damage;
  /** Bytes of the file from #chunkAt on. */
  #chunk: Buffer = Buffer.alloc(0);
  #chunkAt = 0;
  #offset = 0;

  constructor(segment: Segment, damage: Damage) {
    this.#segment = segment;
    this.#damage = damage;
  }

  /** Returns the next record that was not acknowledged. */
  async next(): Promise<ReadRecord | 'wait' | 'end'> {
    const segment = this.#segment;
    if (this.#offset === 0) {
      if (segment.size < segmentHeaderBytes) {
        if (!segment.isSealed) return 'wait';
        if (segment.size > 0) this.#damage.torn(segment.size);
        return 'end';
      }
      // A header that is not ours: records may still be found behind it.
      if (!(await segment.hasHeader())) this.#damage.corrupt(segmentHeaderBytes);
      this.#offset = segmentHeaderBytes;
    }
    for (;;) {
      const offset = this.#offset;
      const [size, isSealed] = [segment.size, segment.isSealed];
      if (offset >= size) return isSealed ? 'end' : 'wait';
      await this.#load(recordHeadBytes);
      const payloadBytes = readPayloadBytes(this.#chunk, offset - this.#chunkAt, this.#segment.seed);
      const end = offset + recordHeadBytes + payloadBytes;
      if (payloadBytes < 0) {
        await this.#skipDamage(size);
        continue;
      }
      if (end > size) {
        // Its head can be believed: nothing follows it.
        this.#offset = size;
        this.#damage.torn(size - offset);
        continue;
      }
      await this.#load(recordHeadBytes + payloadBytes);
      this.#offset = end;
      if (segment.isAcked(offset)) continue;
      const record = decodeRecord(this.#chunk, offset - this.#chunkAt);
      if (record !== undefined) return { ...record, offset };
      this.#damage.corrupt(end - offset);
    }
  }

  /** Moves to the next record that can be believed, or to the end. */
  async #skipDamage(size: number): Promise<void> {
    const start = this.#offset;
    for (let offset = start + 1; offset + recordHeadBytes <= size; offset++) {
      this.#offset = offset;
      if (!this.#has(recordHeadBytes)) await this.#load(recordHeadBytes);
      const payloadBytes = readPayloadBytes(this.#chunk, offset - this.#chunkAt, this.#segment.seed);
      if (payloadBytes < 0 || offset + recordHeadBytes + payloadBytes > size) continue;
      await this.#load(recordHeadBytes + payloadBytes);
      if (decodeRecord(this.#chunk, offset - this.#chunkAt) === undefined) continue;
      this.#damage.corrupt(offset - start);
      return;
    }
    this.#offset = size;
    if (size - start < recordHeadBytes) this.#damage.torn(size - start);
    else this.#damage.corrupt(size - start);
  }

  /** Makes sure that `byteCount` bytes at #offset are in #chunk, as far as the file has them. */
  async #load(byteCount: number): Promise<void> {
    if (this.#has(byteCount)) return;
    // Records that were given out are parts of the old chunk, which stays theirs.
    this.#chunk = await this.#segment.read(this.#offset, Math.max(chunkBytes, byteCount));
    this.#chunkAt = this.#offset;
  }

  #has(byteCount: number): boolean {
    const from = this.#offset - this.#chunkAt;
    return from >= 0 && from + byteCount <= this.#chunk.length;
  }
}
