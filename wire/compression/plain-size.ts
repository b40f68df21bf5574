/**
 * What compressed bytes say of themselves: how many they become. Senders write it, so that it may be wrong; who trusts it
 * only makes room, and must bound what comes.
 *
 *   zstd frame header (RFC 8878, 3.1.1.1)  28 b5 2f fd  descriptor:u8  window:u8?  dictionary id?  content size?
 *   gzip trailer (RFC 1952, 2.3.1)         crc:u32le  plain size modulo 2^32:u32le
 */

/** What is inflated without knowing its size grows by so much: each step is a way to another thread and back. */
const growBytes = 512 * 1024;
/** Headers, trailers, and names in them: what compressed bytes may be longer by than plain ones. */
const overheadBytesMax = 1024;
/** zlib takes no less. */
const chunkSizeMin = 64;
/** Node's own. What states less than it has must not be inflated a few bytes at a time. */
const chunkSizeUsual = 16 * 1024;

const zstdMagic = 0xfd2fb528;
const dictionaryIdBytes = [0, 1, 2, 4];
const gzipTrailerBytes = 8;

/** Returns the size that `bytes` state, undefined where they state none. */
export function statedPlainBytes(encoding: string, bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (encoding === 'zstd') return zstdContentSize(view);
  if (encoding !== 'gzip' || view.byteLength < gzipTrailerBytes) return undefined;
  return view.getUint32(view.byteLength - 4, true);
}

/**
 * The size of the buffers that zlib fills, one after the other. With one byte more than it needs it is done with one
 * buffer; Node's own default, 16 KiB, makes a megabyte cost six times as much.
 */
export function chunkSizeFor(encoding: string, bytes: Uint8Array, plainMax: number): number {
  const stated = statedPlainBytes(encoding, bytes);
  const isBelievable =
    stated !== undefined && stated <= plainMax && stated + overheadBytesMax >= bytes.length;
  if (!isBelievable) return Math.min(growBytes, Math.max(plainMax, chunkSizeMin));
  return Math.max(stated + 1, chunkSizeMin, Math.min(plainMax, chunkSizeUsual));
}

/** Of the first frame: senders send one. */
function zstdContentSize(view: DataView): number | undefined {
  if (view.byteLength < 5 || view.getUint32(0, true) !== zstdMagic) return undefined;
  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >>> 6;
  const at = 5 + (isSingleSegment ? 0 : 1) + dictionaryIdBytes[descriptor & 3];
  const sizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag;
  if (sizeBytes === 0 || at + sizeBytes > view.byteLength) return undefined;
  switch (sizeFlag) {
    case 0:
      return view.getUint8(at);
    case 1:
      return view.getUint16(at, true) + 256;
    case 2:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}
