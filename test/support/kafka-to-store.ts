/**
 * One test's way from Kafka to the tables: topics of its own on a shared broker, the real consumer and pipeline, and an
 * embedded store. Producers and readers of the test use `client`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Message } from 'kafkajs';
import {
  type KafkaConsumer,
  type KafkaConsumerOptions,
  startKafkaConsumer,
} from '#collector/kafka/consumer.ts';
import { createPipeline, type Pipeline } from '#collector/pipeline.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';
import { type Signal, signals } from '#wire/envelope.ts';
import { createKafka } from '#wire/kafka/client.ts';
import { eventually } from './eventually.ts';
import { silentKafkaLog } from './silent-kafka-log.ts';

/** A busy machine elects leaders slowly. */
const patientRetry = { retries: 20, initialRetryTime: 100, maxRetryTime: 1000 };
let worldCount = 0;

export class KafkaToStore {
  readonly brokers: string[];
  readonly topics: Readonly<Record<Signal, string>>;
  readonly deadLetterTopic: string;
  readonly client;
  readonly store: Store;
  readonly #name: string;
  readonly pipeline: Pipeline;
  readonly #directory: string;
  readonly #consumers: KafkaConsumer[] = [];

  private constructor(brokers: string[], store: Store, directory: string) {
    this.brokers = brokers;
    this.store = store;
    this.#directory = directory;
    this.#name = `w${process.pid}-${worldCount++}`;
    this.topics = Object.fromEntries(signals.map((signal) => [signal, `${this.#name}_${signal}`])) as Record<
      Signal,
      string
    >;
    this.deadLetterTopic = `${this.#name}_dead`;
    this.client = createKafka({ brokers, clientId: 'test', log: silentKafkaLog });
    this.pipeline = createPipeline({
      store,
      workers: 1,
      inflightBytesMax: 64 * 1024 * 1024,
      group: { rowsMax: 250_000, ageMsMax: 20 },
      retentionMs: 0,
      now: Date.now,
    });
  }

  /** The topics have two partitions each; that of dead letters is the consumer's to make. */
  static async open(brokers: string[]): Promise<KafkaToStore> {
    const directory = mkdtempSync(join(tmpdir(), 'sonde-kafka-to-store-'));
    const store = await openEmbeddedStore({ path: directory });
    await migrate(store);
    const world = new KafkaToStore(brokers, store, directory);
    await world.admin((admin) =>
      admin.createTopics({
        // kafkajs fails where a leader is not there at once; producers try again.
        waitForLeaders: false,
        topics: Object.values(world.topics).map((topic) => ({ topic, numPartitions: 2 })),
      }),
    );
    return world;
  }

  async close(): Promise<void> {
    await Promise.all(this.#consumers.map((consumer) => consumer.stop()));
    await this.pipeline.close();
    await this.store.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** `group` tells groups apart: another one reads everything again. */
  async consume(over: Partial<KafkaConsumerOptions> = {}, group = ''): Promise<KafkaConsumer> {
    const consumer = await startKafkaConsumer({
      brokers: this.brokers,
      groupId: `${this.#name}${group}`,
      topics: this.topics,
      deadLetterTopic: this.deadLetterTopic,
      log: silentKafkaLog,
      insertRun: this.pipeline.insertRun,
      limits: { runAgeMsMax: 20, fetchWaitMsMax: 50, sessionTimeoutMs: 6000, heartbeatIntervalMs: 500 },
      createTopics: { partitions: 2, replicationFactor: 1 },
      ...over,
    });
    this.#consumers.push(consumer);
    return consumer;
  }

  async send(topic: string, messages: Message[], partition = 0): Promise<void> {
    // A retry on a busy machine would be one more message.
    const producer = this.client.producer({ retry: patientRetry, idempotent: true });
    await producer.connect();
    await producer.send({ topic, messages: messages.map((message) => ({ partition, ...message })) });
    await producer.disconnect();
  }

  /** Resolves when a consumer has worked on everything that the topics hold. */
  async drained(consumer: KafkaConsumer): Promise<void> {
    await eventually(
      async () => {
        // A topic that is new may have no leader for a moment.
        const ends = await this.#ends().catch(() => undefined);
        if (ends === undefined) return false;
        const total = ends.reduce((sum, { offset }) => sum + Number(offset), 0);
        const { partitions, state } = consumer.status();
        const done = partitions.reduce((sum, { committedOffset }) => sum + committedOffset, 0);
        return done === total && partitions.length === 8 && state === 'ok';
      },
      () => consumer.status(),
    );
  }

  #ends(): Promise<{ offset: string }[]> {
    return this.admin(async (admin) => {
      const ends: { offset: string }[] = [];
      for (const topic of Object.values(this.topics)) ends.push(...(await admin.fetchTopicOffsets(topic)));
      return ends;
    });
  }

  /** Rows of tenants, so no notes. */
  async count(table: string, where = '1'): Promise<number> {
    const [row] = await this.store.rows<{ n: string }>(
      `SELECT count() AS n FROM ${table} WHERE tenant != '' AND (${where})`,
    );
    return Number(row!.n);
  }

  async admin<Result>(
    use: (admin: ReturnType<KafkaToStore['client']['admin']>) => Promise<Result>,
  ): Promise<Result> {
    const admin = this.client.admin({ retry: patientRetry });
    await admin.connect();
    try {
      return await use(admin);
    } finally {
      await admin.disconnect();
    }
  }
}
