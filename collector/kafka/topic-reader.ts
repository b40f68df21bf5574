/**
 * Reads records of one topic by their offsets, without a group and without a trace: what commands look with.
 *
 * Memory is bounded by one fetch: records are handed over one by one and not kept. One call at a time.
 */
import type { Kafka } from 'kafkajs';
import { ConfigError } from '#model/errors.ts';
import { batchPlainBytesMax } from '#wire/kafka/compression-codecs.ts';
import { type KafkaRecord, readBatches, readRecords } from '#wire/kafka/record-batch.ts';
import { type Broker, earliestTimestamp, latestTimestamp, openCluster, readCommitted } from './cluster.ts';
import { fetchFrom } from './fetch-request.ts';

export interface PartitionRange {
  readonly partition: number;
  /** The first offset that is kept, and the one after the last. */
  readonly start: number;
  readonly end: number;
}

/** Only names a member in requests that are never sent. */
const groupId = 'sonde-topic-reader';
const fetchBytesMax = 1024 * 1024;
const fetchWaitMs = 500;
/** A log may end in what holds no record; a broker that has more says so at once. */
const emptyFetchesMax = 3;

export class TopicReader implements AsyncDisposable {
  readonly topic: string;
  readonly #cluster: ReturnType<typeof openCluster>['cluster'];
  #ranges: readonly PartitionRange[] = [];

  private constructor(kafka: Kafka, topic: string) {
    this.topic = topic;
    this.#cluster = openCluster(kafka, groupId).cluster;
  }

  /** Throws ConfigError where the topic is not there. The ranges are those of now: what comes later is not read. */
  static async open(kafka: Kafka, topic: string): Promise<TopicReader> {
    const admin = kafka.admin();
    await admin.connect();
    try {
      if (!(await admin.listTopics()).includes(topic)) {
        throw new ConfigError(`there is no topic ${topic}, or it must not be seen with these credentials`);
      }
    } finally {
      await admin.disconnect();
    }
    const reader = new TopicReader(kafka, topic);
    try {
      await reader.#connect();
    } catch (error) {
      await reader[Symbol.asyncDispose]();
      throw error;
    }
    return reader;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster.disconnect();
  }

  /** In order of partition. */
  get ranges(): readonly PartitionRange[] {
    return this.#ranges;
  }

  /** Returns the first offset whose record, or one behind it, is that new; the range's end where none is. */
  async offsetAt({ partition, start, end }: PartitionRange, unixMs: number): Promise<number> {
    const offset = await this.#listOffset(partition, unixMs);
    return offset < 0 ? end : Math.min(Math.max(offset, start), end);
  }

  /** Calls `take` for each record in [from, to) in order. Rejects where the broker stops short of `to`. */
  async read(
    partition: number,
    from: number,
    to: number,
    take: (record: KafkaRecord) => void,
  ): Promise<void> {
    const broker = await this.#leader(partition);
    let emptyFetches = 0;
    for (let offset = from; offset < to; ) {
      const [fetched] = await fetchFrom(broker, {
        waitMsMax: fetchWaitMs,
        bytesMax: fetchBytesMax,
        topics: [
          {
            topic: this.topic,
            partitions: [{ partition, fetchOffset: String(offset), maxBytes: fetchBytesMax }],
          },
        ],
      });
      if (fetched?.error !== undefined) throw fetched.error;
      const batches = fetched === undefined ? [] : readBatches(fetched.log, offset, fetched.aborted);
      const last = batches.at(-1);
      if (last === undefined) {
        if (++emptyFetches === emptyFetchesMax) return;
        continue;
      }
      emptyFetches = 0;
      for (const batch of batches) {
        for (const record of await readRecords(batch, batchPlainBytesMax)) {
          if (record.offset >= offset && record.offset < to) take(record);
        }
      }
      offset = Math.max(offset, last.lastOffset + 1);
    }
  }

  /** Returns the record at an offset, undefined where there is none (any more). */
  async readOne(partition: number, offset: number): Promise<KafkaRecord | undefined> {
    const range = this.#ranges.find((each) => each.partition === partition);
    if (range === undefined || offset < range.start || offset >= range.end) return undefined;
    let found: KafkaRecord | undefined;
    await this.read(partition, offset, offset + 1, (record) => {
      found = record;
    });
    return found;
  }

  async #connect(): Promise<void> {
    await this.#cluster.connect();
    await this.#cluster.addMultipleTargetTopics([this.topic]);
    await this.#cluster.refreshMetadataIfNecessary();
    const partitions = this.#cluster
      .findTopicPartitionMetadata(this.topic)
      .map(({ partitionId }) => partitionId)
      .sort((a, b) => a - b);
    const ranges: PartitionRange[] = [];
    // One after the other: two first requests to a broker at a time would open two connections, and close one.
    for (const partition of partitions) {
      const start = await this.#listOffset(partition, earliestTimestamp);
      ranges.push({ partition, start, end: await this.#listOffset(partition, latestTimestamp) });
    }
    this.#ranges = ranges;
  }

  async #leader(partition: number): Promise<Broker> {
    const leader = this.#cluster
      .findTopicPartitionMetadata(this.topic)
      .find(({ partitionId }) => partitionId === partition)?.leader;
    if (leader === undefined || leader < 0) throw new Error(`${this.topic}/${partition} has no leader`);
    return this.#cluster.findBroker({ nodeId: String(leader) });
  }

  async #listOffset(partition: number, timestamp: number): Promise<number> {
    const broker = await this.#leader(partition);
    const { responses } = await broker.listOffsets({
      isolationLevel: readCommitted,
      topics: [{ topic: this.topic, partitions: [{ partition, timestamp }] }],
    });
    const offset = responses[0]?.partitions[0]?.offset;
    if (offset === undefined) throw new Error(`the broker did not say where ${this.topic}/${partition} ends`);
    return Number(offset);
  }
}
