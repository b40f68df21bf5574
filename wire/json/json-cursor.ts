/**
 * A cursor over JSON text: what converters read large bodies with, without building a tree of them.
 *
 *   cursor.begin(bytes);
 *   cursor.enterObject();
 *   while (cursor.nextKey()) { if (cursor.isKey(nameBytes)) cursor.readString(); else cursor.skipValue(); }
 *   cursor.expectEnd();
 *
 * JSON.parse would lose digits of integers beyond 2^53, and a body of `[[],[],[]...` would take twenty times its size.
 * Invariant: all bytes are valid UTF-8 (begin checks), and nesting is at most jsonDepthMax. Everything throws
 * DecodeError, with the byte position, on what is not JSON (RFC 8259).
 */
import { isUtf8 } from 'node:buffer';
import { DecodeError } from '#model/errors.ts';

/** OTLP values nest in messages at most 100 deep, and each of them takes an object and an array. */
export const jsonDepthMax = 256;

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const minus = 0x2d;
const byteOrderMark = [0xef, 0xbb, 0xbf];

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;

export class JsonCursor {
  bytes: Buffer = Buffer.alloc(0);
  position = 0;
  /** The last string or number token: [start, end) without quotes. */
  start = 0;
  end = 0;
  /** Whether the last string token, or key, has a backslash in it. */
  hasEscape = false;
  #depth = 0;
  /** Whether the container that was entered last has no member yet. */
  #isFirst = false;

  /** Starts at the first byte of `bytes`, which must not change until reading is done. */
  begin(bytes: Uint8Array): void {
    if (!isUtf8(bytes)) throw new DecodeError('the JSON text is not valid UTF-8', 0);
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = byteOrderMark.every((byte, i) => bytes[i] === byte) ? byteOrderMark.length : 0;
    this.#depth = 0;
    this.#isFirst = false;
  }

  /** Returns the first byte of the next token and stays before it; -1 at the end. */
  peek(): number {
    const { bytes } = this;
    let position = this.position;
    let byte = bytes[position];
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++position];
    this.position = position;
    return byte ?? -1;
  }

  enterObject(): void {
    this.#enter(openBrace, 'an object');
  }

  enterArray(): void {
    this.#enter(openBracket, 'an array');
  }

  /** Moves to the next member's value and keeps its key as the token; at the end of the object leaves it: false. */
  nextKey(): boolean {
    if (!this.#next(closeBrace, '}')) return false;
    if (this.peek() !== quote) throw this.#expected('a key');
    this.readString();
    if (this.peek() !== 0x3a) throw this.#expected('":"');
    this.position++;
    return true;
  }

  /** Moves to the next element; at the end of the array leaves it and returns false. */
  nextElement(): boolean {
    return this.#next(closeBracket, ']');
  }

  /** Whether the token, without escapes, is exactly these bytes. */
  isToken(name: Uint8Array): boolean {
    const { start, bytes } = this;
    if (this.end - start !== name.length) return false;
    for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name[i]) return false;
    return true;
  }

  /** Reads a string and keeps it as the token, escapes and all. */
  readString(): void {
    if (this.peek() !== quote) throw this.#expected('a string');
    const { bytes } = this;
    const start = this.position + 1;
    let position = start;
    this.hasEscape = false;
    for (; ; position++) {
      const byte = bytes[position];
      if (byte === quote) break;
      if (byte === undefined) throw new DecodeError('a string does not end', start - 1);
      if (byte < 0x20)
        throw new DecodeError('a string has a control character that is not escaped', position);
      if (byte === backslash) {
        this.hasEscape = true;
        position = this.#checkEscape(position);
      }
    }
    this.start = start;
    this.end = position;
    this.position = position + 1;
  }

  /** The token as text. */
  text(): string {
    const { start, end } = this;
    // The token was checked: what is between the quotes is a JSON string.
    if (this.hasEscape) return JSON.parse(this.bytes.toString('utf8', start - 1, end + 1)) as string;
    return this.bytes.toString('utf8', start, end);
  }

  /** Reads a number and keeps it as the token. */
  readNumber(): void {
    const first = this.peek();
    if (first !== minus && !isDigit(first)) throw this.#expected('a number');
    const { bytes } = this;
    const start = this.position;
    let position = first === minus ? start + 1 : start;
    const digits = (): void => {
      const from = position;
      while (isDigit(bytes[position] ?? 0)) position++;
      if (position === from) throw new DecodeError('a number lacks a digit', position);
    };
    const isZero = bytes[position] === 0x30;
    digits();
    if (isZero && position > start + (first === minus ? 2 : 1)) {
      throw new DecodeError('a number begins with 0', start);
    }
    if (bytes[position] === 0x2e) {
      position++;
      digits();
    }
    if (bytes[position] === 0x65 || bytes[position] === 0x45) {
      position++;
      if (bytes[position] === 0x2b || bytes[position] === minus) position++;
      digits();
    }
    this.hasEscape = false;
    this.start = start;
    this.end = position;
    this.position = position;
  }

  /** Reads true or false. */
  readBoolean(): boolean {
    if (this.#take('true')) return true;
    if (this.#take('false')) return false;
    throw this.#expected('true or false');
  }

  /** Steps over a null and returns true, or stays before what else is there. */
  takeNull(): boolean {
    return this.peek() === 0x6e && this.#take('null');
  }

  /** Steps over any value. Its nesting is bounded like all nesting, so recursion is too. */
  skipValue(): void {
    const byte = this.peek();
    if (byte === openBrace) {
      this.enterObject();
      while (this.nextKey()) this.skipValue();
    } else if (byte === openBracket) {
      this.enterArray();
      while (this.nextElement()) this.skipValue();
    } else if (byte === quote) this.readString();
    else if (byte === 0x74 || byte === 0x66) this.readBoolean();
    else if (byte === minus || isDigit(byte)) this.readNumber();
    else if (!this.takeNull()) throw this.#expected('a value');
  }

  /** Throws where something other than white space follows. */
  expectEnd(): void {
    if (this.peek() !== -1) throw this.#expected('the end of the text');
  }

  #enter(open: number, name: string): void {
    if (this.peek() !== open) throw this.#expected(name);
    if (++this.#depth > jsonDepthMax) {
      throw new DecodeError(`JSON is nested deeper than ${jsonDepthMax}`, this.position);
    }
    this.position++;
    this.#isFirst = true;
  }

  #next(close: number, closeText: string): boolean {
    const byte = this.peek();
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    if (byte === close) {
      this.position++;
      this.#depth--;
      return false;
    }
    if (isFirst) return true;
    if (byte !== 0x2c) throw this.#expected(`"," or "${closeText}"`);
    this.position++;
    if (this.peek() === close) throw new DecodeError('a "," has nothing behind it', this.position);
    return true;
  }

  /** Returns the position of the escape's last byte. */
  #checkEscape(position: number): number {
    const byte = this.bytes[position + 1] ?? 0;
    if (byte === 0x75) {
      const digits = this.bytes.toString('latin1', position + 2, position + 6);
      if (/^[0-9a-fA-F]{4}$/.test(digits)) return position + 5;
    } else if ('"\\/bfnrt'.includes(String.fromCharCode(byte))) return position + 1;
    throw new DecodeError('a string has an escape that JSON does not have', position);
  }

  #take(word: string): boolean {
    if (this.bytes.toString('latin1', this.position, this.position + word.length) !== word) return false;
    this.position += word.length;
    return true;
  }

  #expected(what: string): DecodeError {
    return new DecodeError(`expected ${what}`, this.position);
  }
}
