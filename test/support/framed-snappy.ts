/** Framed snappy, after the format's description: every second chunk is plain, and one to skip follows each. */
import snappy from 'snappyjs';
import { crc32c } from '#model/crc32c.ts';

export const streamIdentifier = Buffer.from('ff060000734e61507059', 'hex');

export function snappyChunk(type: number, content: Uint8Array): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32LE((content.length << 8) | type);
  return Buffer.concat([header, content]);
}

/** A chunk with its checksum: compressed for type 0, plain for type 1. */
export function checkedChunk(type: number, plain: Uint8Array): Buffer {
  const crc = crc32c(plain);
  const masked = Buffer.alloc(4);
  masked.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
  return snappyChunk(type, Buffer.concat([masked, type === 0 ? snappy.compress(plain) : plain]));
}

export function framedSnappy(plain: Uint8Array): Buffer {
  const chunks: Buffer[] = [streamIdentifier];
  for (let at = 0, i = 0; at < plain.length; at += 65_536, i++) {
    chunks.push(checkedChunk(i % 2, plain.subarray(at, at + 65_536)), snappyChunk(0xfe, Buffer.alloc(3)));
  }
  return Buffer.concat(chunks);
}
