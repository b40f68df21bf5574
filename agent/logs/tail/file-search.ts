/**
 * Finds a log file again that is no longer where it was: renamed by rotation, or copied before it was truncated.
 */
import { statSync } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Fingerprint } from '../checkpoint/checkpoint.ts';
import { fileKey, type OpenedFile, openFile, statIdentity, verifyFingerprint } from './opened-file.ts';

/** A directory with more names is not searched further: a log directory has some dozens. */
const searchedNamesMax = 10_000;

/** A rotation between listing the names and looking at them hides a file from one look: gone is what no look finds. */
const looksMax = 3;

/** The file that is looked for, as it was last seen. */
export interface SoughtFile {
  readonly path: string;
  readonly device: string;
  readonly inode: string;
  readonly fingerprint: Fingerprint;
  /** As last seen: logs only grow, so the file is at least this long. */
  readonly size: number;
  readonly mtimeMs: number;
}

/**
 * Opens the very file (same inode, same first bytes) at its path or beside it; undefined where it is gone. Rejects
 * where it is there and cannot be opened.
 */
export async function findSameFile(sought: SoughtFile): Promise<OpenedFile | undefined> {
  for (let look = 1; look <= looksMax; look++) {
    const found = await lookForSameFile(sought);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** True where the path still has the file's inode, whatever it holds now. A later file can have that of a deleted one. */
export function isStillThere(sought: SoughtFile): boolean {
  const stats = statSync(sought.path, { bigint: true, throwIfNoEntry: false });
  if (stats === undefined || fileKey(statIdentity(stats)) !== fileKey(sought)) return false;
  return Number(stats.birthtimeMs) <= sought.mtimeMs;
}

async function lookForSameFile(sought: SoughtFile): Promise<OpenedFile | undefined> {
  const key = fileKey(sought);
  const paths = [sought.path, ...(await siblingPaths(sought.path))];
  for (const path of paths) {
    const stats = await statOrUndefined(path);
    if (stats === undefined || fileKey(statIdentity(stats)) !== key) continue;
    const file = await openFile(path);
    if (file === undefined) continue;
    if (fileKey(file) === key && isContinued(file, sought)) return file;
    await file.handle.close();
  }
  return undefined;
}

/**
 * Opens the copy that "copytruncate" rotation made of a file before it emptied it: a file beside it, named after it
 * ('app.log.1', 'app.log-20260102'), with the same first bytes, written no earlier. The newest one, where several fit.
 * Files that `isTaken` knows are not considered.
 */
export async function findCopy(
  sought: SoughtFile,
  isTaken: (key: string) => boolean,
): Promise<OpenedFile | undefined> {
  const prefix = basename(sought.path);
  let best: OpenedFile | undefined;
  for (const path of await siblingPaths(sought.path)) {
    if (!isNamedAfter(basename(path), prefix)) continue;
    const file = await openOrUndefined(path);
    if (file === undefined) continue;
    const isFit =
      file.mtimeMs >= Math.floor(sought.mtimeMs) &&
      fileKey(file) !== fileKey(sought) &&
      !isTaken(fileKey(file)) &&
      (best === undefined || file.mtimeMs > best.mtimeMs) &&
      isContinued(file, sought);
    await (isFit ? best : file)?.handle.close();
    if (isFit) best = file;
  }
  return best;
}

/** 'app.log.1' and 'app.log-2' are named after 'app.log'. */
export function isNamedAfter(name: string, original: string): boolean {
  return name.startsWith(original) && /^[.-]/.test(name.slice(original.length));
}

/** The file holds what was read of the sought one, and may hold more. */
function isContinued(file: OpenedFile, { fingerprint, size }: SoughtFile): boolean {
  return file.size >= size && verifyFingerprint(file.handle, fingerprint) !== undefined;
}

/** Paths of all names in the same directory, at most searchedNamesMax. */
export async function siblingPaths(path: string): Promise<string[]> {
  const directory = dirname(await resolveLink(path));
  try {
    const names = await readdir(directory);
    return names.slice(0, searchedNamesMax).map((name) => join(directory, name));
  } catch {
    // The directory is gone or closed to us: so is the file, and the caller counts what is lost.
    return [];
  }
}

/**
 * Rotation renames the file that a link leads to. The path itself where it leads nowhere now, and below the root of a process:
 * realpath takes that for the root of this one, and would lead to the files of the host.
 */
export async function resolveLink(path: string): Promise<string> {
  return processRoot.test(path) ? path : realpath(path).catch(() => path);
}

const processRoot = /\/proc\/\d+\/root(\/|$)/;

function statOrUndefined(path: string) {
  return stat(path, { bigint: true }).catch(() => undefined);
}

function openOrUndefined(path: string): Promise<OpenedFile | undefined> {
  // Vanished since it was listed, not ours to read, or a link, which no rotation makes: not the file we look for.
  return openFile(path, 'refused').catch(() => undefined);
}
