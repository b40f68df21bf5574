/** Repeats a step of one partition's protocol until it works, and says what it waits for. Only this partition waits. */
import { errorMessage, UnavailableError } from '#model/errors.ts';
import { abortable, Backoff, pause } from '#wire/backoff.ts';
import type { PartitionContext, PartitionPlace } from './partition-context.ts';

const backoffOptions = { firstMs: 100, maxMs: 10_000 };

export class StepRetry {
  /** '' or what the partition waits for. */
  trouble = '';
  readonly #place: PartitionPlace;
  readonly #context: Pick<PartitionContext, 'log' | 'counters'>;
  readonly #abandoned: AbortSignal;
  readonly #onFailure: () => void;

  /** `onFailure` is called before each pause. */
  constructor(
    place: PartitionPlace,
    context: Pick<PartitionContext, 'log' | 'counters'>,
    abandoned: AbortSignal,
    onFailure: () => void,
  ) {
    this.#place = place;
    this.#context = context;
    this.#abandoned = abandoned;
    this.#onFailure = onFailure;
  }

  /** Repeats what failed until it works; rejects when abandoned, and with broken invariants. */
  async insist<Result>(what: string, attempt: () => Promise<Result>): Promise<Result> {
    const signal = this.#abandoned;
    const { log, counters } = this.#context;
    const backoff = new Backoff(backoffOptions);
    for (;;) {
      signal.throwIfAborted();
      try {
        return await abortable(attempt(), signal);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof Error && error.message.startsWith('BUG:')) throw error;
        const trouble = `${what} failed: ${errorMessage(error)}`;
        if (trouble !== this.trouble) log.warn({ ...this.#place }, `${trouble}; retrying`);
        this.trouble = trouble;
        counters.add('retries');
        this.#onFailure();
        await pause(backoff.nextMs(error instanceof UnavailableError ? error.retryAfterMs : 0), signal);
      }
    }
  }
}
