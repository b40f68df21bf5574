/** What both engines check and write for an insert of one Native block. */
import { errorMessage } from '#model/errors.ts';
import { readBlockHeader } from './native/block-header.ts';
import { type NativeBlock, StoreError } from './store.ts';
import { insertColumns } from './tables.ts';

/** topic/partition/first-last/table is far below this; the engine keeps thousands of tokens per table. */
export const tokenLengthMax = 1000;

/** Throws StoreError where block or token cannot be meant: a wrong row count would drop or invent rows unseen. */
export function checkInsert(block: NativeBlock, token: string): void {
  if (token === '' || token.length > tokenLengthMax) {
    throw refused(block, `its token has ${token.length} characters, not 1 to ${tokenLengthMax}`);
  }
  let header: { columnCount: number; rowCount: number };
  try {
    header = readBlockHeader(block.parts[0] ?? new Uint8Array(0));
  } catch (error) {
    throw refused(block, errorMessage(error), error);
  }
  const columnCount = insertColumns[block.table].length;
  if (header.columnCount !== columnCount) {
    throw refused(block, `it has ${header.columnCount} columns, the table takes ${columnCount}`);
  }
  if (header.rowCount !== block.rowCount) {
    throw refused(block, `it has ${header.rowCount} rows, not ${block.rowCount} as its sender says`);
  }
}

/** "tenant, ts, body" */
export function columnNames(block: NativeBlock): string {
  return insertColumns[block.table].map(([name]) => name).join(', ');
}

/** "tenant LowCardinality(String), ts DateTime64(9, 'UTC')": what file() takes. */
export function columnStructure(block: NativeBlock): string {
  return insertColumns[block.table].map(([name, type]) => `${name} ${type}`).join(', ');
}

function refused(block: NativeBlock, fact: string, cause?: unknown): StoreError {
  return new StoreError(`the block for ${block.table} is refused: ${fact}`, { retryable: false, cause });
}
