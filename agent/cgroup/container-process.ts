/**
 * What the processes of a container say of it: when it started, whether it is a pause container, its network.
 *
 *   /proc/4711/stat "4711 (pause) S ... 20 0 1 0 987654 ..."   ->  started 9876.54 s after the boot, by `pause`
 *   /proc/4711/net/dev                                         ->  container_network_receive_bytes_total{interface="eth0",...}
 *
 * An agent in a container sees other containers' processes only with the host's PID name space (hostPID).
 */
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { HostFiles } from '../host/host-files.ts';
import { fieldNumber, type HostSample, sampleOf, splitFields } from '../host/host-sample.ts';
import * as metrics from './cadvisor-metrics.ts';
import type { CgroupLabels } from './cgroup-layout.ts';

/** USER_HZ, the unit of a process' start time. */
const ticksPerSecond = 100;
/** As cAdvisor leaves them out: devices of the host's side, and the loopback. */
const ignoredInterface = /^(?:lo|veth|docker)/i;

export interface ContainerProcess {
  readonly command: string;
  /** Unix time, in seconds. */
  readonly startSeconds: number;
}

/** Undefined: it has ended, or is in another PID name space. `bootSeconds` is the Unix time of the boot. */
export function readProcess(
  files: HostFiles,
  pid: number,
  bootSeconds: number,
): ContainerProcess | undefined {
  const stat = files.procIfAny(`${pid}/stat`);
  if (stat === undefined) return undefined;
  const command = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
  const startTicks = fieldNumber(splitFields(stat.slice(stat.lastIndexOf(')') + 1))[19]);
  if (Number.isNaN(startTicks)) return undefined;
  return { command, startSeconds: bootSeconds + startTicks / ticksPerSecond };
}

/**
 * Whether the process shares the host's network: its devices are the host's, and no container's. To see name spaces takes
 * the capability SYS_PTRACE; without it, equal devices and routes are taken for one network.
 */
export function usesHostNetwork(files: HostFiles, pid: number): boolean {
  const own = networkNamespace(files, pid);
  const host = networkNamespace(files, 1);
  if (own !== undefined && host !== undefined) return own === host;
  return networkTraits(files, pid) === networkTraits(files, 1);
}

/** Returns the name of the network name space, `net:[4026531840]`; undefined where it cannot be seen. */
export function networkNamespace(files: HostFiles, pid: number): string | undefined {
  try {
    return readlinkSync(join(files.paths.procPath, String(pid), 'ns/net'));
  } catch {
    return undefined;
  }
}

function networkTraits(files: HostFiles, pid: number): string {
  const devices = (files.procIfAny(`${pid}/net/dev`) ?? '').match(/^ *[^\s:]+:/gm) ?? [];
  return `${devices.join()} ${files.procIfAny(`${pid}/net/route`)}`;
}

/** Returns the samples of each network device that a process sees. */
export function networkSamples(files: HostFiles, pid: number, labels: CgroupLabels): HostSample[] {
  return parseContainerNetwork(files.procIfAny(`${pid}/net/dev`) ?? '', labels);
}

export function parseContainerNetwork(text: string, labels: CgroupLabels): HostSample[] {
  return text.split('\n').flatMap((line) => {
    const colon = line.lastIndexOf(':');
    const name = line.slice(0, colon).trim();
    if (colon < 0 || ignoredInterface.test(name)) return [];
    const columns = splitFields(line.slice(colon + 1));
    const ofInterface = { ...labels, interface: name };
    return metrics.network.flatMap(([column, metric]) =>
      sampleOf(metric, fieldNumber(columns[column]), ofInterface),
    );
  });
}
