/**
 * Totals of delta series that are stored, so that most requests need not ask the store: a bounded cache, in typed arrays.
 *
 * Two generations instead of a list of use: when the younger one is full it becomes the older one, and what was not used
 * since then is forgotten with it.
 */
import { KeyTable } from './transcode/key-table.ts';

export const deltaSeriesMaxDefault = 262_144;
const generationSeriesMin = 1024;

class Generation {
  readonly keys: KeyTable;
  totals = new Float64Array(0);
  lastMs = new Float64Array(0);
  startMs = new Float64Array(0);

  constructor(seriesMax: number) {
    this.keys = new KeyTable(seriesMax);
  }

  put(low: number, high: number, total: number, lastMs: number, startMs: number): void {
    let entry = this.keys.find(low, high);
    if (entry === -1) {
      entry = this.keys.add(low, high);
      const { capacity } = this.keys;
      if (capacity > this.totals.length) {
        this.totals = resized(this.totals, capacity);
        this.lastMs = resized(this.lastMs, capacity);
        this.startMs = resized(this.startMs, capacity);
      }
    }
    this.totals[entry] = total;
    this.lastMs[entry] = lastMs;
    this.startMs[entry] = startMs;
  }
}

function resized(from: Float64Array, capacity: number): Float64Array<ArrayBuffer> {
  const to = new Float64Array(capacity);
  to.set(from);
  return to;
}

export class DeltaMemory {
  /** What the last find() found. */
  total = 0;
  lastMs = -1;
  startMs = 0;
  readonly #generationMax: number;
  #young: Generation;
  #old: Generation;

  /** Holds at most `seriesMax` series, rounded down to a power of two; 2048 at least. */
  constructor(seriesMax: number) {
    const half = 2 ** Math.floor(Math.log2(Math.max(1, seriesMax / 2)));
    this.#generationMax = Math.max(generationSeriesMin, half);
    this.#young = new Generation(this.#generationMax);
    this.#old = new Generation(this.#generationMax);
  }

  /** Leaves the series' total in the fields; returns false where it is not known. */
  find(low: number, high: number): boolean {
    for (const generation of [this.#young, this.#old]) {
      const entry = generation.keys.find(low, high);
      if (entry === -1) continue;
      this.total = generation.totals[entry];
      this.lastMs = generation.lastMs[entry];
      this.startMs = generation.startMs[entry];
      return this.lastMs >= 0;
    }
    return false;
  }

  put(low: number, high: number, total: number, lastMs: number, startMs: number): void {
    if (this.#young.keys.isFull && this.#young.keys.find(low, high) === -1) {
      this.#old = this.#young;
      this.#young = new Generation(this.#generationMax);
    }
    this.#young.put(low, high, total, lastMs, startMs);
  }

  /** The store must be asked for the series' total next time. */
  forget(low: number, high: number): void {
    for (const { keys, lastMs } of [this.#young, this.#old]) {
      const entry = keys.find(low, high);
      if (entry !== -1) lastMs[entry] = -1;
    }
  }
}
