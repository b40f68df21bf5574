/**
 * The labels of a series as bytes, before it is known which request it is in: names and values in turn, sorted by name.
 *
 *   [__name__, up, job, api]   each text is a place in `bytes`, or one of `constants`, which are the same for many series
 *
 * Texts have a hash of their own, so that one who walks them byte by byte anyway can make it on the way (hashStart,
 * hashByte, hashEnd).
 */
import type { Labels } from '#model/labels.ts';
import { grown } from './series-columns.ts';

const textsMin = 32;
const bytesMin = 256;
const hashPrime = 0x01000193;
/** The most bytes of UTF-8 that one unit of a JavaScript string becomes. */
const unitBytesMax = 3;

export const hashStart = 0x811c9dc5 | 0;

/** FNV-1a, which takes one byte after the other. */
export function hashByte(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, hashPrime);
}

/** Mixes the bits, as the low ones choose a slot. */
export function hashEnd(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return mixed ^ (mixed >>> 13);
}

export function hashText(bytes: Uint8Array, start: number, end: number): number {
  let hash = hashStart;
  for (let at = start; at < end; at++) hash = hashByte(hash, bytes[at]!);
  return hashEnd(hash);
}

/** Whether the bytes of both places are the same. Views must cover the memory of their bytes. */
export function isSameText(
  a: DataView,
  aStart: number,
  aEnd: number,
  b: DataView,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  let at = aStart;
  let other = bStart;
  for (; at + 4 <= aEnd; at += 4, other += 4) {
    if (a.getInt32(at, true) !== b.getInt32(other, true)) return false;
  }
  for (; at < aEnd; at++, other++) if (a.getUint8(at) !== b.getUint8(other)) return false;
  return true;
}

/** Texts that many series of a page share: label names, the target's labels. Each has a number. */
export class ConstantTexts {
  bytes = new Uint8Array(bytesMin);
  view = new DataView(this.bytes.buffer);
  ends = new Int32Array(textsMin);
  hashes = new Int32Array(textsMin);
  /** The symbol that a text is in the request `requests` says, which was asked last. */
  refs = new Int32Array(textsMin);
  requests = new Int32Array(textsMin);
  readonly #numbers = new Map<string, number>();

  get count(): number {
    return this.#numbers.size;
  }

  start(number: number): number {
    return number === 0 ? 0 : this.ends[number - 1]!;
  }

  /** Returns the number of a text. */
  of(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    const start = this.start(number);
    const encoded = Buffer.from(text);
    const end = start + encoded.length;
    if (end > this.bytes.length) {
      this.bytes = grown(this.bytes, new Uint8Array(Math.max(this.bytes.length * 2, end)));
      this.view = new DataView(this.bytes.buffer);
    }
    if (number === this.ends.length) this.#grow();
    this.bytes.set(encoded, start);
    this.ends[number] = end;
    this.hashes[number] = hashText(this.bytes, start, end);
    this.requests[number] = 0;
    this.#numbers.set(text, number);
    return number;
  }

  #grow(): void {
    const length = this.ends.length * 2;
    this.ends = grown(this.ends, new Int32Array(length));
    this.hashes = grown(this.hashes, new Int32Array(length));
    this.refs = grown(this.refs, new Int32Array(length));
    this.requests = grown(this.requests, new Int32Array(length));
  }
}

const noConstants = new ConstantTexts();

export class LabelTexts {
  bytes: Uint8Array = new Uint8Array(bytesMin);
  view: DataView = new DataView(this.bytes.buffer);
  constants = noConstants;
  /** Names and values: twice the labels. */
  count = 0;
  /** The number of a constant, or -1 for one that stands in `bytes`. */
  constant = new Int32Array(textsMin);
  starts = new Int32Array(textsMin);
  ends = new Int32Array(textsMin);
  hashes = new Int32Array(textsMin);

  /** Starts a series whose texts stand in `bytes` or among `constants`. */
  begin(bytes: Uint8Array, view: DataView, constants: ConstantTexts): void {
    this.bytes = bytes;
    this.view = view;
    this.constants = constants;
    this.count = 0;
  }

  addConstant(number: number): void {
    const { constants } = this;
    this.#add(number, constants.start(number), constants.ends[number]!, constants.hashes[number]!);
  }

  addPlace(start: number, end: number, hash: number): void {
    this.#add(-1, start, end, hash);
  }

  bytesOf(text: number): Uint8Array {
    return this.constant[text]! < 0 ? this.bytes : this.constants.bytes;
  }

  viewOf(text: number): DataView {
    return this.constant[text]! < 0 ? this.view : this.constants.view;
  }

  /** The hash of all texts in their order. */
  hash(): number {
    const { hashes, count } = this;
    let hash = count;
    for (let text = 0; text < count; text++) {
      hash = Math.imul(hash ^ hashes[text]!, 0xcc9e2d51);
      hash ^= hash >>> 15;
    }
    return hashEnd(hash);
  }

  #add(constant: number, start: number, end: number, hash: number): void {
    const text = this.count++;
    if (text === this.starts.length) this.#grow();
    this.constant[text] = constant;
    this.starts[text] = start;
    this.ends[text] = end;
    this.hashes[text] = hash;
  }

  #grow(): void {
    const length = this.starts.length * 2;
    this.constant = grown(this.constant, new Int32Array(length));
    this.starts = grown(this.starts, new Int32Array(length));
    this.ends = grown(this.ends, new Int32Array(length));
    this.hashes = grown(this.hashes, new Int32Array(length));
  }
}

/** Encodes strings as UTF-8, into memory that each use overwrites. */
export class TextEncoding {
  readonly texts = new LabelTexts();
  #bytes = new Uint8Array(bytesMin);
  #view = new DataView(this.#bytes.buffer);
  #position = 0;

  /** Returns the texts of sorted labels. */
  labels(labels: Labels): LabelTexts {
    this.#begin();
    for (const [name, value] of labels) {
      this.#add(name);
      this.#add(value);
    }
    return this.#end();
  }

  /** Returns the one text. */
  text(text: string): LabelTexts {
    this.#begin();
    this.#add(text);
    return this.#end();
  }

  #begin(): void {
    this.#position = 0;
    this.texts.begin(this.#bytes, this.#view, noConstants);
  }

  #end(): LabelTexts {
    // Growing has replaced them.
    this.texts.bytes = this.#bytes;
    this.texts.view = this.#view;
    return this.texts;
  }

  #add(text: string): void {
    const start = this.#position;
    this.#reserve(text.length * unitBytesMax);
    const bytes = this.#bytes;
    let hash = hashStart;
    let bits = 0;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      bits |= unit;
      bytes[start + i] = unit;
      hash = hashByte(hash, unit);
    }
    let end = start + text.length;
    if (bits < 0x80) hash = hashEnd(hash);
    else {
      const encoded = Buffer.from(text);
      bytes.set(encoded, start);
      end = start + encoded.length;
      hash = hashText(bytes, start, end);
    }
    this.#position = end;
    this.texts.addPlace(start, end, hash);
  }

  #reserve(byteCount: number): void {
    const needed = this.#position + byteCount;
    if (needed <= this.#bytes.length) return;
    this.#bytes = grown(this.#bytes, new Uint8Array(Math.max(this.#bytes.length * 2, needed)));
    this.#view = new DataView(this.#bytes.buffer);
  }
}
