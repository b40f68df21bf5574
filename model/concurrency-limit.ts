/** Lets at most `runningMax` calls run at a time; others wait in the order in which they came. */
export class ConcurrencyLimit {
  readonly #runningMax: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(runningMax: number) {
    this.#runningMax = runningMax;
  }

  /** Settles as `call` does. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    // Whoever ends hands its turn over, so that nobody who comes meanwhile can take it.
    if (this.#running < this.#runningMax) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await call();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
