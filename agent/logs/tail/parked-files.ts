/**
 * Files that were rotated away, read to their end, and stood still: most are done with. But a writer that never opens a new
 * file goes on in the old one, so that they stay open, and are looked at now and then, as long as a name is left of them.
 *
 * Invariant: at most filesMax are open, and filesPerPathMax of a path. What a writer adds behind that is not seen.
 */
import type { TailedFile } from './tailed-file.ts';

/** Each is an open file, and a look of two microseconds a second. */
const filesMax = 500;

/** A writer that never reopens has one; logrotate keeps several, which nobody writes. */
const filesPerPathMax = 4;

export class ParkedFiles {
  /** By id, the longest parked first. */
  readonly #files = new Map<number, TailedFile>();

  get size(): number {
    return this.#files.size;
  }

  /**
   * True for a file that is to stay open. `file` must be read to its end and finished, or closed. What is deleted is not kept,
   * since its room on the disk is free only when it is closed; nor are files inside of containers, whose file systems could
   * not be unmounted.
   */
  keep(file: TailedFile): boolean {
    file.isParked = file.isOpen && !file.isUnlinked && file.base === undefined && file.rules.isCollected;
    if (!file.isParked) this.#files.delete(file.id);
    else if (!this.#files.has(file.id)) this.#files.set(file.id, file);
    return file.isParked;
  }

  /** Takes those out that are too many now, the longest parked first, and forgets those that go on or are not in `followed`. */
  excess(followed: ReadonlyMap<number, TailedFile>): TailedFile[] {
    const counts = new Map<string, number>();
    for (const [id, file] of this.#files) {
      if (!file.isParked || !followed.has(id)) this.#files.delete(id);
      else counts.set(file.path, (counts.get(file.path) ?? 0) + 1);
    }
    const excess: TailedFile[] = [];
    for (const [id, file] of this.#files) {
      const ofPath = counts.get(file.path)!;
      if (ofPath <= filesPerPathMax && this.#files.size <= filesMax) continue;
      counts.set(file.path, ofPath - 1);
      this.#files.delete(id);
      excess.push(file);
    }
    return excess;
  }
}
