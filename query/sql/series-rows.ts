/**
 * Rows of one table of samples, kept as they came and found again by series: no object per row, no sample is touched.
 *
 *   new SeriesRows(ids, blocks)    // columns of rowColumns: UInt64, DateTime64(3), Float64, or arrays of the latter two
 *   rows.collect(7, join)          // hands the samples of the eighth series to `join`
 */
import { freeBytes } from '#model/free-bytes.ts';
import { type Block, columnNamed, readBlocks } from '#store/native/block-reader.ts';
import type { Column, Float64Column, Integer64Column } from '#store/native/column.ts';

/**
 * What a statement must call its columns. Names are part of a block, and with names of these lengths the numbers of blocks of
 * 128 rows and more lie at multiples of eight bytes, where they are read in place; elsewhere they are copied.
 */
export const rowColumns = { id: 'ident', times: 'utc', values: 'readings' } as const;

/** Ids in ascending order, as their upper and lower halves. */
export interface SeriesIds {
  readonly high: Uint32Array;
  readonly low: Uint32Array;
}

/** What takes the samples of a series: places from <= i < to of columns that are as wide as they came. */
export interface SampleSink {
  /** `times` are 64-bit integers of milliseconds, low word first. */
  add(times: Uint32Array, values: Float64Array, from: number, to: number): void;
}

interface SampleColumns {
  readonly times: Uint32Array;
  readonly values: Float64Array;
}

const rowsMin = 1024;
const none = -1;

export class SeriesRows {
  readonly #ids: SeriesIds;
  readonly #bytes: Uint8Array[] = [];
  readonly #blocks: SampleColumns[] = [];
  /** By series: its first and its last row. */
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  /** By row: its block, the places of its samples in it, and the next row of the same series. */
  #block = new Uint32Array(rowsMin);
  #from = new Uint32Array(rowsMin);
  #to = new Uint32Array(rowsMin);
  #next = new Int32Array(rowsMin);
  #rowCount = 0;
  #place = 0;

  /** Keeps `blocks`, which must be its own: bytes of one or more blocks each. Rows of other series are left out. */
  constructor(ids: SeriesIds, blocks: readonly Uint8Array[]) {
    this.#ids = ids;
    this.#first = new Int32Array(ids.low.length).fill(none);
    this.#last = new Int32Array(ids.low.length).fill(none);
    this.#add(blocks);
  }

  #add(blocks: readonly Uint8Array[]): void {
    const decoded: DecodedBlock[] = [];
    for (const bytes of blocks) {
      this.#bytes.push(bytes);
      for (const block of readBlocks(bytes)) decoded.push(decodeBlock(block));
    }
    // The engine reads windows in no order, but series by series within each: then a series' rows are in order of time.
    decoded.sort((a, b) => a.firstMs - b.firstMs);
    for (const { ids, ends, columns } of decoded) {
      this.#blocks.push(columns);
      if (ends === undefined) this.#addRows(ids);
      else this.#addArrays(ids, ends);
    }
  }

  /** Gives the memory of all rows back. Nothing must be collected afterwards. */
  free(): void {
    this.#blocks.length = 0;
    for (const bytes of this.#bytes.splice(0)) freeBytes(bytes);
  }

  /** How many samples a series has here. */
  count(series: number): number {
    let count = 0;
    for (let row = this.#first[series]; row !== none; row = this.#next[row]) {
      count += this.#to[row] - this.#from[row];
    }
    return count;
  }

  /** Rows come in the order in which they were added. */
  collect(series: number, sink: SampleSink): void {
    for (let row = this.#first[series]; row !== none; row = this.#next[row]) {
      const { times, values } = this.#blocks[this.#block[row]];
      sink.add(times, values, this.#from[row], this.#to[row]);
    }
  }

  #addArrays(ids: Uint32Array, ends: Uint32Array): void {
    let from = 0;
    for (let row = 0; row < ends.length; row++) {
      const to = ends[row];
      if (to > from) this.#addRow(ids[2 * row + 1], ids[2 * row], from, to);
      from = to;
    }
  }

  /** Neighbours of one series become one row. */
  #addRows(ids: Uint32Array): void {
    const rowCount = ids.length / 2;
    let from = 0;
    for (let row = 1; row <= rowCount; row++) {
      const isSame =
        row < rowCount && ids[2 * row] === ids[2 * from] && ids[2 * row + 1] === ids[2 * from + 1];
      if (isSame) continue;
      this.#addRow(ids[2 * from + 1], ids[2 * from], from, row);
      from = row;
    }
  }

  #addRow(idHigh: number, idLow: number, from: number, to: number): void {
    const series = this.#find(idHigh, idLow);
    if (series === none) return;
    if (this.#rowCount === this.#next.length) this.#grow();
    const row = this.#rowCount++;
    this.#block[row] = this.#blocks.length - 1;
    this.#from[row] = from;
    this.#to[row] = to;
    this.#next[row] = none;
    if (this.#first[series] === none) this.#first[series] = row;
    else this.#next[this.#last[series]] = row;
    this.#last[series] = row;
  }

  /** Rows mostly come in the order of ids: the next one is tried before all are searched. */
  #find(idHigh: number, idLow: number): number {
    const { high, low } = this.#ids;
    for (const place of [this.#place, this.#place + 1]) {
      if (place < low.length && low[place] === idLow && high[place] === idHigh) {
        this.#place = place;
        return place;
      }
    }
    let from = 0;
    let to = low.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const isBefore = high[middle] < idHigh || (high[middle] === idHigh && low[middle] < idLow);
      if (isBefore) from = middle + 1;
      else to = middle;
    }
    if (from === low.length || low[from] !== idLow || high[from] !== idHigh) return none;
    this.#place = from;
    return from;
  }

  #grow(): void {
    const length = 2 * this.#next.length;
    const wider = (column: Uint32Array<ArrayBuffer>) => {
      const copy = new Uint32Array(length);
      copy.set(column);
      return copy;
    };
    this.#block = wider(this.#block);
    this.#from = wider(this.#from);
    this.#to = wider(this.#to);
    const next = new Int32Array(length);
    next.set(this.#next);
    this.#next = next;
  }
}

interface DecodedBlock {
  readonly ids: Uint32Array;
  /** Where a row's samples end; undefined where a row is a sample. */
  readonly ends: Uint32Array | undefined;
  readonly columns: SampleColumns;
  /** Of its first sample. */
  readonly firstMs: number;
}

function decodeBlock(block: Block): DecodedBlock {
  const ts = columnNamed(block, rowColumns.times);
  const v = columnNamed(block, rowColumns.values);
  const times = integers(ts.kind === 'array' ? ts.items : ts).words;
  return {
    ids: integers(columnNamed(block, rowColumns.id)).words,
    ends: ts.kind === 'array' ? ts.ends : undefined,
    columns: { times, values: floats(v.kind === 'array' ? v.items : v).values },
    firstMs: times.length === 0 ? 0 : timeAt(times, 0),
  };
}

const twoTo32 = 4_294_967_296;

/** Milliseconds since 1970 out of signed 64-bit integers, low word first: times before it have a negative upper half. */
export function timeAt(words: Uint32Array, index: number): number {
  return words[2 * index] + (words[2 * index + 1] | 0) * twoTo32;
}

function integers(column: Column): Integer64Column {
  if (column.kind === 'integer64') return column;
  throw new Error(`BUG: a 64-bit column was asked for and ${column.kind} came`);
}

function floats(column: Column): Float64Column {
  if (column.kind === 'float64') return column;
  throw new Error(`BUG: a Float64 column was asked for and ${column.kind} came`);
}
