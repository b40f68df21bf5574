/**
 * The symbols of one request as they are sent, and a way to find a text among them without making strings.
 *
 *   refOf('job') -> 1, refOf('api') -> 2, refOf('job') -> 1        '' is symbol 0
 *
 * The table for finding is as large as the texts. seal() gives it up where no more series come; a text that comes all the
 * same, such as that of an exemplar, makes it anew.
 */
import { varintBytes } from '#wire/protobuf/byte-writer.ts';
import { hashText, isSameText } from './label-texts.ts';
import { grown } from './series-columns.ts';

const tagSymbols = 0x22;
const bytesMin = 256;
const symbolsMin = 16;
const headerBytesMax = 6;

const noTable = new Int32Array(0);
const { utf8Slice } = Buffer.prototype as unknown as {
  utf8Slice(this: Uint8Array, start: number, end: number): string;
};

export class RequestSymbols {
  #bytes = new Uint8Array(bytesMin);
  #view = new DataView(this.#bytes.buffer);
  /** Behind the text of each symbol. */
  #ends = new Int32Array(symbolsMin);
  #count = 0;
  #hashes = noTable;
  /** Open addressing: symbol + 1, or 0 where free. Never more than half full. Empty after seal(). */
  #slots = noTable;

  constructor() {
    this.refOf(this.#bytes, this.#view, 0, 0, hashText(this.#bytes, 0, 0));
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes of the symbols' fields. */
  get byteLength(): number {
    return this.#count === 0 ? 0 : this.#ends[this.#count - 1]!;
  }

  /** The fields, valid until a symbol is added. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.byteLength);
  }

  /** Returns the number of a text, or -1. */
  find(view: DataView, start: number, end: number, hash: number): number {
    if (this.#slots.length === 0) this.#makeTable();
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const symbol = slots[slot]! - 1;
      if (symbol < 0) return -1;
      if (this.#hashes[symbol] === hash && this.isText(symbol, view, start, end)) return symbol;
    }
  }

  /** Returns the number of a text, which is added where it is new. `hash` is its hashText. */
  refOf(bytes: Uint8Array, view: DataView, start: number, end: number, hash: number): number {
    const known = this.find(view, start, end, hash);
    return known >= 0 ? known : this.#add(bytes, start, end, hash);
  }

  isText(symbol: number, view: DataView, start: number, end: number): boolean {
    const ownEnd = this.#ends[symbol]!;
    return isSameText(this.#view, this.#textStart(symbol), ownEnd, view, start, end);
  }

  text(symbol: number): string {
    return utf8Slice.call(this.#bytes, this.#textStart(symbol), this.#ends[symbol]!);
  }

  /** Gives up what is only needed to find and add symbols. */
  seal(): void {
    this.#slots = noTable;
    this.#hashes = noTable;
    this.#bytes = this.#bytes.slice(0, this.byteLength);
    this.#view = new DataView(this.#bytes.buffer);
    this.#ends = this.#ends.slice(0, this.#count);
  }

  #textStart(symbol: number): number {
    let at = symbol === 0 ? 1 : this.#ends[symbol - 1]! + 1;
    while (this.#bytes[at]! >= 0x80) at++;
    return at + 1;
  }

  #add(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const symbol = this.#count;
    let at = this.byteLength;
    const length = end - start;
    const needed = at + headerBytesMax + length;
    if (needed > this.#bytes.length) {
      const size = this.#bytes.length;
      this.#bytes = grown(this.#bytes, new Uint8Array(Math.max(size + (size >>> 1), bytesMin, needed)));
      this.#view = new DataView(this.#bytes.buffer);
    }
    const own = this.#bytes;
    own[at++] = tagSymbols;
    let rest = length;
    for (let i = varintBytes(length); i > 1; i--, rest >>>= 7) own[at++] = (rest & 0x7f) | 0x80;
    own[at++] = rest;
    for (let from = start; from < end; from++) own[at++] = bytes[from]!;
    if (symbol >= this.#ends.length) {
      this.#ends = grown(this.#ends, new Int32Array(Math.max(symbol * 2, symbolsMin)));
    }
    this.#ends[symbol] = at;
    this.#count = symbol + 1;
    if (symbol >= this.#hashes.length) {
      this.#hashes = grown(this.#hashes, new Int32Array(Math.max(symbol * 2, symbolsMin)));
    }
    this.#hashes[symbol] = hash;
    if (this.#count * 2 > this.#slots.length) this.#placeAll();
    else this.#place(symbol);
    return symbol;
  }

  #makeTable(): void {
    this.#hashes = new Int32Array(Math.max(this.#count, symbolsMin));
    for (let symbol = 0; symbol < this.#count; symbol++) {
      this.#hashes[symbol] = hashText(this.#bytes, this.#textStart(symbol), this.#ends[symbol]!);
    }
    this.#placeAll();
  }

  #placeAll(): void {
    let length = symbolsMin * 2;
    while (length < this.#count * 2) length *= 2;
    this.#slots = new Int32Array(length);
    for (let symbol = 0; symbol < this.#count; symbol++) this.#place(symbol);
  }

  #place(symbol: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = this.#hashes[symbol]! & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = symbol + 1;
  }
}
