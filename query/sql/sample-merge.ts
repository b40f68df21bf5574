/**
 * Makes one series' samples of rows from several tables: in time order, each time once, within (startMs, endMs].
 * Of samples with one time the largest value wins, as in ClickHouse's own time series functions; the compaction
 * (store/compaction/chunk-sql.ts) keeps the same one, whichever order they come in.
 */
import { type SampleSink, type SeriesRows, timeAt } from './series-rows.ts';

export interface MergedSamples {
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  readonly mayBeStale: boolean;
}

/** Columns are cut from pieces of this many samples: an allocation for each series would cost more than its samples. */
const pieceSamples = 65_536;

export class SampleJoin implements SampleSink {
  readonly #startMs: number;
  readonly #endMs: number;
  #times = new Float64Array();
  #values = new Float64Array();
  #words = wordsOf(this.#values);
  #start = 0;
  #end = 0;
  #isAscending = true;
  #mayBeStale = false;
  /** Rows of the series, column by column: an object for each would cost more than what is in it. */
  readonly #rowTimes: Uint32Array[] = [];
  readonly #rowValues: Float64Array[] = [];
  readonly #rowFrom: number[] = [];
  readonly #rowTo: number[] = [];
  readonly #rowFirstMs: number[] = [];
  #rowCount = 0;
  #rowsAscend = true;

  constructor(startMs: number, endMs: number) {
    this.#startMs = startMs;
    this.#endMs = endMs;
  }

  /** Gives the columns of all series so far to the next ones. */
  reuse(): void {
    this.#end = 0;
  }

  /** Starts a series of at most `sampleCount` samples. What was finished before stays as it is, but for reuse(). */
  begin(sampleCount: number): void {
    if (this.#end + sampleCount > this.#times.length) {
      this.#times = new Float64Array(Math.max(sampleCount, pieceSamples));
      this.#values = new Float64Array(this.#times.length);
      this.#words = wordsOf(this.#values);
      this.#end = 0;
    }
    this.#start = this.#end;
    this.#isAscending = true;
    this.#mayBeStale = false;
  }

  /** begin(), and all rows that tables have of a series. */
  beginSeries(tables: readonly SeriesRows[], series: number, more = 0): void {
    let count = more;
    for (const rows of tables) count += rows.count(series);
    this.begin(count);
    for (const rows of tables) rows.collect(series, this);
  }

  /** Rows may come in any order. */
  add(times: Uint32Array, values: Float64Array, from: number, to: number): void {
    if (to === from) return;
    const row = this.#rowCount++;
    const firstMs = timeAt(times, from);
    if (row > 0 && firstMs < this.#rowFirstMs[row - 1]) this.#rowsAscend = false;
    this.#rowTimes[row] = times;
    this.#rowValues[row] = values;
    this.#rowFrom[row] = from;
    this.#rowTo[row] = to;
    this.#rowFirstMs[row] = firstMs;
  }

  #rowsInOrder(): number[] {
    const firstMs = this.#rowFirstMs;
    return Array.from({ length: this.#rowCount }, (_, row) => row).sort((a, b) => firstMs[a] - firstMs[b]);
  }

  /** A NaN is copied as words: it keeps its bits. */
  #copy(row: number): void {
    const times = this.#rowTimes[row];
    const values = this.#rowValues[row];
    const to = this.#rowTo[row];
    const startMs = this.#startMs;
    const endMs = this.#endMs;
    const ownTimes = this.#times;
    const ownValues = this.#values;
    const words = this.#words;
    let end = this.#end;
    let before = end === this.#start ? -Infinity : ownTimes[end - 1];
    let isAscending = this.#isAscending;
    let mayBeStale = this.#mayBeStale;
    for (let i = this.#rowFrom[row]; i < to; i++) {
      const time = timeAt(times, i);
      if (time <= startMs || time > endMs) continue;
      if (time <= before) isAscending = false;
      before = time;
      ownTimes[end] = time;
      const value = values[i];
      if (Number.isNaN(value)) {
        mayBeStale = true;
        const bits = wordsOf(values);
        words[2 * end] = bits[2 * i];
        words[2 * end + 1] = bits[2 * i + 1];
      } else ownValues[end] = value;
      end++;
    }
    this.#end = end;
    this.#mayBeStale = mayBeStale;
    this.#isAscending = isAscending;
  }

  /** Ends the series. */
  finish(): MergedSamples {
    if (this.#rowsAscend) for (let row = 0; row < this.#rowCount; row++) this.#copy(row);
    else for (const row of this.#rowsInOrder()) this.#copy(row);
    this.#rowCount = 0;
    this.#rowsAscend = true;
    const timestamps = this.#times.subarray(this.#start, this.#end);
    const values = this.#values.subarray(this.#start, this.#end);
    const merged = { timestamps, values, mayBeStale: this.#mayBeStale };
    return this.#isAscending ? merged : sortUnique(merged);
  }
}

function sortUnique({ timestamps, values, mayBeStale }: MergedSamples): MergedSamples {
  const order = Uint32Array.from(timestamps.keys());
  const sortedTimes = new Float64Array(order.length);
  const sortedValues = new Float64Array(order.length);
  const from = wordsOf(values);
  const to = wordsOf(sortedValues);
  // NaN is no larger than anything: among equal times it must come first to lose.
  order.sort(
    (a, b) => timestamps[a] - timestamps[b] || compareValues(values[a], values[b]) || compareBits(from, a, b),
  );
  let count = 0;
  for (const index of order) {
    if (count > 0 && sortedTimes[count - 1] === timestamps[index]) count--;
    sortedTimes[count] = timestamps[index];
    to[2 * count] = from[2 * index];
    to[2 * count + 1] = from[2 * index + 1];
    count++;
  }
  return {
    timestamps: sortedTimes.subarray(0, count),
    values: sortedValues.subarray(0, count),
    mayBeStale,
  };
}

function compareValues(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(b)) - Number(Number.isNaN(a));
  return a < b ? -1 : a > b ? 1 : 0;
}

/** As signed 64-bit integers: between NaNs, and between zeros, the outcome must not depend on their order. */
function compareBits(words: Uint32Array, a: number, b: number): number {
  return (words[2 * a + 1] | 0) - (words[2 * b + 1] | 0) || words[2 * a] - words[2 * b];
}

function wordsOf(values: Float64Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
}
