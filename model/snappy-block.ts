/**
 * The snappy block format, looked through before it is undone: whether its elements add up to what its header says.
 * (https://github.com/google/snappy/blob/main/format_description.txt)
 */

/** Of the varint that a block begins with. */
const lengthBytesMax = 5;

/** A block's first bytes say how long it will be. Undefined where it ends in them. */
export function snappyBlockHeader(
  bytes: Uint8Array,
): { readonly plainBytes: number; readonly start: number } | undefined {
  let plainBytes = 0;
  let start = 0;
  for (let byte = 0x80; byte >= 0x80 && start < lengthBytesMax; start++) {
    if (start === bytes.length) return undefined;
    byte = bytes[start]!;
    plainBytes += (byte & 0x7f) * 2 ** (7 * start);
  }
  return { plainBytes, start };
}

// element => tag:u8 (low 2 bits: kind)   literal (0) => length - 1 in the tag, or behind it in 1 to 4 bytes; byte*
// copy => length in the tag; offset in 1 (kind 1), 2 (2) or 4 (3) bytes
/**
 * What the elements of a block add up to, -1 where the last one is cut off: snappyjs would fill the rest with zeros,
 * and turn in circles where a literal says that it has two gigabytes.
 */
export function elementsPlainBytes(block: Buffer, start: number): number {
  let plainBytes = 0;
  let at = start;
  while (at < block.length) {
    const tag = block[at++]!;
    const kind = tag & 3;
    const bits = tag >>> 2;
    if (kind === 1) {
      plainBytes += (bits & 7) + 4;
      at += 1;
    } else if (kind !== 0) {
      plainBytes += bits + 1;
      at += kind === 2 ? 2 : 4;
    } else {
      const extra = Math.max(0, bits - 59);
      if (at + extra > block.length) return -1;
      const length = (extra === 0 ? bits : block.readUIntLE(at, extra)) + 1;
      plainBytes += length;
      at += extra + length;
    }
  }
  return at === block.length ? plainBytes : -1;
}

/** Whether a block is whole and exactly as long as it says: anything else must not be given to snappyjs. */
export function isSnappyBlock(bytes: Uint8Array): boolean {
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = snappyBlockHeader(block);
  return header !== undefined && elementsPlainBytes(block, header.start) === header.plainBytes;
}
