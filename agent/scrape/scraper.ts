/**
 * Scrapes Prometheus targets: a list of URLs comes in, remote write envelopes go to the transport.
 *
 *   const scraper = startScraper({ targets: [{ url: 'http://127.0.0.1:9100/metrics', job: 'node' }], ... })
 *   scraper.setTargets([])  ->  its series end with stale markers
 *
 * Targets are spread over the interval by a hash of what they are, so that agents and restarts keep the same times.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { ConfigError } from '#model/errors.ts';
import { type Labels, sortLabels } from '#model/labels.ts';
import type { Transport } from '#wire/envelope.ts';
import { queueBytesMaxDefault, SampleCounts, type SampleLoss, SampleQueue } from './sample-queue.ts';
import { TargetLoop, type TargetStatus } from './target-loop.ts';

export interface ScrapeTarget {
  readonly url: string;
  readonly job: string;
  /** Added to each of the target's series. `instance` here replaces the host and port of the URL. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface ScraperOptions {
  readonly targets: readonly ScrapeTarget[];
  readonly intervalMs?: number;
  /** Of one scrape; more than the interval counts as the interval. */
  readonly timeoutMs?: number;
  /** Of one page after decompression. */
  readonly bodyBytesMax?: number;
  /** Of one page: with more samples the scrape fails. */
  readonly sampleLimit?: number;
  /** Of all scrapes that wait for the transport. */
  readonly queueBytesMax?: number;
  readonly transport: Transport;
  readonly tenant: string;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now?: () => number;
}

export interface Scraper {
  /** Replaces the targets: new ones start, absent ones end with stale markers, the others go on undisturbed.
   * Throws ConfigError, and changes nothing, where a URL is not http or https. */
  setTargets(targets: readonly ScrapeTarget[]): void;
  status(): readonly TargetStatus[];
  /** Samples sent and lost since the start. */
  counts(): { readonly sent: number; readonly lost: Readonly<Record<SampleLoss, number>> };
  /** Ends all series, and gives the transport `drainMs` for what waits; what is left then is counted as lost. */
  stop(options?: { drainMs?: number }): Promise<void>;
}

const intervalMsDefault = 15_000;
const timeoutMsDefault = 10_000;
const bodyBytesMaxDefault = 64 * 1024 * 1024;
const sampleLimitDefault = 1_000_000;
const drainMsDefault = 5_000;
/** Targets of one agent: each holds its last page's series in memory. Discovery beyond it is a mistake in a glob. */
export const targetsMax = 5_000;

/** Starts scraping. Throws ConfigError on a target whose URL is not http or https. */
export function startScraper(options: ScraperOptions): Scraper {
  return new TargetSet(options);
}

interface KnownTarget {
  readonly target: ScrapeTarget;
  readonly url: URL;
}

class TargetSet implements Scraper {
  readonly #options: ScraperOptions;
  readonly #counts = new SampleCounts();
  readonly #abort = new AbortController();
  readonly #budget: { bytes: number; readonly bytesMax: number };
  /** Batch ids of another start of this agent are never the same. */
  readonly #startId = randomUUID();
  #startedLoops = 0;
  #isStopping = false;
  #running = new Map<string, { loop: TargetLoop; queue: SampleQueue }>();
  /** Of targets that were removed: their last envelopes are under way. */
  readonly #ending = new Set<Promise<void>>();

  constructor(options: ScraperOptions) {
    this.#options = options;
    this.#budget = { bytes: 0, bytesMax: options.queueBytesMax ?? queueBytesMaxDefault };
    this.setTargets(options.targets);
  }

  setTargets(targets: readonly ScrapeTarget[]): void {
    if (this.#isStopping) return;
    const { log } = this.#options;
    const wanted = new Map<string, KnownTarget>();
    for (const target of targets.slice(0, targetsMax)) {
      wanted.set(targetIdentity(target), { target, url: targetUrl(target) });
    }
    if (targets.length > targetsMax) {
      log.warn({ targets: targets.length, limit: targetsMax }, 'too many targets: the rest is not scraped');
    }
    for (const [identity, { loop, queue }] of this.#running) {
      if (wanted.has(identity)) continue;
      this.#running.delete(identity);
      log.info({ url: loop.status.url, job: loop.status.job }, 'a target is gone');
      const ending: Promise<void> = endLoop(loop, queue).finally(() => this.#ending.delete(ending));
      this.#ending.add(ending);
    }
    for (const [identity, known] of wanted) {
      if (!this.#running.has(identity)) this.#running.set(identity, this.#startLoop(identity, known));
    }
  }

  status(): readonly TargetStatus[] {
    return [...this.#running.values()].map(({ loop }) => loop.status);
  }

  counts(): { sent: number; lost: Readonly<Record<SampleLoss, number>> } {
    return { sent: this.#counts.sent, lost: { ...this.#counts.lost } };
  }

  async stop({ drainMs = drainMsDefault }: { drainMs?: number } = {}): Promise<void> {
    this.#isStopping = true;
    const timer = setTimeout(() => this.#abort.abort(new Error('the agent stops')), drainMs);
    const running = [...this.#running.values()];
    this.#running = new Map();
    await Promise.all([...this.#ending, ...running.map(({ loop, queue }) => endLoop(loop, queue))]);
    clearTimeout(timer);
    this.#abort.abort(new Error('the agent stops'));
  }

  #startLoop(identity: string, { target, url }: KnownTarget): { loop: TargetLoop; queue: SampleQueue } {
    const { transport, tenant, log, now = Date.now, intervalMs = intervalMsDefault } = this.#options;
    const queue = new SampleQueue({
      transport,
      budget: this.#budget,
      counts: this.#counts,
      abort: this.#abort.signal,
      log,
      source: url.host,
    });
    const loop = new TargetLoop({
      url,
      labels: targetLabels(target, url),
      offsetMs: scrapeOffsetMs(identity, intervalMs),
      intervalMs,
      timeoutMs: Math.min(this.#options.timeoutMs ?? timeoutMsDefault, intervalMs),
      bodyBytesMax: this.#options.bodyBytesMax ?? bodyBytesMaxDefault,
      samplesMax: this.#options.sampleLimit ?? sampleLimitDefault,
      tenant,
      sourceId: `scrape/${this.#startId}/${this.#startedLoops++}`,
      queue,
      counts: this.#counts,
      log,
      now,
    });
    loop.start();
    return { loop, queue };
  }
}

async function endLoop(loop: TargetLoop, queue: SampleQueue): Promise<void> {
  await loop.stop();
  await queue.idle();
}

/** Returns the time after each multiple of intervalMs at which a target is scraped: the same on every start. */
export function scrapeOffsetMs(identity: string, intervalMs: number): number {
  return createHash('sha256').update(identity).digest().readUInt32LE(0) % intervalMs;
}

/** Two targets with the same identity are one. */
export function targetIdentity({ url, job, labels }: ScrapeTarget): string {
  return JSON.stringify([url, job, sortLabels(Object.entries(labels ?? {}))]);
}

function targetUrl({ url }: ScrapeTarget): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:') {
    throw new ConfigError(`a scrape target is not an http:// or https:// URL: ${JSON.stringify(url)}`);
  }
  return parsed;
}

/** Labels that start with __ steer the discovery of a target and are not its own. */
function targetLabels({ job, labels }: ScrapeTarget, url: URL): Labels {
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  const own = Object.entries(labels ?? {}).filter(([name]) => !name.startsWith('__'));
  return sortLabels(new Map([['job', job], ['instance', `${url.hostname}:${port}`], ...own]));
}
