/**
 * One topic, as the producer knows it: whether it is there, how many partitions it has, and the largest batch that it takes.
 * It is looked at until it can be written to, and again from time to time: partitions are added, limits change.
 */
import type { Kafka } from 'kafkajs';
import { errorMessage } from '#model/errors.ts';
import { Backoff, pause } from '#wire/backoff.ts';
import { kafkaErrorType } from '#wire/kafka/client.ts';
import { createTopic, createTopicCommand, type TopicCreation } from '#wire/kafka/topics.ts';
import { explainKafkaError, verdictOf } from './kafka-errors.ts';
import type { ProducerContext } from './kafka-producer.ts';

export interface KafkaTopicOptions {
  readonly context: ProducerContext;
  readonly kafka: Kafka;
  readonly name: string;
  /** What the topic should be like. */
  readonly wanted: TopicCreation;
  readonly mayCreate: boolean;
  /** Our own limit of a batch; the topic's may be lower. */
  readonly batchBytesMax: number;
  /** Trace ids and resources fall into so many buckets. */
  readonly buckets: number;
  /** Time between two looks at a topic that works. */
  readonly lookIntervalMs: number;
}

const limitSetting = 'max.message.bytes';
const retentionSetting = 'retention.ms';

export class KafkaTopic {
  readonly #options: KafkaTopicOptions;
  readonly #said = new Set<string>();
  #ready: Promise<void>;
  #batchBytesMax: number;

  constructor(options: KafkaTopicOptions) {
    this.#options = options;
    this.#batchBytesMax = options.batchBytesMax;
    this.#ready = this.#prepare();
    void this.#watch();
  }

  /** Largest record batch, compressed. */
  get batchBytesMax(): number {
    return this.#batchBytesMax;
  }

  /** Resolves with the number of partitions, when there are some; rejects only when closed. */
  async partitionCount(): Promise<number> {
    await this.#ready;
    const { context, name } = this.#options;
    return context.cluster.partitionCount(name)!;
  }

  /** The broker does not know the topic, or a partition: looks again, and creates what may be created. */
  lookAgain(): Promise<void> {
    this.#ready = this.#prepare();
    return this.#ready;
  }

  /** The broker has refused a batch of so many bytes: reads its limit anew. Never rejects, but when closed. */
  async refused(bytes: number): Promise<void> {
    // Where the limit cannot be read, this is all that is known of it.
    this.#batchBytesMax = Math.min(this.#batchBytesMax, bytes - 1);
    await this.#readSettings();
  }

  #prepare(): Promise<void> {
    const prepared = this.#untilReady();
    prepared.catch(() => undefined);
    return prepared;
  }

  async #untilReady(): Promise<void> {
    const { context, name } = this.#options;
    const { closed, troubles, log } = context;
    const [retries, slowRetries] = [new Backoff(context.backoff), new Backoff(context.deniedBackoff)];
    for (;;) {
      closed.throwIfAborted();
      try {
        await this.#look();
        troubles.clear(name);
        await this.#readSettings();
        return;
      } catch (error) {
        closed.throwIfAborted();
        const isDenied = verdictOf(error) === 'denied';
        const pauseMs = (isDenied ? slowRetries : retries).nextMs();
        const message = explainKafkaError(error, name, context.brokers);
        if (troubles.set(name, message, pauseMs)) {
          log[isDenied ? 'error' : 'warn'](
            { brokers: context.brokers, topic: name },
            `kafka: ${message}; retrying`,
          );
        }
        await pause(pauseMs, closed);
      }
    }
  }

  async #look(): Promise<void> {
    const { context, name, kafka, wanted, mayCreate } = this.#options;
    try {
      await context.cluster.refresh(name);
      return;
    } catch (error) {
      if (kafkaErrorType(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
    }
    const command = createTopicCommand(context.brokers, name, wanted);
    if (!mayCreate) {
      throw new Error(
        `topic ${name} is missing, and kafka.create_topics is off: an administrator creates it with ${command}`,
      );
    }
    try {
      await createTopic(kafka, name, wanted, context.log);
    } catch (error) {
      // Without an answer of a broker, nobody has to do anything about it.
      if (kafkaErrorType(error) === undefined) throw error;
      throw new Error(
        `topic ${name} is missing and could not be created (${errorMessage(error)}): an administrator creates it with ${command}`,
        { cause: error },
      );
    }
    await context.cluster.refresh(name);
  }

  /** Its own limit holds for a topic; the broker's message.max.bytes is the value of topics that have none. */
  async #readSettings(): Promise<void> {
    const { context, name, batchBytesMax, wanted } = this.#options;
    let settings: ReadonlyMap<string, string>;
    try {
      settings = await context.cluster.topicSettings(name, [limitSetting, retentionSetting]);
    } catch (error) {
      context.closed.throwIfAborted();
      if (verdictOf(error) === 'denied') {
        this.#warn(
          `the settings of topic ${name} cannot be read (${errorMessage(error)}): batches of up to ` +
            `${this.#batchBytesMax} bytes are sent, and cut where the broker refuses them; an administrator allows it with ` +
            `kafka-acls.sh --bootstrap-server ${context.brokers.join(',')} --add --allow-principal User:<name> ` +
            `--operation DescribeConfigs --topic ${name}`,
        );
      } else {
        const fields = { topic: name, reason: errorMessage(error) };
        context.log.debug(fields, 'kafka: the settings of a topic could not be read this time');
      }
      return;
    }
    const limit = Number(settings.get(limitSetting));
    if (limit > 0) this.#batchBytesMax = Math.min(batchBytesMax, limit);
    if (limit < batchBytesMax) {
      this.#warn(
        `topic ${name} takes batches of up to ${limit} bytes (${limitSetting}), which is less than ` +
          `kafka.message_bytes_max (${batchBytesMax}): batches stay below it`,
      );
    }
    this.#compare(wanted, Number(settings.get(retentionSetting)));
  }

  #compare({ partitions, retentionMs }: TopicCreation, retention: number): void {
    const { context, name, buckets } = this.#options;
    const count = context.cluster.partitionCount(name) ?? partitions;
    const servers = `--bootstrap-server ${context.brokers.join(',')}`;
    if (count !== partitions) {
      const more = `: kafka-topics.sh ${servers} --alter --topic ${name} --partitions ${partitions}`;
      this.#warn(
        `topic ${name} has ${count} partitions, and kafka.partitions is ${partitions}${count < partitions ? more : ''}`,
      );
    }
    if (count > buckets) {
      this.#warn(
        `topic ${name} has ${count} partitions, and kafka.key_buckets is ${buckets}: traces and metrics use no more of them`,
      );
    }
    if (retentionMs !== undefined && Number.isFinite(retention) && retention !== retentionMs) {
      this.#warn(
        `topic ${name} keeps messages for ${retention} ms (${retentionSetting}), and kafka.retention_ms is ${retentionMs}: ` +
          `kafka-configs.sh ${servers} --alter --topic ${name} --add-config ${retentionSetting}=${retentionMs}`,
      );
    }
  }

  #warn(message: string): void {
    if (this.#said.has(message)) return;
    this.#said.add(message);
    this.#options.context.log.warn({ topic: this.#options.name }, `kafka: ${message}`);
  }

  /** A look that fails changes nothing: batches say what is wrong, if there is more to it. */
  async #watch(): Promise<void> {
    const { context, name, lookIntervalMs } = this.#options;
    const { closed, cluster, log } = context;
    try {
      for (;;) {
        await pause(lookIntervalMs, closed);
        await this.#ready;
        await cluster
          .refresh(name)
          .then(() => this.#readSettings())
          .catch((error: unknown) => {
            log.debug({ topic: name, reason: errorMessage(error) }, 'kafka: a topic could not be looked at');
          });
      }
    } catch (error) {
      if (!closed.aborted) throw error;
    }
  }
}
