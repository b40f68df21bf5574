/**
 * Reads MessagePack values in place: what a value is and where it lies, without making it.
 *
 *   cursor.begin(bytes, 0, 4); cursor.read() on 'a3 61 62 63'  ->  kind 'string', from 1, to 4
 *
 * The format is https://github.com/msgpack/msgpack/blob/master/spec.md; numbers are big-endian.
 */
import { DecodeError } from '#model/errors.ts';

export type MsgpackKind =
  | 'nil'
  | 'boolean'
  | 'integer'
  | 'float'
  | 'string'
  | 'binary'
  | 'array'
  | 'map'
  | 'extension';

/** Values within values: what is nested deeper is refused, here and where it would become attributes. */
export const msgpackDepthMax = 24;

export class MsgpackCursor {
  bytes: Buffer = Buffer.alloc(0);
  /** The next value, or what follows the header of an array or map. */
  position = 0;
  /** Values end here. */
  limit = 0;
  kind: MsgpackKind = 'nil';
  /** The content of a string, binary or extension, and the digits of a number: bytes[from, to). */
  from = 0;
  to = 0;
  /** Elements of an array, pairs of a map. */
  count = 0;
  /** Of a number (an integer that a double cannot hold is rounded: see `isExact`) or a boolean (0 or 1). */
  number = 0;
  isExact = true;
  /** Of an extension. */
  extension = 0;

  begin(bytes: Buffer, from: number, to: number): void {
    this.bytes = bytes;
    this.position = from;
    this.limit = to;
  }

  /**
   * Reads a value's header, and its content where it has one: `position` is then behind it. The elements of an array or
   * map are to be read next. Returns false where the bytes end before that; then nothing has moved. Throws DecodeError
   * where no value begins.
   */
  tryRead(): boolean {
    if (this.position >= this.limit) return false;
    const code = this.bytes[this.position]!;
    if (code < 0x80) return this.#number('integer', 0, code);
    if (code < 0x90) return this.#container('map', 0, code & 0x0f);
    if (code < 0xa0) return this.#container('array', 0, code & 0x0f);
    if (code < 0xc0) return this.#content('string', 0, code & 0x1f);
    if (code >= 0xe0) return this.#number('integer', 0, code - 0x100);
    return this.#readCoded(code);
  }

  /** As tryRead, for bytes that must be all there. */
  read(): MsgpackKind {
    if (!this.tryRead()) throw new DecodeError('the message ends within a MessagePack value', this.limit);
    return this.kind;
  }

  /** Steps over the next value with all that is in it. */
  skip(): void {
    for (let left = 1; left > 0; left--) {
      this.read();
      if (this.kind === 'array') left += this.count;
      else if (this.kind === 'map') left += 2 * this.count;
    }
  }

  #readCoded(code: number): boolean {
    switch (code) {
      case 0xc0:
        return this.#number('nil', 0, 0);
      case 0xc2:
      case 0xc3:
        return this.#number('boolean', 0, code & 1);
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#sized('binary', 1 << (code - 0xc4));
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#sized('extension', 1 << (code - 0xc7));
      case 0xca:
      case 0xcb:
        return this.#float(code === 0xca ? 4 : 8);
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#content('extension', 0, 1 << (code - 0xd4));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#sized('string', 1 << (code - 0xd9));
      case 0xdc:
      case 0xdd:
        return this.#counted('array', code === 0xdc ? 2 : 4);
      case 0xde:
      case 0xdf:
        return this.#counted('map', code === 0xde ? 2 : 4);
      case 0xc1:
        throw new DecodeError('0xc1 begins no MessagePack value', this.position);
      default:
        return this.#integer(code);
    }
  }

  #has(byteCount: number): boolean {
    return this.position + byteCount <= this.limit;
  }

  /** Sets a value that its code says, or whose digits end at `position` + 1 + `digits`. */
  #number(kind: MsgpackKind, digits: number, value: number): true {
    this.kind = kind;
    this.number = value;
    this.isExact = true;
    this.from = this.position + 1;
    this.to = this.from + digits;
    this.position = this.to;
    return true;
  }

  /** 0xcc to 0xcf: unsigned of 1, 2, 4, 8 bytes; 0xd0 to 0xd3: signed. */
  #integer(code: number): boolean {
    const digits = 1 << (code & 3);
    if (!this.#has(1 + digits)) return false;
    const isSigned = code >= 0xd0;
    const at = this.position + 1;
    if (digits < 8) {
      const value = isSigned ? this.bytes.readIntBE(at, digits) : this.bytes.readUIntBE(at, digits);
      return this.#number('integer', digits, value);
    }
    const value = isSigned ? this.bytes.readBigInt64BE(at) : this.bytes.readBigUInt64BE(at);
    this.#number('integer', digits, Number(value));
    this.isExact = Number.isSafeInteger(this.number);
    return true;
  }

  #float(digits: 4 | 8): boolean {
    if (!this.#has(1 + digits)) return false;
    const at = this.position + 1;
    return this.#number(
      'float',
      digits,
      digits === 4 ? this.bytes.readFloatBE(at) : this.bytes.readDoubleBE(at),
    );
  }

  #sized(kind: 'binary' | 'extension' | 'string', digits: number): boolean {
    if (!this.#has(1 + digits)) return false;
    return this.#content(kind, digits, this.bytes.readUIntBE(this.position + 1, digits));
  }

  #content(kind: 'binary' | 'extension' | 'string', digits: number, length: number): boolean {
    const typeBytes = kind === 'extension' ? 1 : 0;
    if (!this.#has(1 + digits + typeBytes + length)) return false;
    this.kind = kind;
    this.from = this.position + 1 + digits + typeBytes;
    this.to = this.from + length;
    if (kind === 'extension') this.extension = this.bytes.readInt8(this.from - 1);
    this.position = this.to;
    return true;
  }

  #counted(kind: 'array' | 'map', digits: number): boolean {
    if (!this.#has(1 + digits)) return false;
    return this.#container(kind, digits, this.bytes.readUIntBE(this.position + 1, digits));
  }

  #container(kind: 'array' | 'map', digits: number, count: number): true {
    this.kind = kind;
    this.count = count;
    this.position += 1 + digits;
    return true;
  }
}
