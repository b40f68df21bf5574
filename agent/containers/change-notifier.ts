/**
 * Tells listeners that something has changed, once for all changes within a short time: a node that starts hundreds of
 * pods does not make the log agent look at all of its files hundreds of times.
 */

/** Long enough to gather the events of one rollout step, short against the time that a file is looked for. */
const quietMsDefault = 200;
/** The log agent and container metrics listen; more is a leak. */
const listenersMax = 16;

export class ChangeNotifier {
  readonly #quietMs: number;
  readonly #listeners: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(quietMs = quietMsDefault) {
    this.#quietMs = quietMs;
  }

  onChange(listener: () => void): void {
    if (this.#listeners.length === listenersMax)
      throw new Error('BUG: listeners are added and never removed');
    this.#listeners.push(listener);
  }

  /** Listeners are called `quietMs` after the first of the changes that they have not heard of. */
  notify(): void {
    if (this.#timer !== undefined || this.#listeners.length === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      for (const listener of this.#listeners) listener();
    }, this.#quietMs);
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#listeners.length = 0;
  }
}
