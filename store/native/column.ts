/**
 * Columns of a Native block as typed arrays. They may share memory with the bytes they were read from: whoever
 * overwrites those bytes must have let go of the columns.
 */

export type NumberArray =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Float32Array;

/** UInt8/16/32, Int8/16/32, Float32, Bool, enums; Date in days, DateTime in seconds since 1970. */
export interface NumberColumn {
  readonly kind: 'number';
  readonly values: NumberArray;
}

/** UInt64, Int64, DateTime64 in its own ticks: two words per row, low first. No BigInt per row. */
export interface Integer64Column {
  readonly kind: 'integer64';
  readonly signed: boolean;
  readonly words: Uint32Array;
}

/** `words` are the same bytes, low word first: NaN payloads (stale markers) are told apart by them. */
export interface Float64Column {
  readonly kind: 'float64';
  readonly values: Float64Array;
  readonly words: Uint32Array;
}

/** Row i is bytes[starts[i] .. ends[i]]. */
export interface StringColumn {
  readonly kind: 'string';
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

/** Row i is bytes[i * width .. (i + 1) * width]. */
export interface FixedStringColumn {
  readonly kind: 'fixed-string';
  readonly width: number;
  readonly bytes: Uint8Array;
}

/** LowCardinality: row i is row indexes[i] of `keys`. Where `nullable`, index 0 is NULL. */
export interface DictionaryColumn {
  readonly kind: 'dictionary';
  readonly nullable: boolean;
  readonly keys: Column;
  readonly indexes: Uint8Array | Uint16Array | Uint32Array;
}

/** Row i is the rows [ends[i - 1], ends[i]) of `items`; ends[-1] is 0. */
export interface ArrayColumn {
  readonly kind: 'array';
  readonly ends: Uint32Array;
  readonly items: Column;
}

export interface MapColumn {
  readonly kind: 'map';
  readonly ends: Uint32Array;
  readonly keys: Column;
  readonly values: Column;
}

/** Row i is NULL where nulls[i] is 1; `items` then holds a default there. */
export interface NullableColumn {
  readonly kind: 'nullable';
  readonly nulls: Uint8Array;
  readonly items: Column;
}

export type Column =
  | NumberColumn
  | Integer64Column
  | Float64Column
  | StringColumn
  | FixedStringColumn
  | DictionaryColumn
  | ArrayColumn
  | MapColumn
  | NullableColumn;

/** Returns one string; `row` must be in the column. Bytes that are no UTF-8 become U+FFFD. */
export function stringAt(column: StringColumn, row: number): string {
  const { buffer, byteOffset, byteLength } = column.bytes;
  return Buffer.from(buffer, byteOffset, byteLength).toString('utf8', column.starts[row], column.ends[row]);
}

/** Returns the exact decimal text of one 64-bit integer. */
export function integer64Text(column: Integer64Column, row: number): string {
  const low = column.words[row * 2];
  const high = column.words[row * 2 + 1];
  if (high === 0) return String(low);
  const value = (BigInt(high) << 32n) | BigInt(low);
  return String(column.signed ? BigInt.asIntN(64, value) : value);
}

/** Returns one 64-bit integer as a number: exact up to 2^53, rounded beyond. */
export function integer64Number(column: Integer64Column, row: number): number {
  const high = column.words[row * 2 + 1];
  return (column.signed ? high | 0 : high) * 4294967296 + column.words[row * 2];
}
