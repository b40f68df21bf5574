/** One try to insert an opened run: its messages as requests under the run's token, and what is left as dead letters. */
import type { KafkaRecord } from '#wire/kafka/record-batch.ts';
import type { RequestOutcome, RunInserter } from '../run.ts';
import type { ConsumerCounters } from './consumer-counters.ts';
import { recordDelays } from './consumer-delays.ts';
import type { MessageReader } from './message-reader.ts';
import { insertWithMisfits } from './misfit-runs.ts';
import type { OpenedRun } from './opened-run.ts';
import type { PartitionPlace } from './partition-context.ts';
import type { RunRange } from './partition-protocol.ts';
import { type DeadLetter, runRequests, runToken } from './run-requests.ts';

export interface InsertedRun {
  readonly messageCount: number;
  /** Of the messages' values. */
  readonly bytes: number;
  /** What the store will never take. */
  readonly faulty: readonly DeadLetter[];
}

/** Rejects with UnavailableError where the same run must be tried again. */
export async function insertOpened(
  place: PartitionPlace,
  range: RunRange,
  { messages, deadLetters }: OpenedRun,
  {
    insertRun,
    reader,
    counters,
  }: { readonly insertRun: RunInserter; readonly reader: MessageReader; readonly counters: ConsumerCounters },
): Promise<InsertedRun> {
  const token = runToken(place.topic, place.partition, range, messages) + reader.tokenSuffix;
  const { requests, sources, deadLetters: refused, rejected } = await runRequests(place, messages, reader);
  const outcomes = requests.length === 0 ? [] : await insertWithMisfits(insertRun, requests, sources, token);
  counters.addOutcomes(outcomes);
  counters.add('rejected', rejected);
  recordDelays(place.topic, requests, sources, Date.now());
  for (const { selection } of messages) selection?.count();
  const letters = [...refused, ...undecodable(outcomes, sources, requests)].map(ownLetter);
  return {
    messageCount: messages.length,
    bytes: messages.reduce((total, { value }) => total + (value?.length ?? 0), 0),
    faulty: [...deadLetters, ...letters],
  };
}

function undecodable(
  outcomes: readonly RequestOutcome[],
  sources: readonly KafkaRecord[],
  requests: readonly { readonly tenant: string }[],
): DeadLetter[] {
  return outcomes.flatMap(({ decodeError }, index) =>
    decodeError === undefined
      ? []
      : [{ message: sources[index]!, tenant: requests[index]!.tenant, reason: decodeError }],
  );
}

/** A view would keep the whole run in memory while the letter waits. */
function ownLetter(letter: DeadLetter): DeadLetter {
  const { value } = letter.message;
  return { ...letter, message: { ...letter.message, value: value === null ? null : Buffer.from(value) } };
}
