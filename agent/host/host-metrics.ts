/**
 * Reads the host again and again, and ships what it finds as remote write with job="node", instance=<node>.
 *
 * A device, mount or processor that is gone gets its stale marker, as a vanished series of a scrape does.
 */
import type { Logger } from 'pino';
import type { Transport } from '#wire/envelope.ts';
import { chosenCollectors } from './collector-table.ts';
import { HostFiles } from './host-files.ts';
import { HostReader } from './host-reading.ts';
import { ReadingLoop, type ReadingStatus } from './reading-loop.ts';
import { SampleShipper } from './sample-shipper.ts';

export interface HostMetricsOptions {
  readonly intervalMs: number;
  readonly transport: Transport;
  readonly tenant: string;
  /** The `instance` of all series. */
  readonly node: string;
  readonly procPath?: string;
  readonly sysPath?: string;
  /** Where the host's root directory is seen: file systems are looked for below it. */
  readonly rootPath?: string;
  /** Collectors besides the default ones, and default ones not to run. */
  readonly collectorsOn?: readonly string[];
  readonly collectorsOff?: readonly string[];
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now?: () => number;
}

export interface HostMetrics {
  status(): ReadingStatus;
  /** Ends all series, and gives the transport `drainMs` for what waits; what is left then is counted as lost. */
  stop(options?: { drainMs?: number }): Promise<void>;
}

const advice =
  'an agent in a container needs the host mounted read-only: / at /host with host.root_path /host, host.proc_path /host/proc and host.sys_path /host/sys; collectors of what is not there can be named in host.collectors_off';

/** Starts with a reading at once. */
export function startHostMetrics(options: HostMetricsOptions): HostMetrics {
  const { transport, tenant, node, log, intervalMs, now = Date.now } = options;
  const { procPath = '/proc', sysPath = '/sys', rootPath = '/' } = options;
  const reader = new HostReader(
    new HostFiles({ procPath, sysPath, rootPath }),
    chosenCollectors(options.collectorsOn ?? [], options.collectorsOff ?? []),
  );
  const loop = new ReadingLoop({
    read: (nowMs) => reader.read(nowMs),
    shipper: new SampleShipper({ transport, tenant, job: 'node', node, log }),
    intervalMs,
    source: 'the host',
    advice,
    log,
    now,
  });
  loop.start();
  return loop;
}
