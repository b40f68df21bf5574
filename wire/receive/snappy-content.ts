/**
 * Snappy in both of its forms, told apart by the framed one's first chunk: senders call both of them `snappy`.
 *
 *   block  => plainLength:varint ...                                                  (format_description.txt)
 *   framed => ff 06 00 00 'sNaPpY' chunk*    chunk => type:u8 length:u24le content     (framing_format.txt)
 *   content of type 00 => crc:u32le block    of type 01 => crc:u32le plain            crc: masked CRC-32C of the plain
 */
import snappy from 'snappyjs';
import { crc32c } from '#model/crc32c.ts';
import { errorMessage, RefusedError } from '#model/errors.ts';
import { elementsPlainBytes, snappyBlockHeader } from '#model/snappy-block.ts';

const streamIdentifier = Buffer.from([0xff, 0x06, 0x00, 0x00, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59]);
const chunkHeaderBytes = 4;
const crcBytes = 4;
/** Of one chunk, plain. */
const chunkPlainBytesMax = 65_536;
const typeCompressed = 0x00;
const typePlain = 0x01;
/** Chunk types from here on may be skipped: padding, later stream identifiers, and what is not known. */
const typeSkippableMin = 0x80;

/** Returns the plain bytes. `admit` is told their number before they are made, and throws where it is too large. */
export function decodeSnappy(bytes: Uint8Array, admit: (plainBytes: number) => void): Uint8Array {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!input.subarray(0, streamIdentifier.length).equals(streamIdentifier)) return decodeBlock(input, admit);
  const parts: Uint8Array[] = [];
  let plainBytes = 0;
  for (let at = streamIdentifier.length; at < input.length; ) {
    if (at + chunkHeaderBytes > input.length) throw damaged('it ends in a chunk header');
    const type = input[at]!;
    const start = at + chunkHeaderBytes;
    const end = start + input.readUIntLE(at + 1, 3);
    if (end > input.length) throw damaged('it ends in a chunk');
    at = end;
    if (type >= typeSkippableMin) continue;
    if (type !== typeCompressed && type !== typePlain)
      throw damaged(`it has a chunk of unknown type ${type}`);
    if (end - start < crcBytes) throw damaged('a chunk is too short for its checksum');
    const part = decodeChunk(input.subarray(start, end), type, (partBytes) => {
      if (partBytes > chunkPlainBytesMax) throw damaged('a chunk has more than 64 KiB');
      admit(plainBytes + partBytes);
    });
    plainBytes += part.length;
    parts.push(part);
  }
  return Buffer.concat(parts, plainBytes);
}

/** Whether `bytes` are snappy in one of its forms: a block must add up to exactly the length that it says. */
export function isSnappy(bytes: Uint8Array): boolean {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (input.subarray(0, streamIdentifier.length).equals(streamIdentifier)) return true;
  const header = snappyBlockHeader(input);
  return header !== undefined && elementsPlainBytes(input, header.start) === header.plainBytes;
}

/** Returns what the bytes say that they become, without looking further: Infinity where they are framed. */
export function statedSnappyBytes(bytes: Uint8Array): number {
  const isFramed = streamIdentifier.every((byte, index) => bytes[index] === byte);
  return isFramed ? Number.POSITIVE_INFINITY : (snappyBlockHeader(bytes)?.plainBytes ?? 0);
}

function decodeChunk(chunk: Buffer, type: number, admit: (plainBytes: number) => void): Uint8Array {
  const content = chunk.subarray(crcBytes);
  if (type === typePlain) admit(content.length);
  const plain = type === typePlain ? content : decodeBlock(content, admit);
  const crc = crc32c(plain);
  const masked = (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
  if (masked !== chunk.readUInt32LE(0)) throw damaged('a chunk has a wrong checksum');
  return plain;
}

/** A block says first how long it will be, so the limit is checked before allocation. */
function decodeBlock(bytes: Buffer, admit: (plainBytes: number) => void): Uint8Array {
  const header = snappyBlockHeader(bytes);
  if (header === undefined) throw damaged('it ends in its length');
  const { plainBytes, start } = header;
  admit(plainBytes);
  if (elementsPlainBytes(bytes, start) !== plainBytes) throw damaged('its parts are not as long as it says');
  try {
    return snappy.uncompress(bytes, plainBytes);
  } catch (error) {
    throw damaged(errorMessage(error), error);
  }
}

function damaged(fact: string, cause?: unknown): RefusedError {
  return new RefusedError(`the body is not valid snappy: ${fact}`, 400, { cause });
}
