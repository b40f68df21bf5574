/**
 * Brings messages from the brokers to the partitions that have room for them: one loop per broker, so that a slow one
 * holds up nobody else, and one fetch for all partitions that it leads.
 *
 * Memory is bounded by what partitions hold (bufferBytesMax over all) plus one fetch per broker. A fetch that fails is
 * tried again partition by partition, so that one that cannot be read does not hold the others.
 */
import kafkajs from 'kafkajs';
import { errorMessage } from '#model/errors.ts';
import { Backoff, pause } from '#wire/backoff.ts';
import { type KafkaLog, kafkaErrorType } from '#wire/kafka/client.ts';
import {
  type Broker,
  type Cluster,
  committedRecords,
  earliestTimestamp,
  type FetchedPartition,
  latestTimestamp,
  readCommitted,
  type TopicPartitions,
} from './cluster.ts';
import type { ConsumerCounters } from './consumer-counters.ts';
import type { BufferedMessage } from './message-buffer.ts';
import type { PartitionPlace, PartitionWorker } from './partition-worker.ts';

export interface FetchLimits {
  /** Bytes that all partitions together may hold before fetching stops. */
  readonly bufferBytesMax: number;
  /** Of one answer, as it travels (compressed). One larger record batch comes all the same. */
  readonly fetchBytesMax: number;
  readonly partitionFetchBytesMax: number;
  /** How long a broker holds a fetch back while it has nothing new. */
  readonly fetchWaitMsMax: number;
}

interface Wanted {
  readonly worker: PartitionWorker;
  readonly offset: number;
}

const metadataCheckMs = 1000;
/** A topic that is new may be unknown to its broker for a moment: looking again must not keep the group busy. */
const topicGonePauseMs = 250;
const idlePauseMs = 100;
const backoffOptions = { firstMs: 100, maxMs: 5000 };

export class Fetcher {
  readonly #cluster: Cluster;
  readonly #workers: readonly PartitionWorker[];
  readonly #limits: FetchLimits;
  readonly #counters: ConsumerCounters;
  readonly #log: KafkaLog;
  readonly #abort: AbortSignal;
  readonly #onTopicGone: () => void;
  readonly #loops = new Map<string, Promise<void>>();
  /** Partitions that failed by themselves, and until when they are left alone. */
  readonly #resting = new Map<PartitionWorker, { untilMs: number; backoff: Backoff; reason: string }>();
  #wake = Promise.withResolvers<void>();

  constructor(options: {
    readonly cluster: Cluster;
    readonly workers: readonly PartitionWorker[];
    readonly limits: FetchLimits;
    readonly counters: ConsumerCounters;
    readonly log: KafkaLog;
    readonly abort: AbortSignal;
    /** A topic was deleted: the group's offsets went with it, so what is committed must be read again. */
    readonly onTopicGone: () => void;
  }) {
    this.#cluster = options.cluster;
    this.#workers = options.workers;
    this.#limits = options.limits;
    this.#counters = options.counters;
    this.#log = options.log;
    this.#abort = options.abort;
    this.#onTopicGone = options.onTopicGone;
  }

  /** Resolves when aborted; never rejects. Brokers that are out of reach are tried for as long as the seat is ours. */
  async run(): Promise<void> {
    while (!this.#abort.aborted) {
      await this.#cluster.refreshMetadataIfNecessary().catch((error: unknown) => {
        this.#log.debug({ error: errorMessage(error) }, 'refreshing Kafka metadata failed');
      });
      for (const worker of this.#workers) {
        const leader = this.#leader(worker.place);
        if (leader !== undefined && !this.#loops.has(leader)) this.#loops.set(leader, this.#follow(leader));
      }
      await pause(metadataCheckMs, this.#abort).catch(() => undefined);
    }
    await Promise.all(this.#loops.values());
  }

  /** A partition has room, or begins. */
  wake(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }

  /** Returns where a partition's log begins and ends. */
  async logRange(place: PartitionPlace): Promise<{ logStart: number; logEnd: number }> {
    const leader = this.#leader(place);
    if (leader === undefined) throw new Error(`${place.topic}/${place.partition} has no leader`);
    const broker = await this.#cluster.findBroker({ nodeId: leader });
    const [logStart, logEnd] = await Promise.all([
      listOffset(broker, place, earliestTimestamp),
      listOffset(broker, place, latestTimestamp),
    ]);
    return { logStart, logEnd };
  }

  /** Why a partition is not fetched, or undefined. */
  trouble(worker: PartitionWorker): string | undefined {
    return this.#resting.get(worker)?.reason;
  }

  #leader({ topic, partition }: PartitionPlace): string | undefined {
    const found = this.#cluster
      .findTopicPartitionMetadata(topic)
      .find(({ partitionId }) => partitionId === partition);
    return found === undefined || found.leader < 0 ? undefined : String(found.leader);
  }

  async #follow(nodeId: string): Promise<void> {
    const backoff = new Backoff(backoffOptions);
    while (!this.#abort.aborted) {
      const woken = this.#wake.promise;
      const wanted = this.#wantedFrom(nodeId);
      try {
        if (wanted.length === 0) {
          await Promise.race([woken, pause(idlePauseMs)]);
          continue;
        }
        await this.#fetch(nodeId, wanted, this.#limits.fetchWaitMsMax);
        backoff.reset();
      } catch (error) {
        if (this.#abort.aborted) return;
        this.#counters.add('fetch_errors');
        await this.#isolate(nodeId, wanted, error);
        await pause(backoff.nextMs(), this.#abort).catch(() => undefined);
      }
    }
  }

  #wantedFrom(nodeId: string): Wanted[] {
    let heldBytes = 0;
    for (const worker of this.#workers) heldBytes += worker.heldBytes;
    const hasRoom = heldBytes < this.#limits.bufferBytesMax;
    const nowMs = Date.now();
    return this.#workers.flatMap((worker) => {
      if (this.#leader(worker.place) !== nodeId) return [];
      if ((this.#resting.get(worker)?.untilMs ?? 0) > nowMs) return [];
      const offset = worker.fetchOffset();
      // A run that is repeated must be read whole, room or not: it was bounded when it was made.
      return offset === undefined || !(hasRoom || worker.isRepeating()) ? [] : [{ worker, offset }];
    });
  }

  async #fetch(nodeId: string, wanted: readonly Wanted[], waitMsMax: number): Promise<void> {
    const broker = await this.#cluster.findBroker({ nodeId });
    const topics = new Map<string, { partition: number; fetchOffset: string; maxBytes: number }[]>();
    for (const { worker, offset } of wanted) {
      const { topic, partition } = worker.place;
      const partitions = topics.get(topic) ?? [];
      partitions.push({
        partition,
        fetchOffset: String(offset),
        maxBytes: this.#limits.partitionFetchBytesMax,
      });
      topics.set(topic, partitions);
    }
    const { responses } = await broker.fetch({
      isolationLevel: readCommitted,
      maxWaitTime: waitMsMax,
      minBytes: 1,
      maxBytes: this.#limits.fetchBytesMax,
      topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })),
    });
    for (const { topicName, partitions } of responses) {
      for (const fetched of partitions) {
        const found = wanted.find(
          ({ worker: { place } }) => place.topic === topicName && place.partition === fetched.partition,
        );
        if (found !== undefined) deliver(found, fetched);
      }
    }
    for (const { worker } of wanted) this.#resting.delete(worker);
  }

  /** Finds out which partitions a failed fetch failed for, and lets them rest. */
  async #isolate(nodeId: string, wanted: readonly Wanted[], error: unknown): Promise<void> {
    if (kafkaErrorType(error) === undefined && !(error instanceof Error && isAnswer(error))) {
      this.#log.debug({ nodeId, error: errorMessage(error) }, 'a fetch failed');
      await this.#cluster.refreshMetadata().catch(() => undefined);
      return;
    }
    for (const each of wanted) {
      if (this.#abort.aborted) return;
      try {
        await this.#fetch(nodeId, [each], 0);
      } catch (cause) {
        await this.#rest(each, cause);
      }
    }
  }

  async #rest({ worker, offset }: Wanted, error: unknown): Promise<void> {
    if (kafkaErrorType(error) === 'OFFSET_OUT_OF_RANGE') {
      const range = await this.logRange(worker.place).catch(() => undefined);
      if (range !== undefined) worker.outOfRange(offset, range.logStart, range.logEnd);
      return;
    }
    if (kafkaErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') {
      this.#log.warn(
        { ...worker.place, offset },
        'a broker does not know this partition any more (was the topic deleted? what was not read is lost): joining again',
      );
      await pause(topicGonePauseMs, this.#abort).catch(() => undefined);
      this.#onTopicGone();
      return;
    }
    const reason = `fetching failed: ${errorMessage(error)}`;
    const before = this.#resting.get(worker);
    const backoff = before?.backoff ?? new Backoff(backoffOptions);
    this.#resting.set(worker, { untilMs: Date.now() + backoff.nextMs(), backoff, reason });
    if (before?.reason !== reason) this.#log.warn({ ...worker.place, offset }, `${reason}; retrying`);
    await this.#cluster.refreshMetadata().catch(() => undefined);
  }
}

/** An error in what the broker sent, as opposed to one in reaching it. */
function isAnswer(error: Error): boolean {
  return !(error instanceof kafkajs.KafkaJSError) || error instanceof kafkajs.KafkaJSProtocolError;
}

function deliver({ worker, offset }: Wanted, fetched: FetchedPartition): void {
  const lastRecord = fetched.messages.at(-1);
  const position = lastRecord === undefined ? offset : Math.max(offset, Number(lastRecord.offset) + 1);
  const messages: BufferedMessage[] = committedRecords(fetched, offset).map((record) => ({
    offset: Number(record.offset),
    timestampMs: Number(record.timestamp),
    key: record.key,
    value: record.value,
    headers: record.headers ?? {},
  }));
  worker.accept(offset, messages, position, Number(fetched.highWatermark));
}

async function listOffset(
  broker: Broker,
  { topic, partition }: PartitionPlace,
  timestamp: number,
): Promise<number> {
  const topics: TopicPartitions<{ timestamp: number }>[] = [
    { topic, partitions: [{ partition, timestamp }] },
  ];
  const { responses } = await broker.listOffsets({ isolationLevel: readCommitted, topics });
  const offset = responses[0]?.partitions[0]?.offset;
  if (offset === undefined)
    throw new Error(`the broker did not say where ${topic}/${partition} begins and ends`);
  return Number(offset);
}
