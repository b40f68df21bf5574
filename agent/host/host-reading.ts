/**
 * Reads the host once: runs the collectors one after the other, and says of each whether it succeeded and how long it took.
 *
 *   loadavg  ->  node_load1 0.5, ..., node_scrape_collector_success{collector="loadavg"} 1, ..._duration_seconds 0.0001
 *
 * macOS has no /proc, and containers may hide parts of it: what is missing is left out and said, the rest is read.
 */
import { setImmediate } from 'node:timers/promises';
import { type Collect, type HostCollector, NoDataError } from './host-collector.ts';
import type { HostFiles } from './host-files.ts';
import { gauge, type HostSample, sampleOf } from './host-sample.ts';
import type { Reading } from './reading-loop.ts';

const success = gauge('node_scrape_collector_success', 'Whether the collector succeeded.');
const duration = gauge('node_scrape_collector_duration_seconds', 'How long the collector took.');
const up = gauge('up', 'Whether the host was read.');

export class HostReader {
  readonly #files: HostFiles;
  readonly #collectors: readonly { readonly name: string; readonly collect: Collect }[];

  constructor(files: HostFiles, collectors: readonly HostCollector[]) {
    this.#files = files;
    this.#collectors = collectors.map(({ name, create }) => ({ name, collect: create(files) }));
  }

  /** Never rejects. */
  async read(nowMs: number): Promise<Reading> {
    const samples: HostSample[] = [];
    const failures: string[] = [];
    for (const { name, collect } of this.#collectors) {
      const start = performance.now();
      let succeeded = 1;
      try {
        samples.push(...(await collect(nowMs)));
      } catch (error) {
        succeeded = 0;
        if (!(error instanceof NoDataError) && !isFileError(error))
          failures.push(`collector ${name}: ${error}`);
      }
      const labels = { collector: name };
      samples.push(
        ...sampleOf(duration, (performance.now() - start) / 1000, labels),
        ...sampleOf(success, succeeded, labels),
      );
      // Others have their turn between two collectors.
      await setImmediate();
    }
    samples.push({ metric: up, labels: {}, value: 1 });
    return { samples, skipped: [...this.#files.endReading(), ...failures] };
  }
}

/** The files have noted what of them could not be read. */
function isFileError(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).syscall !== undefined;
}
