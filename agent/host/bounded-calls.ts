/**
 * Asks what may never answer (a dead file server, a broken sensor) without waiting for it: a call that takes too long is
 * given up, and its key is not asked again before that call came back.
 *
 *   await calls.run('/mnt/nfs', () => statfs('/mnt/nfs'))   ->  the answer; undefined: too late, or still being asked
 *
 * Each call that hangs holds a thread of libuv's pool, which files and the store's engine need too: while stuckMax of
 * them hang, no other key is asked. Slow answers have a bound too: after budgetMs of a round no further key is asked.
 */

/** Threads that may hang at a time: the pool has four by default. */
const stuckMax = 2;

export class BoundedCalls {
  readonly #timeoutMs: number;
  readonly #budgetMs: number;
  #spentMs = 0;
  /** Keys whose last call was given up and has not come back. */
  readonly #stuck = new Set<string>();

  /** `timeoutMs` is for one call, `budgetMs` for all calls of a round. */
  constructor(timeoutMs: number, budgetMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#budgetMs = budgetMs;
  }

  /** Begins a round: its budget is whole again. */
  beginRound(): void {
    this.#spentMs = 0;
  }

  /** Rejects with what the call rejects with in time. */
  async run<Value>(key: string, call: () => Promise<Value>): Promise<Value | undefined> {
    if (this.#stuck.has(key) || this.#stuck.size >= stuckMax || this.#spentMs > this.#budgetMs)
      return undefined;
    const start = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => {
        this.#stuck.add(key);
        resolve(undefined);
      }, this.#timeoutMs);
    });
    const answer = call().finally(() => this.#stuck.delete(key));
    // Given up, nobody waits for its end any more.
    answer.catch(() => undefined);
    try {
      return await Promise.race([answer, timeout]);
    } finally {
      clearTimeout(timer);
      this.#spentMs += performance.now() - start;
    }
  }
}
