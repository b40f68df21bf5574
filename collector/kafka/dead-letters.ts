/**
 * Puts what cannot be decoded onto the dead-letter topic, as it came, with headers that say why and from where.
 * At least once: a collector that dies between this and its commit repeats the letters with the run.
 */
import kafkajs, { type Kafka, type Producer } from 'kafkajs';
import { errorMessage } from '#model/errors.ts';
import { Backoff, pause } from '#wire/backoff.ts';
import { headerTenant } from '#wire/bus.ts';
import { type KafkaLog, kafkaErrorType } from '#wire/kafka/client.ts';
import type { DeadLetter } from './run-requests.ts';

const headerReason = 'reason';
const headerSourceTopic = 'source-topic';
const headerSourcePartition = 'source-partition';
const headerSourceOffset = 'source-offset';
/** Set, with its size, on a letter whose body the topic does not take. */
const headerDroppedBytes = 'dropped-bytes';

/** A decoder's message may quote its input. */
const reasonLengthMax = 1000;
const backoffOptions = { firstMs: 200, maxMs: 10_000 };

export class DeadLetterOffice {
  readonly #kafka: Kafka;
  readonly #topic: string;
  readonly #log: KafkaLog;
  #producer: Promise<Producer> | undefined;
  #trouble = '';

  constructor(kafka: Kafka, topic: string, log: KafkaLog) {
    this.#kafka = kafka;
    this.#topic = topic;
    this.#log = log;
  }

  /** '' or why letters wait. */
  get trouble(): string {
    return this.#trouble;
  }

  /** Resolves when all in-sync replicas have all of them. Retries until then, or until `abort`. */
  async post(
    letters: readonly DeadLetter[],
    source: { readonly topic: string; readonly partition: number },
    abort: AbortSignal,
  ): Promise<void> {
    for (const letter of letters) await this.#postOne(letter, source, abort);
  }

  async close(): Promise<void> {
    await this.#producer?.then((producer) => producer.disconnect()).catch(() => undefined);
  }

  /** One by one: letters are rare, and one that is too large must not hold the others. */
  async #postOne(
    { message, tenant, reason }: DeadLetter,
    source: { readonly topic: string; readonly partition: number },
    abort: AbortSignal,
  ): Promise<void> {
    const backoff = new Backoff(backoffOptions);
    const headers: Record<string, Buffer | string | (Buffer | string)[]> = {};
    for (const [name, value] of Object.entries(message.headers)) {
      if (value !== undefined && value !== null) headers[name] = value as Buffer;
    }
    Object.assign(headers, {
      [headerTenant]: tenant,
      [headerReason]: reason.slice(0, reasonLengthMax),
      [headerSourceTopic]: source.topic,
      [headerSourcePartition]: String(source.partition),
      [headerSourceOffset]: String(message.offset),
    });
    let value = message.value;
    for (;;) {
      abort.throwIfAborted();
      try {
        const producer = await this.#connectedProducer();
        await producer.send({
          topic: this.#topic,
          acks: -1,
          compression: kafkajs.CompressionTypes.ZSTD,
          messages: [{ key: message.key, value, headers }],
        });
        this.#trouble = '';
        return;
      } catch (error) {
        if (kafkaErrorType(error) === 'MESSAGE_TOO_LARGE' && value !== null && value.length > 0) {
          this.#log.warn(
            { ...source, offset: message.offset },
            'a dead letter is too large for its topic: sent without body',
          );
          headers[headerDroppedBytes] = String(value.length);
          value = Buffer.alloc(0);
          continue;
        }
        this.#trouble = `dead letters cannot be written to ${this.#topic}: ${errorMessage(error)}`;
        this.#log.warn({ ...source, offset: message.offset }, `${this.#trouble}; retrying`);
        await pause(backoff.nextMs(), abort);
      }
    }
  }

  #connectedProducer(): Promise<Producer> {
    if (this.#producer !== undefined) return this.#producer;
    const producer = this.#kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      retry: { retries: 2, initialRetryTime: 100, maxRetryTime: 1000 },
    });
    const connecting = producer.connect().then(() => producer);
    this.#producer = connecting;
    connecting.catch(() => {
      if (this.#producer === connecting) this.#producer = undefined;
    });
    return connecting;
  }
}
