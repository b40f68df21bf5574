/**
 * Hashes of byte ranges. `hash32` finds dictionary slots; `Hash64` names things: series and log streams.
 *
 * Hash64 keeps two 32-bit lanes with multipliers, rotations and seeds of their own, so that a collision needs both:
 * at 10 million series the chance of any is about 3e-6. JavaScript has no 64-bit integer that is fast.
 *
 * The value is stored in tables: changing the function gives every series a new id.
 */
import type { ByteView } from '#wire/protobuf/byte-view.ts';

/** Returns a signed 32-bit hash of a byte range; reads words, so it needs no slack after the range. */
export function hash32(source: ByteView, start: number, length: number): number {
  let h = length ^ 0x2545f491;
  if (length < 4) {
    for (let i = 0; i < length; i++) h = Math.imul(h ^ source.bytes[start + i], 0x9e3779b1);
  } else {
    const view = source.view;
    const last = start + length - 4;
    for (let at = start; at < last; at += 4) {
      h = Math.imul(h ^ view.getInt32(at, true), 0x9e3779b1);
      h ^= h >>> 15;
    }
    h = Math.imul(h ^ view.getInt32(last, true), 0x85ebca6b);
  }
  h ^= h >>> 16;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 13);
}

/** A running 64-bit hash. Feed it with the add methods, then finish() once and read `low` and `high`. */
export class Hash64 {
  /** Signed 32-bit lanes while running; after finish() the hash's halves, signed. */
  low = 0;
  high = 0;

  begin(): void {
    this.low = 0x51ed270b;
    this.high = 0x2c1b3c6d;
  }

  /** Continues from a hash that was taken before: the prefix of many keys is hashed once. */
  resume(low: number, high: number): void {
    this.low = low;
    this.high = high;
  }

  /** Adds a 32-bit word. */
  addWord(word: number): void {
    let a = Math.imul(word, 0xcc9e2d51);
    a = Math.imul((a << 15) | (a >>> 17), 0x1b873593);
    a ^= this.low;
    this.low = (Math.imul((a << 13) | (a >>> 19), 5) + 0xe6546b64) | 0;
    let b = Math.imul(word, 0x38b34ae5);
    b = Math.imul((b << 17) | (b >>> 15), 0xa1e38b93);
    b ^= this.high;
    this.high = (Math.imul((b << 11) | (b >>> 21), 9) + 0x38495ab5) | 0;
  }

  /** Adds a range and its length, so that "ab" + "c" differs from "a" + "bc". */
  addRange(source: ByteView, start: number, length: number): void {
    this.addWord(length);
    const view = source.view;
    const wordsEnd = start + (length & ~3);
    let at = start;
    for (; at < wordsEnd; at += 4) this.addWord(view.getInt32(at, true));
    const rest = length & 3;
    if (rest === 0) return;
    const bytes = source.bytes;
    let word = bytes[at];
    if (rest > 1) word |= bytes[at + 1] << 8;
    if (rest > 2) word |= bytes[at + 2] << 16;
    this.addWord(word);
  }

  /** Mixes the lanes into each other until every input bit reaches every output bit. */
  finish(): void {
    let a = this.low;
    let b = this.high;
    a = (a + b) | 0;
    b = (b + a) | 0;
    a = avalanche(a);
    b = avalanche(b ^ 0x5bd1e995);
    a = (a + b) | 0;
    this.low = a;
    this.high = (b + a) | 0;
  }
}

function avalanche(h: number): number {
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
