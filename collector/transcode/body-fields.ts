/**
 * Fields of log bodies -> log attributes: those that are named, of bodies that are a JSON object or logfmt.
 *
 *   {"user":{"id":7},"msg":"paid"}, field user.id   ->  user.id: 7
 *   level=info user.id=7 msg="it is paid"           ->  user.id: 7
 *
 * A field's name is matched with the names on the way to it, joined by dots, so that a name may have dots itself. The
 * first in the text counts; null is no value. A string is promoted without its escapes, everything else as it stands.
 *
 * One pass that ends when all fields are found, or where the text is neither: what stands before is promoted, also of a
 * line that was cut off. Values that nobody asked for are passed over without a look at what is in them.
 */

import {
  brace,
  closingQuote,
  colon,
  comma,
  equals,
  isContainer,
  isJsonNumber,
  nameEnd,
  quote,
  scalarEnd,
  skipContainer,
  skipSpace,
  stringEnd,
  textEnd,
} from '#wire/json/json-bytes.ts';
import { ByteView } from '#wire/protobuf/byte-view.ts';
import { ByteBuffer } from './byte-buffer.ts';
import { equalBytes } from './byte-copy.ts';
import type { MapColumn } from './column-map.ts';
import type { StringColumn } from './column-string.ts';
import { unescapeJson } from './json-escapes.ts';
import { nameBytesMax, type PromotedField } from './promoted-fields.ts';
import { textBytes } from './resource-scope.ts';

const dot = 0x2e;
const closingBrace = 0x7d;
/** Of a name that is empty. */
const noByte = -1;
/** The text is over, or no more is to be found in it. */
const stop = -1;

const nullWord = textBytes('null');
const words = ['true', 'false'].map(textBytes);

/** One per thread. Not reentrant. */
export class BodyFields {
  readonly #paths: readonly ByteView[];
  /** After their lengths, as a map column wants keys. */
  readonly #attributes: readonly ByteView[];
  readonly #scratch = new ByteBuffer();
  readonly #all: number;
  /** By length: fields that a name of that length can complete or begin. Most names are told apart by it. */
  readonly #byLength = new Int32Array(nameBytesMax + 1);
  // The body that is being read, and where its fields go. Sets of fields are bits.
  #source: ByteView;
  #end = 0;
  #attrs: MapColumn<StringColumn> | undefined;
  #missing = 0;
  /** Of the name that was matched last: fields that it completes, and fields that it begins. */
  #leaves = 0;
  #branches = 0;
  /** Its length without escapes. */
  #nameLength = 0;

  /** There must be at least one field, and not more than promotedFieldsMax. */
  constructor(fields: readonly PromotedField[]) {
    this.#paths = fields.map(({ field }) => textBytes(field));
    this.#attributes = fields.map(({ attribute }) => {
      const name = Buffer.from(attribute);
      return new ByteView(new Uint8Array([name.length, ...name]));
    });
    this.#all = 2 ** fields.length - 1;
    for (const [field, { bytes, length }] of this.#paths.entries()) {
      for (let end = 0; end <= length; end++) {
        if (end === length || bytes[end] === dot) this.#byLength[end] |= 1 << field;
      }
    }
    this.#source = this.#paths[0];
  }

  /** Appends what is found in a body to the open row of `attrs`, unless the row has an attribute of that name. */
  promote(source: ByteView, start: number, length: number, attrs: MapColumn<StringColumn>): void {
    const end = start + length;
    const at = skipSpace(source.bytes, start, end);
    if (at === end) return;
    this.#source = source;
    this.#end = end;
    this.#attrs = attrs;
    this.#missing = this.#all;
    if (source.bytes[at] === brace) this.#readObject(at + 1, this.#all, 0);
    else this.#readLogfmt(at);
  }

  /**
   * Reads the object that begins before `start`; `wanted` are the fields that can be in it, and `offset` is where the
   * names in it begin in theirs. Returns the position after it, or stop. As deep as the longest field has parts.
   */
  #readObject(start: number, wanted: number, offset: number): number {
    const { bytes } = this.#source;
    const end = this.#end;
    let at = skipSpace(bytes, start, end);
    while (at < end && bytes[at] === quote) {
      const close = stringEnd(this.#source, at + 1, end);
      const colonAt = skipSpace(bytes, (close < 0 ? ~close : close) + 1, end);
      if (colonAt >= end || bytes[colonAt] !== colon) return stop;
      const valueAt = skipSpace(bytes, colonAt + 1, end);
      if (valueAt >= end) return stop;
      this.#leaves = 0;
      this.#branches = 0;
      if (close < 0) this.#matchEscapedName(at + 1, ~close, wanted & this.#missing, offset);
      else this.#matchName(this.#source, at + 1, close - at - 1, wanted & this.#missing, offset);
      if ((this.#leaves | this.#branches) === 0) at = this.#skipValue(valueAt);
      else at = this.#readValue(valueAt, this.#leaves, this.#branches, offset + this.#nameLength + 1);
      if (at === stop || this.#missing === 0) return stop;
      at = skipSpace(bytes, at, end);
      if (at >= end || bytes[at] !== comma) break;
      at = skipSpace(bytes, at + 1, end);
    }
    return at < end && bytes[at] === closingBrace ? at + 1 : stop;
  }

  /** Sets which of `wanted` a name completes, and which it begins. */
  #matchName(source: ByteView, start: number, length: number, wanted: number, offset: number): void {
    this.#nameLength = length;
    const reach = offset + length;
    const possible = reach > nameBytesMax ? 0 : wanted & this.#byLength[reach];
    if (possible !== 0) this.#match(source, start, length, possible, offset);
  }

  #matchEscapedName(start: number, end: number, wanted: number, offset: number): void {
    const scratch = this.#scratch;
    if (!unescapeJson(this.#source.bytes, start, end, scratch)) return;
    this.#matchName(scratch.data, 0, scratch.length, wanted, offset);
  }

  /** `wanted` are fields whose names may end, or have a dot, where this one ends. */
  #match(source: ByteView, start: number, length: number, wanted: number, offset: number): void {
    const reach = offset + length;
    const first = length === 0 ? noByte : source.bytes[start];
    for (let rest = wanted; rest !== 0; rest &= rest - 1) {
      const field = 31 - Math.clz32(rest & -rest);
      const path = this.#paths[field];
      if (first !== noByte && path.bytes[offset] !== first) continue;
      if (!equalBytes(path, offset, source, start, length)) continue;
      if (reach === path.length) this.#leaves |= 1 << field;
      else this.#branches |= 1 << field;
    }
  }

  /** Returns the position after a value that nobody asked for, or stop. */
  #skipValue(start: number): number {
    const { bytes } = this.#source;
    const end = this.#end;
    const first = bytes[start];
    if (first === quote) {
      const close = closingQuote(this.#source, start + 1, end);
      return close < end ? close + 1 : stop;
    }
    if (isContainer(first)) return skipContainer(this.#source, start, end);
    const after = scalarEnd(bytes, start, end);
    return after === start || after === end ? stop : after;
  }

  /** Promotes a value to `leaves`, and looks for `branches` in it. Returns the position after it, or stop. */
  #readValue(start: number, leaves: number, branches: number, offset: number): number {
    const { bytes } = this.#source;
    const first = bytes[start];
    if (first === brace && branches !== 0) {
      const after = leaves === 0 ? stop : skipContainer(this.#source, start, this.#end);
      if (after !== stop) this.#put(leaves, this.#source, start, after - start);
      return this.#missing === 0 ? stop : this.#readObject(start + 1, branches, offset);
    }
    if (first === quote && leaves !== 0) return this.#readString(start + 1, leaves);
    const after = this.#skipValue(start);
    if (after === stop || leaves === 0) return after;
    if (!isContainer(first) && !isJsonNumber(bytes, start, after) && !this.#isWord(start, after)) {
      // Either null, which is no value, or nothing that JSON knows.
      return this.#equals(nullWord, start, after) ? after : stop;
    }
    this.#put(leaves, this.#source, start, after - start);
    return after;
  }

  #isWord(start: number, end: number): boolean {
    return this.#equals(words[0], start, end) || this.#equals(words[1], start, end);
  }

  #equals(word: ByteView, start: number, end: number): boolean {
    return word.length === end - start && equalBytes(word, 0, this.#source, start, word.length);
  }

  /** Promotes the string that has begun before `start`, where it has a place. Returns the position after it, or stop. */
  #readString(start: number, leaves: number): number {
    const found = stringEnd(this.#source, start, this.#end);
    const close = found < 0 ? ~found : found;
    if (close === this.#end) return stop;
    if (leaves === 0) return close + 1;
    if (found >= 0) this.#put(leaves, this.#source, start, close - start);
    else if (!this.#putEscaped(leaves, start, close)) return stop;
    return close + 1;
  }

  /** Returns false where the string has an escape that JSON does not know. */
  #putEscaped(leaves: number, start: number, end: number): boolean {
    if (!unescapeJson(this.#source.bytes, start, end, this.#scratch)) return false;
    this.#put(leaves, this.#scratch.data, 0, this.#scratch.length);
    return true;
  }

  #put(fields: number, source: ByteView, start: number, length: number): void {
    const attrs = this.#attrs!;
    this.#missing &= ~fields;
    for (let rest = fields; rest !== 0; rest &= rest - 1) {
      const name = this.#attributes[31 - Math.clz32(rest & -rest)];
      if (attrs.pushNewKey(name, 0, name.length - 1)) attrs.values.pushRange(source, start, length);
    }
  }

  // logfmt => (space* (name '=' (string | text)? | text))*      string => '"' ... '"'      text => (byte above a space)*
  /** Reads a line that begins with a pair; text between pairs is passed over. */
  #readLogfmt(start: number): void {
    const source = this.#source;
    const { bytes } = source;
    const end = this.#end;
    let at = start;
    while (at < end) {
      const nameStart = at;
      at = nameEnd(source, at, end);
      if (at > nameStart && at < end && bytes[at] === equals) {
        at = this.#readPair(nameStart, at);
        if (at === stop || this.#missing === 0) return;
      } else if (nameStart === start) return;
      else if (bytes[nameStart] === quote) at = closingQuote(source, nameStart + 1, end) + 1;
      else at = textEnd(source, at, end);
      at = skipSpace(bytes, at, end);
    }
  }

  /** Reads the pair whose equals sign is at `equalsAt`. Returns the position after it, or stop. */
  #readPair(nameStart: number, equalsAt: number): number {
    const source = this.#source;
    const end = this.#end;
    const valueAt = equalsAt + 1;
    this.#leaves = 0;
    this.#matchName(source, nameStart, equalsAt - nameStart, this.#missing, 0);
    const leaves = this.#leaves;
    if (valueAt < end && source.bytes[valueAt] === quote) {
      const after = this.#readString(valueAt + 1, leaves);
      return after === stop ? stop : textEnd(source, after, end);
    }
    const after = textEnd(source, valueAt, end);
    if (leaves !== 0) this.#put(leaves, source, valueAt, after - valueAt);
    return after;
  }
}
