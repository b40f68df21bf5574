/**
 * Reads one cgroup of version 2: the files of its directory come in, cAdvisor's samples come out.
 *
 *   cpu.stat "usage_usec 1500000\n..."   ->  container_cpu_usage_seconds_total{cpu="total",id="/kubepods.slice/..."} 1.5
 *
 * All numbers of the directory include what is below it. A file that is not there (its controller is off, or the kernel
 * is old) gives no samples. See Documentation/admin-guide/cgroup-v2.rst.
 */
import { join } from 'node:path';
import { parsePressureTotal } from '../host/collectors/pressure.ts';
import type { HostFiles } from '../host/host-files.ts';
import { fieldNumber, type HostSample, sampleOf } from '../host/host-sample.ts';
import * as metrics from './cadvisor-metrics.ts';
import { KeyedNumbers, limitOf, parseIoStat } from './cgroup-files.ts';
import {
  type CgroupLabels,
  type CgroupLayout,
  type DetectedLayout,
  faultSamples,
  ioSamples,
  memorySamples,
  processIdsIn,
} from './cgroup-layout.ts';

const microsecond = 1e6;
const resources = ['cpu', 'memory', 'io'] as const;

export class CgroupV2 implements CgroupLayout {
  readonly version = 2;
  readonly base: string;
  readonly isHosts: boolean;
  readonly #files: HostFiles;

  constructor(files: HostFiles, { base, isHosts }: DetectedLayout) {
    this.#files = files;
    this.base = base;
    this.isHosts = isHosts;
  }

  read(path: string, labels: CgroupLabels, devices: ReadonlyMap<string, string>): HostSample[] {
    const directory = join(this.base, path);
    const present = new Set(this.#files.list(directory));
    const read = (name: string): string | undefined =>
      present.has(name) ? this.#files.text(`${directory}/${name}`) : undefined;
    return [
      ...cpuSamples(read, labels),
      ...this.#memorySamples(read, labels, path),
      ...ioSamples(parseIoStat(read('io.stat') ?? ''), labels, devices),
      ...sampleOf(metrics.threads, fieldNumber(read('pids.current')?.trim()), labels),
      ...sampleOf(metrics.threadsMax, limitOf(read('pids.max')), labels),
      ...resources.flatMap((resource) => {
        const text = read(`${resource}.pressure`) ?? '';
        const { some, full } = metrics.pressure[resource];
        return [
          ...sampleOf(some, parsePressureTotal(text, 'some'), labels),
          ...sampleOf(full, parsePressureTotal(text, 'full'), labels),
        ];
      }),
    ];
  }

  processIds(path: string): number[] {
    const directory = join(this.base, path);
    const own = processIdsIn(this.#files, directory);
    if (own.length > 0) return own;
    // A cgroup with others below it has no processes of its own: CRI-O and podman use `container`, systemd init.scope.
    const below = this.#files.list(directory, /^(?:container|init\.scope|init|supervisor)$/);
    return below.flatMap((name) => processIdsIn(this.#files, join(directory, name)));
  }

  #memorySamples(read: Read, labels: CgroupLabels, path: string): HostSample[] {
    const stat = new KeyedNumbers(read('memory.stat') ?? '');
    // The host's root has no memory.current: what is not free is used, as runc has it.
    const usage =
      path === '/' && this.isHosts ? this.#usedBytes() : fieldNumber(read('memory.current')?.trim());
    const faults = { pgfault: stat.get('pgfault'), pgmajfault: stat.get('pgmajfault') };
    const events = new KeyedNumbers(read('memory.events') ?? '');
    return [
      ...memorySamples(usage, stat.get('inactive_file'), labels),
      ...sampleOf(metrics.memoryMaxUsage, fieldNumber(read('memory.peak')?.trim()), labels),
      ...sampleOf(metrics.memoryRss, stat.get('anon'), labels),
      ...sampleOf(metrics.memoryCache, stat.get('file'), labels),
      ...sampleOf(metrics.mappedFile, stat.get('file_mapped'), labels),
      ...sampleOf(metrics.activeFile, stat.get('active_file'), labels),
      ...sampleOf(metrics.kernelUsage, stat.get('kernel'), labels),
      ...sampleOf(metrics.memorySwap, fieldNumber(read('memory.swap.current')?.trim()), labels),
      ...sampleOf(metrics.memoryFailcnt, events.get('max'), labels),
      ...sampleOf(metrics.oomEvents, events.get('oom_kill'), labels),
      ...faultSamples(faults, faults, labels),
      ...sampleOf(metrics.specMemoryLimit, limitOf(read('memory.max')), labels),
      ...sampleOf(metrics.specMemoryReservation, limitOf(read('memory.low')), labels),
      ...sampleOf(metrics.specMemorySwapLimit, limitOf(read('memory.swap.max')), labels),
    ];
  }

  #usedBytes(): number {
    const text = this.#files.procIfAny('meminfo') ?? '';
    const kilobytes = (name: string): number =>
      fieldNumber(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
    return (kilobytes('MemTotal') - kilobytes('MemFree')) * 1024;
  }
}

type Read = (name: string) => string | undefined;

function cpuSamples(read: Read, labels: CgroupLabels): HostSample[] {
  const stat = new KeyedNumbers(read('cpu.stat') ?? '');
  const seconds = (key: string): number => stat.get(key) / microsecond;
  const [quotaText, periodText] = (read('cpu.max') ?? '').trim().split(' ');
  const quota = fieldNumber(quotaText);
  return [
    ...sampleOf(metrics.cpuUsage, seconds('usage_usec'), { ...labels, cpu: 'total' }),
    ...sampleOf(metrics.cpuUser, seconds('user_usec'), labels),
    ...sampleOf(metrics.cpuSystem, seconds('system_usec'), labels),
    // Without a quota nothing is throttled, and cAdvisor has none of these.
    ...(Number.isNaN(quota)
      ? []
      : [
          ...sampleOf(metrics.cfsPeriods, stat.get('nr_periods'), labels),
          ...sampleOf(metrics.cfsThrottledPeriods, stat.get('nr_throttled'), labels),
          ...sampleOf(metrics.cfsThrottledTime, seconds('throttled_usec'), labels),
          ...sampleOf(metrics.specCpuQuota, quota, labels),
        ]),
    ...sampleOf(metrics.specCpuPeriod, fieldNumber(periodText), labels),
    ...sampleOf(metrics.specCpuShares, sharesOf(fieldNumber(read('cpu.weight')?.trim())), labels),
  ];
}

/** Runtimes map shares of 2 to 262144 to weights of 1 to 10000; this is the way back, as cAdvisor goes it. */
function sharesOf(weight: number): number {
  return Math.floor(2 + ((weight - 1) * 262_142) / 9999);
}
