/**
 * Pauses between retries: each doubles the last, up to a cap, and a random half keeps many senders from coming back
 * in step.
 *
 *   new Backoff({ firstMs: 100, maxMs: 10_000 })  .nextMs() -> 50..100, then 100..200, ... 5000..10000
 */
import { setTimeout as delay } from 'node:timers/promises';

export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  /** Returns [0, 1). */
  readonly random?: () => number;
}

export class Backoff {
  readonly #firstMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #ceilingMs: number;

  constructor({ firstMs, maxMs, random = Math.random }: BackoffOptions) {
    this.#firstMs = firstMs;
    this.#maxMs = maxMs;
    this.#random = random;
    this.#ceilingMs = firstMs;
  }

  /** Returns how long to wait now; at least `leastMs`, which is what the other side asked for, where it did. */
  nextMs(leastMs = 0): number {
    const pauseMs = this.#ceilingMs * (0.5 + this.#random() / 2);
    this.#ceilingMs = Math.min(this.#ceilingMs * 2, this.#maxMs);
    return Math.max(pauseMs, leastMs);
  }

  /** Must be called after a success: the next failure starts small again. */
  reset(): void {
    this.#ceilingMs = this.#firstMs;
  }
}

/** Waits; rejects with the abort reason when `abort` fires first. */
export async function pause(ms: number, abort?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, abort === undefined ? {} : { signal: abort });
  } catch (error) {
    throw abort?.aborted ? abort.reason : error;
  }
}

/** Waits for the promise, or rejects with the abort reason: then the promise goes on, and its outcome is ignored. */
export async function abortable<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    promise.catch(() => undefined);
  }
}
