/**
 * Sends the envelopes of one source in order, and holds few of them: what waits is bounded by scrapes and by bytes.
 *
 *   push(scrape)  ->  its envelopes are sent one after the other; while the transport is blocked, scrapes wait, and over the
 *                     bound the oldest that is not being sent is dropped and counted
 */
import { metrics } from '@opentelemetry/api';
import type { Logger } from 'pino';
import { errorMessage, RefusedError } from '#model/errors.ts';
import type { Envelope, Transport } from '#wire/envelope.ts';

export interface QueuedScrape {
  readonly envelopes: readonly QueuedEnvelope[];
}

export interface QueuedEnvelope {
  readonly envelope: Envelope;
  readonly sampleCount: number;
}

/**
 * queue_full: the transport was blocked too long. refused: the next station refused the envelope or some of it.
 * stopped: the process ended first; these may have landed. duplicate: a page had the series twice. out_of_order: a page had
 * an older time than the series had before. out_of_bounds: a page had a time that is too far in the future.
 */
export type SampleLoss =
  | 'queue_full'
  | 'refused'
  | 'stopped'
  | 'duplicate'
  | 'out_of_order'
  | 'out_of_bounds';

/** Bytes that all queues of a process share. */
export interface QueueBudget {
  bytes: number;
  readonly bytesMax: number;
}

/** Scrapes of one source that wait: ten minutes at the default interval. */
const scrapesMax = 40;
/** Default of QueueBudget.bytesMax. */
export const queueBytesMaxDefault = 64 * 1024 * 1024;

const lossCounter = metrics.getMeter('sonde').createCounter('sonde.scrape.samples.lost', {
  description: 'Samples that were scraped and not stored, by reason.',
});
const sentCounter = metrics.getMeter('sonde').createCounter('sonde.scrape.samples.sent', {
  description: 'Samples that the next station has taken durably.',
});

/** What happened to samples since the start. */
export class SampleCounts {
  sent = 0;
  readonly lost: Record<SampleLoss, number> = {
    queue_full: 0,
    refused: 0,
    stopped: 0,
    duplicate: 0,
    out_of_order: 0,
    out_of_bounds: 0,
  };

  addSent(count: number): void {
    this.sent += count;
    sentCounter.add(count);
  }

  addLost(reason: SampleLoss, count: number): void {
    this.lost[reason] += count;
    lossCounter.add(count, { reason });
  }
}

export interface SampleQueueOptions {
  readonly transport: Transport;
  readonly budget: QueueBudget;
  readonly counts: SampleCounts;
  /** Ends what is being sent and drops the rest. */
  readonly abort: AbortSignal;
  readonly log: Logger;
  /** Named in log lines. */
  readonly source: string;
}

export class SampleQueue {
  readonly #options: SampleQueueOptions;
  readonly #waiting: QueuedScrape[] = [];
  #sending: Promise<void> | undefined;

  constructor(options: SampleQueueOptions) {
    this.#options = options;
  }

  push(scrape: QueuedScrape): void {
    const { budget, counts, log, source } = this.#options;
    if (scrape.envelopes.length === 0) return;
    this.#waiting.push(scrape);
    budget.bytes += byteCount(scrape);
    while (
      this.#waiting.length > scrapesMax ||
      (budget.bytes > budget.bytesMax && this.#waiting.length > 0)
    ) {
      const oldest = this.#waiting.shift()!;
      budget.bytes -= byteCount(oldest);
      counts.addLost('queue_full', sampleCount(oldest));
      log.warn(
        { source, samples: sampleCount(oldest) },
        'the transport is blocked: dropped the oldest scrape',
      );
    }
    this.#sending ??= this.#sendAll();
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    await this.#sending;
  }

  async #sendAll(): Promise<void> {
    for (let scrape = this.#waiting.shift(); scrape; scrape = this.#waiting.shift()) {
      for (const queued of scrape.envelopes) await this.#send(queued);
      this.#options.budget.bytes -= byteCount(scrape);
    }
    this.#sending = undefined;
  }

  /** Never rejects: each failure is counted and said. */
  async #send({ envelope, sampleCount }: QueuedEnvelope): Promise<void> {
    const { transport, counts, abort, log, source } = this.#options;
    try {
      abort.throwIfAborted();
      const { rejected, reason } = await transport.send(envelope, abort);
      counts.addSent(sampleCount - rejected);
      if (rejected > 0) {
        counts.addLost('refused', rejected);
        log.warn({ source, samples: rejected, reason }, 'samples were rejected');
      }
    } catch (error) {
      if (!(error instanceof RefusedError) && !abort.aborted) {
        log.error({ source, error }, 'BUG: a transport failed with neither a refusal nor an abort');
      }
      counts.addLost(abort.aborted ? 'stopped' : 'refused', sampleCount);
      log.warn({ source, samples: sampleCount, reason: errorMessage(error) }, 'samples were not sent');
    }
  }
}

function byteCount(scrape: QueuedScrape): number {
  return scrape.envelopes.reduce((bytes, { envelope }) => bytes + envelope.bytes.length, 0);
}

function sampleCount(scrape: QueuedScrape): number {
  return scrape.envelopes.reduce((count, queued) => count + queued.sampleCount, 0);
}
