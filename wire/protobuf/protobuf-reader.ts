/**
 * A cursor over protobuf bytes: the reading primitives that the transcoders are built from. It creates no objects.
 *
 *   reader.begin(bytes);
 *   while (reader.position < reader.limit) {
 *     switch (reader.readTag()) {
 *       case 0x0a: { const outer = reader.enter(); ...; reader.leave(outer); break; }
 *       default: reader.skip();
 *     }
 *   }
 *
 * Invariant: nothing past `limit` is ever read, and `limit` never passes the end of the message that encloses it.
 * Everything throws DecodeError, with the byte position, on bytes that are not protobuf.
 *
 *   message => field*      field => tag:varint value      tag = field number << 3 | wire type
 *   value   => varint (type 0) | 8 bytes (1) | length:varint byte* (2) | 4 bytes (5)
 */
import { DecodeError } from '#model/errors.ts';
import { ByteView } from './byte-view.ts';

export const wireVarint = 0;
export const wireFixed64 = 1;
export const wireBytes = 2;
export const wireFixed32 = 5;

/** Fields 1 to 2^29-1 exist, so a tag fits in 32 bits. */
const fieldNumberMax = 0x1fffffff;
const twoTo32 = 0x1_0000_0000;
const int32Max = 0x7fff_ffff;

const noBytes = new ByteView(new Uint8Array(0));

export class ProtobufReader {
  /** The whole input. Positions are offsets in it. */
  source: ByteView = noBytes;
  position = 0;
  /** End of the message that is being read. */
  limit = 0;
  /** The last tag that readTag returned. */
  tag = 0;
  /** Unsigned halves of what readVarint64 or readFixed64 returned last. */
  low = 0;
  high = 0;

  /** Starts at the first byte of `bytes`, which must not change until reading is done. */
  begin(bytes: Uint8Array): void {
    this.source = new ByteView(bytes);
    this.position = 0;
    this.limit = bytes.length;
    this.tag = 0;
  }

  /** Continues at a range that was read before: nested messages are often met first and read later. */
  seek(start: number, end: number): void {
    this.position = start;
    this.limit = end;
  }

  /** Returns the next field's tag: `field number << 3 | wire type`. */
  readTag(): number {
    const position = this.position;
    const first = position < this.limit ? this.source.bytes[position] : 0x80;
    if (first < 0x80 && first > 7) {
      this.position = position + 1;
      this.tag = first;
      return first;
    }
    const tag = this.readVarint();
    if (tag < 8) throw new DecodeError('field number 0 is not allowed', position);
    if (tag > fieldNumberMax * 8 + 7) throw new DecodeError('a field number is larger than 2^29-1', position);
    this.tag = tag;
    return tag;
  }

  /** Returns a varint as a number: exact below 2^53, which is all that lengths, enums and counts need. */
  readVarint(): number {
    const position = this.position;
    if (position < this.limit) {
      const first = this.source.bytes[position];
      if (first < 0x80) {
        this.position = position + 1;
        return first;
      }
    }
    this.readVarint64();
    // Where it fits, V8 must get a 32-bit integer: one length as a double would turn all positions into doubles.
    if (this.high === 0 && this.low <= int32Max) return this.low | 0;
    return this.high * twoTo32 + this.low;
  }

  /** Reads a varint of up to 64 bits into `low` and `high`. */
  readVarint64(): void {
    const start = this.position;
    const bytes = this.source.bytes;
    // A varint of 64 bits takes at most 10 bytes: 9 with 7 bits each, and one more bit.
    const end = Math.min(this.limit, start + 10);
    let low = 0;
    let high = 0;
    let position = start;
    let shift = 0;
    while (position < end) {
      const byte = bytes[position++];
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        if (shift === 63 && byte > 1) break;
        this.low = low >>> 0;
        this.high = high >>> 0;
        this.position = position;
        return;
      }
      shift += 7;
    }
    if (position < start + 10) throw new DecodeError('a varint runs past the end of its message', start);
    throw new DecodeError('a varint is longer than 64 bits', start);
  }

  /** Reads 8 bytes, little-endian, into `low` and `high`. */
  readFixed64(): void {
    const position = this.position;
    if (position + 8 > this.limit) throw this.#tooShort('an 8-byte value');
    this.low = this.source.view.getUint32(position, true);
    this.high = this.source.view.getUint32(position + 4, true);
    this.position = position + 8;
  }

  /** Steps over 8 bytes and returns where they are: for values that are copied and not calculated with. */
  passFixed64(): number {
    const position = this.position;
    if (position + 8 > this.limit) throw this.#tooShort('an 8-byte value');
    this.position = position + 8;
    return position;
  }

  /** Steps over a string, bytes or message field and returns where its value starts; it ends at `position`. */
  passBytes(): number {
    const length = this.readLength();
    const start = this.position;
    this.position = start + length;
    return start;
  }

  /** Returns 4 bytes, little-endian, as an unsigned number. */
  readFixed32(): number {
    const position = this.position;
    if (position + 4 > this.limit) throw this.#tooShort('a 4-byte value');
    this.position = position + 4;
    return this.source.view.getUint32(position, true);
  }

  /** Reads the length of a string, bytes or message field; the value is then [position, position + length). */
  readLength(): number {
    const start = this.position;
    const length = this.readVarint();
    if (length > this.limit - this.position) {
      throw new DecodeError(
        `field ${this.tag >>> 3} has length ${length}, but its message ends after ${this.limit - this.position} bytes`,
        start,
      );
    }
    return length;
  }

  /** Goes into a nested message: `limit` becomes its end. Returns the limit to give to leave(). */
  enter(): number {
    const length = this.readLength();
    const outer = this.limit;
    this.limit = this.position + length;
    return outer;
  }

  /** Goes back to the enclosing message, from wherever in the nested one the cursor is. */
  leave(outer: number): void {
    this.position = this.limit;
    this.limit = outer;
  }

  /** Steps over the value of the field whose tag was read last. */
  skip(): void {
    switch (this.tag & 7) {
      case wireVarint:
        this.readVarint64();
        return;
      case wireFixed64:
        if (this.position + 8 > this.limit) throw this.#tooShort('an 8-byte value');
        this.position += 8;
        return;
      case wireBytes: {
        const length = this.readLength();
        this.position += length;
        return;
      }
      case wireFixed32:
        if (this.position + 4 > this.limit) throw this.#tooShort('a 4-byte value');
        this.position += 4;
        return;
      default:
        throw new DecodeError(
          `field ${this.tag >>> 3} has wire type ${this.tag & 7}, which is ${(this.tag & 7) < 5 ? 'a group: groups are not supported' : 'not defined'}`,
          this.position,
        );
    }
  }

  #tooShort(what: string): DecodeError {
    return new DecodeError(
      `field ${this.tag >>> 3} is ${what}, but its message ends after ${this.limit - this.position} bytes`,
      this.position,
    );
  }
}
