/** One test's topics, group, producers and consumers on a shared broker. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CompressionTypes } from 'kafkajs';
import { expect } from 'vitest';
import {
  type KafkaConsumer,
  type KafkaConsumerOptions,
  startKafkaConsumer,
} from '#collector/kafka/consumer.ts';
import { eventually } from '#test/support/eventually.ts';
import type { TestKafka } from '#test/support/kafka.ts';
import type { RecordingStore } from '#test/support/recording-store.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import type { Signal } from '#wire/envelope.ts';
import { createKafka } from '#wire/kafka/client.ts';
import type { CrashOrder } from './crashing-consumer.ts';

/** A busy machine elects leaders slowly. */
const patientRetry = { retries: 20, initialRetryTime: 100, maxRetryTime: 1000 };

type TestMessage = {
  value: string | null;
  key?: string;
  timestamp?: string;
  headers?: Record<string, string>;
};

export class World {
  static #count = 0;
  readonly topics: Record<Signal, string>;
  readonly #kafka: TestKafka;
  readonly #name: string;
  readonly client;
  readonly #consumers: KafkaConsumer[] = [];

  constructor(kafka: TestKafka) {
    this.#kafka = kafka;
    this.#name = `t${process.pid}-${World.#count++}`;
    this.topics = {
      logs: `${this.#name}_logs`,
      traces: `${this.#name}_spans`,
      metrics: `${this.#name}_metrics`,
      remote_write: `${this.#name}_writes`,
    };
    this.client = createKafka({ brokers: kafka.brokers, clientId: 'test', log: silentKafkaLog });
  }

  async end(): Promise<void> {
    await Promise.all(this.#consumers.map((consumer) => consumer.stop()));
  }

  get #limits(): NonNullable<KafkaConsumerOptions['limits']> {
    return {
      runMessagesMax: 5,
      runAgeMsMax: 20,
      fetchWaitMsMax: 50,
      // A broker of others has a least session timeout of six seconds.
      sessionTimeoutMs: this.#kafka.isOwned ? 1500 : 6000,
      heartbeatIntervalMs: 200,
      rebalanceTimeoutMs: 3000,
      drainMs: 500,
    };
  }

  #order(): Pick<KafkaConsumerOptions, 'brokers' | 'groupId' | 'topics' | 'deadLetterTopic'> {
    return {
      brokers: this.#kafka.brokers,
      groupId: this.#name,
      topics: this.topics,
      deadLetterTopic: `${this.#name}_dead`,
    };
  }

  async consume(
    store: RecordingStore,
    limits: KafkaConsumerOptions['limits'] = {},
    over: Partial<KafkaConsumerOptions> = {},
  ): Promise<KafkaConsumer> {
    const consumer = await startKafkaConsumer({
      ...this.#order(),
      log: silentKafkaLog,
      insertRun: store.insertRun,
      limits: { ...this.#limits, ...limits },
      createTopics: { partitions: 2, replicationFactor: 1 },
      ...over,
    });
    this.#consumers.push(consumer);
    return consumer;
  }

  /** Runs a consumer in a process that kills itself before `step`; returns what its store had taken, by token. */
  async crash(step: string, after: number): Promise<Map<string, string[]>> {
    const directory = await mkdtemp(join(tmpdir(), 'sonde-crash-'));
    const path = join(directory, 'inserts.jsonl');
    const order: CrashOrder = { ...this.#order(), limits: this.#limits, step, after, path };
    const signal = await new Promise((resolve) => {
      const child = execFile(process.execPath, [
        join(import.meta.dirname, 'crashing-consumer.ts'),
        JSON.stringify(order),
      ]);
      child.once('exit', (_code, name) => resolve(name));
    });
    expect(signal).toBe('SIGKILL');
    const lines = (await readFile(path, 'utf8')).trim().split('\n');
    await rm(directory, { recursive: true });
    return new Map(
      lines.map((line) => {
        const { token, bodies } = JSON.parse(line) as { token: string; bodies: string[] };
        return [token, bodies];
      }),
    );
  }

  bodies(signal: Signal, partition: number, count: number, from = 0): string[] {
    return Array.from({ length: count }, (_, index) => `${signal} ${partition} ${from + index}`).sort();
  }

  /** Produces numbered bodies without batch ids, as a foreign producer does, one record batch each. */
  async produce(signal: Signal, partition: number, count: number, from = 0): Promise<void> {
    for (let index = from; index < from + count; index += 5) {
      const values = Array.from({ length: Math.min(5, from + count - index) }, (_, each) => index + each);
      await this.send(
        signal,
        partition,
        values.map((number) => ({ value: `${signal} ${partition} ${number}` })),
      );
    }
  }

  async send(
    signal: Signal,
    partition: number,
    messages: TestMessage[],
    compression?: CompressionTypes,
  ): Promise<void> {
    await this.#withAdmin((admin) =>
      admin.createTopics({
        topics: Object.values(this.topics).map((topic) => ({ topic, numPartitions: 2 })),
        waitForLeaders: true,
      }),
    );
    const producer = this.client.producer({ retry: patientRetry });
    await producer.connect();
    await producer.send({
      topic: this.topics[signal],
      ...(compression === undefined ? {} : { compression }),
      messages: messages.map((message) => ({
        ...message,
        partition,
        // Bodies are text here: without their type they would be taken for what they are.
        headers: { 'content-type': 'application/x-protobuf', ...message.headers },
      })),
    });
    await producer.disconnect();
  }

  /** The offset, and where a run under way ends; null for none. Both must be noted with the topic's id. */
  async committed(signal: Signal, partition: number): Promise<{ offset: string; intent: string | null }> {
    const [topic] = await this.#withAdmin((admin) =>
      admin.fetchOffsets({ groupId: this.#name, topics: [this.topics[signal]] }),
    );
    const { offset, metadata } = topic!.partitions.find((each) => each.partition === partition)!;
    if (offset === '-1') return { offset, intent: null };
    const noted = /^(?:topic|v2:(?<last>\d+)):[\w-]{22}$/.exec(metadata ?? '');
    expect(noted, `${metadata}`).not.toBeNull();
    return { offset, intent: noted?.groups?.last ?? null };
  }

  async deleteTopic(signal: Signal): Promise<void> {
    await this.#withAdmin((admin) => admin.deleteTopics({ topics: [this.topics[signal]] }));
  }

  async deleteBefore(signal: Signal, partition: number, offset: number): Promise<void> {
    const topic = this.topics[signal];
    await this.#withAdmin(async (admin) => {
      // kafkajs deletes only in topics whose metadata it has loaded.
      await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
    });
  }

  /** Reads the dead-letter topic until it has this many, sorted by body. */
  async deadLetters(
    count: number,
  ): Promise<{ value: string | undefined; headers: Record<string, string> }[]> {
    const letters: { value: string | undefined; headers: Record<string, string> }[] = [];
    const reader = this.client.consumer({ groupId: `${this.#name}-reader`, maxWaitTimeInMs: 100 });
    await reader.connect();
    await reader.subscribe({ topic: `${this.#name}_dead`, fromBeginning: true });
    await reader.run({
      eachMessage: async ({ message }) => {
        const headers = Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]);
        letters.push({
          value: message.value?.toString(),
          headers: Object.fromEntries(headers) as Record<string, string>,
        });
      },
    });
    await eventually(() => letters.length >= count);
    await reader.disconnect();
    return letters.sort((a, b) => String(a.value ?? 'null').localeCompare(String(b.value ?? 'null')));
  }

  async #withAdmin<Result>(
    use: (admin: ReturnType<typeof this.client.admin>) => Promise<Result>,
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
