/**
 * Undoes HTTP content encodings with the size limit enforced while inflating: a bomb is stopped at the limit, not
 * after it. Bodies are refused with 413 (too large), 415 (encoding unknown) or 400 (damaged).
 */
import { promisify } from 'node:util';
import { gunzip, inflate, inflateRaw } from 'node:zlib';
import { errorMessage, RefusedError } from '#model/errors.ts';
import { freeBytes } from '#model/free-bytes.ts';
import { chunkSizeFor, statedPlainBytes } from '../compression/plain-size.ts';
import { decodeZstd } from '../compression/zstd-frames.ts';
import { decodeSnappy } from './snappy-content.ts';

const inflaters = {
  gzip: promisify(gunzip),
  deflate: promisify(inflate),
  zstd: decodeZstd,
} as const;
const inflateBare = promisify(inflateRaw);

/** Other names of encodings: RFC 9110 section 8.4.1.3, and what the OpenTelemetry Collector calls framed snappy. */
const aliases: ReadonlyMap<string, string> = new Map([
  ['x-gzip', 'gzip'],
  ['x-snappy-framed', 'snappy'],
]);

/** What Accept-Encoding of a 415 answer lists. */
export const acceptedEncodings = 'gzip, zstd, deflate, snappy, identity';

/**
 * Telemetry rarely inflates by more than this. What does is inflated again with room for the largest body, so that many
 * small bodies that come together cannot each claim that room.
 */
const usualRatio = 32;
const usualBytesMin = 64 * 1024;

export interface PlainContent {
  readonly bytes: Uint8Array;
  /** Nobody else sees the buffer that they are in: see Envelope.isMovable. */
  readonly isMovable: boolean;
}

/**
 * Returns the plain bytes. `encoding` is the Content-Encoding header, in any case, absent or 'identity' for none. `hold`
 * is told how many bytes are held, received and plain ones together, before they are, and may throw.
 */
export async function decodeContent(
  bytes: Uint8Array,
  encoding: string | undefined,
  bytesMax: number,
  hold: (heldBytes: number) => void = () => undefined,
): Promise<PlainContent> {
  hold(bytes.length);
  const given = (encoding ?? 'identity').trim().toLowerCase();
  const name = aliases.get(given) ?? given;
  if (name === '' || name === 'identity') return { bytes, isMovable: false };
  if (name === 'snappy') {
    const plain = decodeSnappy(bytes, (plainBytes) => {
      if (plainBytes > bytesMax) throw bodyTooLarge(bytesMax);
      hold(bytes.length + plainBytes);
    });
    return { bytes: plain, isMovable: false };
  }
  if (!isInflated(name)) {
    throw new RefusedError(`content-encoding "${given}" is not supported: send ${acceptedEncodings}`, 415);
  }
  const inflater = name === 'deflate' && !hasZlibHeader(bytes) ? inflateBare : inflaters[name];
  for (const plainMax of attempts(name, bytes, bytesMax)) {
    hold(bytes.length + plainMax);
    let plain: Uint8Array;
    try {
      plain = await inflater(bytes, {
        maxOutputLength: plainMax,
        chunkSize: chunkSizeFor(name, bytes, plainMax),
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') continue;
      throw new RefusedError(`the body is not valid ${name}: ${errorMessage(error)}`, 400, { cause: error });
    }
    hold(bytes.length + plain.length);
    const fitting = inFittingBuffer(plain);
    // Small ones are in the buffer that Node shares among many.
    return { bytes: fitting, isMovable: fitting.buffer.byteLength > Buffer.poolSize };
  }
  throw bodyTooLarge(bytesMax);
}

/**
 * Of bytes that state no size, zlib's buffer is a guess. Whatever it has besides waits with them for the store, and nobody
 * counts it: where that is more than they are, they are copied.
 */
function inFittingBuffer(plain: Uint8Array): Uint8Array {
  if (plain.buffer.byteLength <= Buffer.poolSize / 2 || plain.buffer.byteLength <= 2 * plain.length)
    return plain;
  const copy = new Uint8Array(plain);
  freeBytes(plain);
  return copy;
}

/**
 * What compressed bytes may be expected to become, 0 where they do not say so. Whoever states more than is usual is not
 * believed before it is seen: small bodies must not claim the room of large ones.
 */
export function expectedPlainBytes(
  encoding: string | undefined,
  bytes: Uint8Array,
  bytesMax: number,
): number {
  const given = (encoding ?? '').trim().toLowerCase();
  const stated = statedPlainBytes(aliases.get(given) ?? given, bytes) ?? 0;
  return Math.min(stated, usualPlainBytes(bytes, bytesMax));
}

function usualPlainBytes(bytes: Uint8Array, bytesMax: number): number {
  return Math.min(Math.max(bytes.length * usualRatio, usualBytesMin), bytesMax);
}

/** Bounds to try: the size that is stated, the usual one, the largest. Whoever states too little is inflated again. */
function attempts(encoding: string, bytes: Uint8Array, bytesMax: number): readonly number[] {
  const usualBytes = usualPlainBytes(bytes, bytesMax);
  const bounds = usualBytes < bytesMax ? [usualBytes, bytesMax] : [bytesMax];
  const stated = statedPlainBytes(encoding, bytes);
  return stated === undefined || stated >= usualBytes ? bounds : [Math.max(stated, 1), ...bounds];
}

/** The one sentence for a body over the limit, wherever it is noticed. */
export function bodyTooLarge(bytesMax: number): RefusedError {
  return new RefusedError(
    `the body is larger than ${bytesMax} bytes after decompression: send smaller batches, or raise receive.body_bytes_max`,
    413,
  );
}

function isInflated(name: string): name is keyof typeof inflaters {
  return Object.hasOwn(inflaters, name);
}

/**
 * `deflate` means zlib's wrapping (RFC 9110 section 8.4.1.2), and some senders leave it out. A header says method 8 and
 * is a multiple of 31 as a big-endian number (RFC 1950).
 */
function hasZlibHeader(bytes: Uint8Array): boolean {
  const [first = 0, second = 0] = bytes;
  return (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0;
}
