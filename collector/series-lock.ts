/**
 * Locks on many series at once. Each key has a queue, a request stands in the queues of all its keys from the moment it
 * asks, and it is admitted when it is the first in every one of them.
 *
 *   a: 1, 2   b: 2, 3   c: 3   d: 4   ->  a and d hold theirs; b waits for a, and c for b
 *
 * A request takes its places in one step, so whoever it waits for asked before it: nobody waits in a circle, and nobody
 * is overtaken. A queue is kept as its last place and as what each request is followed by: acquire and release take time
 * in the number of the request's own keys, however many wait. Whoever waits cannot give up; what has no holder and no
 * waiter is forgotten.
 */
interface Place {
  /** Who must release before this one is admitted. */
  aheadCount: number;
  /** Those directly behind in some queue, each once. */
  readonly behind: Place[];
  readonly admit: () => void;
}

export class SeriesLock {
  /** The end of each key's queue. */
  readonly #last = new Map<number, Place>();

  /** Keys that are held or waited for. */
  get keyCount(): number {
    return this.#last.size;
  }

  /**
   * Resolves with what gives the keys back; calling that again does nothing. A key may come several times; `keys` must
   * not change until then.
   */
  async acquire(keys: Float64Array): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const place: Place = { aheadCount: 0, behind: [], admit: resolve };
    for (const key of keys) {
      const ahead = this.#last.get(key);
      if (ahead === place) continue;
      this.#last.set(key, place);
      if (ahead === undefined || ahead.behind.at(-1) === place) continue;
      ahead.behind.push(place);
      place.aheadCount++;
    }
    if (place.aheadCount > 0) await promise;
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      this.#release(keys, place);
    };
  }

  #release(keys: Float64Array, place: Place): void {
    for (const key of keys) if (this.#last.get(key) === place) this.#last.delete(key);
    for (const next of place.behind) if (--next.aheadCount === 0) next.admit();
  }
}
