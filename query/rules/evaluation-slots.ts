/** At most `slotCount` evaluations at a time; the others wait in the order in which they came. */
export class EvaluationSlots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(slotCount: number) {
    this.#free = slotCount;
  }

  /** Runs `work` when a slot is free, and returns what it returns. */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
