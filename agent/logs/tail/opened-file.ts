/**
 * An open log file and who it is: device, inode, and a fingerprint of its first bytes.
 *
 * The inode alone does not do: file systems give the inode of a deleted file to the next new one.
 */
import { hash } from 'node:crypto';
import { type BigIntStats, constants, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Fingerprint } from '../checkpoint/checkpoint.ts';

/** Enough to hold several lines with times; a shorter file's fingerprint grows with it. */
const fingerprintBytesMax = 1024;
const headBytes = Buffer.alloc(fingerprintBytesMax);

export interface OpenedFile {
  readonly handle: FileHandle;
  readonly path: string;
  readonly device: string;
  readonly inode: string;
  readonly size: number;
  readonly mtimeMs: number;
}

/** Names a file on this machine as long as it exists. */
export function fileKey(file: { readonly device: string; readonly inode: string }): string {
  return `${file.device}:${file.inode}`;
}

/** The identity that a stat shows. */
export function statIdentity(stats: BigIntStats): { device: string; inode: string } {
  return { device: stats.dev.toString(), inode: stats.ino.toString() };
}

/**
 * Opens a regular file for reading; undefined for anything else. `links`: 'refused' rejects with ELOOP where the path's last
 * name is a symbolic link. Rejects as fs.open does.
 */
export async function openFile(
  path: string,
  links: 'followed' | 'refused' = 'followed',
): Promise<OpenedFile | undefined> {
  const linkFlag = links === 'refused' ? constants.O_NOFOLLOW : 0;
  // Not blocking: opening a pipe would otherwise wait for a writer.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | linkFlag);
  try {
    const stats = await handle.stat({ bigint: true });
    if (stats.isFile()) {
      return {
        handle,
        path,
        ...statIdentity(stats),
        size: Number(stats.size),
        mtimeMs: Number(stats.mtimeMs),
      };
    }
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return undefined;
}

/** Returns the fingerprint of the file's first bytes as they are now. */
export async function readFingerprint(handle: FileHandle): Promise<Fingerprint> {
  return hashHead(await readBytes(handle, 0, fingerprintBytesMax));
}

/** As readFingerprint; a file whose first bytes cannot be read is closed. */
export async function readFingerprintOrClose({ handle }: OpenedFile): Promise<Fingerprint> {
  try {
    return await readFingerprint(handle);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Where a line behind the file's last whole line would start. */
export async function lastLineEnd({ handle, size }: OpenedFile): Promise<number> {
  const searchedBytes = Math.min(size, 256 * 1024);
  const tail = await readBytes(handle, size - searchedBytes, searchedBytes);
  const lineFeed = tail.lastIndexOf(0x0a);
  return lineFeed === -1 ? size : size - tail.length + lineFeed + 1;
}

/**
 * Returns the file's fingerprint now, which covers more where the file has grown, or undefined where the bytes that
 * `known` covers are no longer the same: it is another file, or it was rewritten.
 */
export function verifyFingerprint(handle: FileHandle, known: Fingerprint): Fingerprint | undefined {
  // Sync, as in readInto: each file that grows is asked for it at each look and behind each read.
  const head = headBytes.subarray(0, readSync(handle.fd, headBytes, 0, fingerprintBytesMax, 0));
  if (head.length < known.bytes || hashHead(head.subarray(0, known.bytes)).sha256 !== known.sha256)
    return undefined;
  return head.length === known.bytes ? known : hashHead(head);
}

/** True where the shorter of two files holds what the longer starts with, as far as its first and last bytes tell. */
export async function isCopyOf(a: OpenedFile, b: OpenedFile): Promise<boolean> {
  const sharedBytes = Math.min(a.size, b.size);
  const headBytes = Math.min(sharedBytes, fingerprintBytesMax);
  return (
    sharedBytes > 0 &&
    (await hasEqualBytes(a, b, 0, headBytes)) &&
    (await hasEqualBytes(a, b, sharedBytes - headBytes, headBytes))
  );
}

async function hasEqualBytes(a: OpenedFile, b: OpenedFile, from: number, length: number): Promise<boolean> {
  return (await readBytes(a.handle, from, length)).equals(await readBytes(b.handle, from, length));
}

/** Reads up to `length` bytes at `from`: fewer where the file ends before. */
export async function readBytes(handle: FileHandle, from: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  return bytes.subarray(0, await readInto(handle, bytes, from, length));
}

/** What was just written is in memory: a copy of it costs a tenth of the way to another thread and back. */
const syncReadBytesMax = 64 * 1024;

/** Fills `bytes` with up to `length` bytes of the file at `from`; returns how many there were. */
export async function readInto(
  handle: FileHandle,
  bytes: Buffer,
  from: number,
  length: number,
): Promise<number> {
  if (length <= syncReadBytesMax) return readSync(handle.fd, bytes, 0, length, from);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, from + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

function hashHead(head: Buffer): Fingerprint {
  return { bytes: head.length, sha256: hash('sha256', head, 'hex') };
}
