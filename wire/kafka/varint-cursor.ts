/** Reads what a Kafka record is made of: zigzag varints, and bytes that have their length in front (-1: null). */
import { DecodeError } from '#model/errors.ts';

/** Ten bytes hold 64 bits; numbers are exact up to 2^53, which offsets and times stay below. */
const varintBytesMax = 10;

export class VarintCursor {
  readonly #buffer: Buffer;
  at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  /** Throws DecodeError where the bytes end. */
  int(): number {
    let value = 0;
    let factor = 1;
    for (let count = 0; count < varintBytesMax; count++) {
      const byte = this.#buffer[this.at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      factor *= 128;
    }
    throw new DecodeError('the record ends in a number', this.at);
  }

  /** Returns a view. Throws DecodeError where there are fewer bytes than the length says. */
  bytes(): Buffer | null {
    const length = this.int();
    if (length < 0) return null;
    const end = this.at + length;
    if (end > this.#buffer.length) throw new DecodeError('the record ends in a field', this.at);
    const found = this.#buffer.subarray(this.at, end);
    this.at = end;
    return found;
  }
}
