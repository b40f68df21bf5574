/**
 * A rate over windows of ten seconds that begin at multiples of ten seconds of the log's time, so that what is allowed is
 * a function of the log: whoever reads it again from before a window allows the same.
 *
 *   new RateMeter(35)  allows 350 in each window, and of the last trace as much as it has
 */
export const rateWindowMs = 10_000;

export class RateMeter {
  readonly #budget: number;
  #window = Number.NEGATIVE_INFINITY;
  #used = 0;

  constructor(perSecond: number) {
    this.#budget = (perSecond * rateWindowMs) / 1000;
  }

  /** Returns whether there is something left, and then takes `count`, if need be more than is left. */
  take(count: number, nowMs: number): boolean {
    const window = Math.floor(nowMs / rateWindowMs);
    if (window !== this.#window) {
      this.#window = window;
      this.#used = 0;
    }
    if (this.#used >= this.#budget) return false;
    this.#used += count;
    return true;
  }
}
