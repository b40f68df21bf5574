/**
 * Finds a file below a directory that somebody hostile writes in.
 *
 *   /srv/logs, /srv/logs/a.log -> b.log  ->  the stat of b.log        a.log -> /etc/shadow  ->  undefined
 *
 * Each directory on the way is held open, and the next name is looked up in it (as openat(2) does, by /proc/self/fd): a
 * name that becomes a link between two steps leads nowhere.
 */
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, lstat, open, readlink, stat } from 'node:fs/promises';
import { posix } from 'node:path';

/** As Linux has it (path_resolution(7)). */
const linksMax = 40;
/** Each directory on the way is an open file. */
const depthMax = 64;
const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY;

/**
 * Returns the stat of the file at `path`, all symbolic links followed, where it is in the directory `base` or `base` itself;
 * undefined where it is not, is not there, or is a directory. Links of `base` are the host's own and trusted; below it each is
 * looked at, as the root of a process (see rootPath) has no path that realpath could find. A file that was opened by its
 * path is in `base` when it is the very file that this finds.
 */
export async function statInside(base: string, path: string): Promise<BigIntStats | undefined> {
  const names = below(base, path);
  if (names === undefined) return undefined;
  const opened: FileHandle[] = [];
  try {
    if (names.length === 0) return fileOnly(await stat(base, { bigint: true }));
    opened.push(await open(base, directoryFlags));
    return await walk(base, names, opened);
  } catch {
    // Gone or changed since it was found, or not ours to look at: not a file to read.
    return undefined;
  } finally {
    for (const handle of opened) await handle.close();
  }
}

/** `opened` are the directories from the base to where the walk is. */
async function walk(base: string, ahead: string[], opened: FileHandle[]): Promise<BigIntStats | undefined> {
  let links = 0;
  for (let name = ahead.shift(); name !== undefined; name = ahead.shift()) {
    if (name === '..') {
      if (opened.length === 1) return undefined;
      await opened.pop()!.close();
      continue;
    }
    const at = posix.join('/proc/self/fd', String(opened.at(-1)!.fd), name);
    const stats = await lstat(at, { bigint: true });
    if (stats.isSymbolicLink()) {
      const target = await readlink(at);
      const rest = target.startsWith('/') ? below(base, target) : namesOf(target);
      if (rest === undefined || ++links > linksMax) return undefined;
      while (target.startsWith('/') && opened.length > 1) await opened.pop()!.close();
      ahead.unshift(...rest);
    } else if (ahead.length === 0) return fileOnly(stats);
    else if (opened.length === depthMax) return undefined;
    else opened.push(await open(at, directoryFlags | constants.O_NOFOLLOW));
  }
  return undefined;
}

function fileOnly(stats: BigIntStats): BigIntStats | undefined {
  return stats.isFile() ? stats : undefined;
}

function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

/** The names from `base` down to `path`, or undefined where it is elsewhere. */
function below(base: string, path: string): string[] | undefined {
  const root = base.replace(/\/$/, '');
  return path === root || path.startsWith(`${root}/`) ? namesOf(path.slice(root.length)) : undefined;
}
