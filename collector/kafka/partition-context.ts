/** A partition's worker, seen from outside: where it is, what its session does for it, and what it says of itself. */
import type { Signal } from '#wire/envelope.ts';
import type { KafkaLog } from '#wire/kafka/client.ts';
import type { RunInserter } from '../run.ts';
import type { RunLimits } from './batch-queue.ts';
import type { ConsumerCounters } from './consumer-counters.ts';
import type { DeadLetterOffice } from './dead-letters.ts';
import type { MessageReader } from './message-reader.ts';
import type { PartitionGate } from './partition-gate.ts';
import type { PartitionState, RecoveredOffsets } from './partition-protocol.ts';
import type { RunGate } from './run-gate.ts';

/** The steps that a failpoint can stand before: those at which something is asked of others. */
export type FailpointStep = Exclude<PartitionState['step'], 'blocked' | 'released'>;

export interface PartitionPlace {
  readonly signal: Signal;
  readonly topic: string;
  readonly partition: number;
}

/** What the session does for its partitions. */
export interface PartitionContext {
  recover(place: PartitionPlace): Promise<RecoveredOffsets>;
  /** Returns what messages of a partition go through before they are put into runs; undefined for nothing. */
  gateOf(place: PartitionPlace): PartitionGate | undefined;
  /** Returns from where on a gate has to read again before it reads from the committed offset. */
  historyStart(place: PartitionPlace, offsets: RecoveredOffsets): Promise<number>;
  /** Returns the id of the topic that the broker has now, see TopicIds. */
  topicId(place: PartitionPlace): Promise<string>;
  commit(place: PartitionPlace, offset: number, metadata: string): Promise<void>;
  /** Whether nobody else can own our partitions yet. */
  holdsSeat(): boolean;
  /** Our generation is over: join again. */
  lostSeat(): void;
  /** There is room again. */
  wakeFetcher(): void;
  readonly gate: RunGate;
  readonly insertRun: RunInserter;
  readonly reader: MessageReader;
  readonly deadLetters: DeadLetterOffice;
  readonly counters: ConsumerCounters;
  readonly log: KafkaLog;
  readonly limits: RunLimits & { readonly lingerMs: number };
  readonly failpoint: ((step: FailpointStep, place: PartitionPlace) => void | Promise<void>) | undefined;
}

export interface PartitionStatus {
  readonly topic: string;
  readonly partition: number;
  /** The protocol's step, or what it waits for. */
  readonly state: string;
  readonly isWaiting: boolean;
  readonly committedOffset: number;
  /** Messages in the log that are not committed, as far as the last fetch knew. */
  readonly lag: number;
  /** Age of the oldest message that is not stored, by its timestamp. */
  readonly lagSeconds: number;
  readonly heldBytes: number;
}
