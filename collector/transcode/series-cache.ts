/**
 * Which series a worker knows: from the hash of the bytes as a sender writes them to the series' id, and the 2 h
 * buckets for which a `series` row was written.
 *
 * The hash of the raw bytes depends on the order of labels; the id does not. Only a miss sorts and validates labels.
 * Announcements of a request that failed are taken back: its series rows are not in the block.
 */
import { KeyTable, resizedInts } from './key-table.ts';
import { SampleMemory } from './sample-memory.ts';

/** About 56 MiB per worker. With more active series than this the cache empties itself again and again. */
export const seriesCacheEntriesMax = 1 << 20;

export class SeriesCache {
  /** The newest sample of each entry. */
  readonly memory: SampleMemory;
  readonly #keys: KeyTable;
  #idLows: Int32Array;
  #idHighs: Int32Array;
  /** First and last announced bucket; first > last where there is none. */
  #firstBuckets: Int32Array;
  #lastBuckets: Int32Array;
  /** What announcements since the mark overwrote: entry, first bucket, last bucket. */
  #undo: number[] = [];
  #wasCleared = false;

  constructor(entriesMax = seriesCacheEntriesMax) {
    this.#keys = new KeyTable(entriesMax);
    const { capacity } = this.#keys;
    this.#idLows = new Int32Array(capacity);
    this.#idHighs = new Int32Array(capacity);
    this.#firstBuckets = new Int32Array(capacity);
    this.#lastBuckets = new Int32Array(capacity);
    this.memory = new SampleMemory(capacity);
  }

  /** Returns the entry of a raw hash, or -1. Entries are valid until the next add or clear. */
  find(low: number, high: number): number {
    return this.#keys.find(low, high);
  }

  /** Adds a series that is not known. Empties the cache first where it is full. */
  add(low: number, high: number, idLow: number, idHigh: number): number {
    if (this.#keys.isFull) this.clear();
    const entry = this.#keys.add(low, high);
    const { capacity } = this.#keys;
    if (capacity > this.#idLows.length) {
      this.#idLows = resizedInts(this.#idLows, capacity);
      this.#idHighs = resizedInts(this.#idHighs, capacity);
      this.#firstBuckets = resizedInts(this.#firstBuckets, capacity);
      this.#lastBuckets = resizedInts(this.#lastBuckets, capacity);
      this.memory.grow(capacity);
    }
    this.#idLows[entry] = idLow;
    this.#idHighs[entry] = idHigh;
    this.#firstBuckets[entry] = 1;
    this.#lastBuckets[entry] = 0;
    return entry;
  }

  idLow(entry: number): number {
    return this.#idLows[entry];
  }

  idHigh(entry: number): number {
    return this.#idHighs[entry];
  }

  firstBucket(entry: number): number {
    return this.#firstBuckets[entry];
  }

  lastBucket(entry: number): number {
    return this.#lastBuckets[entry];
  }

  isAnnounced(entry: number, firstBucket: number, lastBucket: number): boolean {
    return firstBucket >= this.#firstBuckets[entry] && lastBucket <= this.#lastBuckets[entry];
  }

  /** Widens what is announced; buckets in between count as announced, as the table keeps a first and a last only. */
  announce(entry: number, firstBucket: number, lastBucket: number): void {
    const first = this.#firstBuckets[entry];
    const last = this.#lastBuckets[entry];
    this.#undo.push(entry, first, last);
    const isNew = first > last;
    this.#firstBuckets[entry] = isNew ? firstBucket : Math.min(first, firstBucket);
    this.#lastBuckets[entry] = isNew ? lastBucket : Math.max(last, lastBucket);
  }

  clear(): void {
    this.#keys.clear();
    this.memory.clear();
    this.#undo = [];
    this.#wasCleared = true;
  }

  mark(): void {
    this.#undo = [];
    this.#wasCleared = false;
    this.memory.mark();
  }

  rollback(): void {
    this.memory.rollback();
    // Entries were numbered anew since the mark: what was announced before is not known any more.
    if (this.#wasCleared) this.clear();
    for (let i = this.#undo.length - 3; i >= 0; i -= 3) {
      this.#firstBuckets[this.#undo[i]] = this.#undo[i + 1];
      this.#lastBuckets[this.#undo[i]] = this.#undo[i + 2];
    }
    this.#undo = [];
  }
}
