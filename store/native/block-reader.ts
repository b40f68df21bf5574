/**
 * Reads FORMAT Native (revision 0: what HTTP, file() and the embedded engine write) into typed arrays.
 *
 *   stream => block*
 *   block  => columnCount:varuint rowCount:varuint (name:string type:string column)*
 *
 * Everything is checked against the end of the input before memory is taken. Little-endian hosts only.
 */
import { ByteCursor } from './byte-cursor.ts';
import type { Column } from './column.ts';
import { readData, readPrefix } from './column-reader.ts';
import { parseTypeName } from './type-name.ts';

export interface NamedColumn {
  readonly name: string;
  /** As ClickHouse writes it. */
  readonly type: string;
  readonly column: Column;
}

export interface Block {
  readonly rowCount: number;
  readonly columns: readonly NamedColumn[];
}

/** Our widest table has two dozen. */
const columnCountMax = 1000;
/** The input is one buffer: its offsets are 32 bits. */
const blockBytesMax = 0xffff_ffff;

/**
 * Yields the blocks of `bytes`, which must hold whole blocks only. Blocks without rows (a header) are left out.
 * Throws DecodeError on bytes that are cut off, out of order, or of a type that is not read.
 */
export function* readBlocks(bytes: Uint8Array): Generator<Block, void, undefined> {
  const cursor = new ByteCursor(bytes);
  if (bytes.length > blockBytesMax) throw cursor.fault('the input is larger than 4 GiB');
  while (!cursor.atEnd) {
    const block = readBlock(cursor);
    if (block.rowCount > 0) yield block;
  }
}

/** Returns the column called `name`, or throws: the query that was written does not match the code that reads it. */
export function columnNamed(block: Block, name: string): Column {
  const found = block.columns.find((column) => column.name === name);
  if (found === undefined) throw new Error(`BUG: the query has no column "${name}"`);
  return found.column;
}

function readBlock(cursor: ByteCursor): Block {
  const columnCount = cursor.readVaruint();
  if (columnCount > columnCountMax) throw cursor.fault(`${columnCount} columns are too many`);
  const rowCount = cursor.readVaruint();
  const columns: NamedColumn[] = [];
  for (let index = 0; index < columnCount; index++) {
    const name = cursor.readString();
    const typeOffset = cursor.offset;
    const type = cursor.readString();
    const nativeType = parseTypeName(type, typeOffset);
    if (rowCount > 0) readPrefix(cursor, nativeType);
    columns.push({ name, type, column: readData(cursor, nativeType, rowCount) });
  }
  return { rowCount, columns };
}
