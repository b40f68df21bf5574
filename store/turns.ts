/**
 * Lets one work at a time change what samples are stored: a compaction that has read rows would otherwise write back what
 * is deleted meanwhile. Holds within a process; first come, first served.
 */
import type { Store } from './store.ts';

export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  run<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work);
    // Whoever comes next waits for the end, not for success; the failure is its owner's.
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

const turns = new WeakMap<Store, Turns>();

/** The same for everybody who has the store. */
export function turnsOf(store: Store): Turns {
  const known = turns.get(store);
  if (known !== undefined) return known;
  const created = new Turns();
  turns.set(store, created);
  return created;
}
