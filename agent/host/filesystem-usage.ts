/**
 * Asks each mounted file system for its size: mounts come in, node_filesystem_* samples come out.
 *
 * A network file system whose server is gone answers never, and holds a thread for as long. Such a mount is given up after
 * statTimeoutMs, reported with node_filesystem_device_error 1, and not asked again before the call came back.
 */
import type { StatsFs } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { gauge, type HostMetric, type HostSample } from './host-sample.ts';
import type { Mount } from './mount-table.ts';

const statTimeoutMs = 2_000;

const sizeBytes = gauge('node_filesystem_size_bytes', 'Size of the file system.');
const freeBytes = gauge('node_filesystem_free_bytes', 'Free bytes of the file system.');
const availBytes = gauge('node_filesystem_avail_bytes', 'Bytes that users other than root may write.');
const files = gauge('node_filesystem_files', 'File nodes of the file system.');
const filesFree = gauge('node_filesystem_files_free', 'Free file nodes of the file system.');
const readonly = gauge('node_filesystem_readonly', 'Whether the file system is mounted read-only.');
const deviceError = gauge('node_filesystem_device_error', 'Whether the file system could not be asked.');

export class FilesystemUsage {
  readonly #rootPath: string;
  /** Mount points whose last call has not come back. */
  readonly #stuck = new Set<string>();

  /** `rootPath` is where the host's root directory is seen. */
  constructor(rootPath: string) {
    this.#rootPath = rootPath;
  }

  /** Never rejects. */
  async read(mounts: readonly Mount[]): Promise<HostSample[]> {
    const samples: HostSample[] = [];
    // One after the other: each call may hold a thread of the pool that the store's engine and the tailer use too.
    for (const mount of mounts) samples.push(...(await this.#readMount(mount)));
    return samples;
  }

  async #readMount({ device, mountpoint, fstype, isReadonly }: Mount): Promise<HostSample[]> {
    const labels = { device, mountpoint, fstype };
    const sample = (metric: HostMetric, value: number): HostSample => ({ metric, labels, value });
    const stat = await this.#stat(mountpoint);
    const always = [sample(readonly, isReadonly ? 1 : 0), sample(deviceError, stat ? 0 : 1)];
    if (!stat) return always;
    return [
      sample(sizeBytes, stat.blocks * stat.bsize),
      sample(freeBytes, stat.bfree * stat.bsize),
      sample(availBytes, stat.bavail * stat.bsize),
      sample(files, stat.files),
      sample(filesFree, stat.ffree),
      ...always,
    ];
  }

  async #stat(mountpoint: string): Promise<StatsFs | undefined> {
    if (this.#stuck.has(mountpoint)) return undefined;
    this.#stuck.add(mountpoint);
    // What went wrong is told by node_filesystem_device_error.
    const call = statfs(join(this.#rootPath, mountpoint))
      .catch(() => undefined)
      .finally(() => this.#stuck.delete(mountpoint));
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), statTimeoutMs);
    });
    try {
      return await Promise.race([call, timeout]);
    } finally {
      clearTimeout(timer);
    }
  }
}
