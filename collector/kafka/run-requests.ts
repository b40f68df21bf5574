/** A run's messages as requests for the store, and what identifies the run. A repeat gives the same. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { RefusedError } from '#model/errors.ts';
import type { Signal } from '#wire/envelope.ts';
import { messageFacts } from '#wire/kafka/message.ts';
import type { KafkaRecord } from '#wire/kafka/record-batch.ts';
import { batchIdLengthMax } from '#wire/receive/batch-identity.ts';
import { batchNote } from '../batch-note.ts';
import type { RunRequest } from '../run.ts';
import type { MessageReader } from './message-reader.ts';
import type { GatedRecord } from './partition-gate.ts';
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
  /** What is no request by its headers or first bytes already, or could not be converted. */
  readonly deadLetters: readonly DeadLetter[];
  /** Entries that conversions left out. */
  readonly rejected: number;
}

interface Place {
  readonly signal: Signal;
  readonly topic: string;
  readonly partition: number;
}

/**
 * Copies the values: requests are handed over to workers, while messages must survive for a retry.
 * Tombstones (no value) and content that is not read become dead letters.
 */
export async function runRequests(
  { signal, topic, partition }: Place,
  messages: readonly GatedRecord[],
  reader: MessageReader,
): Promise<RunRequests> {
  const requests: RunRequest[] = [];
  const sources: KafkaRecord[] = [];
  const deadLetters: DeadLetter[] = [];
  let rejected = 0;
  for (const message of messages) {
    const facts = messageFacts(message.headers);
    const { tenant, batchId } = facts;
    const fault = message.fault ?? facts.fault;
    if (fault !== undefined || message.value === null) {
      deadLetters.push({ message, tenant, reason: fault ?? 'the message has no value' });
      continue;
    }
    try {
      const { selection, value } = message;
      const selected = selection === undefined ? value : selection.select(value);
      if (selected === undefined) continue;
      const body = await reader.read(signal, selected, facts, message.timestampMs);
      // An agent that was killed sends its unconfirmed batches again: they are new messages under the old batch id.
      const identity = batchId === '' ? messageIdentity(topic, partition, message) : batchId;
      // Of the bytes that came, where something was selected of them: what is left begins elsewhere.
      const note = batchNote(tenant, signal, identity, selection === undefined ? body.bytes : value);
      requests.push({ signal, tenant, bytes: body.bytes, note });
      sources.push(message);
      rejected += body.rejected;
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      deadLetters.push({ message, tenant, reason: error.message });
    }
  }
  return { requests, sources, deadLetters, rejected };
}

/**
 * The batch id of a foreign producer's message: where it lies, and a fingerprint. Its place alone would come again when a
 * topic is deleted and made again. At most batchIdLengthMax characters.
 */
export function messageIdentity(
  topic: string,
  partition: number,
  { offset, timestampMs, value }: Pick<KafkaRecord, 'offset' | 'timestampMs' | 'value'>,
): string {
  const identity = `${topic}/${partition}/${offset}/${timestampMs}/${crc32(value ?? '')}`;
  if (identity.length <= batchIdLengthMax) return identity;
  return `sha256-${createHash('sha256').update(identity).digest('base64url')}`;
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
