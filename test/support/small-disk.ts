/** A disk of its own that can be filled: a tmpfs, which only root may mount. Elsewhere its tests are skipped, loudly. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SmallDisk {
  readonly path: string;
  freeBytes(): number;
  /** Takes room by a file of that many bytes, or of all that are left. */
  fill(name: string, bytes?: number): void;
  /** Gives the room of such a file back. */
  remove(name: string): void;
  unmount(): void;
}

/** Returns undefined where this process may not mount. */
export function mountSmallDisk(megabytes: number): SmallDisk | undefined {
  const path = mkdtempSync(join(tmpdir(), 'sonde-small-disk-'));
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path], {
    encoding: 'utf8',
  });
  if (status !== 0) {
    rmSync(path, { recursive: true });
    console.warn(`SKIPPED: a full disk is not tested, because a tmpfs cannot be mounted here: ${stderr}`);
    return undefined;
  }
  return {
    path,
    freeBytes() {
      const { bavail, bsize } = statfsSync(path);
      return bavail * bsize;
    },
    fill(name, bytes = Infinity) {
      const file = openSync(join(path, name), 'w');
      const chunk = Buffer.alloc(64 * 1024);
      try {
        for (let written = 0; written < bytes; ) {
          written += writeSync(file, chunk, 0, Math.min(chunk.length, bytes - written));
        }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      } finally {
        closeSync(file);
      }
    },
    remove: (name) => rmSync(join(path, name)),
    unmount() {
      spawnSync('umount', ['--lazy', path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}
