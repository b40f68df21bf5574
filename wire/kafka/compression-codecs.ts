/**
 * The record-batch compressions that kafkajs leaves to its user. We write zstd (Node has it) and read all four;
 * output is bounded while inflating, so that a small batch cannot fill the memory.
 */
import { promisify } from 'node:util';
import { constants, gunzip, gzip, zstdCompress, zstdCompressSync } from 'node:zlib';
import kafkajs from 'kafkajs';
import { DecodeError } from '#model/errors.ts';
import { chunkSizeFor, statedPlainBytes } from '../compression/plain-size.ts';
import { decodeZstd, type InflateOptions } from '../compression/zstd-frames.ts';
import { decompressLz4Frame } from './lz4-frame.ts';
import { decompressSnappy } from './snappy-frame.ts';

/** Plain bytes of one record batch. A broker's default limit on the compressed batch is 1 MiB. */
export const batchPlainBytesMax = 256 * 1024 * 1024;

/** Level 1 gives most of zstd's ratio at 300 MB/s. kafkajs does not check CRCs on reading: zstd's own must be there. */
const zstdOptions = {
  params: {
    [constants.ZSTD_c_compressionLevel]: 1,
    [constants.ZSTD_c_checksumFlag]: 1,
  },
};
const chunkBytesMin = 1024;
/** A trip to another thread costs as much as compressing so many bytes here. */
const shortBytesMax = 32 * 1024;
const compressZstd = promisify(zstdCompress);
const compressGzip = promisify(gzip);
const decompressGzip = promisify(gunzip);

export type KafkaCompression = 'zstd' | 'gzip' | 'none';

/** The lowest three bits of a batch's attributes. */
export const compressionIds: Readonly<Record<KafkaCompression, number>> = { none: 0, gzip: 1, zstd: 4 };

/** The record batch under way, as kafkajs hands it to a codec. */
interface BatchEncoder {
  readonly buffer: Buffer;
}

interface Codec {
  compress(encoder: BatchEncoder): Promise<Buffer>;
  decompress(bytes: Buffer): Promise<Buffer>;
}

/** Must run once before the first client is made; kafkajs keeps codecs in a table of its module. */
export function registerCodecs(): void {
  const { CompressionTypes } = kafkajs;
  const codecs: Record<number, () => Codec> = kafkajs.CompressionCodecs as never;
  codecs[CompressionTypes.ZSTD] = () => ({
    compress: ({ buffer }) => compressRecords('zstd', buffer),
    decompress: (bytes) => decompressRecords(CompressionTypes.ZSTD, bytes, batchPlainBytesMax),
  });
  codecs[CompressionTypes.GZIP] = () => ({
    compress: ({ buffer }) => compressRecords('gzip', buffer),
    decompress: (bytes) => decompressRecords(CompressionTypes.GZIP, bytes, batchPlainBytesMax),
  });
  codecs[CompressionTypes.LZ4] = () => readOnly('lz4', CompressionTypes.LZ4);
  codecs[CompressionTypes.Snappy] = () => readOnly('snappy', CompressionTypes.Snappy);
}

/** `codec` is that of a record batch's attributes. Rejects on damage, and where there is more than `plainBytesMax`. */
export async function decompressRecords(
  codec: number,
  bytes: Buffer,
  plainBytesMax: number,
): Promise<Buffer> {
  switch (codec) {
    case kafkajs.CompressionTypes.None:
      return bytes;
    case kafkajs.CompressionTypes.ZSTD:
      return decodeZstd(bytes, boundsOf('zstd', bytes, plainBytesMax));
    case kafkajs.CompressionTypes.GZIP:
      return decompressGzip(bytes, boundsOf('gzip', bytes, plainBytesMax));
    case kafkajs.CompressionTypes.LZ4:
      return decompressLz4Frame(bytes, plainBytesMax);
    case kafkajs.CompressionTypes.Snappy:
      return decompressSnappy(bytes, plainBytesMax);
    default:
      throw new DecodeError(`compression ${codec} is unknown`, 0);
  }
}

/** Returns what the compressed bytes say they become; undefined where they do not. */
export function statedRecordBytes(codec: number, bytes: Buffer): number | undefined {
  if (codec === kafkajs.CompressionTypes.ZSTD) return statedPlainBytes('zstd', bytes);
  if (codec === kafkajs.CompressionTypes.GZIP) return statedPlainBytes('gzip', bytes);
  return undefined;
}

/**
 * Compresses the records of one batch. The output is allocated at once, as half of the input: growing it by Node's 16 KiB
 * is a fifth of the whole. zstd is told the size, which makes its tables fit, and readers allocate once.
 */
export async function compressRecords(
  compression: Exclude<KafkaCompression, 'none'>,
  records: Buffer,
): Promise<Buffer> {
  const chunkSize = chunkBytesMin + (records.length >>> 1);
  if (compression === 'gzip') return await compressGzip(records, { chunkSize });
  const options = { ...zstdOptions, chunkSize, pledgedSrcSize: records.length };
  return records.length <= shortBytesMax
    ? zstdCompressSync(records, options)
    : await compressZstd(records, options);
}

function boundsOf(encoding: string, bytes: Buffer, plainBytesMax: number): InflateOptions {
  return { maxOutputLength: plainBytesMax, chunkSize: chunkSizeFor(encoding, bytes, plainBytesMax) };
}

function readOnly(name: string, codec: number): Codec {
  return {
    compress: () => Promise.reject(new Error(`BUG: we do not write ${name}`)),
    decompress: (bytes) => decompressRecords(codec, bytes, batchPlainBytesMax),
  };
}
