/**
 * Reads the host again and again, and ships what it finds as remote write with job="node", instance=<node>.
 *
 * A device, mount or processor that is gone gets its stale marker, as a vanished series of a scrape does.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { errorMessage } from '#model/errors.ts';
import { metricNameLabel, sortLabels } from '#model/labels.ts';
import type { Transport } from '#wire/envelope.ts';
import { renderRun, sourceKey } from '../scrape/run-envelopes.ts';
import { queueBytesMaxDefault, SampleCounts, type SampleLoss, SampleQueue } from '../scrape/sample-queue.ts';
import { SeriesTracker } from '../scrape/series-tracker.ts';
import { FilesystemUsage } from './filesystem-usage.ts';
import { type HostReading, readHost } from './host-reading.ts';
import { gauge, type HostSample } from './host-sample.ts';

export interface HostMetricsOptions {
  readonly intervalMs: number;
  readonly transport: Transport;
  readonly tenant: string;
  /** The `instance` of all series. */
  readonly node: string;
  readonly procPath?: string;
  /** Where the host's root directory is seen: file systems are looked for below it. */
  readonly rootPath?: string;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now?: () => number;
}

export interface HostStatus {
  /** When the host was last read, in Unix milliseconds; 0 before the first time. */
  readonly lastReadMs: number;
  readonly samples: number;
  /** `path: reason` of each file that could not be read. */
  readonly skipped: readonly string[];
  readonly sent: number;
  readonly lost: Readonly<Record<SampleLoss, number>>;
}

export interface HostMetrics {
  status(): HostStatus;
  /** Ends all series, and gives the transport `drainMs` for what waits; what is left then is counted as lost. */
  stop(options?: { drainMs?: number }): Promise<void>;
}

const job = 'node';
const drainMsDefault = 5_000;
const up = gauge('up', 'Whether the host was read.');

/** Starts with a reading at once. */
export function startHostMetrics(options: HostMetricsOptions): HostMetrics {
  const loop = new HostLoop(options);
  loop.start();
  return loop;
}

class HostLoop implements HostMetrics {
  readonly #options: HostMetricsOptions;
  readonly #tracker = new SeriesTracker();
  readonly #filesystems: FilesystemUsage;
  readonly #counts = new SampleCounts();
  readonly #abort = new AbortController();
  readonly #queue: SampleQueue;
  readonly #sourceId = `host/${randomUUID()}`;
  #isStopping = false;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();
  #last: HostReading = { samples: [], skipped: [] };
  #lastReadMs = 0;
  #lastTimestampMs = 0;

  constructor(options: HostMetricsOptions) {
    this.#options = options;
    this.#filesystems = new FilesystemUsage(options.rootPath ?? '/');
    this.#queue = new SampleQueue({
      transport: options.transport,
      budget: { bytes: 0, bytesMax: queueBytesMaxDefault },
      counts: this.#counts,
      abort: this.#abort.signal,
      log: options.log,
      source: 'host',
    });
  }

  start(): void {
    this.#reading = this.#read();
  }

  status(): HostStatus {
    return {
      lastReadMs: this.#lastReadMs,
      samples: this.#last.samples.length,
      skipped: this.#last.skipped,
      sent: this.#counts.sent,
      lost: { ...this.#counts.lost },
    };
  }

  async stop({ drainMs = drainMsDefault }: { drainMs?: number } = {}): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    await this.#reading;
    const timer = setTimeout(() => this.#abort.abort(new Error('the agent stops')), drainMs);
    this.#ship([]);
    await this.#queue.idle();
    clearTimeout(timer);
  }

  /** Reads, ships and plans the next reading. Never rejects. */
  async #read(): Promise<void> {
    const { intervalMs, procPath = '/proc', log, now = Date.now } = this.#options;
    const startMs = now();
    try {
      const reading = await readHost({ procPath, filesystems: this.#filesystems, nowMs: startMs });
      if (this.#isStopping) return;
      if (reading.skipped.join() !== this.#last.skipped.join()) {
        log.info({ skipped: reading.skipped }, 'some facts of the host cannot be read');
      }
      this.#last = reading;
      this.#lastReadMs = startMs;
      this.#ship([...reading.samples, { metric: up, labels: {}, value: 1 }], startMs);
    } catch (error) {
      log.error({ reason: errorMessage(error) }, 'BUG: reading the host failed in an unforeseen way');
    }
    if (this.#isStopping) return;
    const delayMs = Math.max(0, intervalMs - (now() - startMs));
    this.#timer = setTimeout(() => this.start(), delayMs);
  }

  #ship(samples: readonly HostSample[], nowMs = (this.#options.now ?? Date.now)()): void {
    const { tenant, node } = this.#options;
    this.#lastTimestampMs = Math.max(nowMs, this.#lastTimestampMs + 1);
    this.#tracker.begin(this.#lastTimestampMs);
    for (const { metric, labels, value } of samples) {
      const pairs = { ...labels, [metricNameLabel]: metric.name, job, instance: node };
      const series = this.#tracker.seriesOf(sortLabels(Object.entries(pairs)));
      this.#tracker.setMetadata(series, metric.type, metric.help, '');
      this.#tracker.write(series, value, Number.NaN);
    }
    const key = sourceKey(tenant, job, node);
    const identity = { tenant, key, sourceId: this.#sourceId, timestampMs: this.#lastTimestampMs };
    this.#queue.push(renderRun(this.#tracker.end(), identity));
  }
}
