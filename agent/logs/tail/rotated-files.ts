/**
 * Finds the files that rotation left beside a log file while nobody looked: created at its path, written, and renamed
 * away. Globs name the live file only, so these are known by their names.
 */
import { createHash } from 'node:crypto';
import { lstat } from 'node:fs/promises';
import { basename } from 'node:path';
import { constants, gunzipSync } from 'node:zlib';
import { compressedName } from './file-glob.ts';
import type { KnownContent } from './file-history.ts';
import { isNamedAfter, resolveLink, siblingPaths } from './file-search.ts';
import { fileKey, type OpenedFile, openFile, readBytes, statIdentity } from './opened-file.ts';

/** Expands to 4 MiB at most, and holds the first KiB of any log. */
const gzipHeadBytes = 4096;

/** Files that are opened in one look; the others come in the next. */
const openedMax = 64;

/** gzip, zstd, bzip2, xz, lz4, zip: what is being compressed goes by another name at first. */
const compressedMagic = /^(1f8b|28b52ffd|425a68|fd377a585a|04224d18|504b0304)/;

export interface RotatedSearch {
  /** The live file's path. */
  readonly path: string;
  /** When what is known of this path was last written: what is older was rotated before. */
  readonly sinceMs: number;
  /** 'later': it can only be told at a later look. */
  readonly isKnown: (file: OpenedFile) => Promise<boolean | 'later'>;
}

export interface RotatedFiles {
  /** Open, the oldest first. */
  readonly plain: readonly OpenedFile[];
  /** Open, and no longer readable as lines. */
  readonly compressed: readonly OpenedFile[];
  /** What stands in the way of opening some. */
  readonly errors: { readonly path: string; readonly error: unknown }[];
  /** False: some could not be judged or opened now. */
  readonly isComplete: boolean;
}

/** Lists and opens the files that were rotated away from `path`. The caller closes them. */
export async function findRotated(search: RotatedSearch): Promise<RotatedFiles> {
  const found = { plain: [] as OpenedFile[], compressed: [] as OpenedFile[] };
  const errors: { path: string; error: unknown }[] = [];
  const paths = [...(await listRotated(search)).values()];
  const opened = new Set<string>();
  let isComplete = paths.length <= openedMax;
  for (const path of paths.slice(0, openedMax)) {
    try {
      const file = await openUnknown(path, new Set(paths), search, opened);
      if (file === 'later') isComplete = false;
      else if (file !== undefined) (compressedName.test(path) ? found.compressed : found.plain).push(file);
    } catch (error) {
      // Renamed or removed since it was listed: the next listing tells which.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') errors.push({ path, error });
      isComplete = false;
    }
  }
  // Rotation numbers all files anew: one that took the name of another meanwhile was opened in its place.
  for (const key of (await listRotated(search)).keys()) if (!opened.has(key)) isComplete = false;
  return { ...found, errors, isComplete };
}

/** Returns the paths of files that are named as rotated ones and new enough, by identity, the oldest first. */
async function listRotated({ path: livePath, sinceMs }: RotatedSearch): Promise<Map<string, string>> {
  const live = await resolveLink(livePath);
  const listed: { key: string; path: string; mtimeMs: number }[] = [];
  for (const path of await siblingPaths(live)) {
    if (!isRotationOf(basename(path), basename(live))) continue;
    // Rotation leaves files: a link is somebody's own, and may lead anywhere.
    const stats = await lstat(path, { bigint: true }).catch(() => undefined);
    if (stats === undefined || !stats.isFile() || stats.size === 0n) continue;
    const mtimeMs = Number(stats.mtimeMs);
    // Compression keeps the time of what it compresses, which is then what was read before.
    const isOlder = compressedName.test(path) ? mtimeMs <= sinceMs : mtimeMs < Math.floor(sinceMs);
    if (!isOlder)
      listed.push({ key: fileKey(statIdentity(stats)), path, mtimeMs: Number(stats.mtimeNs) / 1e6 });
  }
  listed.sort((a, b) => a.mtimeMs - b.mtimeMs || compareAges(a.path, b.path));
  return new Map(listed.map(({ key, path }) => [key, path]));
}

/** Opens a file unless it is known. 'later': it is just being compressed, or cannot be told yet. */
async function openUnknown(
  path: string,
  paths: ReadonlySet<string>,
  { isKnown }: RotatedSearch,
  opened: Set<string>,
): Promise<OpenedFile | 'later' | undefined> {
  const isCompressed = compressedName.test(path);
  if (isCompressed && paths.has(path.replace(compressedName, ''))) return 'later';
  const file = await openFile(path, 'refused');
  if (file === undefined) return undefined;
  opened.add(fileKey(file));
  let known: boolean | 'later' = 'later';
  try {
    const head = await readBytes(file.handle, 0, 6);
    if (isCompressed || !compressedMagic.test(head.toString('hex'))) known = await isKnown(file);
  } finally {
    if (known !== false) await file.handle.close();
  }
  if (known === false) return file;
  return known === 'later' ? 'later' : undefined;
}

/** True where a gzip file holds the very bytes of one of `contents`. Other formats cannot be told. */
export async function isCompressedOf(file: OpenedFile, contents: readonly KnownContent[]): Promise<boolean> {
  if (!file.path.endsWith('.gz') || file.size < 18) return false;
  // RFC 1952, section 2.3.1: the file ends with the size of its content, modulo 2^32.
  const trailer = await readBytes(file.handle, file.size - 4, 4);
  if (trailer.length < 4) return false;
  const size = trailer.readUInt32LE();
  const possible = contents.filter((content) => content.size % 2 ** 32 === size);
  if (possible.length === 0) return false;
  const head = gunzipHead(await readBytes(file.handle, 0, gzipHeadBytes));
  return possible.some(
    ({ fingerprint: { bytes, sha256 } }) =>
      head.length >= bytes && createHash('sha256').update(head.subarray(0, bytes)).digest('hex') === sha256,
  );
}

function gunzipHead(bytes: Buffer): Buffer {
  try {
    return gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    // Not gzip, whatever its name says: nothing that was read before.
    return Buffer.alloc(0);
  }
}

/** 'app.log.1', 'app.log-20260102' and 'app.log.old'; not 'app.log.pos' or 'app.log.2.tmp'. */
function isRotationOf(name: string, live: string): boolean {
  const suffix = name.slice(live.length);
  return isNamedAfter(name, live) && /\d|^.old/.test(suffix) && !/\.(tmp|swp|lock)$/.test(suffix);
}

/** Among files of one time: numbers count up with age, dates count down. */
function compareAges(a: string, b: string): number {
  const [numberA, numberB] = [a, b].map((path) => Number(/[.-](\d{1,4})$/.exec(path)?.[1] ?? Number.NaN));
  if (numberA !== numberB && !Number.isNaN(numberA) && !Number.isNaN(numberB)) return numberB - numberA;
  return a < b ? -1 : 1;
}
