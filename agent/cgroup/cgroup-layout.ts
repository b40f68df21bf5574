/**
 * How a host's cgroups are laid out, and what reading one of them gives.
 *
 *   /sys/fs/cgroup/cgroup.controllers is there   ->  version 2, one hierarchy
 *   /sys/fs/cgroup/memory, /sys/fs/cgroup/cpu    ->  version 1, one for each controller
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { HostFiles } from '../host/host-files.ts';
import { type HostSample, sampleOf } from '../host/host-sample.ts';
import * as metrics from './cadvisor-metrics.ts';
import type { DeviceIo } from './cgroup-files.ts';

export type CgroupLabels = Readonly<Record<string, string>>;

export interface CgroupLayout {
  readonly version: 1 | 2;
  /** The directory in which all cgroups can be found. */
  readonly base: string;
  /** See DetectedLayout. */
  readonly isHosts: boolean;
  /** `devices` has the names of block devices by `major:minor`. */
  read(path: string, labels: CgroupLabels, devices: ReadonlyMap<string, string>): HostSample[];
  /**
   * Process numbers in the cgroup and, where it has none of its own, right below it. A process of a PID name space that
   * the agent does not see has the number 0.
   */
  processIds(path: string): number[];
}

/** Controllers of version 1 in which containers are looked for; the first that is mounted counts. */
const searchedControllers = ['memory', 'cpu', 'cpu,cpuacct', 'cpuacct', 'pids'];

export interface DetectedLayout {
  readonly version: 1 | 2;
  readonly base: string;
  /** False: the base is some container's cgroup, as that container sees it; what it calls the root is not the host. */
  readonly isHosts: boolean;
}

/** Undefined: no cgroups are mounted at `root`. A hybrid (version 2 mounted beside, for systemd) is version 1. */
export function detectLayout(root: string): DetectedLayout | undefined {
  // Each cgroup but the root has a type (version 2), and the root alone has a release agent (version 1).
  if (existsSync(join(root, 'cgroup.controllers')))
    return { version: 2, base: root, isHosts: !existsSync(join(root, 'cgroup.type')) };
  const controller = searchedControllers.find((name) => existsSync(join(root, name, 'cgroup.procs')));
  if (controller === undefined) return undefined;
  const base = join(root, controller);
  return { version: 1, base, isHosts: existsSync(join(base, 'release_agent')) };
}

/** Working set: what cannot be given back at once, as cAdvisor and the kubelet's eviction have it. */
export function memorySamples(usage: number, inactive: number, labels: CgroupLabels): HostSample[] {
  const working = Math.max(0, usage - (Number.isNaN(inactive) ? 0 : inactive));
  return [
    ...sampleOf(metrics.memoryUsage, usage, labels),
    ...sampleOf(metrics.workingSet, working, labels),
    ...sampleOf(metrics.inactiveFile, inactive, labels),
  ];
}

export interface PageFaults {
  readonly pgfault: number;
  readonly pgmajfault: number;
}

export function faultSamples(own: PageFaults, hierarchy: PageFaults, labels: CgroupLabels): HostSample[] {
  const of = (scope: string, type: keyof PageFaults, value: number): HostSample[] =>
    sampleOf(metrics.memoryFailures, value, { ...labels, scope, failure_type: type });
  return [
    ...of('container', 'pgfault', own.pgfault),
    ...of('container', 'pgmajfault', own.pgmajfault),
    ...of('hierarchy', 'pgfault', hierarchy.pgfault),
    ...of('hierarchy', 'pgmajfault', hierarchy.pgmajfault),
  ];
}

/** Devices without a name in /proc/diskstats keep their numbers. */
export function ioSamples(
  io: readonly DeviceIo[],
  labels: CgroupLabels,
  names: ReadonlyMap<string, string>,
): HostSample[] {
  return io.flatMap(({ device: number, reads, writes, readBytes, writeBytes }) => {
    const name = names.get(number);
    const [major = '', minor = ''] = number.split(':');
    const device = name === undefined ? number : `/dev/${name}`;
    const ofDevice = { ...labels, device };
    const usage = { ...ofDevice, major, minor };
    return [
      ...sampleOf(metrics.fsReads, reads, ofDevice),
      ...sampleOf(metrics.fsReadBytes, readBytes, ofDevice),
      ...sampleOf(metrics.fsWrites, writes, ofDevice),
      ...sampleOf(metrics.fsWriteBytes, writeBytes, ofDevice),
      ...sampleOf(metrics.blkioUsage, readBytes, { ...usage, operation: 'Read' }),
      ...sampleOf(metrics.blkioUsage, writeBytes, { ...usage, operation: 'Write' }),
    ];
  });
}

/** "8:0" -> "sda", from /proc/diskstats. */
export function parseDeviceNames(diskstats: string): Map<string, string> {
  const names = new Map<string, string>();
  for (const line of diskstats.split('\n')) {
    const [major, minor, name] = line.trim().split(/\s+/, 3);
    if (name !== undefined) names.set(`${major}:${minor}`, name);
  }
  return names;
}

export function processIdsIn(files: HostFiles, directory: string): number[] {
  const text = files.text(join(directory, 'cgroup.procs')) ?? '';
  return text
    .split('\n')
    .filter((line) => /^\d+$/.test(line))
    .map(Number);
}
