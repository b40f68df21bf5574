/**
 * A dead letter as a record of its topic and back: the message as it came, with headers that say why and from where.
 *
 *   reason, source-topic, source-partition, source-offset, source-timestamp, tenant, letter-id
 *
 * A header of the message that has one of these names is kept as `original-` and its name. A mark is a record without
 * body that says of a letter (`replayed-letter: letter-id`) where it was sent again: letters themselves never change.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import {
  headerBatchId,
  headerOrigin,
  headerOriginTimestamp,
  headerReplays,
  headerTenant,
} from '#wire/bus.ts';
import { headerText } from '#wire/kafka/message.ts';
import type { KafkaRecord } from '#wire/kafka/record-batch.ts';
import { type DeadLetter, messageIdentity } from './run-requests.ts';

/** A place in Kafka. */
export interface RecordPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** What a letter says of itself, without its body. */
export interface LetterFacts {
  /** Where the letter lies: its address. */
  readonly partition: number;
  readonly offset: number;
  /** The same for every repeat of a letter: a collector that died before its commit writes its letters again. */
  readonly id: string;
  /** When it was written, in milliseconds since 1970. */
  readonly writtenMs: number;
  readonly tenant: string;
  readonly reason: string;
  readonly source: RecordPlace;
  /** When the message was produced, in milliseconds since 1970; -1 where nobody knows. */
  readonly sourceMs: number;
  /** Of the message's value, also where the letter does not have it. */
  readonly valueBytes: number;
  /** The value was too large for the topic: it is where the message was, as long as that is kept. */
  readonly isValueDropped: boolean;
  /** How often the message had been replayed before it failed again. */
  readonly replays: number;
}

/** A letter that was sent again. */
export interface LetterMark {
  readonly letterId: string;
  readonly replayedTo: string;
}

/** What a producer needs of a message. */
export interface LetterRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Record<string, Buffer | string | (Buffer | string)[]>;
}

/** What the headers of a letter begin with where a message has the same ones. */
const originalPrefix = 'original-';
const headers = {
  reason: 'reason',
  topic: 'source-topic',
  partition: 'source-partition',
  offset: 'source-offset',
  timestamp: 'source-timestamp',
  id: 'letter-id',
  /** Set, with its size, on a letter whose body the topic does not take. */
  dropped: 'dropped-bytes',
  /** Set, with their number, on a letter whose key and headers it does not take either. */
  droppedHeaders: 'dropped-headers',
  mark: 'replayed-letter',
  markTo: 'replayed-to',
} as const;
const ownNames: ReadonlySet<string> = new Set([...Object.values(headers), headerTenant]);

/** A decoder's message may quote its input. */
const reasonLengthMax = 1000;
const letterIdBytes = 12;

/** What is left out of a letter, one after the other, as long as its topic finds it too large. */
export type Shortening = 'whole' | 'without value' | 'without value and headers';

export function encodeLetter(
  { message, tenant, reason }: DeadLetter,
  source: Pick<RecordPlace, 'topic' | 'partition'>,
  shortening: Shortening = 'whole',
): LetterRecord {
  const kept: LetterRecord['headers'] = {};
  const own: Record<string, string> = {
    [headerTenant]: tenant,
    [headers.reason]: reason.slice(0, reasonLengthMax),
    [headers.topic]: source.topic,
    [headers.partition]: String(source.partition),
    [headers.offset]: String(message.offset),
    [headers.timestamp]: String(message.timestampMs),
    [headers.id]: letterId(source, message),
  };
  const { value } = message;
  const isDropped = shortening !== 'whole' && value !== null;
  if (isDropped) own[headers.dropped] = String(value.length);
  const originals = Object.entries(message.headers);
  if (shortening === 'without value and headers') own[headers.droppedHeaders] = String(originals.length);
  else {
    for (const [name, original] of originals) {
      if (original === undefined || original === null) continue;
      const isSame = name === headerTenant && headerText(message.headers, headerTenant) === tenant;
      if (!isSame) kept[isReserved(name) ? originalPrefix + name : name] = original as Buffer;
    }
  }
  return {
    key: shortening === 'without value and headers' ? null : message.key,
    value: isDropped ? Buffer.alloc(0) : value,
    headers: { ...kept, ...own },
  };
}

/** Names that a letter must be able to tell from its own: those, and those that were renamed before. */
function isReserved(name: string): boolean {
  return ownNames.has(name.replace(/^(original-)+/, ''));
}

function letterId(
  { topic, partition }: Pick<RecordPlace, 'topic' | 'partition'>,
  { offset, timestampMs, value }: Pick<KafkaRecord, 'offset' | 'timestampMs' | 'value'>,
): string {
  return createHash('sha256')
    .update(`${topic}/${partition}/${offset}/${timestampMs}/${crc32(value ?? '')}`)
    .digest()
    .subarray(0, letterIdBytes)
    .toString('base64url');
}

export function encodeMark({ letterId, replayedTo }: LetterMark): LetterRecord {
  return {
    key: null,
    value: Buffer.alloc(0),
    headers: { [headers.mark]: letterId, [headers.markTo]: replayedTo },
  };
}

/** Returns the mark that a record is, undefined for any other. */
export function parseMark({ headers: given = {} }: Pick<KafkaRecord, 'headers'>): LetterMark | undefined {
  const marked = headerText(given, headers.mark);
  return marked === undefined || headerText(given, headers.topic) !== undefined
    ? undefined
    : { letterId: marked, replayedTo: headerText(given, headers.markTo) ?? '' };
}

/** Returns what a record of the topic says, undefined where it is none of ours: it lacks the source. */
export function parseLetter(partition: number, record: KafkaRecord): LetterFacts | undefined {
  const given = record.headers ?? {};
  const topic = headerText(given, headers.topic);
  if (topic === undefined) return undefined;
  const source = {
    topic,
    partition: number(headerText(given, headers.partition)),
    offset: number(headerText(given, headers.offset)),
  };
  const sourceMs = number(headerText(given, headers.timestamp));
  const dropped = headerText(given, headers.dropped);
  const message = { offset: source.offset, timestampMs: sourceMs, value: record.value };
  return {
    partition,
    offset: record.offset,
    id: headerText(given, headers.id) ?? letterId(source, message),
    writtenMs: record.timestampMs,
    tenant: headerText(given, headerTenant) ?? '',
    reason: (headerText(given, headers.reason) ?? '').slice(0, reasonLengthMax),
    source,
    sourceMs,
    valueBytes: dropped === undefined ? (record.value?.length ?? 0) : number(dropped),
    isValueDropped: dropped !== undefined,
    replays: Math.max(0, number(headerText(given, headerReplays) ?? '0')),
  };
}

/** Whether a record is the message that the letter is of: its body, and when it came. */
export function hasSameValue({ source, id }: LetterFacts, record: KafkaRecord): boolean {
  const { value, timestampMs } = record;
  return id === letterId(source, { offset: source.offset, timestampMs, value });
}

/** Returns the headers that the message had. Those that were dropped are missing. */
export function originalHeaders(record: KafkaRecord): Record<string, Buffer> {
  const originals: Record<string, Buffer> = {};
  for (const [name, value] of Object.entries(record.headers ?? {})) {
    if (name.startsWith(originalPrefix) && isReserved(name)) {
      originals[name.slice(originalPrefix.length)] = value as Buffer;
    } else if (!ownNames.has(name)) originals[name] = value as Buffer;
  }
  return originals;
}

/**
 * Returns the message again, for its source topic. It has a batch id now: its own, or the one that the collector knew it
 * by, so that however often it is replayed it lands once, also where it had landed by another way.
 */
export function replayedMessage(
  facts: LetterFacts,
  record: KafkaRecord,
  value: Buffer | null,
): LetterRecord & { readonly batchId: string } {
  const kept = originalHeaders(record);
  const origin = headerText(kept, headerOrigin) ?? placeName(facts.source);
  const batchId = headerText(kept, headerBatchId) || replayIdentity(facts, value);
  return {
    key: record.key,
    value,
    batchId,
    headers: {
      ...kept,
      ...(headerText(kept, headerTenant) === undefined && facts.tenant !== ''
        ? { tenant: facts.tenant }
        : {}),
      [headerBatchId]: batchId,
      [headerOrigin]: origin,
      [headerOriginTimestamp]: headerText(kept, headerOriginTimestamp) ?? String(facts.sourceMs),
      [headerReplays]: String(facts.replays + 1),
    },
  };
}

function replayIdentity({ source, sourceMs }: LetterFacts, value: Buffer | null): string {
  return messageIdentity(source.topic, source.partition, {
    offset: source.offset,
    timestampMs: sourceMs,
    value,
  });
}

export function placeName({ topic, partition, offset }: RecordPlace): string {
  return `${topic}/${partition}/${offset}`;
}

/** Headers are text; -1 where it is no number. */
function number(text: string | undefined): number {
  return text !== undefined && /^-?\d{1,15}$/.test(text) ? Number(text) : -1;
}
