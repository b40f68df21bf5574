/**
 * Native blocks of samples as runs: `id UInt64, ts DateTime64(3), v Float64` from samples_head, or the same with arrays
 * from samples_chunk.
 */
import { columnNamed, readBlocks } from '#store/native/block-reader.ts';
import type { Column, Float64Column, Integer64Column } from '#store/native/column.ts';

/** The samples of one row, or of neighbouring rows, of one series. */
export interface SampleRun {
  readonly idHigh: number;
  readonly idLow: number;
  /** Milliseconds since 1970. */
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
}

/** Yields the runs of all blocks in `bytes`, in their order. Keeps nothing of `bytes`. */
export function* decodeSampleRuns(bytes: Uint8Array): Generator<SampleRun> {
  for (const block of readBlocks(bytes)) {
    const ids = integers(columnNamed(block, 'id')).words;
    const ts = columnNamed(block, 'ts');
    const v = columnNamed(block, 'v');
    const timestamps = milliseconds(integers(ts.kind === 'array' ? ts.items : ts));
    // A copy: the column may share memory with `bytes`. Copying between arrays of one type keeps every NaN's bits.
    const values = floats(v.kind === 'array' ? v.items : v).values.slice();
    yield* ts.kind === 'array'
      ? runsOfArrays(ids, ts.ends, timestamps, values)
      : runsOfRows(ids, timestamps, values);
  }
}

function integers(column: Column): Integer64Column {
  if (column.kind === 'integer64') return column;
  throw new Error(`BUG: a 64-bit column was asked for and ${column.kind} came`);
}

function floats(column: Column): Float64Column {
  if (column.kind === 'float64') return column;
  throw new Error(`BUG: a Float64 column was asked for and ${column.kind} came`);
}

const twoTo32 = 4_294_967_296;

/** Signed 64-bit milliseconds; times before 1970 have a negative upper half. */
function milliseconds({ words }: Integer64Column): Float64Array {
  const times = new Float64Array(words.length / 2);
  for (let i = 0; i < times.length; i++) times[i] = words[2 * i] + (words[2 * i + 1] | 0) * twoTo32;
  return times;
}

function* runsOfRows(ids: Uint32Array, timestamps: Float64Array, values: Float64Array): Generator<SampleRun> {
  let start = 0;
  for (let row = 1; row <= timestamps.length; row++) {
    const isSame =
      row < timestamps.length && ids[2 * row] === ids[2 * start] && ids[2 * row + 1] === ids[2 * start + 1];
    if (isSame) continue;
    yield run(ids, start, timestamps.subarray(start, row), values.subarray(start, row));
    start = row;
  }
}

function* runsOfArrays(
  ids: Uint32Array,
  ends: Uint32Array,
  timestamps: Float64Array,
  values: Float64Array,
): Generator<SampleRun> {
  for (let row = 0; row < ends.length; row++) {
    const start = row === 0 ? 0 : ends[row - 1];
    yield run(ids, row, timestamps.subarray(start, ends[row]), values.subarray(start, ends[row]));
  }
}

function run(ids: Uint32Array, row: number, timestamps: Float64Array, values: Float64Array): SampleRun {
  return { idHigh: ids[2 * row + 1], idLow: ids[2 * row], timestamps, values };
}
