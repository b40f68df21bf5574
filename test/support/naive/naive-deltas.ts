/** Delta points as cumulative ones, the obvious way: a map from series to total and time, and rules one by one. */
interface State {
  total: number;
  lastMs: number;
  startMs: number;
}

/** What the series of a point are then. */
export interface NaiveTotals {
  readonly totals: readonly number[];
  /** Since when they count: the start of the point that they began with. */
  readonly startMs: number;
}

/** One series of a point: what tells it apart, and by how much it grows. */
export interface NaiveDelta {
  readonly series: string;
  readonly delta: number;
}

export class NaiveDeltas {
  readonly #states = new Map<string, State>();
  readonly #staleMs: number;

  constructor(staleMs: number) {
    this.#staleMs = staleMs;
  }

  /** Returns the totals of a point's series, or undefined where the point is not added. The first series is judged. */
  add(
    deltas: readonly NaiveDelta[],
    startMs: number,
    unixMs: number,
    isMonotonic: boolean,
  ): NaiveTotals | undefined {
    if (deltas.some(({ delta }) => !Number.isFinite(delta) || (isMonotonic && delta < 0))) return undefined;
    const first = this.#states.get(deltas[0]!.series);
    if (first !== undefined && unixMs <= first.lastMs) return undefined;
    if (first !== undefined && startMs !== 0 && startMs < first.lastMs) return undefined;
    // A long interval is no silence, but is not believed to be longer than a silence may be.
    const beganMs = startMs === 0 ? unixMs : Math.max(startMs, unixMs - this.#staleMs);
    const goesOn = deltas.every(({ series }) => {
      const state = this.#states.get(series);
      return state !== undefined && state.lastMs === first?.lastMs && beganMs - state.lastMs <= this.#staleMs;
    });
    const beganAt = goesOn ? first!.startMs : startMs;
    const totals = deltas.map(({ series, delta }) => {
      const total = goesOn ? this.#states.get(series)!.total + delta : delta;
      this.#states.set(series, { total, lastMs: unixMs, startMs: beganAt });
      return total;
    });
    return { totals, startMs: beganAt };
  }
}
