/** Writes scaling decisions to the store in batches: one small insert per signal and interval would be too many. */
import { metrics } from '@opentelemetry/api';
import { errorMessage } from '#model/errors.ts';
import type { Store } from '#store/store.ts';
import type { Clock } from '../clock.ts';
import type { RulesLog } from '../rules/rules-log.ts';
import { decisionsPerInsertMax, insertDecisions, type ScalingDecision } from '../sql/scaling.ts';

const flushIntervalMs = 5000;
/** While the store is down: some minutes of a thousand signals, a few MB. */
const decisionsMax = 20_000;
const reasonCharsMax = 300;

const droppedCounter = metrics.getMeter('sonde').createCounter('sonde.scaling.decisions.dropped', {
  description: 'Decisions that were not recorded because the store was down for long.',
});

export class DecisionRecorder {
  /** Decisions that were not recorded. */
  droppedCount = 0;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: RulesLog;
  readonly #decisions: ScalingDecision[] = [];
  readonly #stopping = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(options: { store: Store; clock: Clock; log: RulesLog }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  start(): void {
    this.#loop = this.#run();
  }

  record(decision: ScalingDecision): void {
    if (this.#decisions.length >= decisionsMax) {
      this.#decisions.shift();
      this.droppedCount++;
      droppedCounter.add(1, { reason: 'buffer_full' });
    }
    this.#decisions.push({ ...decision, reason: decision.reason.slice(0, reasonCharsMax) });
  }

  /** Writes what is left; what cannot be written now is dropped and counted. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    await this.#flush();
    if (this.#decisions.length > 0) {
      this.droppedCount += this.#decisions.length;
      droppedCounter.add(this.#decisions.length, { reason: 'shutdown' });
    }
  }

  async #run(): Promise<void> {
    const abort = this.#stopping.signal;
    try {
      while (!abort.aborted) {
        await this.#clock.sleep(flushIntervalMs, abort);
        await this.#flush();
      }
    } catch (error) {
      // The sleep ends so when the recorder is stopped.
      if (!abort.aborted) throw error;
    }
  }

  async #flush(): Promise<void> {
    try {
      while (this.#decisions.length > 0) {
        const batch = this.#decisions.slice(0, decisionsPerInsertMax);
        await insertDecisions(this.#store, batch);
        const written = new Set(batch);
        // A full buffer may have dropped some of them meanwhile.
        while (this.#decisions[0] !== undefined && written.has(this.#decisions[0])) this.#decisions.shift();
      }
    } catch (error) {
      this.#log.warn({ error: errorMessage(error) }, 'scaling decisions could not be stored');
    }
  }
}
