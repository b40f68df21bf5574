/**
 * Reads one cgroup of version 1, where each controller has a directory of its own for it.
 *
 *   /sys/fs/cgroup/cpuacct/docker/<id>/cpuacct.usage "1500000000"  ->  container_cpu_usage_seconds_total{cpu="total",...} 1.5
 *   /sys/fs/cgroup/memory/docker/<id>/memory.usage_in_bytes        ->  container_memory_usage_bytes
 *
 * A controller that is not mounted gives no samples. There is no pressure stall information here. See
 * Documentation/admin-guide/cgroup-v1/.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { HostFiles } from '../host/host-files.ts';
import { fieldNumber, type HostSample, sampleOf } from '../host/host-sample.ts';
import * as metrics from './cadvisor-metrics.ts';
import { KeyedNumbers, limitOf, parseBlkio } from './cgroup-files.ts';
import {
  type CgroupLabels,
  type CgroupLayout,
  type DetectedLayout,
  faultSamples,
  ioSamples,
  memorySamples,
  processIdsIn,
} from './cgroup-layout.ts';

const nanosecond = 1e9;
/** USER_HZ, the unit of cpuacct.stat. */
const ticksPerSecond = 100;
/** Controllers, and the directories that they are mounted at, alone or together. */
const directories = {
  cpu: ['cpu', 'cpu,cpuacct'],
  cpuacct: ['cpuacct', 'cpu,cpuacct'],
  memory: ['memory'],
  blkio: ['blkio'],
  pids: ['pids'],
} as const;
type Controller = keyof typeof directories;
type Read = (controller: Controller, name: string) => string | undefined;

export class CgroupV1 implements CgroupLayout {
  readonly version = 1;
  readonly base: string;
  readonly isHosts: boolean;
  readonly #files: HostFiles;
  readonly #mounts = new Map<Controller, string>();

  /** `root` is where the controllers are mounted, `base` the directory of the one that all containers are in. */
  constructor(files: HostFiles, root: string, { base, isHosts }: DetectedLayout) {
    this.#files = files;
    this.base = base;
    this.isHosts = isHosts;
    for (const [controller, names] of Object.entries(directories)) {
      const found = names.map((name) => join(root, name)).find((path) => existsSync(path));
      if (found !== undefined) this.#mounts.set(controller as Controller, found);
    }
  }

  read(path: string, labels: CgroupLabels, devices: ReadonlyMap<string, string>): HostSample[] {
    const read: Read = (controller, name) => {
      const mount = this.#mounts.get(controller);
      return mount === undefined ? undefined : this.#files.text(join(mount, path, name));
    };
    const throttle = (name: string): string =>
      read('blkio', `blkio.throttle.${name}_recursive`) ?? read('blkio', `blkio.throttle.${name}`) ?? '';
    return [
      ...cpuSamples(read, labels),
      ...v1MemorySamples(read, labels),
      ...ioSamples(parseBlkio(throttle('io_serviced'), throttle('io_service_bytes')), labels, devices),
      ...sampleOf(metrics.threads, fieldNumber(read('pids', 'pids.current')?.trim()), labels),
      ...sampleOf(metrics.threadsMax, limitOf(read('pids', 'pids.max')), labels),
    ];
  }

  processIds(path: string): number[] {
    return processIdsIn(this.#files, join(this.base, path));
  }
}

function cpuSamples(read: Read, labels: CgroupLabels): HostSample[] {
  const nanoseconds = (name: string): number => fieldNumber(read('cpuacct', name)?.trim()) / nanosecond;
  // Kernels before 4.9 have the two halves in ticks only.
  const ticks = new KeyedNumbers(read('cpuacct', 'cpuacct.stat') ?? '');
  const orTicks = (seconds: number, key: string): number =>
    Number.isNaN(seconds) ? ticks.get(key) / ticksPerSecond : seconds;
  const stat = new KeyedNumbers(read('cpu', 'cpu.stat') ?? '');
  // -1 is no quota.
  const quota = fieldNumber(read('cpu', 'cpu.cfs_quota_us')?.trim());
  return [
    ...sampleOf(metrics.cpuUsage, nanoseconds('cpuacct.usage'), { ...labels, cpu: 'total' }),
    ...sampleOf(metrics.cpuUser, orTicks(nanoseconds('cpuacct.usage_user'), 'user'), labels),
    ...sampleOf(metrics.cpuSystem, orTicks(nanoseconds('cpuacct.usage_sys'), 'system'), labels),
    ...(Number.isNaN(quota)
      ? []
      : [
          ...sampleOf(metrics.cfsPeriods, stat.get('nr_periods'), labels),
          ...sampleOf(metrics.cfsThrottledPeriods, stat.get('nr_throttled'), labels),
          ...sampleOf(metrics.cfsThrottledTime, stat.get('throttled_time') / nanosecond, labels),
          ...sampleOf(metrics.specCpuQuota, quota, labels),
        ]),
    ...sampleOf(metrics.specCpuPeriod, fieldNumber(read('cpu', 'cpu.cfs_period_us')?.trim()), labels),
    ...sampleOf(metrics.specCpuShares, fieldNumber(read('cpu', 'cpu.shares')?.trim()), labels),
  ];
}

function v1MemorySamples(read: Read, labels: CgroupLabels): HostSample[] {
  const stat = new KeyedNumbers(read('memory', 'memory.stat') ?? '');
  const number = (name: string): number => fieldNumber(read('memory', name)?.trim());
  const oom = new KeyedNumbers(read('memory', 'memory.oom_control') ?? '');
  return [
    ...memorySamples(number('memory.usage_in_bytes'), stat.get('total_inactive_file'), labels),
    ...sampleOf(metrics.memoryMaxUsage, number('memory.max_usage_in_bytes'), labels),
    ...sampleOf(metrics.memoryRss, stat.get('total_rss'), labels),
    ...sampleOf(metrics.memoryCache, stat.get('total_cache'), labels),
    ...sampleOf(metrics.mappedFile, stat.get('total_mapped_file'), labels),
    ...sampleOf(metrics.activeFile, stat.get('total_active_file'), labels),
    ...sampleOf(metrics.memorySwap, stat.get('total_swap'), labels),
    ...sampleOf(metrics.kernelUsage, number('memory.kmem.usage_in_bytes'), labels),
    ...sampleOf(metrics.memoryFailcnt, number('memory.failcnt'), labels),
    ...sampleOf(metrics.oomEvents, oom.get('oom_kill'), labels),
    ...faultSamples(
      { pgfault: stat.get('pgfault'), pgmajfault: stat.get('pgmajfault') },
      { pgfault: stat.get('total_pgfault'), pgmajfault: stat.get('total_pgmajfault') },
      labels,
    ),
    ...sampleOf(metrics.specMemoryLimit, limitOf(read('memory', 'memory.limit_in_bytes')), labels),
    ...sampleOf(metrics.specMemoryReservation, limitOf(read('memory', 'memory.soft_limit_in_bytes')), labels),
    ...sampleOf(metrics.specMemorySwapLimit, limitOf(read('memory', 'memory.memsw.limit_in_bytes')), labels),
  ];
}
