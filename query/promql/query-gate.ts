/** Lets a bounded number of queries run at once; the others wait their turn. */
export class QueryGate {
  readonly #runningMax: number;
  #runningCount = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(runningMax: number) {
    this.#runningMax = runningMax;
  }

  /** Runs `work` when there is room. Rejects with the abort's reason where that comes first. */
  async run<Result>(abort: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    await this.#enter(abort);
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #enter(abort: AbortSignal): Promise<void> {
    abort.throwIfAborted();
    if (this.#runningCount < this.#runningMax) {
      this.#runningCount++;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const start = () => {
        abort.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(start), 1);
        reject(abort.reason);
      };
      abort.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(start);
    });
  }

  /** Hands the place to who waited longest. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#runningCount--;
    else next();
  }
}
