/**
 * What it takes to store the run under way of one partition: a place at the gate, given back while nothing is tried, the
 * insert itself, and the letters of what the store will never take.
 */
import { abortable } from '#wire/backoff.ts';
import type { KafkaRecord } from '#wire/kafka/record-batch.ts';
import type { Run } from './batch-queue.ts';
import { openWithin } from './opened-run.ts';
import type { PartitionContext, PartitionPlace } from './partition-context.ts';
import type { GatePass } from './run-gate.ts';
import { type InsertedRun, insertOpened } from './run-insertion.ts';

export class RunStoring {
  readonly #place: PartitionPlace;
  readonly #context: PartitionContext;
  readonly #abandoned: AbortSignal;
  #pass: GatePass | undefined;

  constructor(place: PartitionPlace, context: PartitionContext, abandoned: AbortSignal) {
    this.#place = place;
    this.#context = context;
    this.#abandoned = abandoned;
  }

  /** Waits for a place for a run of so many bytes, which may grow meanwhile. Returns false where released before. */
  async enter(plainBytes: () => number, released: AbortSignal): Promise<boolean> {
    this.#pass = await this.#context.gate.enter(plainBytes, released).catch(() => undefined);
    return this.#pass !== undefined;
  }

  /** Gives the place back, if there is one. */
  leave(): void {
    this.#pass?.leave();
    this.#pass = undefined;
  }

  /**
   * Tries once. `onGrown` is told the run where it takes more room than was thought, so that the next try begins with it.
   * Returns undefined where the seat may be lost, and rejects where the same run must be tried again.
   */
  async insertOnce(run: Run, onGrown: (run: Run) => void): Promise<InsertedRun | undefined> {
    const { reader, gate } = this.#context;
    // A pass that was given back is asked for again; a run that is being finished is let through.
    this.#pass ??= await gate.enter(() => run.plainBytes + run.bodyBytes, this.#abandoned);
    const bodyBytes = ({ value, headers }: KafkaRecord) =>
      value === null ? 0 : reader.expectedBytes(this.#place.signal, value, headers);
    const opened = await openWithin(run, bodyBytes, async (larger) => {
      onGrown(larger);
      this.leave();
      this.#pass = await gate.enter(() => larger.plainBytes + larger.bodyBytes, this.#abandoned);
      return larger;
    });
    // Somebody else may own the partition by now, and have moved on past what the store remembers.
    if (!this.#context.holdsSeat()) return undefined;
    return await insertOpened(this.#place, run.range, opened, this.#context);
  }

  /** Writes the letters of a run that was inserted, counts it, and gives the place back. Rejects when abandoned. */
  async settle({ faulty, messageCount, bytes }: InsertedRun): Promise<void> {
    const { counters, deadLetters } = this.#context;
    if (faulty.length > 0) {
      this.#pass?.rest(faulty.reduce((total, { message }) => total + (message.value?.length ?? 0), 0));
      const lost = await abortable(deadLetters.post(faulty, this.#place, this.#abandoned), this.#abandoned);
      counters.add('dead_letters', faulty.length - lost);
      counters.add('dead_letters_lost', lost);
    }
    this.leave();
    counters.add('runs');
    counters.add('messages', messageCount);
    counters.add('bytes', bytes);
  }
}
