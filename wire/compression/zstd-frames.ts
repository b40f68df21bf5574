/**
 * zstd: frames one after the other, some of them skippable (RFC 8878, 3). Node undoes the first and drops the others
 * without a word.
 */
import { promisify } from 'node:util';
import { type ZstdDecompress, zstdDecompress } from 'node:zlib';
import { chunkSizeFor } from './plain-size.ts';

/** As zlib names them. */
export interface InflateOptions {
  readonly maxOutputLength: number;
  readonly chunkSize: number;
}

/** `info` is missing from its types. */
const decodeFrame = promisify(zstdDecompress) as unknown as (
  bytes: Uint8Array,
  options: InflateOptions & { readonly info: true },
) => Promise<{ readonly buffer: Buffer; readonly engine: ZstdDecompress }>;

/** Senders need one. Each costs a way to another thread and back, and the smallest has eight bytes. */
const framesMax = 1000;

/** Returns the plain bytes of all frames. Rejects as zlib does: with ERR_BUFFER_TOO_LARGE over `maxOutputLength`. */
export async function decodeZstd(bytes: Uint8Array, options: InflateOptions): Promise<Buffer> {
  const parts: Buffer[] = [];
  let plainBytes = 0;
  let frameCount = 0;
  for (let at = 0; at < bytes.length || frameCount === 0; ) {
    if (frameCount++ === framesMax) throw new Error(`more than ${framesMax} frames`);
    // zlib takes no limit of zero.
    const maxOutputLength = Math.max(options.maxOutputLength - plainBytes, 1);
    const rest = bytes.subarray(at);
    // Each makes room for itself: a thousand small ones do not make that of the first, each anew.
    const chunkSize = at === 0 ? options.chunkSize : chunkSizeFor('zstd', rest, maxOutputLength);
    const { buffer, engine } = await decodeFrame(rest, { maxOutputLength, chunkSize, info: true });
    plainBytes += buffer.length;
    if (plainBytes > options.maxOutputLength) throw tooLarge();
    if (buffer.length > 0) parts.push(buffer);
    at += engine.bytesWritten;
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts, plainBytes);
}

function tooLarge(): Error {
  return Object.assign(new Error('the frames are too large together'), { code: 'ERR_BUFFER_TOO_LARGE' });
}
