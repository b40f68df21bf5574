/**
 * Ships the samples of one source of this node: each reading comes in as a list, and goes out as remote write with the
 * source's job and the node as instance. A series that a reading no longer has gets its stale marker.
 */
import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Logger } from 'pino';
import { type Labels, metricNameLabel, sortLabels } from '#model/labels.ts';
import type { Transport } from '#wire/envelope.ts';
import { renderRun, sourceKey } from '../scrape/run-envelopes.ts';
import { queueBytesMaxDefault, SampleCounts, type SampleLoss, SampleQueue } from '../scrape/sample-queue.ts';
import { SeriesTracker } from '../scrape/series-tracker.ts';
import type { HostSample } from './host-sample.ts';

export interface SampleShipperOptions {
  readonly transport: Transport;
  readonly tenant: string;
  readonly job: string;
  /** The `instance` of all series. */
  readonly node: string;
  readonly log: Logger;
}

/** Samples that are encoded before others have their turn: some two milliseconds. */
const samplesPerTurn = 2_000;

export class SampleShipper {
  readonly #options: SampleShipperOptions;
  readonly #tracker = new SeriesTracker();
  readonly #counts = new SampleCounts();
  readonly #abort = new AbortController();
  readonly #queue: SampleQueue;
  readonly #sourceId: string;
  #lastTimestampMs = 0;

  constructor(options: SampleShipperOptions) {
    this.#options = options;
    this.#sourceId = `${options.job}/${randomUUID()}`;
    this.#queue = new SampleQueue({
      transport: options.transport,
      budget: { bytes: 0, bytesMax: queueBytesMaxDefault },
      counts: this.#counts,
      abort: this.#abort.signal,
      log: options.log,
      source: options.job,
    });
  }

  get sent(): number {
    return this.#counts.sent;
  }

  get lost(): Readonly<Record<SampleLoss, number>> {
    return { ...this.#counts.lost };
  }

  /**
   * Of two samples with the same name and labels the first is shipped, and the second counted as `duplicate`. Must not be
   * called again before it has resolved, which it does when the request is in the queue.
   */
  async ship(samples: readonly HostSample[], nowMs: number): Promise<void> {
    const { tenant, job, node } = this.#options;
    // A clock that is set back must not make two readings of one time.
    this.#lastTimestampMs = Math.max(nowMs, this.#lastTimestampMs + 1);
    this.#tracker.begin(this.#lastTimestampMs);
    let sorted: Labels = [];
    let sortedOf: HostSample['labels'] | undefined;
    for (const [i, { metric, labels, value }] of samples.entries()) {
      // Samples of one device or cgroup follow each other, and share an object.
      if (labels !== sortedOf) {
        sorted = sortLabels(Object.entries({ ...labels, job, instance: node }));
        sortedOf = labels;
      }
      // Label names here are lower case, and the metric's name sorts before them.
      const series = this.#tracker.seriesOf([[metricNameLabel, metric.name], ...sorted], metric);
      if (this.#tracker.write(series, value, Number.NaN) !== 'written') this.#counts.addLost('duplicate', 1);
      if (i % samplesPerTurn === samplesPerTurn - 1) await setImmediate();
    }
    const key = sourceKey(tenant, job, node);
    const identity = { tenant, key, sourceId: this.#sourceId, timestampMs: this.#lastTimestampMs };
    this.#queue.push(renderRun(this.#tracker.end(), identity));
  }

  /** Ends all series, and gives the transport `drainMs` for what waits; what is left then is counted as lost. */
  async stop(nowMs: number, drainMs: number): Promise<void> {
    const timer = setTimeout(() => this.#abort.abort(new Error('the agent stops')), drainMs);
    await this.ship([], nowMs);
    await this.#queue.idle();
    clearTimeout(timer);
  }
}
