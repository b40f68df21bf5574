/**
 * Gives each distinct byte string a small number, and finds the number again without making strings.
 *
 *   intern("up") -> 0, intern("go_info") -> 1, intern("up") -> 0, startsWith(0, "up 1", 0) -> true
 *
 * All bytes lie in one arena behind one another: an entry costs its bytes, 8 bytes of table and 8 of offsets.
 */
const slotsMin = 64;
/** Bytes behind the last entry, so that whoever copies entries in 8-byte words may read past the end. */
export const arenaSlackBytes = 16;
/** What trim keeps for more entries: a sixteenth. */
const trimmedShareShift = 4;

export class ByteDictionary {
  #arena = new Uint8Array(1024);
  #view = new DataView(this.#arena.buffer);
  /** Entry i lies at [ends[i], ends[i + 1]) of the arena. */
  #ends = new Uint32Array(slotsMin);
  #hashes = new Int32Array(slotsMin);
  /** Open addressing: entry number + 1, or 0 where free. Never more than half full. */
  #slots = new Int32Array(slotsMin * 2);
  #count = 0;
  /** Of what find() was asked last. */
  #soughtHash = 0;

  get count(): number {
    return this.#count;
  }

  /** Bytes of all entries. */
  get bytes(): number {
    return this.#ends[this.#count]!;
  }

  /** The arena that start() and end() point into. Replaced as it grows: do not keep it over intern(). */
  get arena(): Uint8Array {
    return this.#arena;
  }

  get arenaView(): DataView {
    return this.#view;
  }

  /** Entry i lies at [ends[i], ends[i + 1]) of the arena. As the arena, replaced as it grows. */
  get ends(): Uint32Array {
    return this.#ends;
  }

  start(index: number): number {
    return this.#ends[index]!;
  }

  end(index: number): number {
    return this.#ends[index + 1]!;
  }

  /** Returns the number of the bytes at [start, end) of `source`, or -1. `view` must cover the same memory. */
  find(source: Uint8Array, view: DataView, start: number, end: number): number {
    const hash = hashBytes(source, view, start, end);
    this.#soughtHash = hash;
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const index = this.#slots[slot]! - 1;
      if (index < 0) return -1;
      if (this.#hashes[index] === hash && this.#equals(index, source, view, start, end)) return index;
    }
  }

  /** Returns the number of the bytes at [start, end) of `source`, which get the next number where they are new. */
  intern(source: Uint8Array, view: DataView, start: number, end: number): number {
    const known = this.find(source, view, start, end);
    return known >= 0 ? known : this.#add(source, view, start, end, this.#soughtHash);
  }

  /** Adds bytes that the last find() was asked for and has not found, and returns their number. */
  append(source: Uint8Array, view: DataView, start: number, end: number): number {
    return this.#add(source, view, start, end, this.#soughtHash);
  }

  /** Whether an entry's bytes stand at `start` of `source`, and end before `end`. */
  startsWith(index: number, source: Uint8Array, view: DataView, start: number, end: number): boolean {
    const length = this.#ends[index + 1]! - this.#ends[index]!;
    return start + length < end && this.#equals(index, source, view, start, start + length);
  }

  /** Gives up most of the memory that is kept for more entries: a few of them must not make all of it be copied. */
  trim(): void {
    const { bytes } = this;
    this.#arena = this.#arena.slice(0, bytes + (bytes >>> trimmedShareShift) + arenaSlackBytes);
    this.#view = new DataView(this.#arena.buffer);
    const length = Math.max(this.#count + 1 + (this.#count >>> trimmedShareShift), slotsMin);
    this.#ends = this.#ends.slice(0, length);
    this.#hashes = this.#hashes.slice(0, length);
  }

  /** Forgets every entry and keeps the memory. */
  clear(): void {
    this.#slots.fill(0);
    this.#count = 0;
  }

  #equals(index: number, source: Uint8Array, view: DataView, start: number, end: number): boolean {
    const from = this.#ends[index]!;
    if (this.#ends[index + 1]! - from !== end - start) return false;
    const arena = this.#view;
    let own = from;
    let at = start;
    // Without a branch for each word: the texts of a page that is scraped again are mostly the same.
    for (; at + 16 <= end; at += 16, own += 16) {
      const difference =
        (view.getInt32(at, true) ^ arena.getInt32(own, true)) |
        (view.getInt32(at + 4, true) ^ arena.getInt32(own + 4, true)) |
        (view.getInt32(at + 8, true) ^ arena.getInt32(own + 8, true)) |
        (view.getInt32(at + 12, true) ^ arena.getInt32(own + 12, true));
      if (difference !== 0) return false;
    }
    for (; at + 4 <= end; at += 4, own += 4) {
      if (view.getInt32(at, true) !== arena.getInt32(own, true)) return false;
    }
    for (; at < end; at++, own++) if (source[at] !== this.#arena[own]) return false;
    return true;
  }

  #add(source: Uint8Array, view: DataView, start: number, end: number, hash: number): number {
    const index = this.#count;
    const arenaStart = this.#ends[index]!;
    const arenaEnd = arenaStart + end - start;
    if (arenaEnd + arenaSlackBytes > this.#arena.length) {
      const arena = new Uint8Array(Math.max(this.#arena.length * 2, arenaEnd + arenaSlackBytes));
      arena.set(this.#arena.subarray(0, arenaStart));
      this.#arena = arena;
      this.#view = new DataView(arena.buffer);
    }
    copyEntry(source, view, start, end, this.#arena, this.#view, arenaStart);
    if (index + 2 > this.#ends.length) {
      this.#ends = growInts(this.#ends, Uint32Array);
      this.#hashes = growInts(this.#hashes, Int32Array);
    }
    this.#ends[index + 1] = arenaEnd;
    this.#hashes[index] = hash;
    this.#count = index + 1;
    if (this.#count * 2 > this.#slots.length) this.#rehash();
    else this.#place(index);
    return index;
  }

  #rehash(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let index = 0; index < this.#count; index++) this.#place(index);
  }

  #place(index: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.#hashes[index]! & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = index + 1;
  }
}

// A call of set, with the view that it needs, costs as much as copying some hundred bytes.
function copyEntry(
  source: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  target: Uint8Array,
  targetView: DataView,
  targetStart: number,
): void {
  let from = start;
  let to = targetStart;
  for (; from + 4 <= end; from += 4, to += 4) targetView.setInt32(to, view.getInt32(from, true), true);
  for (; from < end; from++, to++) target[to] = source[from]!;
}

/** Returns a copy of twice the length. */
function growInts<A extends Uint32Array | Int32Array>(array: A, Kind: new (length: number) => A): A {
  const grown = new Kind(array.length * 2);
  grown.set(array);
  return grown;
}

// A plain multiplicative hash, ended as murmur3 ends: the low bits choose the slot and must depend on all of the text.
function hashBytes(source: Uint8Array, view: DataView, start: number, end: number): number {
  let hash = (end - start) ^ 0x9e3779b9;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    hash = Math.imul(hash ^ view.getInt32(at, true), 0xcc9e2d51);
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) {
    hash = Math.imul(hash ^ source[at]!, 0x1b873593);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
