/** Lets at most `runningMax` calls run at a time; others wait in the order in which they came. */
export class ConcurrencyLimit {
  readonly #runningMax: number;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  constructor(runningMax: number) {
    this.#runningMax = runningMax;
  }

  /** Settles as `call` does. Rejects with the reason of `abort` where that fires before its turn has come. */
  async run<T>(call: () => Promise<T>, abort?: AbortSignal): Promise<T> {
    // Whoever ends hands its turn over, so that nobody who comes meanwhile can take it.
    if (this.#running < this.#runningMax) this.#running++;
    else await this.#turn(abort);
    try {
      return await call();
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#running--;
      else {
        this.#waiting.delete(next);
        next();
      }
    }
  }

  async #turn(abort: AbortSignal | undefined): Promise<void> {
    abort?.throwIfAborted();
    const turn = Promise.withResolvers<void>();
    const leave = (): void => {
      // A turn that was given already is used, or it would be lost.
      if (this.#waiting.delete(turn.resolve)) turn.reject(abort?.reason);
    };
    this.#waiting.add(turn.resolve);
    abort?.addEventListener('abort', leave);
    await turn.promise.finally(() => abort?.removeEventListener('abort', leave));
  }
}
