/**
 * Writes protobuf messages, the field forms that OTLP traces and remote read need. Zero values are left out, as proto3 does.
 *
 *   new ProtobufWriter().text(1, 'ab').finish()  ->  0a 02 61 62
 *
 * field => tag:varint value       tag => number << 3 | wire type (0 varint, 1 fixed64, 2 length-delimited, 5 fixed32)
 */
export class ProtobufWriter {
  #bytes = Buffer.allocUnsafe(256);
  #length = 0;

  /** Unsigned, below 2^53. */
  varint(field: number, value: number): this {
    if (value === 0) return this;
    this.#varint(field << 3);
    this.#varint(value);
    return this;
  }

  /** `value` is decimal text below 2^64. */
  fixed64(field: number, value: string): this {
    const bits = BigInt.asUintN(64, BigInt(value));
    if (bits === 0n) return this;
    this.#varint((field << 3) | 1);
    this.#reserve(8);
    this.#length = this.#bytes.writeBigUInt64LE(bits, this.#length);
    return this;
  }

  /** Writes also what is zero: -0 and 0 are different samples. */
  double(field: number, value: number): this {
    this.#varint((field << 3) | 1);
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
    return this;
  }

  /** A double given as its 8 bytes, little-endian: NaN keeps its bits. */
  doubleBytes(field: number, low: number, high: number): this {
    this.#varint((field << 3) | 1);
    this.#reserve(8);
    this.#length = this.#bytes.writeUInt32LE(low, this.#length);
    this.#length = this.#bytes.writeUInt32LE(high, this.#length);
    return this;
  }

  text(field: number, value: string): this {
    return value === '' ? this : this.bytes(field, Buffer.from(value, 'utf8'));
  }

  /** Bytes given as hexadecimal digits. */
  hex(field: number, value: string): this {
    return value === '' ? this : this.bytes(field, Buffer.from(value, 'hex'));
  }

  /** Writes also what is empty: a message that is there but empty, an element of a repeated field. */
  bytes(field: number, value: Uint8Array): this {
    this.#varint((field << 3) | 2);
    this.#varint(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  message(field: number, write: (inner: ProtobufWriter) => void): this {
    const inner = new ProtobufWriter();
    write(inner);
    return this.bytes(field, inner.finish());
  }

  /** The message so far; valid until the next write. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #varint(value: number): void {
    this.#reserve(8);
    let rest = value;
    for (; rest > 0xffffffff; rest = Math.floor(rest / 128)) {
      this.#bytes[this.#length++] = (rest % 128) | 0x80;
    }
    for (; rest > 0x7f; rest >>>= 7) this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
    this.#bytes[this.#length++] = rest;
  }

  #reserve(byteCount: number): void {
    const needed = this.#length + byteCount;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
