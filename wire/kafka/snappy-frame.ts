/**
 * Reads snappy as Kafka producers write it: the framing of the Java library (a magic, two versions, then blocks with a
 * length each), or one bare block. Read only: we write zstd.
 */
import snappy from 'snappyjs';
import { DecodeError, errorMessage } from '#model/errors.ts';
import { isSnappyBlock } from '#model/snappy-block.ts';

const javaMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const javaHeaderBytes = 16;

/** Returns the plain bytes. Throws DecodeError on damage, and where they would be more than `bytesMax`. */
export function decompressSnappy(input: Buffer, bytesMax: number): Buffer {
  if (!input.subarray(0, javaMagic.length).equals(javaMagic)) return uncompress(input, 0, bytesMax);
  const blocks: Buffer[] = [];
  let left = bytesMax;
  for (let at = javaHeaderBytes; at < input.length; ) {
    if (at + 4 > input.length) throw new DecodeError('the snappy stream ends in a block length', at);
    const end = at + 4 + input.readUInt32BE(at);
    if (end > input.length) throw new DecodeError('the snappy stream ends in a block', at);
    const block = uncompress(input.subarray(at + 4, end), at + 4, left);
    blocks.push(block);
    left -= block.length;
    at = end;
  }
  return Buffer.concat(blocks);
}

function uncompress(block: Buffer, position: number, bytesMax: number): Buffer {
  if (!isSnappyBlock(block)) throw new DecodeError('invalid snappy block (not as long as it says)', position);
  try {
    const plain = snappy.uncompress(block, bytesMax);
    return Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength);
  } catch (error) {
    throw new DecodeError(`invalid snappy block (${errorMessage(error)})`, position);
  }
}
