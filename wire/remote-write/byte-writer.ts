/**
 * Bytes that grow at their end: the parts of protobuf that a hand-written encoder needs.
 *
 *   reserve(11); byte(0x08); varint(300)  ->  08 ac 02
 *
 * Only reserve and append make room: before the others the caller must have reserved it, once per message, not per byte.
 */
/** Kept free at the end: copy moves 8-byte words, so it reads and writes up to 7 bytes too many. */
const slackBytes = 16;
/** The longest varint: 64 bits in groups of 7. */
export const varintBytesMax = 10;

export class ByteWriter {
  bytes = new Uint8Array(256);
  view = new DataView(this.bytes.buffer);
  length = 0;

  /** Forgets the bytes and keeps the memory. */
  clear(): void {
    this.length = 0;
  }

  /** Makes room for `more` bytes. */
  reserve(more: number): void {
    const needed = this.length + more + slackBytes;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  append(source: Uint8Array): void {
    this.reserve(source.length);
    this.bytes.set(source, this.length);
    this.length += source.length;
  }

  byte(value: number): void {
    this.bytes[this.length++] = value;
  }

  /** An unsigned integer below 2^32. */
  varint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.length++] = rest;
  }

  /** A signed integer; the negative ones take ten bytes (protobuf's int64). */
  int64(value: number): void {
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 0x7fn) {
      this.bytes[this.length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.bytes[this.length++] = Number(rest);
  }

  float64(value: number): void {
    this.view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  /** Eight bytes, given as their low and high word: a double whose bits matter. */
  words(low: number, high: number): void {
    this.view.setUint32(this.length, low, true);
    this.view.setUint32(this.length + 4, high, true);
    this.length += 8;
  }

  /** The bytes [start, end) of a source that has 7 readable bytes behind `end`. Meant for at most some 200 bytes. */
  copy(source: DataView, start: number, end: number): void {
    let to = this.length;
    for (let from = start; from < end; from += 8, to += 8) {
      this.view.setBigInt64(to, source.getBigInt64(from, true), true);
    }
    this.length += end - start;
  }
}
