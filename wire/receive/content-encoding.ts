/**
 * Undoes HTTP content encodings with the size limit enforced while inflating: a bomb is stopped at the limit, not
 * after it. Bodies are refused with 413 (too large), 415 (encoding unknown) or 400 (damaged).
 */
import { promisify } from 'node:util';
import { gunzip, inflate, zstdDecompress } from 'node:zlib';
import snappy from 'snappyjs';
import { errorMessage, RefusedError } from '#model/errors.ts';

const zlibInflaters = {
  gzip: promisify(gunzip),
  deflate: promisify(inflate),
  zstd: promisify(zstdDecompress),
} as const;

/** What Accept-Encoding of a 415 answer lists. */
export const acceptedEncodings = 'gzip, zstd, deflate, snappy, identity';

/**
 * Telemetry rarely inflates by more than this. What does is inflated again with room for the largest body, so that many
 * small bodies that come together cannot each claim that room.
 */
const usualRatio = 32;
const usualBytesMin = 64 * 1024;

/**
 * Returns the plain bytes. `encoding` is the Content-Encoding header, absent or 'identity' for none. `hold` is told how
 * many bytes are held, received and plain ones together, before they are, and may throw.
 */
export async function decodeContent(
  bytes: Uint8Array,
  encoding: string | undefined,
  bytesMax: number,
  hold: (heldBytes: number) => void = () => undefined,
): Promise<Uint8Array> {
  hold(bytes.length);
  const name = (encoding ?? 'identity').trim().toLowerCase();
  if (name === '' || name === 'identity') return bytes;
  if (name === 'snappy') return decodeSnappy(bytes, bytesMax, hold);
  const inflater = zlibInflaters[name as keyof typeof zlibInflaters];
  if (inflater === undefined) {
    throw new RefusedError(`content-encoding "${name}" is not supported: send ${acceptedEncodings}`, 415);
  }
  const usualBytes = Math.min(Math.max(bytes.length * usualRatio, usualBytesMin), bytesMax);
  for (const plainMax of usualBytes < bytesMax ? [usualBytes, bytesMax] : [bytesMax]) {
    hold(bytes.length + plainMax);
    try {
      const plain = await inflater(bytes, { maxOutputLength: plainMax });
      hold(bytes.length + plain.length);
      return plain;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') continue;
      throw new RefusedError(`the body is not valid ${name}: ${errorMessage(error)}`, 400, { cause: error });
    }
  }
  throw bodyTooLarge(bytesMax);
}

/** The one sentence for a body over the limit, wherever it is noticed. */
export function bodyTooLarge(bytesMax: number): RefusedError {
  return new RefusedError(
    `the body is larger than ${bytesMax} bytes after decompression: send smaller batches, or raise receive.body_bytes_max`,
    413,
  );
}

/** Snappy block format: a varint with the plain length comes first, so the limit is checked before allocation. */
function decodeSnappy(bytes: Uint8Array, bytesMax: number, hold: (heldBytes: number) => void): Uint8Array {
  let plainLength = 0;
  for (let index = 0; index < 5; index++) {
    const byte = bytes[index];
    if (byte === undefined) throw new RefusedError('the body is not valid snappy: it ends in its length');
    plainLength += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) break;
  }
  if (plainLength > bytesMax) throw bodyTooLarge(bytesMax);
  hold(bytes.length + plainLength);
  try {
    return snappy.uncompress(bytes, bytesMax);
  } catch (error) {
    throw new RefusedError(`the body is not valid snappy: ${errorMessage(error)}`, 400, { cause: error });
  }
}
