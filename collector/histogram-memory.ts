/**
 * Totals of delta histograms that are stored, besides what DeltaMemory keeps of them: numbers in a row each, in two
 * generations of bounded size. See delta-memory.ts.
 */
import { KeyTable } from './transcode/key-table.ts';

/** Both generations together: of 160 buckets each, that many are some fifty thousand. */
export const histogramCellsMaxDefault = 8 * 1024 * 1024;
const generationSeriesMax = 1 << 18;
const initialCells = 1024;

class Generation {
  readonly keys = new KeyTable(generationSeriesMax);
  #starts = new Int32Array(0);
  #ends = new Int32Array(0);
  #cells = new Float64Array(initialCells);
  #length = 0;
  readonly #cellsMax: number;

  constructor(cellsMax: number) {
    this.#cellsMax = cellsMax;
  }

  find(low: number, high: number): Float64Array | undefined {
    const entry = this.keys.find(low, high);
    if (entry === -1 || this.#starts[entry] === this.#ends[entry]) return undefined;
    return this.#cells.subarray(this.#starts[entry], this.#ends[entry]);
  }

  /** Returns false where there is no room. */
  put(low: number, high: number, cells: Float64Array): boolean {
    let entry = this.keys.find(low, high);
    const isInPlace = entry !== -1 && this.#ends[entry] - this.#starts[entry] >= cells.length;
    if (!isInPlace) {
      if (this.#length + cells.length > this.#cellsMax || (entry === -1 && this.keys.isFull)) return false;
      if (entry === -1) entry = this.#add(low, high);
      this.#ensure(cells.length);
      this.#starts[entry] = this.#length;
      this.#length += cells.length;
    }
    this.#cells.set(cells, this.#starts[entry]);
    this.#ends[entry] = this.#starts[entry] + cells.length;
    return true;
  }

  forget(low: number, high: number): void {
    const entry = this.keys.find(low, high);
    if (entry !== -1) this.#ends[entry] = this.#starts[entry];
  }

  #add(low: number, high: number): number {
    const entry = this.keys.add(low, high);
    const { capacity } = this.keys;
    if (capacity > this.#starts.length) {
      const [starts, ends] = [this.#starts, this.#ends];
      this.#starts = new Int32Array(capacity);
      this.#ends = new Int32Array(capacity);
      this.#starts.set(starts);
      this.#ends.set(ends);
    }
    return entry;
  }

  #ensure(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#cells.length) return;
    const cells = new Float64Array(Math.min(this.#cellsMax, Math.max(needed, 2 * this.#cells.length)));
    cells.set(this.#cells.subarray(0, this.#length));
    this.#cells = cells;
  }
}

export class HistogramMemory {
  readonly #generationMax: number;
  #young: Generation;
  #old: Generation;

  /** Holds at most `cellsMax` numbers. */
  constructor(cellsMax = histogramCellsMaxDefault) {
    this.#generationMax = Math.floor(cellsMax / 2);
    this.#young = new Generation(this.#generationMax);
    this.#old = new Generation(this.#generationMax);
  }

  /** Returns the series' total, undefined where it is not known. Valid until the next put(). */
  find(low: number, high: number): Float64Array | undefined {
    return this.#young.find(low, high) ?? this.#old.find(low, high);
  }

  /** Remembers a total; none at all is forgotten. */
  put(low: number, high: number, cells: Float64Array): void {
    this.#old.forget(low, high);
    if (this.#young.put(low, high, cells)) return;
    this.#young.forget(low, high);
    this.#old = this.#young;
    this.#young = new Generation(this.#generationMax);
    // What is larger than a generation is looked up each time.
    this.#young.put(low, high, cells);
  }

  /** The store must be asked for the series' total next time. */
  forget(low: number, high: number): void {
    this.#young.forget(low, high);
    this.#old.forget(low, high);
  }
}
