/**
 * What is known of paths whose rotated files may lie beside them unseen: the files that are or were followed under them, and the
 * searches that are not over.
 */
import type { ReadFile, SoughtPath } from '../checkpoint/checkpoint.ts';
import { FileHistory } from './file-history.ts';
import type { TailedFile } from './tailed-file.ts';

/** File times are the kernel's tick: up to this much behind the clock. */
const fileClockSlackMs = 20;

export class PathMemory {
  readonly history = new FileHistory();
  /** When the last look for files began, Unix milliseconds; 0 before the very first one on this machine. */
  lookedAtMs = 0;
  /** Rises when `sought` changes. */
  revision = 0;
  readonly #files: ReadonlyMap<number, TailedFile>;
  /** By path. */
  readonly #sought = new Map<string, SoughtPath>();

  /** `files` are those that are followed, the oldest first. */
  constructor(files: ReadonlyMap<number, TailedFile>) {
    this.#files = files;
  }

  /** Takes the files that earlier runs read to their end, the oldest first, and the searches that they left open. */
  restore(files: readonly ReadFile[], sought: readonly SoughtPath[]): void {
    for (const entry of sought) this.#sought.set(entry.path, entry);
    this.history.restore(files);
    for (const { path } of files) this.seek(path);
  }

  /** Searches for rotated files that are not over: a restart goes on with them. */
  get sought(): readonly SoughtPath[] {
    return [...this.#sought.values()];
  }

  /** When what is known of a path was last written; undefined where nothing is sought there. */
  soughtSinceMs(path: string): number | undefined {
    return this.#sought.get(path)?.sinceMs;
  }

  /**
   * Notes that rotated files of a path may be there unseen. Where nothing is known of the path, those that were written
   * since the last look are new. False: there was no look before, so all is old.
   */
  seek(path: string): boolean {
    const known = this.knownAt(path);
    if (known.length === 0 && this.lookedAtMs === 0) return false;
    const sinceMs =
      known.length === 0
        ? this.lookedAtMs - fileClockSlackMs
        : Math.max(...known.map(({ mtimeMs }) => mtimeMs));
    if (!this.#sought.has(path)) {
      // What is known is in order; read files come last, and those of one path have one base.
      const base = known[0]?.base;
      this.#sought.set(path, { path, sinceMs, ...(base === undefined ? {} : { base }) });
      this.revision++;
    }
    return true;
  }

  /** The search is over. */
  found(path: string): void {
    this.#sought.delete(path);
    this.revision++;
  }

  /** The file that was followed at a path last. */
  lastOf(path: string): TailedFile | undefined {
    return [...this.#files.values()].findLast((file) => file.path === path);
  }

  /** All files that are or were followed under the path. */
  knownAt(path: string): (TailedFile | ReadFile)[] {
    return [...this.#files.values(), ...this.history.all()].filter((file) => file.path === path);
  }

  /** What links beside the path must not lead out of (see LogSource), as far as anything is known of it. */
  baseOf(path: string): string | undefined {
    const file = this.lastOf(path) ?? this.history.all().findLast((read) => read.path === path);
    return (file ?? this.#sought.get(path))?.base;
  }
}
