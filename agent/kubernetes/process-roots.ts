/**
 * Finds the root file systems of containers by their processes, as containerd has no path of its own for them.
 *
 *   /proc/4711/cgroup: 0::/kubepods.slice/.../cri-containerd-3f2a....scope  ->  3f2a... at /proc/4711/root
 *
 * It needs the host's processes in /proc: `hostPID: true`, or the host's root mounted.
 */
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** A line for each hierarchy of cgroup v1; v2 has one. */
const cgroupBytesMax = 16 * 1024;
const idPattern = /[0-9a-f]{64}/g;

/**
 * Returns the root of each container of `ids` that has a process. `procPath` is where /proc of the host is for this
 * process; the paths returned are those of the host, /proc/<pid>/root. Never rejects.
 */
export async function findProcessRoots(
  procPath: string,
  ids: ReadonlySet<string>,
): Promise<ReadonlyMap<string, string>> {
  const roots = new Map<string, string>();
  for (const pid of await processIds(procPath)) {
    if (roots.size === ids.size) break;
    for (const [id] of (await readCgroup(join(procPath, pid, 'cgroup'))).matchAll(idPattern)) {
      // The lowest number is most likely the container's first process, which lives as long as the container.
      if (ids.has(id) && !roots.has(id)) roots.set(id, `/proc/${pid}/root`);
    }
  }
  return roots;
}

async function processIds(procPath: string): Promise<string[]> {
  try {
    const names = await readdir(procPath);
    return names.filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(a) - Number(b));
  } catch {
    // No /proc of the host: no roots, and the rule says that the container's file system is not known.
    return [];
  }
}

async function readCgroup(path: string): Promise<string> {
  try {
    await using file = await open(path);
    const buffer = Buffer.alloc(cgroupBytesMax);
    const { bytesRead } = await file.read(buffer, 0, cgroupBytesMax, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } catch {
    // The process has ended since it was listed.
    return '';
  }
}
