/**
 * Finds the cgroups of containers, pods and their parents: the cgroup file system is walked, and each that is of interest
 * comes out with what its path says. Nothing below a container is looked at: its numbers have what is below in them.
 *
 *   /sys/fs/cgroup  ->  { path: '/', identity: root }, { path: '/kubepods.slice', identity: qos }, ...
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { HostFiles } from '../host/host-files.ts';
import { type CgroupIdentity, identifyCgroup } from './cgroup-name.ts';

export interface FoundCgroup {
  /** Relative to the hierarchy, with a slash in front: cAdvisor's `id`. */
  readonly path: string;
  readonly identity: CgroupIdentity;
}

export interface CgroupTree {
  readonly cgroups: readonly FoundCgroup[];
  /** Containers and pods that were not taken because there were more than the bound. */
  readonly leftOut: number;
}

/** Rootless podman has nine levels; what is deeper is no place for containers. */
const depthMax = 16;
/** Directories that are looked into: a host with thousands of services has fewer. */
const directoriesMax = 20_000;
const directoriesPerTurn = 50;

/** `base` is a directory of the file system. Never rejects: what vanishes meanwhile is not there. */
export async function findCgroups(files: HostFiles, base: string, cgroupsMax: number): Promise<CgroupTree> {
  const cgroups: FoundCgroup[] = [];
  let leftOut = 0;
  const waiting: { path: string; depth: number }[] = [{ path: '/', depth: 0 }];
  for (let count = 0; count < directoriesMax; count++) {
    const next = waiting.pop();
    if (next === undefined) break;
    const { path, depth } = next;
    const identity = identifyCgroup(path);
    if (identity) {
      if (cgroups.length < cgroupsMax) cgroups.push({ path, identity });
      else leftOut++;
    }
    if (identity?.kind !== 'container' && depth < depthMax) {
      for (const name of directoriesIn(files, join(base, path)))
        if (waiting.length < directoriesMax)
          waiting.push({ path: `${path === '/' ? '' : path}/${name}`, depth: depth + 1 });
    }
    if (count % directoriesPerTurn === directoriesPerTurn - 1) await setImmediate();
  }
  if (waiting.length > 0)
    files.noteLeftOut(base, `more than ${directoriesMax} cgroups: the search was given up`);
  return { cgroups, leftOut };
}

function directoriesIn(files: HostFiles, path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    );
  } catch (error) {
    files.noteForbidden(path, error);
    return [];
  }
}
