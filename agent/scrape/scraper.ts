/**
 * Scrapes Prometheus targets: targets with their settings come in, remote write envelopes go to the transport.
 *
 *   const scraper = startScraper({ targets: [{ url: 'http://127.0.0.1:9100/metrics', labels, settings, ... }], ... })
 *   scraper.setTargets([])  ->  its series end with stale markers
 *
 * Targets are spread over the interval by a hash of what they are, so that agents and restarts keep the same times.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { ConfigError } from '#model/errors.ts';
import type { Transport } from '#wire/envelope.ts';
import { TargetClients } from './http/target-client.ts';
import type { ListedFamilies } from './metric-families.ts';
import { PageBuffers } from './page-buffer.ts';
import { queueBytesMaxDefault, SampleCounts, type SampleLoss, SampleQueue } from './sample-queue.ts';
import type { ResolvedTarget } from './scrape-settings.ts';
import { TargetLoop, type TargetStatus } from './target-loop.ts';

export interface ScraperOptions {
  readonly targets: readonly ResolvedTarget[];
  /** Of all scrapes that wait for the transport. */
  readonly queueBytesMax?: number;
  /** Also report scrape_timeout_seconds, scrape_sample_limit and scrape_body_size_bytes. */
  readonly hasExtraMetrics?: boolean;
  readonly transport: Transport;
  readonly tenant: string;
  /** The variables of the process, which may name proxies. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now?: () => number;
}

export interface Scraper {
  /**
   * Replaces the targets: new ones start, absent ones end with stale markers, the others go on, with their new settings
   * where these have changed. Throws ConfigError, and changes nothing, where a URL is not http or https.
   */
  setTargets(targets: readonly ResolvedTarget[]): void;
  status(): readonly TargetStatus[];
  /** What is known of one target; undefined where it is not scraped. */
  statusOf(target: ResolvedTarget): TargetStatus | undefined;
  /** What one target says about its metrics; undefined where it is not scraped. */
  familiesOf(target: ResolvedTarget): ListedFamilies | undefined;
  /** Samples sent and lost since the start. */
  counts(): { readonly sent: number; readonly lost: Readonly<Record<SampleLoss, number>> };
  /** Ends all series, and gives the transport `drainMs` for what waits; what is left then is counted as lost. */
  stop(options?: { drainMs?: number }): Promise<void>;
}

const drainMsDefault = 5_000;
/** Targets of one agent: each holds its last page's series in memory. Discovery beyond it is a mistake. */
export const targetsMax = 10_000;

/** Starts scraping. Throws ConfigError on a target whose URL is not http or https. */
export function startScraper(options: ScraperOptions): Scraper {
  return new TargetSet(options);
}

interface RunningTarget {
  readonly loop: TargetLoop;
  readonly queue: SampleQueue;
}

class TargetSet implements Scraper {
  readonly #options: ScraperOptions;
  readonly #counts = new SampleCounts();
  readonly #clients: TargetClients;
  readonly #buffers = new PageBuffers();
  readonly #abort = new AbortController();
  readonly #budget: { bytes: number; readonly bytesMax: number };
  /** Batch ids of another start of this agent are never the same. */
  readonly #startId = randomUUID();
  #startedLoops = 0;
  #isStopping = false;
  #running = new Map<string, RunningTarget>();
  /** Of targets that were removed: their last envelopes are under way. */
  readonly #ending = new Set<Promise<void>>();

  constructor(options: ScraperOptions) {
    this.#options = options;
    this.#clients = new TargetClients(options.environment ?? {});
    this.#budget = { bytes: 0, bytesMax: options.queueBytesMax ?? queueBytesMaxDefault };
    this.setTargets(options.targets);
  }

  setTargets(targets: readonly ResolvedTarget[]): void {
    if (this.#isStopping) return;
    const { log } = this.#options;
    const wanted = new Map<string, ResolvedTarget>();
    for (const target of targets.slice(0, targetsMax)) {
      checkUrl(target);
      wanted.set(targetIdentity(target), target);
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
    for (const [identity, target] of wanted) {
      const running = this.#running.get(identity);
      if (running) running.loop.update(target);
      else this.#running.set(identity, this.#startLoop(identity, target));
    }
  }

  status(): readonly TargetStatus[] {
    return [...this.#running.values()].map(({ loop }) => loop.status);
  }

  statusOf(target: ResolvedTarget): TargetStatus | undefined {
    return this.#running.get(targetIdentity(target))?.loop.status;
  }

  familiesOf(target: ResolvedTarget): ListedFamilies | undefined {
    return this.#running.get(targetIdentity(target))?.loop.families;
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

  #startLoop(identity: string, target: ResolvedTarget): RunningTarget {
    const { transport, tenant, log, now = Date.now, hasExtraMetrics = false } = this.#options;
    const queue = new SampleQueue({
      transport,
      budget: this.#budget,
      counts: this.#counts,
      abort: this.#abort.signal,
      log,
      source: new URL(target.url).host,
    });
    const loop = new TargetLoop({
      target,
      phase: scrapePhase(identity),
      hasExtraMetrics,
      tenant,
      sourceId: `scrape/${this.#startId}/${this.#startedLoops++}`,
      queue,
      counts: this.#counts,
      clients: this.#clients,
      buffers: this.#buffers,
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

/** Returns when within each interval a target is scraped, from 0 to below 1: the same on every start. */
export function scrapePhase(identity: string): number {
  return createHash('sha256').update(identity).digest().readUInt32LE(0) / 2 ** 32;
}

/** Two targets with the same identity are one, whatever their settings. */
export function targetIdentity({ url, labels, scrapePool }: ResolvedTarget): string {
  return JSON.stringify([scrapePool, url, labels]);
}

function checkUrl({ url, scrapePool }: ResolvedTarget): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:') {
    throw new ConfigError(
      `a scrape target of ${JSON.stringify(scrapePool)} is not an http:// or https:// URL: ${JSON.stringify(url)}`,
    );
  }
}
