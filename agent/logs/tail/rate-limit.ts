/**
 * How fast a file may grow: what exceeds the limit is noted as a range to skip, while the rest is read in full.
 *
 *   limit 100 B/s, burst 1000: a file that grows by 5000 bytes at once  ->  the last 4000 of them are skipped
 *
 * Growth counts, not reading: lines that pile up while the next station is down are no excess.
 */

export interface SkippedRange {
  from: number;
  to: number;
}

/** A container may write this many seconds' worth at once: logs come in bursts. */
const burstSeconds = 10;

/** More ranges than this are joined: what was allowed between them goes too, and is counted like them. */
const rangesMax = 64;

/** What a writer may still write, as of a time. */
interface RateBudget {
  allowance: number;
  atMs: number;
}

export class RateLimit {
  readonly bytesPerSecond: number;
  readonly #budget: RateBudget;
  readonly #ranges: SkippedRange[] = [];

  constructor(
    bytesPerSecond: number,
    nowMs: number,
    budget: RateBudget = { allowance: bytesPerSecond * burstSeconds, atMs: nowMs },
  ) {
    this.bytesPerSecond = bytesPerSecond;
    this.#budget = budget;
  }

  /** The limit of another file of the same writer: they share what may be written. */
  successor(): RateLimit {
    return new RateLimit(this.bytesPerSecond, this.#budget.atMs, this.#budget);
  }

  /** The file grew from one size to another, and was looked at before at the time of the last call. */
  grow(from: number, to: number, nowMs: number): void {
    const budget = this.#budget;
    const earned = ((nowMs - budget.atMs) / 1000) * this.bytesPerSecond;
    budget.atMs = nowMs;
    budget.allowance = Math.min(this.bytesPerSecond * burstSeconds, budget.allowance + Math.max(0, earned));
    const allowed = Math.min(to - from, Math.floor(budget.allowance));
    budget.allowance -= allowed;
    if (from + allowed < to) this.#skip(from + allowed, to);
  }

  /** The first range that ends behind `offset`; undefined: all from there on is read. */
  next(offset: number): SkippedRange | undefined {
    while (this.#ranges.length > 0 && this.#ranges[0]!.to <= offset) this.#ranges.shift();
    return this.#ranges[0];
  }

  #skip(from: number, to: number): void {
    const last = this.#ranges.at(-1);
    if (last !== undefined && (last.to >= from || this.#ranges.length >= rangesMax)) last.to = to;
    else this.#ranges.push({ from, to });
  }
}
