/**
 * The transport over Apache Kafka: an envelope becomes one message, and a send resolves when the broker has it on all
 * in-sync replicas. Envelopes of one key stay in order (one partition, one batch on its way).
 */
import kafkajs, { type Kafka } from 'kafkajs';
import { errorMessage, RefusedError } from '#model/errors.ts';
import { Backoff, pause } from '#wire/backoff.ts';
import { headerBatchId } from '#wire/bus.ts';
import { type Delivery, type Envelope, type Signal, signals, type Transport } from '#wire/envelope.ts';
import { createKafka, type KafkaClientOptions, type KafkaLog } from '#wire/kafka/client.ts';
import { zstdSize } from '#wire/kafka/compression-codecs.ts';
import { envelopeMessage, messageSize } from '#wire/kafka/message.ts';
import { countPartitions, ensureTopics, type TopicCreation } from '#wire/kafka/topics.ts';
import { type KafkaCompression, KafkaProducer } from './kafka-producer.ts';
import { PartitionQueue, type WaitingSend } from './partition-queue.ts';

export interface KafkaTransportOptions extends KafkaClientOptions {
  readonly topics: Readonly<Record<Signal, string>>;
  /** Default zstd. */
  readonly compression?: KafkaCompression;
  /** Absent: missing topics are waited for. */
  readonly createTopics?: TopicCreation | undefined;
  /** Largest record batch; must not be over the topic's max.message.bytes. */
  readonly messageBytesMax?: number;
  /** How long a batch that is not full waits for more. */
  readonly lingerMs?: number;
}

/** Below the brokers' default of 1 MiB (message.max.bytes). */
const messageBytesMaxDefault = 1_000_000;
const lingerMsDefault = 5;
const connectBackoff = { firstMs: 200, maxMs: 10_000 };
/** Brokers learn of new topics within this time. */
const reroutePauseMs = 250;
const closedReason = new Error('the transport was closed');

/** Returns at once; connects in the background and for as long as it takes. */
export function createKafkaTransport(options: KafkaTransportOptions): Transport {
  return new KafkaTransport(options);
}

class KafkaTransport implements Transport {
  readonly #options: KafkaTransportOptions;
  readonly #log: KafkaLog;
  readonly #messageBytesMax: number;
  readonly #kafka: Kafka;
  readonly #producer: KafkaProducer;
  readonly #closing = new AbortController();
  readonly #queues = new Map<string, PartitionQueue>();
  readonly #partitionOf = kafkajs.Partitioners.DefaultPartitioner();
  #connectTrouble = 'kafka: connecting';
  /** How many partitions each topic has, once that is known. */
  #partitionCounts: Promise<ReadonlyMap<string, number>>;

  constructor(options: KafkaTransportOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#messageBytesMax = options.messageBytesMax ?? messageBytesMaxDefault;
    this.#kafka = createKafka(options);
    this.#producer = new KafkaProducer(
      this.#kafka,
      options.compression ?? 'zstd',
      options.log,
      this.#closing.signal,
    );
    this.#partitionCounts = this.#prepareTopics();
  }

  async send(envelope: Envelope, abort?: AbortSignal): Promise<Delivery> {
    abort?.throwIfAborted();
    this.#closing.signal.throwIfAborted();
    const message = envelopeMessage(envelope);
    const size = messageSize(message);
    if (size > this.#messageBytesMax) await this.#refuseOversize(envelope, size);
    return await new Promise<Delivery>((resolve, reject) => {
      const onAbort = () => reject(abort?.reason);
      abort?.addEventListener('abort', onAbort, { once: true });
      const done = () => abort?.removeEventListener('abort', onAbort);
      const send: WaitingSend = {
        message,
        size,
        abort,
        resolve: (delivery) => {
          done();
          resolve(delivery);
        },
        reject: (reason) => {
          done();
          reject(reason);
        },
      };
      this.#route(this.#options.topics[envelope.signal], send).catch(send.reject);
    });
  }

  state(): string {
    return this.#connectTrouble === '' ? this.#producer.state() : this.#connectTrouble;
  }

  async close(): Promise<void> {
    this.#closing.abort(closedReason);
    await this.#producer.close();
  }

  /** The limit holds for the compressed batch: a message over it may still fit, and then goes alone. */
  async #refuseOversize({ bytes, signal }: Envelope, size: number): Promise<void> {
    const isZstd = (this.#options.compression ?? 'zstd') === 'zstd';
    const compressed = isZstd ? await zstdSize(bytes) : size;
    if (compressed <= this.#messageBytesMax - (size - bytes.length)) return;
    throw new RefusedError(
      `a ${signal} message of ${bytes.length} bytes (${compressed} compressed) is over the Kafka limit of ` +
        `${this.#messageBytesMax} bytes: send smaller batches, or raise kafka.message_bytes_max and ` +
        `max.message.bytes of topic ${this.#options.topics[signal]}`,
      413,
    );
  }

  async #route(topic: string, send: WaitingSend): Promise<void> {
    const partition = await this.#partitionFor(topic, send);
    const place = `${topic}/${partition}`;
    let queue = this.#queues.get(place);
    if (queue === undefined) {
      queue = new PartitionQueue({
        batchBytesMax: this.#messageBytesMax,
        lingerMs: this.#options.lingerMs ?? lingerMsDefault,
        produce: (batch) => this.#produce(topic, partition, batch),
      });
      this.#queues.set(place, queue);
    }
    queue.add(send);
  }

  async #partitionFor(topic: string, { message }: WaitingSend): Promise<number> {
    const count = (await this.#partitionCounts).get(topic);
    if (count === undefined) throw new Error(`BUG: no partition count for topic ${topic}`);
    const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({ partitionId, leader: 0 }));
    return this.#partitionOf({ topic, partitionMetadata, message } as never);
  }

  /** Settles every send of the batch; the queue sends nothing else of this partition meanwhile. */
  async #produce(topic: string, partition: number, batch: readonly WaitingSend[]): Promise<void> {
    try {
      const result = await this.#producer.produce(
        topic,
        partition,
        batch.map(({ message }) => message),
      );
      if (result === 'landed') {
        for (const send of batch) send.resolve({ rejected: 0, reason: '' });
      } else if (result === 'moved') {
        await this.#reroute(topic, partition, batch);
      } else if (batch.length === 1) {
        batch[0]!.reject(refusal(result, batch[0]!, this.#messageBytesMax));
      } else {
        // One of them is the culprit, and none has landed.
        for (const send of batch) await this.#produce(topic, partition, [send]);
      }
    } catch (error) {
      for (const send of batch) send.reject(error);
    }
  }

  /** The broker does not know the partition: none of the batch landed. Looks at the topic again, then goes on. */
  async #reroute(topic: string, partition: number, batch: readonly WaitingSend[]): Promise<void> {
    await pause(reroutePauseMs, this.#closing.signal);
    this.#partitionCounts = this.#prepareTopics();
    const partitions = await Promise.all(batch.map((send) => this.#partitionFor(topic, send)));
    // The usual case is a topic that is new: the batch stays in front of its queue, so that order is kept.
    if (partitions.every((each) => each === partition)) return await this.#produce(topic, partition, batch);
    for (const send of batch) await this.#route(topic, send);
  }

  /** Tries until the topics exist; rejects only when closed. */
  #prepareTopics(): Promise<ReadonlyMap<string, number>> {
    const prepared = this.#untilTopicsExist();
    prepared.catch(() => undefined);
    return prepared;
  }

  async #untilTopicsExist(): Promise<ReadonlyMap<string, number>> {
    const names = signals.map((signal) => this.#options.topics[signal]);
    const backoff = new Backoff(connectBackoff);
    for (;;) {
      this.#closing.signal.throwIfAborted();
      let trouble: string;
      try {
        const missing = await ensureTopics(this.#kafka, names, this.#options.createTopics, this.#log);
        if (missing.length === 0) {
          const counts = await countPartitions(this.#kafka, names);
          this.#connectTrouble = '';
          return counts;
        }
        trouble = `kafka: topics are missing: ${missing.join(', ')}: create them, or set kafka.create_topics`;
      } catch (error) {
        trouble = `kafka: ${errorMessage(error)}`;
      }
      if (trouble !== this.#connectTrouble)
        this.#log.warn({ brokers: this.#options.brokers }, `${trouble}; retrying`);
      this.#connectTrouble = trouble;
      await pause(backoff.nextMs(), this.#closing.signal);
    }
  }
}

function refusal(error: RefusedError, { message }: WaitingSend, messageBytesMax: number): RefusedError {
  return new RefusedError(
    `batch ${message.headers[headerBatchId]} of ${message.value.length} bytes: ${error.message} ` +
      `(kafka.message_bytes_max here is ${messageBytesMax}; it must not be over the topic's max.message.bytes)`,
    error.status,
    { cause: error },
  );
}
