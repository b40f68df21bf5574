/**
 * Native blocks of samples as columns: `id UInt64, ts DateTime64(3), v Float64` from samples_head, or the same with
 * arrays from samples_chunk.
 *
 *   block  => columnCount:varuint rowCount:varuint column*
 *   column => name:string type:string data      string => length:varuint bytes
 *   data   => rowCount * 8 bytes                array  => rowCount * u64 (ends) values
 */
import { DecodeError } from '#model/errors.ts';
import { readVaruint } from '#store/native/block-header.ts';

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
  const cursor = { bytes, offset: 0 };
  while (cursor.offset < bytes.length) {
    const columnCount = takeVaruint(cursor);
    const rowCount = takeVaruint(cursor);
    if (columnCount !== 3) throw new DecodeError(`native block: ${columnCount} columns instead of 3`, 0);
    const ids = takeIds(cursor, rowCount);
    const ends = takeHeader(cursor, 'ts') ? takeEnds(cursor, rowCount) : undefined;
    const sampleCount = ends === undefined ? rowCount : (ends.at(-1) ?? 0);
    const timestamps = takeTimes(cursor, sampleCount);
    if (takeHeader(cursor, 'v')) takeEnds(cursor, rowCount);
    const values = new Float64Array(takeCopy(cursor, sampleCount * 8));
    yield* ends === undefined
      ? runsOfRows(ids, timestamps, values)
      : runsOfArrays(ids, ends, timestamps, values);
  }
}

interface Cursor {
  readonly bytes: Uint8Array;
  offset: number;
}

function takeVaruint(cursor: Cursor): number {
  const { value, end } = readVaruint(cursor.bytes, cursor.offset);
  cursor.offset = end;
  return value;
}

/** A copy of its own, aligned for typed arrays. */
function takeCopy(cursor: Cursor, length: number): ArrayBuffer {
  const end = cursor.offset + length;
  if (end > cursor.bytes.length) throw new DecodeError('native block: a column is cut off', cursor.offset);
  const copy = new Uint8Array(length);
  copy.set(cursor.bytes.subarray(cursor.offset, end));
  cursor.offset = end;
  return copy.buffer;
}

function takeText(cursor: Cursor): string {
  return Buffer.from(takeCopy(cursor, takeVaruint(cursor))).toString('utf8');
}

const types: Readonly<Record<string, readonly string[]>> = {
  id: ['UInt64'],
  ts: ["DateTime64(3, 'UTC')", "Array(DateTime64(3, 'UTC'))"],
  v: ['Float64', 'Array(Float64)'],
};

/** Steps over a column's name and type; true where it is an array. */
function takeHeader(cursor: Cursor, expected: string): boolean {
  const at = cursor.offset;
  const name = takeText(cursor);
  const type = takeText(cursor);
  if (name !== expected || !types[expected].includes(type)) {
    throw new DecodeError(`native block: column ${name} ${type} where ${expected} was asked for`, at);
  }
  return type.startsWith('Array(');
}

function takeIds(cursor: Cursor, rowCount: number): Uint32Array {
  takeHeader(cursor, 'id');
  return new Uint32Array(takeCopy(cursor, rowCount * 8));
}

const twoTo32 = 4_294_967_296;

function takeEnds(cursor: Cursor, rowCount: number): Float64Array {
  const words = new Uint32Array(takeCopy(cursor, rowCount * 8));
  const ends = new Float64Array(rowCount);
  for (let i = 0; i < rowCount; i++) ends[i] = words[2 * i] + words[2 * i + 1] * twoTo32;
  return ends;
}

/** Signed 64-bit milliseconds; times before 1970 have a negative upper half. */
function takeTimes(cursor: Cursor, count: number): Float64Array {
  const buffer = takeCopy(cursor, count * 8);
  const lows = new Uint32Array(buffer);
  const highs = new Int32Array(buffer);
  const times = new Float64Array(count);
  for (let i = 0; i < count; i++) times[i] = lows[2 * i] + highs[2 * i + 1] * twoTo32;
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
  ends: Float64Array,
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
