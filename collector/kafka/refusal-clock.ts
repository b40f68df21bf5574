/** For how long something has been refused without a break: by answers, as nobody who is away refuses anything. */
export class RefusalClock {
  #sinceMs = 0;
  #lastMs = Number.NEGATIVE_INFINITY;

  /** It was taken, or nobody answers. */
  clear(): void {
    this.#lastMs = Number.NEGATIVE_INFINITY;
  }

  /** It was refused now. Returns for how long that lasts; refusals that lie `breakMs` apart are not of one trouble. */
  refusedForMs(nowMs: number, breakMs: number): number {
    if (nowMs - this.#lastMs > breakMs) this.#sinceMs = nowMs;
    this.#lastMs = nowMs;
    return nowMs - this.#sinceMs;
  }
}
