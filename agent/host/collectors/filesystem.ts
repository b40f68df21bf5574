/**
 * Asks each mounted file system for its size: mounts come in, node_filesystem_* samples come out.
 *
 * A network file system whose server is gone answers never, and holds a thread for as long. Such a mount is given up after
 * statTimeoutMs, reported with node_filesystem_device_error 1, and not asked again before the call came back; see
 * BoundedCalls for how many may hang.
 */
import type { StatsFs } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { BoundedCalls } from '../bounded-calls.ts';
import type { HostCollector } from '../host-collector.ts';
import { gauge, type HostMetric, type HostSample } from '../host-sample.ts';
import { type Mount, parseMountTable } from './mount-table.ts';

const statTimeoutMs = 2_000;
/** For all mounts of a reading: those that are left then have an error. */
const statBudgetMs = 6_000;
/** More mounts than this are not looked at one by one. */
const mountsMax = 500;
/** Mounts of process 1 are the host's; those of this process are its own name space's. */
const paths = ['1/mounts', 'mounts'];

const sizeBytes = gauge('node_filesystem_size_bytes', 'Size of the file system.');
const freeBytes = gauge('node_filesystem_free_bytes', 'Free bytes of the file system.');
const availBytes = gauge('node_filesystem_avail_bytes', 'Bytes that users other than root may write.');
const nodes = gauge('node_filesystem_files', 'File nodes of the file system.');
const nodesFree = gauge('node_filesystem_files_free', 'Free file nodes of the file system.');
const readonly = gauge('node_filesystem_readonly', 'Whether the file system is mounted read-only.');
const deviceError = gauge('node_filesystem_device_error', 'Whether the file system could not be asked.');

export const filesystemCollector: HostCollector = {
  name: 'filesystem',
  isDefault: true,
  reads: '/proc/1/mounts or /proc/mounts; statfs of each mount below host.root_path',
  makes: 'node_filesystem_*',
  create: (files) => {
    const calls = new BoundedCalls(statTimeoutMs, statBudgetMs);
    return async () => {
      const samples: HostSample[] = [];
      const mounts = parseMountTable(files.proc(...paths));
      if (mounts.length > mountsMax)
        files.noteLeftOut(
          join(files.paths.procPath, 'mounts'),
          `more than ${mountsMax} file systems, the others are left out`,
        );
      calls.beginRound();
      // One after the other: each call may hold a thread of the pool that the store's engine and the tailer use too.
      for (const mount of mounts.slice(0, mountsMax)) {
        const path = join(files.paths.rootPath, mount.mountpoint);
        // What went wrong is told by node_filesystem_device_error.
        const stat = await calls.run(path, () => statfs(path)).catch(() => undefined);
        samples.push(...mountSamples(mount, stat));
      }
      return samples;
    };
  },
};

function mountSamples(
  { device, mountpoint, fstype, isReadonly }: Mount,
  stat: StatsFs | undefined,
): HostSample[] {
  const labels = { device, mountpoint, fstype };
  const sample = (metric: HostMetric, value: number): HostSample => ({ metric, labels, value });
  const always = [sample(readonly, isReadonly ? 1 : 0), sample(deviceError, stat ? 0 : 1)];
  if (!stat) return always;
  return [
    sample(sizeBytes, stat.blocks * stat.bsize),
    sample(freeBytes, stat.bfree * stat.bsize),
    sample(availBytes, stat.bavail * stat.bsize),
    sample(nodes, stat.files),
    sample(nodesFree, stat.ffree),
    ...always,
  ];
}
