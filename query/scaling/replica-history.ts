/**
 * What the recommender remembers of one workload: its recommendations and how its replicas changed. Bounded by the
 * longest windows that a definition may ask for.
 */

/** autoscaling/v2 allows no longer ones. */
const stabilizationWindowMsMax = 3_600_000;
const policyPeriodMsMax = 1_800_000;
/** One per evaluation, and evaluations are a second apart or more. */
const recommendationsMax = 3600;
/** An asker whose replica counts jump with every request must not fill the memory. */
const changesMax = 2000;

interface Entry {
  readonly timeMs: number;
  readonly count: number;
}

export class ReplicaHistory {
  #recommendations: Entry[] = [];
  /** Positive for replicas added, negative for replicas removed. */
  #changes: Entry[] = [];
  #current: number | undefined;
  #observedAtMs = 0;

  /** What the workload was last said to have. */
  get currentReplicas(): number | undefined {
    return this.#current;
  }

  /**
   * Notes how many replicas there are. A difference is a change that was made when the last answer was given: whoever
   * asks acts on the answer at once, and shows its effect with its next question.
   */
  observe(currentReplicas: number, nowMs: number): void {
    const change = currentReplicas - (this.#current ?? currentReplicas);
    const timeMs = this.#observedAtMs;
    this.#current = currentReplicas;
    this.#observedAtMs = nowMs;
    if (change === 0) return;
    this.#changes = this.#changes
      .filter((entry) => entry.timeMs > timeMs - policyPeriodMsMax)
      .slice(1 - changesMax);
    this.#changes.push({ timeMs, count: change });
  }

  /** Notes what was asked for before stabilisation; the last one of the same time counts. */
  recommend(replicas: number, timeMs: number): void {
    if (this.#recommendations.at(-1)?.timeMs === timeMs) this.#recommendations.pop();
    this.#recommendations = this.#recommendations
      .filter((entry) => entry.timeMs > timeMs - stabilizationWindowMsMax)
      .slice(1 - recommendationsMax);
    this.#recommendations.push({ timeMs, count: replicas });
  }

  recommendationsSince(timeMs: number): number[] {
    return this.#recommendations.filter((entry) => entry.timeMs > timeMs).map((entry) => entry.count);
  }

  /** Replicas added minus replicas removed since. */
  changeSince(timeMs: number): number {
    let sum = 0;
    for (const entry of this.#changes) if (entry.timeMs > timeMs) sum += entry.count;
    return sum;
  }
}
