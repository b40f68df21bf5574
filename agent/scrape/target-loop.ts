/**
 * One target, scraped again and again: pages come in, envelopes go to its queue.
 *
 * Each scrape, failed or not, makes one run: the page's samples (none where it failed), `up` and the other report series,
 * and stale markers for what is gone. stop() ends all series of the target.
 */
import { metrics } from '@opentelemetry/api';
import type { Logger } from 'pino';
import { errorMessage } from '#model/errors.ts';
import { type Labels, metricNameLabel, sortLabels } from '#model/labels.ts';
import { ExpositionError } from './exposition-error.ts';
import { PageBuffer } from './page-buffer.ts';
import { fetchPage, ScrapeError, shownUrl } from './page-fetch.ts';
import { renderRun, sourceKey } from './run-envelopes.ts';
import type { SampleCounts, SampleQueue } from './sample-queue.ts';
import { ScrapedPage } from './scraped-page.ts';
import { SeriesTracker } from './series-tracker.ts';

export interface TargetStatus {
  /** Without user and password. */
  readonly url: string;
  readonly job: string;
  readonly instance: string;
  readonly health: 'up' | 'down' | 'unknown';
  /** Why it is down; '' where it is not. */
  readonly lastError: string;
  /** When the last scrape began, in Unix milliseconds; 0 before the first. */
  readonly lastScrapeMs: number;
  readonly lastDurationSeconds: number;
  /** Samples of the last page. */
  readonly samples: number;
}

export interface TargetLoopOptions {
  readonly url: URL;
  /** job and instance among them. */
  readonly labels: Labels;
  /** The scrape times of a target are offsetMs more than a multiple of intervalMs. */
  readonly offsetMs: number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly bodyBytesMax: number;
  readonly samplesMax: number;
  readonly tenant: string;
  /** Unique among all agents and targets, over restarts too: batch ids are made of it. */
  readonly sourceId: string;
  readonly queue: SampleQueue;
  readonly counts: SampleCounts;
  readonly log: Logger;
  readonly now: () => number;
}

/** The first scrapes of a start are spread over this time: a person waits for them. */
const firstDelayMsMax = 1000;

const scrapeCounter = metrics.getMeter('sonde').createCounter('sonde.scrape.scrapes', {
  description: 'Scrapes, by health of the target.',
});
const exemplarCounter = metrics.getMeter('sonde').createCounter('sonde.scrape.exemplars.dropped', {
  description: 'OpenMetrics exemplars that were read and not sent: they are not supported yet.',
});

const reports = {
  up: ['Whether the last scrape of the target succeeded.', ''],
  scrape_duration_seconds: ['How long the scrape of the target took.', 'seconds'],
  scrape_samples_scraped: ['Samples on the page of the target.', ''],
  scrape_samples_post_metric_relabeling: ['Samples of the page that were kept.', ''],
  scrape_series_added: ['Series that the scrape before did not have.', ''],
} as const;

export class TargetLoop {
  readonly #options: TargetLoopOptions;
  readonly #tracker = new SeriesTracker();
  readonly #page: ScrapedPage;
  readonly #buffer = new PageBuffer();
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #scraping: Promise<void> | undefined;
  #status: TargetStatus;
  #lastTimestampMs = 0;

  constructor(options: TargetLoopOptions) {
    this.#options = options;
    const labels = new Map(options.labels);
    this.#page = new ScrapedPage(this.#tracker, options.labels, options.samplesMax);
    this.#status = {
      url: shownUrl(options.url),
      job: labels.get('job') ?? '',
      instance: labels.get('instance') ?? '',
      health: 'unknown',
      lastError: '',
      lastScrapeMs: 0,
      lastDurationSeconds: 0,
      samples: 0,
    };
  }

  get status(): TargetStatus {
    return this.#status;
  }

  start(): void {
    this.#schedule(this.#options.offsetMs % Math.min(firstDelayMsMax, this.#options.intervalMs));
  }

  /** Ends the scrape that is under way and all series of the target. Their stale markers are queued when it resolves. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#abort.abort();
    await this.#scraping;
    this.#tracker.begin(this.#nextTimestampMs());
    this.#push();
  }

  #schedule(delayMs: number): void {
    if (this.#abort.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#scraping = this.#scrape().then(() => this.#schedule(this.#delayMs()));
    }, delayMs);
  }

  /** Time until the next scrape. Skips one that is due too soon after the first, which is not at its own offset. */
  #delayMs(): number {
    const { intervalMs, offsetMs, now } = this.#options;
    const nowMs = now();
    const delayMs = intervalMs - ((((nowMs - offsetMs) % intervalMs) + intervalMs) % intervalMs);
    return nowMs + delayMs - this.#lastTimestampMs < intervalMs / 2 ? delayMs + intervalMs : delayMs;
  }

  /** Never rejects: whatever goes wrong makes the target down. */
  async #scrape(): Promise<void> {
    const timestampMs = this.#nextTimestampMs();
    const startMs = performance.now();
    let lastError = '';
    let samples = 0;
    try {
      samples = await this.#readPage();
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      lastError = this.#failure(error);
    }
    const seconds = (performance.now() - startMs) / 1000;
    this.#tracker.begin(timestampMs);
    const duplicates = lastError === '' ? this.#page.writeTo(this.#tracker) : 0;
    this.#report('scrape_series_added', this.#tracker.addedCount);
    this.#report('up', lastError === '' ? 1 : 0);
    this.#report('scrape_duration_seconds', seconds);
    this.#report('scrape_samples_scraped', samples);
    this.#report('scrape_samples_post_metric_relabeling', samples);
    this.#push();
    this.#note({ lastError, samples, duplicates, timestampMs, seconds });
  }

  /** Returns how many samples the page has. */
  async #readPage(): Promise<number> {
    const { url, timeoutMs, bodyBytesMax } = this.#options;
    this.#buffer.clear();
    const buffer = this.#buffer;
    const format = await fetchPage({ url, timeoutMs, bodyBytesMax, buffer, abort: this.#abort.signal });
    const { samples, exemplars } = this.#page.parse(buffer.page, format);
    exemplarCounter.add(exemplars);
    return samples;
  }

  #failure(error: unknown): string {
    if (error instanceof ScrapeError) return error.message;
    if (error instanceof ExpositionError) {
      return `${this.#status.url} answered with a page that is not in a metrics format: ${error.message}`;
    }
    this.#options.log.error({ url: this.#status.url, error }, 'BUG: a scrape failed in an unforeseen way');
    return errorMessage(error);
  }

  #report(metric: keyof typeof reports, value: number): void {
    const series = this.#tracker.seriesOf(sortLabels([[metricNameLabel, metric], ...this.#options.labels]));
    const [help, unit] = reports[metric];
    this.#tracker.setMetadata(series, 'gauge', help, unit);
    this.#tracker.write(series, value, Number.NaN);
  }

  #push(): void {
    const { queue, tenant, sourceId } = this.#options;
    const key = sourceKey(tenant, this.#status.job, this.#status.instance);
    const run = this.#tracker.end();
    if (run.isRenumbered) this.#page.forgetTexts();
    queue.push(renderRun(run, { tenant, key, sourceId, timestampMs: this.#lastTimestampMs }));
  }

  #note(scrape: {
    lastError: string;
    samples: number;
    duplicates: number;
    timestampMs: number;
    seconds: number;
  }): void {
    const { log, counts } = this.#options;
    const { url, job, lastError: errorBefore } = this.#status;
    const { lastError, samples } = scrape;
    const health = lastError === '' ? 'up' : 'down';
    scrapeCounter.add(1, { health });
    if (lastError !== '' && lastError !== errorBefore)
      log.warn({ url, job, reason: lastError }, 'a scrape failed');
    if (lastError === '' && errorBefore !== '') log.info({ url, job }, 'the target is up again');
    if (scrape.duplicates > 0) {
      counts.addLost('duplicate', scrape.duplicates);
      log.debug(
        { url, samples: scrape.duplicates },
        'the page has series twice: the first sample of each was kept',
      );
    }
    this.#status = {
      ...this.#status,
      health,
      lastError,
      samples,
      lastScrapeMs: scrape.timestampMs,
      lastDurationSeconds: scrape.seconds,
    };
  }

  /** The present, and later than ever before: a batch id is used once, also when the clock is set back. */
  #nextTimestampMs(): number {
    this.#lastTimestampMs = Math.max(this.#options.now(), this.#lastTimestampMs + 1);
    return this.#lastTimestampMs;
  }
}
