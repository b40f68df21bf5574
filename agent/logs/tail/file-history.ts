/**
 * Files that were read to their end and let go, and are perhaps still on disk: what is found beside their path later
 * was read before, or came after them.
 */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Fingerprint, ReadFile } from '../checkpoint/checkpoint.ts';
import { fileKey, type OpenedFile, verifyFingerprint } from './opened-file.ts';

/** Each snapshot of the checkpoint has all of them (some 250 bytes each). */
const filesMax = 500;

/** Rotation keeps about this many uncompressed; what is older than the newest is not looked for. */
const filesPerPathMax = 8;

export class FileHistory {
  #files: ReadFile[] = [];

  /** The oldest first. Files whose directory is gone cannot be met again and are left out. */
  restore(files: readonly ReadFile[]): void {
    this.#files = files.filter(({ path }) => existsSync(dirname(path)));
  }

  all(): readonly ReadFile[] {
    return this.#files;
  }

  add({ path, device, inode, fingerprint, size, mtimeMs, base }: ReadFile): void {
    if (!existsSync(dirname(path))) return;
    this.#files.push({
      path,
      device,
      inode,
      fingerprint,
      size,
      mtimeMs,
      ...(base === undefined ? {} : { base }),
    });
    const ofPath = this.#files.filter((file) => file.path === path);
    const oldest = ofPath.length > filesPerPathMax ? ofPath[0] : this.#files[0];
    if (ofPath.length > filesPerPathMax || this.#files.length > filesMax) {
      this.#files.splice(this.#files.indexOf(oldest), 1);
    }
  }

  /** True for a file of the history, and for a copy of one. */
  has(opened: OpenedFile): boolean {
    for (const file of this.#files) {
      const isPossible =
        fileKey(file) === fileKey(opened) ? opened.size >= file.size : opened.size === file.size;
      if (isPossible && verifyFingerprint(opened.handle, file.fingerprint) !== undefined) return true;
    }
    return false;
  }
}

/** What tells a file that is only left compressed. */
export interface KnownContent {
  readonly fingerprint: Fingerprint;
  readonly size: number;
}
