/**
 * Cuts a byte stream of Native blocks, which a network delivers in any pieces, into pieces of whole blocks.
 * It walks each byte's structure once, wherever the pieces are cut, and copies nothing but what is cut.
 */
import { DecodeError } from '#model/errors.ts';
import { type NativeType, parseTypeName } from './type-name.ts';

/** A block that never ends would fill the memory; blocks of 65 k rows are a few MB. */
const blockBytesMax = 1024 * 1024 * 1024;
const columnCountMax = 1000;
const fixedWidths = {
  UInt8: 1,
  UInt16: 2,
  UInt32: 4,
  Int8: 1,
  Int16: 2,
  Int32: 4,
  Float32: 4,
} as const;

/** Yields where it needs more bytes. */
type Walk<T = void> = Generator<undefined, T, undefined>;

export class BlockSplitter {
  /** The bytes that were not returned yet: the head of #buffer's part from #start on. */
  #bytes: Uint8Array = new Uint8Array(0);
  #buffer: Uint8Array = this.#bytes;
  #start = 0;
  /** How far the walk has come in #bytes; what is before #blockEnd is whole. */
  #offset = 0;
  #blockEnd = 0;
  #walk: Walk = this.#blocks();

  /** Takes the next piece; returns the whole blocks that it completes, or undefined. Throws DecodeError. */
  push(piece: Uint8Array): Uint8Array | undefined {
    this.#append(piece);
    this.#walk.next();
    if (this.#blockEnd === 0) {
      if (this.#bytes.length > blockBytesMax) throw this.#fault('it is larger than 1 GiB');
      return undefined;
    }
    const whole = this.#bytes.subarray(0, this.#blockEnd);
    this.#bytes = this.#bytes.subarray(this.#blockEnd);
    this.#start += this.#blockEnd;
    this.#offset -= this.#blockEnd;
    this.#blockEnd = 0;
    return whole;
  }

  /** What is left of an unfinished block; empty where the stream ended well. */
  rest(): Uint8Array {
    return this.#bytes;
  }

  /** What was returned lies before #start and is never written again. */
  #append(piece: Uint8Array): void {
    const before = this.#bytes.length;
    if (before === 0) {
      this.#buffer = piece;
      this.#start = 0;
      this.#bytes = piece;
      return;
    }
    const length = before + piece.length;
    // The first piece is the sender's memory; after that the buffer is ours and doubles.
    if (this.#start + length > this.#buffer.length) {
      this.#buffer = new Uint8Array(length * 2);
      this.#buffer.set(this.#bytes);
      this.#start = 0;
    }
    this.#buffer.set(piece, this.#start + before);
    this.#bytes = this.#buffer.subarray(this.#start, this.#start + length);
  }

  *#blocks(): Walk {
    for (;;) {
      while (this.#offset >= this.#bytes.length) yield;
      const columnCount = yield* this.#varuint();
      if (columnCount > columnCountMax) throw this.#fault(`${columnCount} columns are too many`);
      const rowCount = yield* this.#varuint();
      for (let index = 0; index < columnCount; index++) {
        yield* this.#string();
        const type = parseTypeName(yield* this.#string(), this.#offset);
        if (rowCount === 0) continue;
        yield* this.#prefix(type);
        yield* this.#data(type, rowCount);
      }
      this.#blockEnd = this.#offset;
    }
  }

  *#prefix(type: NativeType): Walk {
    if (type.kind === 'dictionary') yield* this.#skip(8);
    if (type.kind === 'array' || type.kind === 'nullable') yield* this.#prefix(type.item);
    if (type.kind === 'map') {
      yield* this.#prefix(type.key);
      yield* this.#prefix(type.value);
    }
  }

  *#data(type: NativeType, rowCount: number): Walk {
    switch (type.kind) {
      case 'number':
        return yield* this.#skip(rowCount * fixedWidths[type.number]);
      case 'integer64':
      case 'float64':
        return yield* this.#skip(rowCount * 8);
      case 'fixed-string':
        return yield* this.#skip(rowCount * type.width);
      case 'string':
        return yield* this.#strings(rowCount);
      case 'dictionary':
        return yield* this.#dictionary(type.key, rowCount);
      case 'array':
        return yield* this.#data(type.item, yield* this.#lastEnd(rowCount));
      case 'map': {
        const itemCount = yield* this.#lastEnd(rowCount);
        yield* this.#data(type.key, itemCount);
        return yield* this.#data(type.value, itemCount);
      }
      case 'nullable':
        yield* this.#skip(rowCount);
        return yield* this.#data(type.item, rowCount);
      default:
        return type satisfies never;
    }
  }

  *#strings(rowCount: number): Walk {
    for (let row = 0; row < rowCount; row++) {
      const length = this.#bytes[this.#offset];
      if (length < 0x80) {
        this.#offset += 1 + length;
        if (this.#offset > this.#bytes.length) yield* this.#skip(0);
      } else yield* this.#skip(yield* this.#varuint());
    }
  }

  *#dictionary(key: NativeType, rowCount: number): Walk {
    if (rowCount === 0) return;
    const flags = yield* this.#count();
    yield* this.#data(key, yield* this.#count());
    yield* this.#skip(8 + rowCount * 2 ** (flags & 0xff));
  }

  *#lastEnd(rowCount: number): Walk<number> {
    if (rowCount === 0) return 0;
    yield* this.#skip((rowCount - 1) * 8);
    return yield* this.#count();
  }

  *#count(): Walk<number> {
    yield* this.#skip(8);
    // After the wait, not before: offsets move when whole blocks are returned.
    const at = this.#offset - 8;
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    if (view.getUint32(at + 4, true) !== 0) throw this.#fault('a count is too large');
    return view.getUint32(at, true);
  }

  *#string(): Walk<string> {
    const length = yield* this.#varuint();
    yield* this.#skip(length);
    const start = this.#offset - length;
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, length).toString('utf8');
  }

  *#varuint(): Walk<number> {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      while (this.#offset >= this.#bytes.length) yield;
      const byte = this.#bytes[this.#offset++];
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw this.#fault('a length is too large');
      if (byte < 0x80) return value;
    }
  }

  /** The offset may stand past the bytes that are there while it waits for them. */
  *#skip(byteCount: number): Walk {
    if (byteCount > blockBytesMax) throw this.#fault('it is larger than 1 GiB');
    this.#offset += byteCount;
    while (this.#offset > this.#bytes.length) yield;
  }

  #fault(fact: string): DecodeError {
    return new DecodeError(`native block: ${fact}`, this.#offset);
  }
}
