/**
 * Sends the metrics that are made of logs at an interval, as remote write with job="sonde-logs", instance=<node>.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { sortLabels } from '#model/labels.ts';
import type { Transport } from '#wire/envelope.ts';
import { renderRun, sourceKey } from '../../scrape/run-envelopes.ts';
import { queueBytesMaxDefault, SampleCounts, SampleQueue } from '../../scrape/sample-queue.ts';
import { SeriesTracker } from '../../scrape/series-tracker.ts';
import type { MetricSeries } from './metric-series.ts';

const job = 'sonde-logs';

export interface MetricSenderOptions {
  readonly series: MetricSeries;
  readonly intervalMs: number;
  readonly transport: Transport;
  readonly tenant: string;
  readonly node: string;
  readonly log: Logger;
}

export class MetricSender {
  readonly #options: MetricSenderOptions;
  readonly #tracker = new SeriesTracker();
  readonly #abort = new AbortController();
  readonly #queue: SampleQueue;
  readonly #sourceId = `logs/${randomUUID()}`;
  /** Since when all series count: a restart begins at 0, and says so by a later start time. */
  readonly #startMs = Date.now();
  readonly #timer: NodeJS.Timeout;
  #lastTimestampMs = 0;

  constructor(options: MetricSenderOptions) {
    this.#options = options;
    this.#queue = new SampleQueue({
      transport: options.transport,
      budget: { bytes: 0, bytesMax: queueBytesMaxDefault },
      counts: new SampleCounts(),
      abort: this.#abort.signal,
      log: options.log,
      source: 'log metrics',
    });
    this.#timer = setInterval(() => this.#send(), options.intervalMs);
  }

  /** Sends the last totals, and gives the transport `drainMs` for them. */
  async stop(drainMs: number): Promise<void> {
    clearInterval(this.#timer);
    this.#send();
    const timer = setTimeout(() => this.#abort.abort(new Error('the agent stops')), drainMs);
    await this.#queue.idle();
    clearTimeout(timer);
  }

  #send(): void {
    const { series, tenant, node } = this.#options;
    this.#lastTimestampMs = Math.max(Date.now(), this.#lastTimestampMs + 1);
    this.#tracker.begin(this.#lastTimestampMs);
    for (const { labels, value, description } of series.samples()) {
      const sorted = sortLabels([...labels, ['job', job], ['instance', node]]);
      const { type, help } = description;
      const id = this.#tracker.seriesOf(sorted, { type, help, unit: '' });
      this.#tracker.write(id, value, Number.NaN, this.#startMs);
    }
    const identity = {
      tenant,
      key: sourceKey(tenant, job, node),
      sourceId: this.#sourceId,
      timestampMs: this.#lastTimestampMs,
    };
    this.#queue.push(renderRun(this.#tracker.end(), identity));
  }
}
