/**
 * Writes bits, the highest first, as Prometheus's chunks are made of them. 64-bit values come as two 32-bit halves.
 *
 *   writer.bits(0b101, 3); writer.bits(1, 5)  ->  0xa1
 */
export class BitWriter {
  #bytes = Buffer.allocUnsafe(256);
  /** Bits so far. */
  #length = 0;

  /** The lowest `count` bits of `value`; at most 32. */
  bits(value: number, count: number): void {
    if (count === 0) return;
    this.#reserve(4);
    let left = count;
    while (left > 0) {
      const at = this.#length >>> 3;
      const free = 8 - (this.#length & 7);
      if (free === 8) this.#bytes[at] = 0;
      const taken = Math.min(free, left);
      const part = (value >>> (left - taken)) & ((1 << taken) - 1);
      this.#bytes[at] |= part << (free - taken);
      this.#length += taken;
      left -= taken;
    }
  }

  /** The lowest `count` bits of a 64-bit value. */
  wide(high: number, low: number, count = 64): void {
    if (count > 32) this.bits(high, count - 32);
    this.bits(low, Math.min(32, count));
  }

  /** A whole number as the lowest `count` bits of its two's complement; exact within 2^53. */
  integer(value: number, count: number): void {
    this.wide(Math.floor(value / twoTo32), value >>> 0, count);
  }

  /** Unsigned, as bytes of seven bits, the lowest first. */
  uvarint(value: number): void {
    let rest = value;
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) this.bits((rest % 128) | 0x80, 8);
    this.bits(rest, 8);
  }

  /** Signed: zigzag, then as uvarint. */
  varint(value: number): void {
    this.uvarint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** Overwrites two bytes that were written. */
  setUint16(position: number, value: number): void {
    this.#bytes.writeUInt16BE(value, position);
  }

  /** A copy of what was written; bits that are missing in the last byte are 0. */
  finish(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#bytes, 0, (this.#length + 7) >>> 3);
  }

  #reserve(byteCount: number): void {
    const needed = (this.#length >>> 3) + byteCount + 1;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(this.#bytes.length * 2);
    this.#bytes.copy(grown, 0, 0, (this.#length + 7) >>> 3);
    this.#bytes = grown;
  }
}

const twoTo32 = 4_294_967_296;

/** Whether a difference is written in `bits`: from -(2^(bits-1) - 1) to 2^(bits-1), as Prometheus counts. */
export function fitsBits(value: number, bits: number): boolean {
  const half = 2 ** (bits - 1);
  return value >= 1 - half && value <= half;
}
