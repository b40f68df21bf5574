/**
 * One target, scraped again and again: pages come in, envelopes go to its queue.
 *
 * Each scrape, failed or not, makes one run: the page's samples (none where it failed), `up` and the other report series,
 * and stale markers for what is gone. stop() ends all series of the target.
 */
import { metrics } from '@opentelemetry/api';
import type { Logger } from 'pino';
import { errorMessage } from '#model/errors.ts';
import { type Labels, labelValue } from '#model/labels.ts';
import { ExpositionError } from './exposition-error.ts';
import { shownUrl, type TargetClient, type TargetClients } from './http/target-client.ts';
import type { ListedFamilies } from './metric-families.ts';
import type { PageBuffers } from './page-buffer.ts';
import { fetchPage, PageTooLargeError } from './page-fetch.ts';
import { renderRun, sourceKey } from './run-envelopes.ts';
import type { SampleCounts, SampleQueue } from './sample-queue.ts';
import { ScrapeError } from './scrape-error.ts';
import { addReportSeries, writeReport } from './scrape-reports.ts';
import type { ResolvedTarget } from './scrape-settings.ts';
import { type PageFormat, ScrapedPage } from './scraped-page.ts';
import { SeriesTracker } from './series-tracker.ts';
import type { SampleRefusals } from './write-samples.ts';

export interface TargetStatus {
  /** Without user and password. */
  readonly url: string;
  readonly scrapePool: string;
  readonly labels: Labels;
  readonly discoveredLabels: Readonly<Record<string, string>>;
  readonly job: string;
  readonly instance: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
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
  readonly target: ResolvedTarget;
  /** The scrape times of a target are so much of the interval more than a multiple of it: 0 to 1, without 1. */
  readonly phase: number;
  readonly hasExtraMetrics: boolean;
  readonly tenant: string;
  /** Unique among all agents and targets, over restarts too: batch ids are made of it. */
  readonly sourceId: string;
  readonly queue: SampleQueue;
  readonly counts: SampleCounts;
  readonly clients: TargetClients;
  readonly buffers: PageBuffers;
  readonly log: Logger;
  readonly now: () => number;
}

/** The first scrapes of a start are spread over this time: a person waits for them. */
const firstDelayMsMax = 1000;

const scrapeCounter = metrics.getMeter('sonde').createCounter('sonde.scrape.scrapes', {
  description: 'Scrapes, by health of the target.',
});

/** What a scrape came to. */
interface ScrapeOutcome {
  error: string;
  samples: number;
  kept: number;
  bodyBytes: number;
}

export class TargetLoop {
  readonly #options: TargetLoopOptions;
  readonly #tracker = new SeriesTracker();
  readonly #abort = new AbortController();
  #target: ResolvedTarget;
  #url: URL;
  #client: TargetClient;
  #page: ScrapedPage;
  #timer: NodeJS.Timeout | undefined;
  #scraping: Promise<void> | undefined;
  #isScraping = false;
  #status: TargetStatus;
  #lastTimestampMs = 0;

  constructor(options: TargetLoopOptions) {
    const { target } = options;
    this.#options = options;
    this.#target = target;
    this.#url = new URL(target.url);
    this.#client = options.clients.acquire(target.settings.http);
    this.#page = this.#newPage();
    this.#status = {
      ...targetFacts(target),
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

  /** What the last pages say about their metrics. */
  get families(): ListedFamilies {
    return this.#page.families;
  }

  start(): void {
    this.#schedule(this.#offsetMs % Math.min(firstDelayMsMax, this.#target.settings.intervalMs));
  }

  /**
   * Goes on with other settings; URL and labels must be the same. What was scraped before is known still: series that the
   * new settings leave out end with stale markers.
   */
  update(target: ResolvedTarget): void {
    const { clients } = this.#options;
    const before = this.#target.settings;
    this.#target = target;
    this.#status = { ...this.#status, ...targetFacts(target) };
    if (isSameSettings(before, target.settings)) return;
    this.#client = clients.acquire(target.settings.http);
    clients.release(before.http);
    this.#page = this.#newPage();
    if (this.#isScraping || this.#lastTimestampMs === 0) return;
    clearTimeout(this.#timer);
    this.#schedule(this.#delayMs());
  }

  /** Ends the scrape that is under way and all series of the target. Their stale markers are queued when it resolves. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#abort.abort();
    await this.#scraping;
    this.#options.clients.release(this.#target.settings.http);
    this.#tracker.begin(this.#nextTimestampMs());
    this.#push();
  }

  get #offsetMs(): number {
    return Math.floor(this.#options.phase * this.#target.settings.intervalMs);
  }

  #newPage(): ScrapedPage {
    const { labels, settings } = this.#target;
    this.#tracker.tracksOwnTimes = settings.isTrackingTimestampsStaleness;
    return new ScrapedPage(this.#tracker, { ...settings, targetLabels: labels });
  }

  #schedule(delayMs: number): void {
    if (this.#abort.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#isScraping = true;
      this.#scraping = this.#scrape().then(() => {
        this.#isScraping = false;
        this.#schedule(this.#delayMs());
      });
    }, delayMs);
  }

  /** Time until the next scrape. Skips one that is due too soon after the first, which is not at its own offset. */
  #delayMs(): number {
    const { intervalMs } = this.#target.settings;
    const nowMs = this.#options.now();
    const delayMs = intervalMs - ((((nowMs - this.#offsetMs) % intervalMs) + intervalMs) % intervalMs);
    return nowMs + delayMs - this.#lastTimestampMs < intervalMs / 2 ? delayMs + intervalMs : delayMs;
  }

  /** Never rejects: whatever goes wrong makes the target down. */
  async #scrape(): Promise<void> {
    const { buffers, hasExtraMetrics } = this.#options;
    const timestampMs = this.#nextTimestampMs();
    const startMs = performance.now();
    const outcome: ScrapeOutcome = { error: '', samples: 0, kept: 0, bodyBytes: 0 };
    const buffer = buffers.acquire();
    try {
      const { url, client, abort } = { url: this.#url, client: this.#client, abort: this.#abort.signal };
      const { settings } = this.#target;
      const { format, statedType } = await fetchPage({ url, client, settings, buffer, abort });
      // From here to the end of the run nothing waits: all targets share the memory of a parsed page.
      this.#parse(buffer.page, format, statedType, outcome);
      // After a failure the buffer is given up: a stream that was cut off must not write into another target's page.
      buffers.release(buffer);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      outcome.error = this.#failure(error);
      if (error instanceof PageTooLargeError) outcome.bodyBytes = -1;
    }
    const seconds = (performance.now() - startMs) / 1000;
    const { settings, labels } = this.#target;
    this.#tracker.begin(timestampMs);
    const reportSeries = addReportSeries(this.#tracker, labels, hasExtraMetrics);
    const refused = outcome.error === '' ? this.#page.writeTo(this.#tracker, this.#options.now()) : undefined;
    writeReport(this.#tracker, reportSeries, {
      scrape_series_added: this.#tracker.addedCount,
      up: outcome.error === '' ? 1 : 0,
      scrape_duration_seconds: seconds,
      scrape_samples_scraped: outcome.samples,
      scrape_samples_post_metric_relabeling: outcome.kept,
      scrape_timeout_seconds: settings.timeoutMs / 1000,
      scrape_sample_limit: settings.limits.samples,
      scrape_body_size_bytes: outcome.bodyBytes,
    });
    this.#push();
    if (refused) this.#countRefused(refused);
    this.#note(outcome, timestampMs, seconds);
  }

  #countRefused(refused: SampleRefusals): void {
    const { counts, log } = this.#options;
    for (const reason of ['duplicate', 'out_of_order', 'out_of_bounds'] as const) {
      if (refused[reason] === 0) continue;
      counts.addLost(reason, refused[reason]);
      log.debug(
        { url: this.#status.url, samples: refused[reason], reason },
        'samples of a page were not taken',
      );
    }
  }

  #parse(page: Uint8Array, format: PageFormat, statedType: string, outcome: ScrapeOutcome): void {
    outcome.bodyBytes = page.length;
    try {
      const { samples, kept } = this.#page.parse(page, format);
      Object.assign(outcome, { samples, kept });
    } catch (error) {
      if (!(error instanceof ExpositionError)) throw error;
      const shown = this.#status.url;
      throw new ScrapeError(
        foreignTypes.test(statedType)
          ? `${shown} answered ${statedType}, not a metrics format: check the path`
          : `${shown} answered with a page that is not in a metrics format: ${error.message}`,
        { cause: error },
      );
    }
    if (outcome.kept > this.#page.samplesMax) {
      throw new ScrapeError(
        `${this.#status.url} answered with ${outcome.kept} samples, the limit of a scrape is ${this.#page.samplesMax}`,
      );
    }
  }

  #failure(error: unknown): string {
    if (error instanceof ScrapeError) return error.message;
    this.#options.log.error({ url: this.#status.url, error }, 'BUG: a scrape failed in an unforeseen way');
    return errorMessage(error);
  }

  #push(): void {
    const { queue, tenant, sourceId } = this.#options;
    const key = sourceKey(tenant, this.#status.job, this.#status.instance);
    const run = this.#tracker.end();
    if (run.isRenumbered) this.#page.forgetTexts();
    queue.push(renderRun(run, { tenant, key, sourceId, timestampMs: this.#lastTimestampMs }));
  }

  #note({ error, samples }: ScrapeOutcome, timestampMs: number, seconds: number): void {
    const { log } = this.#options;
    const { url, job, lastError: errorBefore } = this.#status;
    const health = error === '' ? 'up' : 'down';
    scrapeCounter.add(1, { health });
    if (error !== '' && error !== errorBefore) log.warn({ url, job, reason: error }, 'a scrape failed');
    if (error === '' && errorBefore !== '') log.info({ url, job }, 'the target is up again');
    this.#status = {
      ...this.#status,
      health,
      lastError: error,
      samples: error === '' ? samples : 0,
      lastScrapeMs: timestampMs,
      lastDurationSeconds: seconds,
    };
  }

  /** The present, and later than ever before: a batch id is used once, also when the clock is set back. */
  #nextTimestampMs(): number {
    this.#lastTimestampMs = Math.max(this.#options.now(), this.#lastTimestampMs + 1);
    return this.#lastTimestampMs;
  }
}

/** Types that are certainly something else: a page that cannot be parsed is then no metrics page at all. */
const foreignTypes =
  /^(?:text\/(?:html|css|xml|javascript)|image\/.*|application\/(?:json|.*\+json|xml|.*protobuf))$/;

function targetFacts(
  target: ResolvedTarget,
): Omit<TargetStatus, 'health' | 'lastError' | 'lastScrapeMs' | 'lastDurationSeconds' | 'samples'> {
  const { url, labels, settings, scrapePool, discoveredLabels } = target;
  const { intervalMs, timeoutMs } = settings;
  const [job, instance] = [labelValue(labels, 'job'), labelValue(labels, 'instance')];
  return {
    url: shownUrl(new URL(url)),
    scrapePool,
    labels,
    discoveredLabels,
    job,
    instance,
    intervalMs,
    timeoutMs,
  };
}

/** Whether both scrape the same: a relabel function is the same only where it is the same object. */
function isSameSettings(a: ResolvedTarget['settings'], b: ResolvedTarget['settings']): boolean {
  return a === b || (a.relabel === b.relabel && JSON.stringify(a) === JSON.stringify(b));
}
