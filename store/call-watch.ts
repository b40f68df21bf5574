/**
 * Watches one running call for its caller's abort and for its deadline. When either comes the engine is told to
 * stop, and the caller need not wait for it: `stopped` rejects at once.
 */
import { cancelledError, timeoutError } from './clickhouse-error.ts';
import type { StoreError } from './store.ts';

export interface CallWatchOptions {
  /** For messages: "insert into logs". */
  readonly what: string;
  readonly abort: AbortSignal | undefined;
  readonly timeoutMs: number;
  /** The engine ends by itself at timeoutMs, between two blocks; this much later it is killed. */
  readonly graceMs: number;
  /** Makes the engine stop the call. Must not throw. */
  readonly kill: () => void;
}

export class CallWatch {
  /** Never resolves. */
  readonly stopped: Promise<never>;
  readonly #options: CallWatchOptions;
  readonly #reject: (error: StoreError) => void;
  readonly #timer: NodeJS.Timeout;
  #stoppedBy: StoreError | undefined;

  constructor(options: CallWatchOptions) {
    this.#options = options;
    const { promise, reject } = Promise.withResolvers<never>();
    // Whoever does not race with it asks stoppedBy() instead.
    promise.catch(() => undefined);
    this.stopped = promise;
    this.#reject = reject;
    options.abort?.addEventListener('abort', this.#onAbort, { once: true });
    this.#timer = setTimeout(
      () => this.#stop(timeoutError(options.what, options.timeoutMs)),
      options.timeoutMs + options.graceMs,
    );
  }

  stoppedBy(): StoreError | undefined {
    return this.#stoppedBy;
  }

  throwIfStopped(): void {
    if (this.#stoppedBy !== undefined) throw this.#stoppedBy;
  }

  /** Must be called when the call has ended, however it did. */
  end(): void {
    clearTimeout(this.#timer);
    this.#options.abort?.removeEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = (): void => {
    this.#stop(cancelledError(this.#options.what, this.#options.abort?.reason));
  };

  #stop(error: StoreError): void {
    if (this.#stoppedBy !== undefined) return;
    this.#stoppedBy = error;
    this.#options.kill();
    this.#reject(error);
  }
}
