/**
 * The totals that requests are to come with, while they are gathered from memory and store. Those of histograms share a
 * bound: a small request may need large ones.
 */
import { UnavailableError } from '#model/errors.ts';
import { type DeltaNeeds, type DeltaTotals, newTotals } from './delta-totals.ts';

/**
 * Numbers that the totals of one request's histograms may have. Of 160 buckets each, that many are some hundred thousand
 * histograms: more series than the points of any honest request. Requests that come together are taken apart for it.
 */
export const gatheredCellsMaxDefault = 16 * 1024 * 1024;

/** Numbers that all requests under way hold together: their own bytes, which are bounded elsewhere, say nothing of it. */
export class CellPool {
  readonly #cellsMax: number;
  #held = 0;

  constructor(cellsMax: number) {
    this.#cellsMax = cellsMax;
  }

  /** Throws UnavailableError where there is no more room. */
  take(count: number): void {
    if (this.#held + count > this.#cellsMax) {
      throw new UnavailableError('totals of delta histograms take too much memory: come again');
    }
    this.#held += count;
  }

  give(count: number): void {
    this.#held -= count;
  }
}

/** What is left of the bound. */
export class CellBudget {
  readonly #pool: CellPool;
  #left: number;
  #taken = 0;

  /** Of the pool, which holds what others have as well; without one there are no others. */
  constructor(cellsMax: number, pool = new CellPool(Number.POSITIVE_INFINITY)) {
    this.#left = cellsMax;
    this.#pool = pool;
  }

  get isSpent(): boolean {
    return this.#left < 0;
  }

  /** Returns false where there is no more room, from then on. Throws UnavailableError where others have it. */
  take(count: number): boolean {
    if (!this.isSpent) this.#left -= count;
    if (this.isSpent) return false;
    this.#pool.take(count);
    this.#taken += count;
    return true;
  }

  /** Nobody holds what was taken any more. */
  release(): void {
    this.#pool.give(this.#taken);
    this.#taken = 0;
  }
}

export class GatheredTotals {
  readonly #totals: DeltaTotals;
  readonly #budget: CellBudget;
  readonly #histograms: Float64Array[] = [];
  #cellCount = 0;

  constructor(needs: DeltaNeeds, budget: CellBudget) {
    this.#totals = newTotals(needs);
    this.#budget = budget;
  }

  get ids(): Int32Array {
    return this.#totals.ids;
  }

  setNumber(index: number, total: number, lastMs: number, startMs: number): void {
    this.#totals.totals[index] = total;
    this.#totals.lastMs[index] = lastMs;
    this.#totals.startMs[index] = startMs;
  }

  /** `cells` are copied; empty where only stale markers are there. Beyond the bound the total is left out. */
  setHistogram(index: number, cells: Float64Array, lastMs: number, startMs: number): void {
    if (!this.#budget.take(cells.length)) {
      this.withhold(index);
      return;
    }
    this.setNumber(index, cells.length === 0 ? 0 : this.#cellCount + 1, lastMs, startMs);
    this.#histograms.push(cells.slice());
    this.#cellCount += cells.length;
  }

  /** The points of the series are refused then. */
  withhold(index: number): void {
    this.setNumber(index, 0, Number.POSITIVE_INFINITY, 0);
  }

  finish(): DeltaTotals {
    const histograms = new Float64Array(this.#cellCount);
    let at = 0;
    for (const cells of this.#histograms) {
      histograms.set(cells, at);
      at += cells.length;
    }
    return { ...this.#totals, histograms };
  }
}
