/**
 * What stands between the fetching of a partition and its runs: it may hold messages back, say which part of them is
 * stored, and ask for older ones first. Runs are made of what it lets through, in the order of the log, so that the
 * intent protocol knows nothing of it.
 */
import type { KafkaRecord } from '#wire/kafka/record-batch.ts';

/** A record, and what was found out of it on its way. */
export interface GatedRecord extends KafkaRecord {
  /** What a gate has decided of its spans; absent: all of them are stored. */
  readonly selection?: MessageSelection;
  /** Why it is no message that anybody can read. */
  readonly fault?: string;
}

export interface MessageSelection {
  /** Returns what of `bytes`, the message's value, is stored: maybe `bytes` itself, undefined for nothing. */
  select(bytes: Uint8Array): Uint8Array | undefined;
  /** Must be called once, when that is stored. */
  count(): void;
}

const messageOverheadBytes = 512;

/** What a message takes in memory. */
export function messageBytes({ value }: KafkaRecord): number {
  return (value?.length ?? 0) + messageOverheadBytes;
}

/** Messages that may be put into runs, and the offset behind the last of them. */
export interface ReleasedMessages {
  readonly messages: readonly GatedRecord[];
  readonly position: number;
}

export interface PartitionGate {
  /** The next offset to fetch. */
  readonly position: number;
  /** Bytes that are held back. They are bounded by the gate itself, and do not count towards what stops fetching. */
  readonly heldBytes: number;
  readonly isEmpty: boolean;
  /** Forgets everything. Runs begin at `next`; what is fetched from `from` to there is history, and not let through. */
  reset(next: number, from: number): void;
  /**
   * Takes what a fetch from `position` brought, nothing included. Must let messages through in order and each once;
   * `isAtEnd` says that the log has no more now. `nowMs` is of a clock that only goes forward.
   */
  push(messages: readonly GatedRecord[], position: number, isAtEnd: boolean, nowMs: number): ReleasedMessages;
  /** Lets go of everything: what comes next is not what follows. */
  flush(): ReleasedMessages;
}

/** Makes the gates of partitions of traces. */
export interface PartitionGates {
  /** How far before the committed message a new owner has to read, in the time of messages. */
  readonly historyMs: number;
  /** `partitionCount`: of the topic. */
  gateOf(partitionCount: number): PartitionGate;
}
