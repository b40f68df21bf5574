/**
 * Where files inside of a container are on its host.
 *
 *   /var/log/nginx/*.log, mount /srv/logs -> /var/log/nginx, host root at /host  ->  /host/srv/logs/*.log
 *
 * A container can put symbolic links anywhere in its file systems: a file that such a link leads to outside of `base` is
 * somebody else's, and statInside says so. It must be asked before a file is read.
 */
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
