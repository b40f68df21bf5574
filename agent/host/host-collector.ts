/**
 * A collector reads some files of the host and makes the samples that node_exporter's collector of the same name makes.
 *
 * What a kernel or a machine does not have is left out. A collector that finds nothing at all throws NoDataError, and one
 * that cannot read what each Linux has throws: both are told by node_scrape_collector_success 0.
 */
import type { HostFiles } from './host-files.ts';
import type { HostSample } from './host-sample.ts';

export interface HostCollector {
  /** As node_exporter calls it. */
  readonly name: string;
  readonly isDefault: boolean;
  /** The files that it reads, for the documentation. */
  readonly reads: string;
  /** The metrics that it makes, for the documentation. */
  readonly makes: string;
  /** Returns the function that collects, with the state of its own. */
  readonly create: (files: HostFiles) => Collect;
}

/** `nowMs` is the time of the reading, in Unix milliseconds. */
export type Collect = (nowMs: number) => readonly HostSample[] | Promise<readonly HostSample[]>;

/** The machine has nothing of what the collector looks for. */
export class NoDataError extends Error {
  readonly code = 'SONDE_NO_DATA';
}
