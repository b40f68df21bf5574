/**
 * Fields of a body that is a JSON object, one callback each; nested objects are joined by dots.
 *
 *   {"user":{"id":7},"tags":["a"],"ok":true,"x":null}  ->  user.id 7, tags '["a"]', ok true
 *
 * Arrays, and objects deeper than depthMax, are texts of JSON. null is no value. The whole body must be one object: what is
 * cut off or goes on is not parsed, so that half a record is never taken for a whole one.
 */
import {
  brace,
  colon,
  comma,
  isContainer,
  isJsonNumber,
  quote,
  scalarEnd,
  skipContainer,
  skipSpace,
  stringEnd,
} from '#wire/json/json-bytes.ts';
import { type ByteSource, ByteWriter, copyBytes } from '#wire/protobuf/byte-writer.ts';
import { unescapeJson } from '../../logs/frame/json-unescape.ts';
import type { FieldSink } from './field-sink.ts';
import { nameBytesMax } from './field-writer.ts';

const closingBrace = 0x7d;
const dot = 0x2e;
const minus = 0x2d;
const malformed = -1;
/** Integers with more digits may be more than a double holds: they stay texts. */
const exactDigitsMax = 15;

export class JsonFields {
  readonly #depthMax: number;
  readonly #text = new ByteWriter(256);
  /** The names on the way to the current field, joined. */
  readonly #name = new ByteWriter(2 * nameBytesMax);
  #source: ByteSource;
  #end = 0;
  #sink: FieldSink | undefined;

  constructor(depthMax: number) {
    this.#depthMax = depthMax;
    this.#source = this.#text;
  }

  /** False: the text is no JSON object, and what the sink was told is worth nothing. */
  read(source: ByteSource, from: number, to: number, sink: FieldSink): boolean {
    const at = skipSpace(source.bytes, from, to);
    if (at === to || source.bytes[at] !== brace) return false;
    this.#source = source;
    this.#end = to;
    this.#sink = sink;
    this.#name.clear();
    const after = this.#readObject(at + 1, 1);
    return after !== malformed && skipSpace(source.bytes, after, to) === to;
  }

  /** Returns the position behind the object whose members begin at `start`, or malformed. */
  #readObject(start: number, depth: number): number {
    const { bytes } = this.#source;
    const end = this.#end;
    const nameBytes = this.#name.position;
    let at = skipSpace(bytes, start, end);
    if (at < end && bytes[at] === closingBrace) return at + 1;
    for (;;) {
      if (at >= end || bytes[at] !== quote) return malformed;
      const afterName = this.#readName(at + 1);
      if (afterName === malformed) return malformed;
      const colonAt = skipSpace(bytes, afterName, end);
      if (colonAt >= end || bytes[colonAt] !== colon) return malformed;
      at = this.#readValue(skipSpace(bytes, colonAt + 1, end), depth);
      this.#name.position = nameBytes;
      if (at === malformed) return malformed;
      at = skipSpace(bytes, at, end);
      if (at < end && bytes[at] === closingBrace) return at + 1;
      if (at >= end || bytes[at] !== comma) return malformed;
      at = skipSpace(bytes, at + 1, end);
    }
  }

  /** Appends the name whose first letter is at `start`. Returns the position behind its quote. */
  #readName(start: number): number {
    const name = this.#name;
    const found = stringEnd(this.#source, start, this.#end);
    const close = found < 0 ? ~found : found;
    if (close >= this.#end) return malformed;
    name.reserve(close - start + 1);
    if (name.position > 0) name.bytes[name.position++] = dot;
    if (found < 0) return unescapeJson(this.#source, start, this.#end, name) === -1 ? malformed : close + 1;
    copyBytes(name, this.#source, start, close);
    return close + 1;
  }

  #readValue(at: number, depth: number): number {
    if (at >= this.#end) return malformed;
    const first = this.#source.bytes[at];
    if (first === quote) return this.#readString(at + 1);
    if (first === brace && depth < this.#depthMax) return this.#readObject(at + 1, depth + 1);
    if (isContainer(first)) {
      const after = skipContainer(this.#source, at, this.#end);
      if (after !== -1) this.#sink!.text(this.#name, this.#source, at, after);
      return after === -1 ? malformed : after;
    }
    return this.#readScalar(at);
  }

  #readString(start: number): number {
    const found = stringEnd(this.#source, start, this.#end);
    const close = found < 0 ? ~found : found;
    if (close >= this.#end) return malformed;
    if (found >= 0) this.#sink!.text(this.#name, this.#source, start, close);
    else {
      this.#text.clear();
      if (unescapeJson(this.#source, start, this.#end, this.#text) === -1) return malformed;
      this.#sink!.text(this.#name, this.#text, 0, this.#text.position);
    }
    return close + 1;
  }

  #readScalar(at: number): number {
    const { bytes } = this.#source;
    const after = scalarEnd(bytes, at, this.#end);
    const name = this.#name;
    if (isJsonNumber(bytes, at, after)) {
      const integer = exactInteger(bytes, at, after);
      if (integer !== undefined) this.#sink!.number(name, integer, this.#source, at, after);
      else {
        const text = bytes.toString('latin1', at, after);
        if (/^-?\d+$/.test(text)) this.#sink!.text(name, this.#source, at, after);
        else this.#sink!.number(name, Number(text), this.#source, at, after);
      }
      return after;
    }
    const word = after - at <= 5 ? bytes.toString('latin1', at, after) : '';
    if (word === 'true' || word === 'false') this.#sink!.boolean(name, word === 'true');
    else if (word !== 'null') return malformed;
    return after;
  }
}

/** The value of digits, with a sign or not, that a double holds exactly; undefined for all other numbers. */
function exactInteger(bytes: Uint8Array, from: number, to: number): number | undefined {
  const isNegative = bytes[from] === minus;
  if (to - from > exactDigitsMax) return undefined;
  let value = 0;
  for (let at = isNegative ? from + 1 : from; at < to; at++) {
    const digit = bytes[at] - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return isNegative ? -value : value;
}
