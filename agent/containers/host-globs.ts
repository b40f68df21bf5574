/**
 * Where files inside of a container are on its host.
 *
 *   /var/log/nginx/*.log, mount /srv/logs -> /var/log/nginx, host root at /host  ->  /host/srv/logs/*.log
 *
 * A container can put symbolic links anywhere in its file systems: a file that such a link leads to outside of `base` is
 * somebody else's, and isInside says so. It must be asked before a file is read.
 */
import { lstat, readlink } from 'node:fs/promises';
import { posix } from 'node:path';
import type { ContainerFacts } from './container-facts.ts';

export interface HostGlob {
  /** For the log agent's globs (agent/logs/tail/file-glob.ts). */
  readonly glob: string;
  readonly store: string;
  /** The mount's directory: what is found must be in it. */
  readonly base: string;
}

export interface HostGlobs {
  readonly globs: readonly HostGlob[];
  /** Paths that are nowhere on the host, for a person. */
  readonly problems: readonly string[];
}

/**
 * Returns where `facts.rules.files` are. `hostPath` is where the host's root is mounted in the agent's container: '/'
 * outside of containers. The mount with the longest target that holds the path's fixed directories is taken, else the
 * container's own root.
 */
export function hostGlobs(
  { rules, mounts, rootPath }: Pick<ContainerFacts, 'rules' | 'mounts' | 'rootPath'>,
  hostPath: string,
): HostGlobs {
  const globs: HostGlob[] = [];
  const problems: string[] = [];
  for (const { store, path: written } of rules.files) {
    const path = posix.normalize(written);
    const mount = longestMount(mounts, path);
    // The root of a process shows what is mounted in it, too.
    const showsMounts = rootPath?.startsWith('/proc/') === true;
    const place =
      mount !== undefined && (mount.source !== '' || !showsMounts)
        ? { root: mount.source, rest: path.slice(mount.target.replace(/\/$/, '').length) }
        : { root: rootPath ?? '', rest: path };
    if (place.root === '') {
      problems.push(
        mount === undefined
          ? `${written}: the container's own file system is not known on the host: mount a volume there`
          : `${written}: where the volume at ${mount.target} is on the host is not known: use an emptyDir or a hostPath`,
      );
      continue;
    }
    const base = posix.join(hostPath, place.root);
    globs.push({ glob: escapeGlob(base.replace(/\/$/, '')) + place.rest, store, base });
  }
  return { globs, problems };
}

/**
 * Is the file at `path`, all symbolic links followed, in the directory `base` or `base` itself? False where it is not
 * there. Links of `base` are the host's own and trusted; below it each is looked at, as the root of a process (see
 * rootPath) has no path that realpath could find.
 */
export async function isInside(base: string, path: string): Promise<boolean> {
  const ahead = below(base, path);
  if (ahead === undefined) return false;
  const done: string[] = [];
  let links = 0;
  while (ahead.length > 0) {
    const name = ahead.shift()!;
    if (name === '..') {
      if (done.pop() === undefined) return false;
      continue;
    }
    const target = await linkTarget(posix.join(base, ...done, name));
    if (target === undefined) return false;
    if (target === '') {
      done.push(name);
      continue;
    }
    links += 1;
    const rest = target.startsWith('/') ? below(base, target) : namesOf(target);
    if (rest === undefined || links > linksMax) return false;
    if (target.startsWith('/')) done.length = 0;
    ahead.unshift(...rest);
  }
  return true;
}

/** As Linux has it (path_resolution(7)). */
const linksMax = 40;

function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

/** The names from `base` down to `path`, or undefined where it is elsewhere. */
function below(base: string, path: string): string[] | undefined {
  const root = base.replace(/\/$/, '');
  return path === root || path.startsWith(`${root}/`) ? namesOf(path.slice(root.length)) : undefined;
}

/** Where a symbolic link leads; '' for what is none, undefined for what is not there. */
async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return (await lstat(path)).isSymbolicLink() ? await readlink(path) : '';
  } catch {
    // Gone since it was found, or not ours to look at: not a file to read.
    return undefined;
  }
}

function longestMount(
  mounts: ContainerFacts['mounts'],
  path: string,
): ContainerFacts['mounts'][number] | undefined {
  let longest: ContainerFacts['mounts'][number] | undefined;
  for (const mount of mounts) {
    const target = posix.normalize(mount.target).replace(/\/$/, '');
    const holds = path === target || path.startsWith(`${target}/`);
    if (holds && (longest === undefined || target.length > longest.target.length)) {
      longest = { source: mount.source, target };
    }
  }
  return longest;
}

function escapeGlob(path: string): string {
  return path.replace(/[*?[{]/g, '[$&]');
}
