/**
 * Reads one column of a Native block.
 *
 *   column     => prefix(type) data(type, rowCount)
 *   prefix     => dictionary: version:u64 = 1 | array, map, nullable: the prefixes of what they hold | nothing
 *   dictionary => flags:u64 keyCount:u64 data(key, keyCount) rowCount:u64 index*    (nothing where there are no rows)
 *   array      => end:u64* data(item, last end)
 *   map        => end:u64* data(key, last end) data(value, last end)
 *   nullable   => isNull:u8* data(item, rowCount)
 *   string     => (length:varuint byte*)*
 */
import type { ByteCursor } from './byte-cursor.ts';
import type { Column, DictionaryColumn, NumberArray, StringColumn } from './column.ts';
import type { NativeType, NumberName } from './type-name.ts';

/** ClickHouse's SerializationLowCardinality: the low byte is the width of an index, then these. */
const needsGlobalDictionary = 0x100;
const hasAdditionalKeys = 0x200;

export function readPrefix(cursor: ByteCursor, type: NativeType): void {
  switch (type.kind) {
    case 'dictionary': {
      const version = cursor.readCount();
      if (version !== 1) throw cursor.fault(`dictionary version ${version} is not supported`);
      return;
    }
    case 'array':
    case 'nullable':
      readPrefix(cursor, type.item);
      return;
    case 'map':
      readPrefix(cursor, type.key);
      readPrefix(cursor, type.value);
      return;
    default:
  }
}

export function readData(cursor: ByteCursor, type: NativeType, rowCount: number): Column {
  switch (type.kind) {
    case 'number':
      return { kind: 'number', values: readNumbers(cursor, type.number, rowCount) };
    case 'integer64':
      return { kind: 'integer64', signed: type.signed, words: readWords(cursor, rowCount) };
    case 'float64': {
      const { buffer, byteOffset } = cursor.aligned(rowCount * 8, 8);
      return {
        kind: 'float64',
        values: new Float64Array(buffer, byteOffset, rowCount),
        words: new Uint32Array(buffer, byteOffset, rowCount * 2),
      };
    }
    case 'string':
      return readStrings(cursor, rowCount);
    case 'fixed-string': {
      const start = cursor.skip(rowCount * type.width);
      return { kind: 'fixed-string', width: type.width, bytes: cursor.bytes.subarray(start, cursor.offset) };
    }
    case 'dictionary':
      return readDictionary(cursor, type.key, type.nullable, rowCount);
    case 'array': {
      const ends = readEnds(cursor, rowCount);
      return { kind: 'array', ends, items: readData(cursor, type.item, lastEnd(ends)) };
    }
    case 'map': {
      const ends = readEnds(cursor, rowCount);
      const keys = readData(cursor, type.key, lastEnd(ends));
      return { kind: 'map', ends, keys, values: readData(cursor, type.value, lastEnd(ends)) };
    }
    case 'nullable': {
      const start = cursor.skip(rowCount);
      const nulls = cursor.bytes.subarray(start, cursor.offset);
      return { kind: 'nullable', nulls, items: readData(cursor, type.item, rowCount) };
    }
    default:
      return type satisfies never;
  }
}

function readNumbers(cursor: ByteCursor, name: NumberName, rowCount: number): NumberArray {
  const Type = numberTypes[name];
  const { buffer, byteOffset } = cursor.aligned(rowCount * Type.BYTES_PER_ELEMENT, Type.BYTES_PER_ELEMENT);
  return new Type(buffer, byteOffset, rowCount);
}

const numberTypes = {
  UInt8: Uint8Array,
  UInt16: Uint16Array,
  UInt32: Uint32Array,
  Int8: Int8Array,
  Int16: Int16Array,
  Int32: Int32Array,
  Float32: Float32Array,
} as const satisfies Record<NumberName, unknown>;

function readWords(cursor: ByteCursor, rowCount: number): Uint32Array {
  const { buffer, byteOffset } = cursor.aligned(rowCount * 8, 4);
  return new Uint32Array(buffer, byteOffset, rowCount * 2);
}

function readStrings(cursor: ByteCursor, rowCount: number): StringColumn {
  const { bytes } = cursor;
  // Each string has a length of one byte at least: a row count beyond that is a lie that must not allocate.
  if (rowCount > bytes.length - cursor.offset) throw cursor.cutOff();
  const starts = new Uint32Array(rowCount);
  const ends = new Uint32Array(rowCount);
  for (let row = 0; row < rowCount; row++) {
    const first = bytes[cursor.offset];
    let length = first;
    if (first < 0x80) cursor.offset++;
    else length = cursor.readVaruint();
    const start = cursor.offset;
    if (length > bytes.length - start) throw cursor.cutOff();
    starts[row] = start;
    ends[row] = start + length;
    cursor.offset = start + length;
  }
  return { kind: 'string', bytes, starts, ends };
}

function readDictionary(
  cursor: ByteCursor,
  keyType: NativeType,
  nullable: boolean,
  rowCount: number,
): DictionaryColumn {
  if (rowCount === 0) {
    return { kind: 'dictionary', nullable, keys: readData(cursor, keyType, 0), indexes: new Uint8Array(0) };
  }
  const flags = cursor.readCount();
  if ((flags & needsGlobalDictionary) !== 0 || (flags & hasAdditionalKeys) === 0) {
    throw cursor.fault('a dictionary that is shared between blocks is not supported');
  }
  const keys = readData(cursor, keyType, cursor.readCount());
  if (cursor.readCount() !== rowCount) throw cursor.fault('a dictionary column has another number of rows');
  const indexes = readIndexes(cursor, flags & 0xff, rowCount);
  const keyCount = columnRowCount(keys);
  for (let row = 0; row < rowCount; row++) {
    if (indexes[row] >= keyCount) throw cursor.fault('a dictionary index points past its keys');
  }
  return { kind: 'dictionary', nullable, keys, indexes };
}

function readIndexes(cursor: ByteCursor, width: number, rowCount: number): DictionaryColumn['indexes'] {
  if (width === 0) return readNumbers(cursor, 'UInt8', rowCount) as Uint8Array;
  if (width === 1) return readNumbers(cursor, 'UInt16', rowCount) as Uint16Array;
  if (width === 2) return readNumbers(cursor, 'UInt32', rowCount) as Uint32Array;
  throw cursor.fault('a dictionary with 64-bit indexes is not supported');
}

/** Ends of rows among the items; they never fall, and no column holds 2^32 items. */
function readEnds(cursor: ByteCursor, rowCount: number): Uint32Array {
  const words = readWords(cursor, rowCount);
  const ends = new Uint32Array(rowCount);
  let end = 0;
  for (let row = 0; row < rowCount; row++) {
    const next = words[row * 2];
    if (next < end || words[row * 2 + 1] !== 0) throw cursor.fault('the ends of arrays are out of order');
    end = next;
    ends[row] = end;
  }
  return ends;
}

function lastEnd(ends: Uint32Array): number {
  return ends.length === 0 ? 0 : ends[ends.length - 1];
}

/** Returns how many rows a column has. */
export function columnRowCount(column: Column): number {
  switch (column.kind) {
    case 'number':
    case 'float64':
      return column.values.length;
    case 'integer64':
      return column.words.length / 2;
    case 'string':
      return column.starts.length;
    case 'fixed-string':
      return column.bytes.length / column.width;
    case 'dictionary':
      return column.indexes.length;
    case 'array':
    case 'map':
      return column.ends.length;
    case 'nullable':
      return column.nulls.length;
    default:
      return column satisfies never;
  }
}
