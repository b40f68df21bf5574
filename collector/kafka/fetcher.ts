/**
 * Brings record batches from the brokers to the partitions that have room for them: one loop per broker, so that a slow one
 * holds up nobody else, and one fetch for all partitions that it leads.
 *
 * What partitions hold, and fetches under way, are bounded together (fetchedBytesMax). Half of it is shared out evenly, so
 * that partitions that are stuck or flooded cannot take the room of others; the other half goes to whoever comes.
 */
import { errorMessage } from '#model/errors.ts';
import { Backoff, pause } from '#wire/backoff.ts';
import { type KafkaLog, kafkaErrorType } from '#wire/kafka/client.ts';
import { readBatches } from '#wire/kafka/record-batch.ts';
import {
  type Broker,
  type Cluster,
  earliestTimestamp,
  latestTimestamp,
  readCommitted,
  type TopicPartitions,
} from './cluster.ts';
import type { ConsumerCounters } from './consumer-counters.ts';
import { type FetchedPartition, fetchFrom } from './fetch-request.ts';
import type { PartitionPlace } from './partition-context.ts';
import type { PartitionWorker } from './partition-worker.ts';

export interface FetchLimits {
  /** Bytes that all partitions together may hold, as they came; fetches under way are counted as if full. */
  readonly fetchedBytesMax: number;
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
/** How long a fetch may wait for news while another partition of the broker is full. */
const fullWaitMs = 50;
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
  #underWayBytes = 0;
  #turn = 0;

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
    const broker = await this.brokerOf(place);
    const [logStart, logEnd] = await Promise.all([
      listOffset(broker, place, earliestTimestamp),
      listOffset(broker, place, latestTimestamp),
    ]);
    return { logStart, logEnd };
  }

  /** Returns the broker that leads a partition. */
  async brokerOf(place: PartitionPlace): Promise<Broker> {
    const leader = this.#leader(place);
    if (leader === undefined) throw new Error(`${place.topic}/${place.partition} has no leader`);
    return await this.#cluster.findBroker({ nodeId: leader });
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
      const { wanted, isAnyFull } = this.#wantedFrom(nodeId);
      try {
        if (wanted.length === 0) {
          await Promise.race([woken, pause(idlePauseMs)]);
          continue;
        }
        // A partition that is full has room again before others have news: it must not wait for them.
        const { fetchWaitMsMax } = this.#limits;
        await this.#fetch(nodeId, wanted, isAnyFull ? Math.min(fullWaitMs, fetchWaitMsMax) : fetchWaitMsMax);
        backoff.reset();
      } catch (error) {
        if (this.#abort.aborted) return;
        this.#counters.add('fetch_errors');
        this.#log.debug({ nodeId, error: errorMessage(error) }, 'a fetch failed');
        await this.#cluster.refreshMetadata().catch(() => undefined);
        await pause(backoff.nextMs(), this.#abort).catch(() => undefined);
      }
    }
  }

  #wantedFrom(nodeId: string): { wanted: Wanted[]; isAnyFull: boolean } {
    const nowMs = Date.now();
    const wanted: Wanted[] = [];
    let isAnyFull = false;
    const { evenBytes, hasFreeRoom } = this.#room();
    for (const worker of this.#workers) {
      if (this.#leader(worker.place) !== nodeId) continue;
      if ((this.#resting.get(worker)?.untilMs ?? 0) > nowMs) continue;
      const offset = worker.fetchOffset();
      // A run that is repeated must be read whole, room or not: it was bounded when it was made.
      const hasRoom = hasFreeRoom || worker.heldBytes < Math.max(1, evenBytes) || worker.isRepeating();
      if (offset !== undefined && hasRoom) wanted.push({ worker, offset });
      else isAnyFull = true;
    }
    return { wanted, isAnyFull };
  }

  /** What each partition may hold whatever the others do, and whether there is room beyond. */
  #room(): { evenBytes: number; hasFreeRoom: boolean } {
    const { fetchedBytesMax } = this.#limits;
    const evenBytes = fetchedBytesMax / 2 / Math.max(1, this.#workers.length);
    let bytes = this.#underWayBytes;
    for (const worker of this.#workers) bytes += Math.max(worker.heldBytes, evenBytes);
    return { evenBytes, hasFreeRoom: bytes < fetchedBytesMax };
  }

  async #fetch(nodeId: string, wanted: readonly Wanted[], waitMsMax: number): Promise<void> {
    const { partitionFetchBytesMax, fetchedBytesMax } = this.#limits;
    const broker = await this.#cluster.findBroker({ nodeId });
    const topics = new Map<string, { partition: number; fetchOffset: string; maxBytes: number }[]>();
    const byPlace = new Map<string, Wanted>();
    // A broker fills its answer from the front: each fetch begins with another partition.
    const turn = this.#turn++ % wanted.length;
    for (const each of [...wanted.slice(turn), ...wanted.slice(0, turn)]) {
      const { topic, partition } = each.worker.place;
      const partitions = topics.get(topic) ?? [];
      partitions.push({ partition, fetchOffset: String(each.offset), maxBytes: partitionFetchBytesMax });
      topics.set(topic, partitions);
      byPlace.set(`${topic}/${partition}`, each);
    }
    // All brokers together may have a quarter of the room under way.
    const bytesMax = Math.floor(
      Math.min(this.#limits.fetchBytesMax, fetchedBytesMax / 4 / Math.max(1, this.#loops.size)),
    );
    this.#underWayBytes += bytesMax;
    try {
      const fetched = await fetchFrom(broker, {
        waitMsMax,
        bytesMax,
        topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })),
      });
      let hasFailed = false;
      for (const each of fetched) {
        const found = byPlace.get(`${each.topic}/${each.partition}`);
        if (found !== undefined && !(await this.#deliver(found, each))) hasFailed = true;
      }
      if (hasFailed) await this.#cluster.refreshMetadata().catch(() => undefined);
    } finally {
      this.#underWayBytes -= bytesMax;
    }
  }

  /** Returns whether the partition was read; one that was not is left alone for a while. */
  async #deliver(wanted: Wanted, fetched: FetchedPartition): Promise<boolean> {
    const { worker, offset } = wanted;
    try {
      if (fetched.error !== undefined) throw fetched.error;
      const batches = readBatches(fetched.log, offset, fetched.aborted);
      const position = Math.max(offset, (batches.at(-1)?.lastOffset ?? -1) + 1);
      await worker.accept(offset, batches, position, fetched.highWatermark);
      this.#resting.delete(worker);
      // The end of a run that must be repeated may be gone with the log that it was in: the fetch would wait for ever.
      if (position === offset && worker.isRepeating()) await this.#look(wanted);
      return true;
    } catch (error) {
      this.#counters.add('fetch_errors');
      await this.#rest(wanted, error);
      return false;
    }
  }

  /**
   * Asks which offsets the log has; brokers whose answer might be of the past do not give one (KIP-207). Where it fails, the
   * next fetch asks again.
   */
  async #look({ worker, offset }: Wanted): Promise<void> {
    const range = await this.logRange(worker.place).catch((error: unknown) => {
      this.#counters.add('fetch_errors');
      const fields = { ...worker.place, offset, error: errorMessage(error) };
      this.#log.debug(fields, 'which offsets the log has could not be asked');
      return undefined;
    });
    if (range !== undefined) worker.outOfRange(offset, range.logStart, range.logEnd);
  }

  async #rest({ worker, offset }: Wanted, error: unknown): Promise<void> {
    if (kafkaErrorType(error) === 'OFFSET_OUT_OF_RANGE') {
      await this.#look({ worker, offset });
      // One that has something in hand moves later: asking at once would be answered the same, again and again.
      if (worker.fetchOffset() !== offset) return;
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
  }
}

/** Returns the first offset with a message of `timestamp` or later, or what a special one stands for; -1 for none. */
export async function listOffset(
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
