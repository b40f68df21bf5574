/** What a consumer has done since it started: for its status, and as metrics. */
import { metrics } from '@opentelemetry/api';
import type { RequestOutcome } from '../run.ts';

const descriptions = {
  runs: 'Runs that were inserted and committed.',
  messages: 'Messages of those runs.',
  bytes: 'Bytes that their messages held in memory.',
  accepted: 'Records that the store took, or had already.',
  repeated: 'Records that were in the store already, by the notes of their batches, and were left out.',
  rejected: 'Records that were refused for good.',
  repeated_runs: 'Runs whose intent an earlier owner had left, inserted again under the same token.',
  dead_letters: 'Messages that could not be decoded and went to the dead-letter topic.',
  dead_letters_lost:
    'Messages that could not be decoded, and whose letter the dead-letter topic did not take in time.',
  gaps: 'Times that a partition could not go on at its committed offset.',
  gap_messages: 'Messages that were gone (retention, a log that was truncated) before they were stored.',
  retries: 'Steps (read offsets, insert, commit) that failed and were repeated.',
  fetch_errors: 'Fetches that failed and were repeated.',
  rebalances: 'Times that the group shared out its partitions anew.',
} as const;

export type ConsumerCounter = keyof typeof descriptions;

const meter = metrics.getMeter('sonde');
const instruments = new Map(
  Object.entries(descriptions).map(([name, description]) => [
    name,
    meter.createCounter(`sonde.kafka.consumer.${name}`, { description }),
  ]),
);

export class ConsumerCounters {
  readonly #totals = new Map<string, number>(Object.keys(descriptions).map((name) => [name, 0]));

  add(name: ConsumerCounter, count = 1): void {
    if (count === 0) return;
    this.#totals.set(name, this.#totals.get(name)! + count);
    instruments.get(name)!.add(count);
  }

  addOutcomes(outcomes: readonly RequestOutcome[]): void {
    for (const { accepted, repeated, rejections } of outcomes) {
      this.add('accepted', accepted);
      this.add('repeated', repeated);
      for (const { count } of rejections) this.add('rejected', count);
    }
  }

  totals(): Readonly<Record<ConsumerCounter, number>> {
    return Object.fromEntries(this.#totals) as Record<ConsumerCounter, number>;
  }
}
