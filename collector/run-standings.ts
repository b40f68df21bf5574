/**
 * Numbers the runs of a pipeline and says which of them are stored: what threads may take for known. See RunStanding.
 *
 *   run 0 is stored, run 1 is under way  ->  run 2 gets { number: 2, storedFrom: 0, storedBelow: 1 }
 */
import type { RunStanding } from './run.ts';

export class RunStandings {
  #next = 0;
  #storedFrom = 0;
  /** In the order in which they began. */
  readonly #underWay = new Set<number>();

  /** Begins a run and returns its number. end() must follow. */
  begin(): number {
    const number = this.#next++;
    this.#underWay.add(number);
    return number;
  }

  /** The standing of a run that is under way, as things are now. */
  of(number: number): RunStanding {
    const [oldest = number] = this.#underWay;
    return { number, storedFrom: this.#storedFrom, storedBelow: oldest };
  }

  /** Ends a run, of which everything is durable, or not. */
  end(number: number, isStored: boolean): void {
    this.#underWay.delete(number);
    // Later runs may rest on what a thread remembers of this one: none of them is relied on.
    if (!isStored) this.#storedFrom = this.#next;
  }
}
