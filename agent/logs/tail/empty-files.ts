/**
 * Files that were empty when they were found: they have nothing to follow yet, but a writer may have them open. One that is
 * renamed away by rotation, and written until its writer opens the new one, is found again by its inode.
 */
import { createHash } from 'node:crypto';
import { globFilesMax } from './file-glob.ts';
import { findSameFile } from './file-search.ts';
import type { LogSource } from './log-source.ts';
import { fileKey, type OpenedFile } from './opened-file.ts';
import type { SurveyedFile } from './path-survey.ts';

interface EmptyFile {
  readonly path: string;
  readonly device: string;
  readonly inode: string;
  readonly mtimeMs: number;
  readonly source: LogSource;
  /** When it is looked for no longer; undefined while it is at its path. */
  untilMs: number | undefined;
}

const emptyFingerprint = { bytes: 0, sha256: createHash('sha256').digest('hex') };

export class EmptyFiles {
  /** By identity. */
  readonly #files = new Map<string, EmptyFile>();

  /** True where it is new, or was written since it was noted: what it had may be in a copy that rotation made. */
  note({ path, device, inode, mtimeMs }: OpenedFile, source: LogSource): boolean {
    // Beside files in containers there are links that others made.
    if (source.base !== undefined || this.#files.size >= globFilesMax) return true;
    const key = fileKey({ device, inode });
    const isWritten = this.#files.get(key)?.mtimeMs !== mtimeMs;
    this.#files.set(key, { path, device, inode, mtimeMs, source, untilMs: undefined });
    return isWritten;
  }

  forget(key: string): void {
    this.#files.delete(key);
  }

  /**
   * Opens those that have left their paths (`found` has the files that are at theirs) and have lines now, each under the
   * path that it had. One that stays empty is looked for as long as `quietMs`.
   */
  async moved(
    found: ReadonlyMap<string, SurveyedFile>,
    quietMs: number,
    nowMs: number,
  ): Promise<{ opened: OpenedFile; source: LogSource }[]> {
    const moved: { opened: OpenedFile; source: LogSource }[] = [];
    for (const [key, file] of this.#files) {
      if (found.has(key)) continue;
      file.untilMs ??= nowMs + quietMs;
      const opened = await findSameFile({ ...file, fingerprint: emptyFingerprint, size: 0, mtimeMs: 0 });
      if (opened !== undefined && opened.size > 0) {
        moved.push({ opened: { ...opened, path: file.path }, source: file.source });
      } else {
        await opened?.handle.close();
      }
      const isOver = opened === undefined || opened.size > 0 || nowMs >= file.untilMs;
      if (isOver) this.#files.delete(key);
    }
    return moved;
  }
}
