/**
 * Locks on many keys at once: keys share 4096 stripes, and a holder has all of its stripes or waits for all of them, so
 * that no two wait for each other. Whoever came first goes first where both want a stripe.
 */
const stripeCount = 4096;

interface Waiter {
  readonly stripes: readonly number[];
  readonly admit: () => void;
}

export class StripeLock {
  readonly #isHeld = new Uint8Array(stripeCount);
  #waiting: Waiter[] = [];

  /** Resolves with what gives the keys back. `keys` are any integers; their low bits choose the stripe. */
  async acquire(keys: Iterable<number>): Promise<() => void> {
    const stripes = new Set<number>();
    for (const key of keys) stripes.add(key & (stripeCount - 1));
    const waiter = { stripes: [...stripes] };
    await new Promise<void>((admit) => {
      this.#waiting.push({ ...waiter, admit });
      this.#admitAll();
    });
    return () => {
      for (const stripe of waiter.stripes) this.#isHeld[stripe] = 0;
      this.#admitAll();
    };
  }

  #admitAll(): void {
    const isTaken = this.#isHeld.slice();
    this.#waiting = this.#waiting.filter(({ stripes, admit }) => {
      const isFree = stripes.every((stripe) => isTaken[stripe] === 0);
      for (const stripe of stripes) {
        // Of who waits, too: a later one must not overtake.
        isTaken[stripe] = 1;
        if (isFree) this.#isHeld[stripe] = 1;
      }
      if (isFree) admit();
      return !isFree;
    });
  }
}
