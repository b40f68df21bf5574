/**
 * Numbers the runs of a pipeline and says which of them are stored: what workers may take for known. See RunStanding.
 *
 *   run 0 is stored, run 1 is under way  ->  run 2 gets { number: 2, storedFrom: 0, storedBelow: 1 }
 */
import type { RunStanding } from './run.ts';

export class RunStandings {
  #next = 0;
  #storedFrom = 0;
  /** In the order in which they began. */
  readonly #underWay = new Set<number>();

  /** Gives a run its standing. `store` must resolve only when all of the run's blocks are durable. */
  async track<Result>(store: (standing: RunStanding) => Promise<Result>): Promise<Result> {
    const number = this.#next++;
    const [oldest = number] = this.#underWay;
    this.#underWay.add(number);
    try {
      return await store({ number, storedFrom: this.#storedFrom, storedBelow: oldest });
    } catch (error) {
      // Later runs may rest on what a worker remembers of this one: none of them is relied on.
      this.#storedFrom = this.#next;
      throw error;
    } finally {
      this.#underWay.delete(number);
    }
  }
}
