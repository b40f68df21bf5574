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

/** Returns the plain bytes. `encoding` is the Content-Encoding header, absent or 'identity' for none. */
export async function decodeContent(
  bytes: Uint8Array,
  encoding: string | undefined,
  bytesMax: number,
): Promise<Uint8Array> {
  const name = (encoding ?? 'identity').trim().toLowerCase();
  if (name === '' || name === 'identity') return bytes;
  if (name === 'snappy') return decodeSnappy(bytes, bytesMax);
  const inflater = zlibInflaters[name as keyof typeof zlibInflaters];
  if (inflater === undefined) {
    throw new RefusedError(`content-encoding "${name}" is not supported: send ${acceptedEncodings}`, 415);
  }
  try {
    return await inflater(bytes, { maxOutputLength: bytesMax });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw bodyTooLarge(bytesMax);
    throw new RefusedError(`the body is not valid ${name}: ${errorMessage(error)}`, 400, { cause: error });
  }
}

/** The one sentence for a body over the limit, wherever it is noticed. */
export function bodyTooLarge(bytesMax: number): RefusedError {
  return new RefusedError(
    `the body is larger than ${bytesMax} bytes after decompression: send smaller batches, or raise receive.body_bytes_max`,
    413,
  );
}

/** Snappy block format: a varint with the plain length comes first, so the limit is checked before allocation. */
function decodeSnappy(bytes: Uint8Array, bytesMax: number): Uint8Array {
  let plainLength = 0;
  for (let index = 0; index < 5; index++) {
    const byte = bytes[index];
    if (byte === undefined) throw new RefusedError('the body is not valid snappy: it ends in its length');
    plainLength += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) break;
  }
  if (plainLength > bytesMax) throw bodyTooLarge(bytesMax);
  try {
    return snappy.uncompress(bytes, bytesMax);
  } catch (error) {
    throw new RefusedError(`the body is not valid snappy: ${errorMessage(error)}`, 400, { cause: error });
  }
}
