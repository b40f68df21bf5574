/**
 * The distinct byte strings of one LowCardinality column in one block, by number: 0 is always the empty string.
 * An open-addressing table over bytes: no JavaScript string is ever made.
 */
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import { ByteBuffer, checkProbes } from './byte-buffer.ts';
import { equalBytes } from './byte-copy.ts';
import { hash32 } from './byte-hash.ts';

const initialSlots = 256;
/** A dictionary that grew beyond this for one block starts small again: clearing slots costs per slot. */
const retainedSlotsMax = 1 << 16;

export class Dictionary {
  /** The keys as ClickHouse writes them: varint length and bytes of each, in the order of their numbers. */
  readonly keys = new ByteBuffer();
  count = 0;
  /** Key number + 1, or 0 for free. */
  #slots = new Int32Array(initialSlots);
  #hashes = new Int32Array(initialSlots / 2);
  #starts = new Int32Array(initialSlots / 2);
  #lengths = new Int32Array(initialSlots / 2);
  #markCount = 1;
  #markBytes = 1;

  constructor() {
    this.reset();
  }

  /** Returns the number of a key, which is added where it is new. */
  indexOf(source: ByteView, start: number, length: number): number {
    if (length === 0) return 0;
    const hash = hash32(source, start, length);
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hash & mask;
    for (let probes = 0; ; probes++) {
      const number = slots[slot] - 1;
      if (number < 0) break;
      checkProbes(probes);
      if (this.#hashes[number] === hash && this.matches(number, source, start, length)) return number;
      slot = (slot + 1) & mask;
    }
    return this.#add(slot, hash, source, start, length);
  }

  /** Says whether a key is these bytes: the guess "same as last time" is cheaper than a hash. */
  matches(number: number, source: ByteView, start: number, length: number): boolean {
    return (
      this.#lengths[number] === length &&
      equalBytes(this.keys.data, this.#starts[number], source, start, length)
    );
  }

  /** Where a key's bytes are in `keys`; its length is before them. */
  keyStart(number: number): number {
    return this.#starts[number];
  }

  mark(): void {
    this.#markCount = this.count;
    this.#markBytes = this.keys.length;
  }

  /** Forgets the keys since the mark. Whoever remembers a key's number must forget it too. */
  rollback(): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    // The newest first: nothing was ever placed behind it, so that its slot is free again as before.
    for (let number = this.count - 1; number >= this.#markCount; number--) {
      let slot = this.#hashes[number] & mask;
      while (slots[slot] !== number + 1) slot = (slot + 1) & mask;
      slots[slot] = 0;
    }
    this.count = this.#markCount;
    this.keys.length = this.#markBytes;
  }

  reset(): void {
    if (this.#slots.length > retainedSlotsMax) {
      this.#slots = new Int32Array(initialSlots);
      this.#resizeKeys(initialSlots / 2, 0);
    } else this.#slots.fill(0);
    this.keys.reset();
    this.keys.pushByte(0);
    this.#lengths[0] = 0;
    this.#starts[0] = 1;
    this.count = 1;
    this.mark();
  }

  #add(slot: number, hash: number, source: ByteView, start: number, length: number): number {
    const number = this.count;
    this.keys.pushVarint(length);
    this.#starts[number] = this.keys.length;
    this.keys.pushRange(source, start, length);
    this.#lengths[number] = length;
    this.#hashes[number] = hash;
    this.#slots[slot] = number + 1;
    this.count = number + 1;
    // Half full at most, so that probing stays short.
    if (this.count * 2 >= this.#slots.length) this.#growSlots();
    return number;
  }

  #growSlots(): void {
    const slots = new Int32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let number = 1; number < this.count; number++) {
      let slot = this.#hashes[number] & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number + 1;
    }
    this.#slots = slots;
    this.#resizeKeys(slots.length / 2, this.count);
  }

  #resizeKeys(capacity: number, kept: number): void {
    this.#hashes = resized(this.#hashes, capacity, kept);
    this.#starts = resized(this.#starts, capacity, kept);
    this.#lengths = resized(this.#lengths, capacity, kept);
  }
}

function resized(from: Int32Array, capacity: number, kept: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(capacity);
  to.set(from.subarray(0, kept));
  return to;
}
