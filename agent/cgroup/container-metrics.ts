/**
 * Reads the containers of this node again and again, and ships what it finds as remote write with job="cadvisor",
 * instance=<node>. A container that is gone gets its stale markers.
 */
import type { Logger } from 'pino';
import type { Transport } from '#wire/envelope.ts';
import { HostFiles } from '../host/host-files.ts';
import { ReadingLoop, type ReadingStatus } from '../host/reading-loop.ts';
import { SampleShipper } from '../host/sample-shipper.ts';
import type { FindContainer } from './container-labels.ts';
import { ContainerReader } from './container-reader.ts';

export interface ContainerMetricsOptions {
  readonly intervalMs: number;
  readonly cgroupsMax: number;
  readonly transport: Transport;
  readonly tenant: string;
  /** The `instance` of all series. */
  readonly node: string;
  readonly procPath?: string;
  readonly sysPath?: string;
  /** Says who a container is; without it, series have the container's id alone. */
  readonly find?: FindContainer;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now?: () => number;
}

export interface ContainerMetrics {
  status(): ReadingStatus;
  /** Ends all series, and gives the transport `drainMs` for what waits; what is left then is counted as lost. */
  stop(options?: { drainMs?: number }): Promise<void>;
}

const advice =
  "an agent in a container needs the host's /sys/fs/cgroup mounted read-only below host.sys_path, its /proc at host.proc_path, and for networks and start times its PID name space (hostPID); containers.is_measured false turns this off";

/** Starts with a reading at once. */
export function startContainerMetrics(options: ContainerMetricsOptions): ContainerMetrics {
  const { transport, tenant, node, log, intervalMs, cgroupsMax, now = Date.now } = options;
  const { procPath = '/proc', sysPath = '/sys', find = () => undefined } = options;
  const files = new HostFiles({ procPath, sysPath, rootPath: '/' });
  const reader = new ContainerReader({ files, find, cgroupsMax });
  const loop = new ReadingLoop({
    read: (nowMs) => reader.read(nowMs),
    shipper: new SampleShipper({ transport, tenant, job: 'cadvisor', node, log }),
    intervalMs,
    source: 'containers',
    advice,
    log,
    now,
  });
  loop.start();
  return loop;
}
