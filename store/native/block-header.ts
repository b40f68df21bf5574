/** The first two numbers of a Native block: block => columnCount:varuint rowCount:varuint column* */
import { ByteCursor } from './byte-cursor.ts';

export interface BlockHeader {
  readonly columnCount: number;
  readonly rowCount: number;
}

/** Throws DecodeError where the bytes end before. */
export function readBlockHeader(bytes: Uint8Array): BlockHeader {
  const cursor = new ByteCursor(bytes);
  return { columnCount: cursor.readVaruint(), rowCount: cursor.readVaruint() };
}
