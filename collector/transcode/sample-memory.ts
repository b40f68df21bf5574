/**
 * The newest sample of each series that a worker knows, so that what is sent twice is stored once, and what contradicts
 * it is refused; and since when each series counts.
 *
 * It is believed only as far as the rows are in the store: what an unfinished or failed run wrote is not known, as its
 * sender may have to send it again. So a repeat may be stored twice, and nothing is ever left out that is not stored.
 *
 * Samples of OTLP points are not judged: of their series only the start is kept, in the place of the newest sample.
 */
import type { RunStanding } from '#collector/run.ts';

export const sampleVerdict = { fresh: 0, repeat: 1, conflict: 2 } as const;
export type SampleVerdict = (typeof sampleVerdict)[keyof typeof sampleVerdict];

const perEntry = 2;
const initialTouched = 1024;

export class SampleMemory {
  /** Of each entry: the run that wrote it, NaN where there is nothing to know; and the sample's time (OTLP: the start). */
  #runsAndTimes: Float64Array;
  /** Of each entry: the sample's value, low and high (OTLP: the 2 h bucket that the start was said for, and nothing). */
  #values: Int32Array;
  /** Since when an entry's series counts, and the 2 h bucket that this was said for; made when it is first needed. */
  #starts: Float64Array | undefined;
  #startBuckets: Int32Array | undefined;
  #run = 0;
  #runsWithoutStanding = 0;
  #storedFrom = 0;
  #storedBelow = 0;
  /** Entries that were written since the mark; one may be there more than once. */
  #touched = new Int32Array(initialTouched);
  #touchedCount = 0;

  constructor(capacity: number) {
    this.#runsAndTimes = new Float64Array(capacity * perEntry).fill(Number.NaN);
    this.#values = new Int32Array(capacity * perEntry);
  }

  /** Without a standing, a run knows only of itself. */
  beginRun(standing: RunStanding | undefined): void {
    this.#run = standing?.number ?? -++this.#runsWithoutStanding;
    this.#storedFrom = standing?.storedFrom ?? 0;
    this.#storedBelow = standing?.storedBelow ?? 0;
  }

  grow(capacity: number): void {
    const runsAndTimes = new Float64Array(capacity * perEntry).fill(Number.NaN);
    runsAndTimes.set(this.#runsAndTimes);
    this.#runsAndTimes = runsAndTimes;
    const values = new Int32Array(capacity * perEntry);
    values.set(this.#values);
    this.#values = values;
    if (this.#starts === undefined || this.#startBuckets === undefined) return;
    const starts = new Float64Array(capacity);
    starts.set(this.#starts);
    this.#starts = starts;
    const buckets = new Int32Array(capacity);
    buckets.set(this.#startBuckets);
    this.#startBuckets = buckets;
  }

  /** Compares a sample with the newest of its series, and remembers it where it is newer. Older ones cannot be told. */
  judge(entry: number, unixMs: number, valueLow: number, valueHigh: number): SampleVerdict {
    const at = entry * perEntry;
    const runsAndTimes = this.#runsAndTimes;
    const values = this.#values;
    const run = runsAndTimes[at];
    if (run === this.#run || (run >= this.#storedFrom && run < this.#storedBelow)) {
      const newestMs = runsAndTimes[at + 1];
      if (unixMs < newestMs) return sampleVerdict.fresh;
      if (unixMs === newestMs) {
        const isSame = values[at] === (valueLow | 0) && values[at + 1] === (valueHigh | 0);
        return isSame ? sampleVerdict.repeat : sampleVerdict.conflict;
      }
    } else if (this.#starts !== undefined) this.#starts[entry] = 0;
    runsAndTimes[at + 1] = unixMs;
    values[at] = valueLow;
    values[at + 1] = valueHigh;
    this.#touch(entry);
    return sampleVerdict.fresh;
  }

  /** Says whether a row must tell since when a series counts, and takes it as told. Its sample must have been judged. */
  isNewStart(entry: number, startMs: number, bucket: number): boolean {
    this.#starts ??= new Float64Array(this.#values.length / perEntry);
    this.#startBuckets ??= new Int32Array(this.#values.length / perEntry);
    if (this.#starts[entry] === startMs && this.#startBuckets[entry] === bucket) return false;
    this.#starts[entry] = startMs;
    this.#startBuckets[entry] = bucket;
    this.#touch(entry);
    return true;
  }

  /** The same for a series whose samples are never judged. Where nothing is new, nothing is written. */
  isNewPointStart(entry: number, startMs: number, bucket: number): boolean {
    const at = entry * perEntry;
    const runsAndTimes = this.#runsAndTimes;
    if (runsAndTimes[at + 1] === startMs && this.#values[at] === bucket) {
      const run = runsAndTimes[at];
      if (run === this.#run || (run >= this.#storedFrom && run < this.#storedBelow)) return false;
    }
    runsAndTimes[at + 1] = startMs;
    this.#values[at] = bucket;
    this.#touch(entry);
    return true;
  }

  clear(): void {
    this.#runsAndTimes.fill(Number.NaN);
    this.#touchedCount = 0;
  }

  mark(): void {
    this.#touchedCount = 0;
  }

  /** Forgets what was remembered since the mark: its rows are not in the block. */
  rollback(): void {
    for (let i = 0; i < this.#touchedCount; i++) {
      this.#runsAndTimes[this.#touched[i] * perEntry] = Number.NaN;
    }
    this.#touchedCount = 0;
  }

  #touch(entry: number): void {
    this.#runsAndTimes[entry * perEntry] = this.#run;
    const count = this.#touchedCount;
    if (count > 0 && this.#touched[count - 1] === entry) return;
    if (count === this.#touched.length) {
      const touched = new Int32Array(count * 2);
      touched.set(this.#touched);
      this.#touched = touched;
    }
    this.#touched[count] = entry;
    this.#touchedCount = count + 1;
  }
}
