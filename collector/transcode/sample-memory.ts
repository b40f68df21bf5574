/**
 * The newest sample of each series that a worker knows, so that what is sent twice is stored once, and what contradicts
 * it is refused; and since when each series counts.
 *
 * It is believed only as far as the rows are in the store: what an unfinished or failed run wrote is not known, as its
 * sender may have to send it again. So a repeat may be stored twice, and nothing is ever left out that is not stored.
 */
import type { RunStanding } from '#collector/run.ts';
import { twoTo32 } from './record-window.ts';

export const sampleVerdict = { fresh: 0, repeat: 1, conflict: 2 } as const;
export type SampleVerdict = (typeof sampleVerdict)[keyof typeof sampleVerdict];

/** Of each entry: time low and high, value low and high. */
const wordsPerEntry = 4;
const initialTouched = 1024;

export class SampleMemory {
  #words: Int32Array;
  /** The run that wrote an entry; NaN where there is nothing to know. */
  #runs: Float64Array;
  /** Since when an entry's series counts, and the 2 h bucket that this was said for; made when it is first needed. */
  #starts: Float64Array | undefined;
  #startBuckets: Int32Array | undefined;
  #run = -1;
  #storedFrom = 0;
  #storedBelow = 0;
  #touched = new Int32Array(initialTouched);
  #touchedCount = 0;
  // The open entry.
  #entry = 0;
  #unixMs = -1;
  #valueLow = 0;
  #valueHigh = 0;
  #isChanged = false;

  constructor(capacity: number) {
    this.#words = new Int32Array(capacity * wordsPerEntry);
    this.#runs = new Float64Array(capacity).fill(Number.NaN);
  }

  /** Without a standing, a run knows only of itself. */
  beginRun(standing: RunStanding | undefined): void {
    this.#run = standing?.number ?? Math.min(this.#run, 0) - 1;
    this.#storedFrom = standing?.storedFrom ?? 0;
    this.#storedBelow = standing?.storedBelow ?? 0;
  }

  grow(capacity: number): void {
    const words = new Int32Array(capacity * wordsPerEntry);
    words.set(this.#words);
    this.#words = words;
    const runs = new Float64Array(capacity).fill(Number.NaN);
    runs.set(this.#runs);
    this.#runs = runs;
    if (this.#starts === undefined || this.#startBuckets === undefined) return;
    const starts = new Float64Array(capacity);
    starts.set(this.#starts);
    this.#starts = starts;
    const buckets = new Int32Array(capacity);
    buckets.set(this.#startBuckets);
    this.#startBuckets = buckets;
  }

  /** Makes an entry the one that judge() and isNewStart() are about, until close(). */
  open(entry: number): void {
    const run = this.#runs[entry];
    this.#entry = entry;
    this.#isChanged = false;
    this.#unixMs = -1;
    if (run !== this.#run && !(run >= this.#storedFrom && run < this.#storedBelow)) {
      if (this.#starts !== undefined) this.#starts[entry] = 0;
      return;
    }
    const words = this.#words;
    const at = entry * wordsPerEntry;
    this.#unixMs = words[at + 1] * twoTo32 + (words[at] >>> 0);
    this.#valueLow = words[at + 2];
    this.#valueHigh = words[at + 3];
  }

  /** Compares a sample with the newest, and remembers it where it is newer. Older ones cannot be told. */
  judge(unixMs: number, valueLow: number, valueHigh: number): SampleVerdict {
    if (unixMs === this.#unixMs) {
      const isSame = (valueLow | 0) === this.#valueLow && (valueHigh | 0) === this.#valueHigh;
      return isSame ? sampleVerdict.repeat : sampleVerdict.conflict;
    }
    if (unixMs > this.#unixMs) {
      this.#isChanged = true;
      this.#unixMs = unixMs;
      this.#valueLow = valueLow | 0;
      this.#valueHigh = valueHigh | 0;
    }
    return sampleVerdict.fresh;
  }

  /** Says whether a row must tell since when the open entry's series counts, and takes it as told. */
  isNewStart(startMs: number, bucket: number): boolean {
    this.#starts ??= new Float64Array(this.#runs.length);
    this.#startBuckets ??= new Int32Array(this.#runs.length);
    const entry = this.#entry;
    if (this.#starts[entry] === startMs && this.#startBuckets[entry] === bucket) return false;
    this.#starts[entry] = startMs;
    this.#startBuckets[entry] = bucket;
    this.#isChanged = true;
    return true;
  }

  close(): void {
    if (!this.#isChanged) return;
    const words = this.#words;
    const at = this.#entry * wordsPerEntry;
    words[at] = this.#unixMs % twoTo32;
    words[at + 1] = Math.floor(this.#unixMs / twoTo32);
    words[at + 2] = this.#valueLow;
    words[at + 3] = this.#valueHigh;
    this.#runs[this.#entry] = this.#run;
    if (this.#touchedCount === this.#touched.length) {
      const touched = new Int32Array(this.#touchedCount * 2);
      touched.set(this.#touched);
      this.#touched = touched;
    }
    this.#touched[this.#touchedCount++] = this.#entry;
  }

  clear(): void {
    this.#runs.fill(Number.NaN);
    this.#touchedCount = 0;
  }

  mark(): void {
    this.#touchedCount = 0;
  }

  /** Forgets what was remembered since the mark: its rows are not in the block. */
  rollback(): void {
    for (let i = 0; i < this.#touchedCount; i++) this.#runs[this.#touched[i]] = Number.NaN;
    this.#touchedCount = 0;
  }
}
