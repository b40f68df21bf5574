/**
 * The traces that a partition's sampler remembers, in the order in which they were first seen: those that are still
 * open, with what their spans have shown so far, and those that are decided, with the verdict.
 *
 *   number    [first ........ decided) [decided ......... next)
 *             verdict, nothing else     facts
 *
 * A trace has a number that only grows; its place in each ring is that number modulo the ring's size. Both rings are typed
 * arrays, and no object is made for a trace: a decided one takes 28 bytes and 4 to 16 in the index.
 */
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import { TraceFacts } from './trace-facts.ts';

const capacityMin = 1024;
const emptySlot = -1;

export class TraceTable {
  /** Of open traces. */
  readonly facts: TraceFacts;
  /** Numbers: see above. */
  first = 0;
  decided = 0;
  next = 0;
  #mask = capacityMin - 1;
  #ids = new Uint32Array(4 * capacityMin);
  #tenants = new Uint16Array(capacityMin);
  #verdicts = new Uint16Array(capacityMin);
  #firstSeenMs = new Float64Array(capacityMin);
  /** Hash -> slot of a trace, by linear probing; at most half full. */
  #index = new Int32Array(2 * capacityMin).fill(emptySlot);

  /** Each trace has `conditionCount` bits, one for each condition on its spans. */
  constructor(conditionCount: number) {
    this.facts = new TraceFacts(conditionCount);
  }

  get count(): number {
    return this.next - this.first;
  }

  /** Returns the number of a tenant's trace, or -1. The id is the 16 bytes at `position`. */
  find(tenant: number, { view }: ByteView, position: number): number {
    const word0 = view.getUint32(position, true);
    const word1 = view.getUint32(position + 4, true);
    const word2 = view.getUint32(position + 8, true);
    const word3 = view.getUint32(position + 12, true);
    const mask = this.#index.length - 1;
    for (let probe = hash(tenant, word0, word1, word2, word3) & mask; ; probe = (probe + 1) & mask) {
      const slot = this.#index[probe]!;
      if (slot === emptySlot) return -1;
      const at = slot * 4;
      if (
        this.#ids[at] === word0 &&
        this.#ids[at + 1] === word1 &&
        this.#ids[at + 2] === word2 &&
        this.#ids[at + 3] === word3 &&
        this.#tenants[slot] === tenant
      ) {
        return this.first + ((slot - (this.first & this.#mask)) & this.#mask);
      }
    }
  }

  /** Opens a trace that is not there, and returns its number. */
  add(tenant: number, { view }: ByteView, position: number, firstSeenMs: number): number {
    if (this.count === this.#tenants.length) this.#grow();
    const number = this.next++;
    const slot = number & this.#mask;
    for (let word = 0; word < 4; word++)
      this.#ids[slot * 4 + word] = view.getUint32(position + 4 * word, true);
    this.#tenants[slot] = tenant;
    this.#firstSeenMs[slot] = firstSeenMs;
    this.#link(slot);
    // The last seven bytes are the randomness, high byte first: W3C Trace Context 2, Random Trace ID.
    const high = view.getUint32(position + 8, false) & 0xff_ffff;
    this.facts.open(number, this.decided, high, view.getUint32(position + 12, false));
    return number;
  }

  tenantOf(number: number): number {
    return this.#tenants[number & this.#mask]!;
  }

  firstSeenMs(number: number): number {
    return this.#firstSeenMs[number & this.#mask]!;
  }

  /** Must be decided. */
  verdictOf(number: number): number {
    return this.#verdicts[number & this.#mask]!;
  }

  /** Decides the open trace that was seen first. */
  decide(verdict: number): void {
    this.#verdicts[this.decided & this.#mask] = verdict;
    this.decided++;
  }

  /** Forgets the trace that was seen first, which must be decided. */
  forget(): void {
    if (this.first === this.decided) throw new Error('BUG: an open trace was forgotten');
    this.#unlink(this.first & this.#mask);
    this.first++;
  }

  clear(): void {
    this.#index.fill(emptySlot);
    this.first = this.next;
    this.decided = this.next;
  }

  #hashOf(slot: number): number {
    const ids = this.#ids;
    const at = slot * 4;
    return hash(this.#tenants[slot]!, ids[at]!, ids[at + 1]!, ids[at + 2]!, ids[at + 3]!);
  }

  #link(slot: number): void {
    const mask = this.#index.length - 1;
    let probe = this.#hashOf(slot) & mask;
    while (this.#index[probe] !== emptySlot) probe = (probe + 1) & mask;
    this.#index[probe] = slot;
  }

  /** Closes the gap: what was pushed on by the slot that goes moves back, so that no probing ends too soon. */
  #unlink(slot: number): void {
    const index = this.#index;
    const mask = index.length - 1;
    let gap = this.#hashOf(slot) & mask;
    while (index[gap] !== slot) gap = (gap + 1) & mask;
    for (let probe = (gap + 1) & mask; index[probe] !== emptySlot; probe = (probe + 1) & mask) {
      const home = this.#hashOf(index[probe]!) & mask;
      if (((probe - home) & mask) < ((probe - gap) & mask)) continue;
      index[gap] = index[probe]!;
      gap = probe;
    }
    index[gap] = emptySlot;
  }

  #grow(): void {
    const before = { mask: this.#mask, ids: this.#ids, tenants: this.#tenants };
    const { verdicts, firstSeenMs } = { verdicts: this.#verdicts, firstSeenMs: this.#firstSeenMs };
    const capacity = 2 * before.tenants.length;
    this.#mask = capacity - 1;
    this.#ids = new Uint32Array(4 * capacity);
    this.#tenants = new Uint16Array(capacity);
    this.#verdicts = new Uint16Array(capacity);
    this.#firstSeenMs = new Float64Array(capacity);
    this.#index = new Int32Array(2 * capacity).fill(emptySlot);
    for (let number = this.first; number < this.next; number++) {
      const from = number & before.mask;
      const to = number & this.#mask;
      for (let word = 0; word < 4; word++) this.#ids[to * 4 + word] = before.ids[from * 4 + word]!;
      this.#tenants[to] = before.tenants[from]!;
      this.#verdicts[to] = verdicts[from]!;
      this.#firstSeenMs[to] = firstSeenMs[from]!;
      this.#link(to);
    }
  }
}

/** Mixes all words: ids of some generators differ in a few bytes only. */
function hash(tenant: number, word0: number, word1: number, word2: number, word3: number): number {
  let mixed = Math.imul(word3 ^ Math.imul(tenant + 1, 0x9e37_79b1), 0x85eb_ca6b);
  mixed = Math.imul((mixed ^ (mixed >>> 15) ^ word2) | 0, 0xc2b2_ae35);
  mixed = Math.imul((mixed ^ (mixed >>> 13) ^ word1) | 0, 0x27d4_eb2f);
  mixed = Math.imul((mixed ^ (mixed >>> 16) ^ word0) | 0, 0x1656_67b1);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
