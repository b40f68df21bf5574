/** A run's messages as requests for the store, and what identifies the run. Pure: a repeat gives the same. */
import { crc32 } from 'node:zlib';
import type { Signal } from '#wire/envelope.ts';
import { messageFacts } from '#wire/kafka/message.ts';
import type { KafkaRecord } from '#wire/kafka/record-batch.ts';
import { batchNote } from '../batch-note.ts';
import type { RunRequest } from '../run.ts';
import type { RunRange } from './partition-protocol.ts';

/** A message that the store will never take, and why. */
export interface DeadLetter {
  readonly message: KafkaRecord;
  readonly tenant: string;
  readonly reason: string;
}

export interface RunRequests {
  readonly requests: readonly RunRequest[];
  /** The message of each request. */
  readonly sources: readonly KafkaRecord[];
  /** What is no request by its headers already. */
  readonly deadLetters: readonly DeadLetter[];
}

/**
 * Copies the values: requests are handed over to workers, while messages must survive for a retry.
 * Tombstones (no value) and content that is not protobuf become dead letters.
 */
export function runRequests(
  {
    signal,
    topic,
    partition,
  }: { readonly signal: Signal; readonly topic: string; readonly partition: number },
  messages: readonly KafkaRecord[],
): RunRequests {
  const requests: RunRequest[] = [];
  const sources: KafkaRecord[] = [];
  const deadLetters: DeadLetter[] = [];
  for (const message of messages) {
    const { tenant, batchId, fault } = messageFacts(message.headers);
    if (fault !== undefined || message.value === null) {
      deadLetters.push({ message, tenant, reason: fault ?? 'the message has no value' });
      continue;
    }
    // An agent that was killed sends its unconfirmed batches again: they are new messages under the old batch id.
    const identity = batchId === '' ? `${topic}/${partition}/${messageIdentity(message)}` : batchId;
    const bytes = new Uint8Array(message.value);
    const note = batchNote(tenant, signal, identity, bytes);
    requests.push({ signal, tenant, bytes, note });
    sources.push(message);
  }
  return { requests, sources, deadLetters };
}

/** Of a foreign producer's message. Its offset alone would come again when a topic is deleted and made again. */
function messageIdentity({ offset, timestampMs, value }: KafkaRecord): string {
  return `${offset}/${timestampMs}/${crc32(value ?? '')}`;
}

/**
 * The name that the store knows the run by: topic/partition/first-last/fingerprint of the last message.
 *
 * Offsets alone would repeat when a topic is deleted and made again, and the store would drop new data as a repeat.
 * The last message is the fingerprint because retention cuts from the front: what is left of a run keeps its name.
 */
export function runToken(
  topic: string,
  partition: number,
  range: RunRange,
  messages: readonly KafkaRecord[],
): string {
  const last = messages.at(-1);
  const timestamp = last === undefined ? '' : String(last.timestampMs);
  const fingerprint = crc32(last?.value ?? '', crc32(timestamp))
    .toString(16)
    .padStart(8, '0');
  return `${topic}/${partition}/${range.first}-${range.last}/${fingerprint}`;
}
