/**
 * The transport over Apache Kafka: an envelope becomes one message or a few (kafka-parts.ts), and a send resolves when the
 * brokers have them all on all in-sync replicas. Envelopes of one key stay in order (one partition, one batch on its way).
 *
 *   send -> ByteGate -> parts -> PartitionQueue (fills batches) -> PartitionProducer (sends one until it is settled)
 */
import kafkajs from 'kafkajs';
import { RefusedError } from '#model/errors.ts';
import { abortable, type BackoffOptions, pause } from '#wire/backoff.ts';
import type { Delivery, Envelope, Signal, Transport } from '#wire/envelope.ts';
import { createKafka, type KafkaClientOptions } from '#wire/kafka/client.ts';
import type { KafkaCompression } from '#wire/kafka/compression-codecs.ts';
import { envelopeMessage, messageSize } from '#wire/kafka/message.ts';
import { ProducerCluster } from '#wire/kafka/producer-cluster.ts';
import type { TopicCreation } from '#wire/kafka/topics.ts';
import { ByteGate } from './byte-gate.ts';
import { observeProducer, ProducerCounters } from './kafka-counters.ts';
import { halvesOf, type Part, partsOf, recordsOf } from './kafka-parts.ts';
import { PartitionProducer, type ProducerContext, type TooLarge } from './kafka-producer.ts';
import { KafkaTopic } from './kafka-topic.ts';
import { KafkaTroubles } from './kafka-troubles.ts';
import { PartitionQueue, type WaitingSend } from './partition-queue.ts';

export interface KafkaTransportOptions extends KafkaClientOptions {
  readonly topics: Readonly<Record<Signal, string>>;
  /** Default zstd. */
  readonly compression?: KafkaCompression;
  /** Missing topics are created like this. Absent: they are waited for. */
  readonly createTopics?: TopicCreation | undefined;
  /** What topics are compared with where they may not be created. Default: 8 partitions, one replica. */
  readonly wantedTopics?: TopicCreation | undefined;
  /** Largest record batch, compressed; a topic's max.message.bytes may lower it. */
  readonly messageBytesMax?: number;
  /** How long a batch that is not full waits for more. */
  readonly lingerMs?: number;
  /** Of requests that are not durable yet; more have to wait. */
  readonly inflightBytesMax?: number;
  readonly inflightRequestsMax?: number;
  /** Trace ids and resources fall into so many buckets; all agents must have the same number. */
  readonly keyBuckets?: number;
  readonly backoff?: BackoffOptions;
  /** Pauses after what a person must change, such as a password. */
  readonly deniedBackoff?: BackoffOptions;
  /** Time between two looks at topics: new partitions are used, and changed limits known, after it. */
  readonly topicLookIntervalMs?: number;
}

/** The transport with what it counts. */
export interface KafkaTransport extends Transport {
  readonly counters: ProducerCounters;
}

/** Below the brokers' default of 1 MiB (message.max.bytes). */
const messageBytesMaxDefault = 1_000_000;
const lingerMsDefault = 5;
const inflightBytesMaxDefault = 64 * 1024 * 1024;
const inflightRequestsMaxDefault = 1000;
export const keyBucketsDefault = 8;
const backoffDefault = { firstMs: 100, maxMs: 5000 };
const deniedBackoffDefault = { firstMs: 5000, maxMs: 60_000 };
const topicLookIntervalMsDefault = 30_000;
const wantedTopicsDefault = { partitions: 8, replicationFactor: 1 };
/** Brokers learn of new topics within this time. */
const reroutePauseMs = 250;
const closedReason = new Error('the transport was closed');

/** Returns at once; connects in the background and for as long as it takes. */
export function createKafkaTransport(options: KafkaTransportOptions): KafkaTransport {
  return new KafkaConnection(options);
}

interface PartSend extends WaitingSend {
  readonly part: Part;
}

class KafkaConnection implements KafkaTransport {
  readonly counters = new ProducerCounters();
  readonly #options: KafkaTransportOptions;
  readonly #messageBytesMax: number;
  readonly #keyBuckets: number;
  readonly #closing = new AbortController();
  readonly #troubles = new KafkaTroubles();
  readonly #gate: ByteGate;
  readonly #context: ProducerContext;
  readonly #topics: ReadonlyMap<string, KafkaTopic>;
  readonly #queues = new Map<string, PartitionQueue<PartSend>>();
  readonly #partitionOf = kafkajs.Partitioners.DefaultPartitioner();
  /** What the partitioner looks at; topics usually have the same number. */
  #partitions: readonly { readonly partitionId: number; readonly leader: number }[] = [];
  readonly #endObserving: () => void;

  constructor(options: KafkaTransportOptions) {
    this.#options = options;
    this.#messageBytesMax = options.messageBytesMax ?? messageBytesMaxDefault;
    this.#keyBuckets = options.keyBuckets ?? keyBucketsDefault;
    this.#gate = new ByteGate(
      options.inflightBytesMax ?? inflightBytesMaxDefault,
      options.inflightRequestsMax ?? inflightRequestsMaxDefault,
    );
    const kafka = createKafka(options);
    this.#context = {
      cluster: new ProducerCluster(kafka),
      brokers: options.brokers,
      compression: options.compression ?? 'zstd',
      counters: this.counters,
      troubles: this.#troubles,
      log: options.log,
      backoff: options.backoff ?? backoffDefault,
      deniedBackoff: options.deniedBackoff ?? deniedBackoffDefault,
      closed: this.#closing.signal,
    };
    this.#topics = new Map(
      [...new Set(Object.values(options.topics))].map((name) => {
        const topic = new KafkaTopic({
          context: this.#context,
          kafka,
          name,
          wanted: options.createTopics ?? options.wantedTopics ?? wantedTopicsDefault,
          mayCreate: options.createTopics !== undefined,
          batchBytesMax: this.#messageBytesMax,
          buckets: this.#keyBuckets,
          lookIntervalMs: options.topicLookIntervalMs ?? topicLookIntervalMsDefault,
        });
        return [name, topic];
      }),
    );
    this.#endObserving = observeProducer(() => ({
      bytes: this.#gate.bytes,
      requests: this.#gate.requests,
      waitingCount: this.#gate.waitingCount,
      troubledCount: this.#troubles.count,
      troubledSinceMs: this.#troubles.sinceMs,
    }));
  }

  async send(envelope: Envelope, abort?: AbortSignal): Promise<Delivery> {
    const closing = this.#closing.signal;
    closing.throwIfAborted();
    const size = messageSize(envelopeMessage(envelope));
    await this.#gate.enter(size, abort === undefined ? closing : AbortSignal.any([abort, closing]));
    // An abort ends the caller's wait; what is under way counts until it is settled, as it is in memory until then.
    const sending = this.#sendParts(envelope, abort).finally(() => this.#gate.leave(size));
    return await (abort === undefined ? sending : abortable(sending, abort));
  }

  state(): string {
    return this.#troubles.describe();
  }

  async close(): Promise<void> {
    this.#closing.abort(closedReason);
    this.#endObserving();
    await this.#context.cluster.close();
  }

  async #sendParts(envelope: Envelope, abort: AbortSignal | undefined): Promise<Delivery> {
    const parts = partsOf(envelope, this.#keyBuckets);
    const isWhole = parts.length === 1;
    const deliveries = await allOf(parts.map((part) => this.#sendPart(part, abort, isWhole)));
    return joined(deliveries);
  }

  /** A part that is all of its envelope is refused by a rejection, as the contract has it. */
  async #sendPart(part: Part, abort: AbortSignal | undefined, isWhole: boolean): Promise<Delivery> {
    const topic = this.#options.topics[part.envelope.signal];
    const { promise, resolve, reject } = Promise.withResolvers<Delivery>();
    const message = envelopeMessage(part.envelope);
    const send: PartSend = { part, message, size: messageSize(message), abort, resolve, reject };
    this.#route(topic, send).catch(reject);
    try {
      return await promise;
    } catch (error) {
      if (isWhole || !(error instanceof RefusedError)) throw error;
      return { rejected: recordsOf(part), reason: error.message };
    }
  }

  async #route(topic: string, send: PartSend): Promise<void> {
    const partition = await this.#partitionFor(topic, send);
    const place = `${topic}/${partition}`;
    let queue = this.#queues.get(place);
    if (queue === undefined) {
      const producer = new PartitionProducer(this.#context, topic, partition);
      queue = new PartitionQueue({
        batchBytesMax: this.#messageBytesMax,
        lingerMs: this.#options.lingerMs ?? lingerMsDefault,
        produce: (batch) => this.#produce(producer, topic, partition, batch),
      });
      this.#queues.set(place, queue);
    }
    queue.add(send);
  }

  async #partitionFor(topic: string, { part, message }: PartSend): Promise<number> {
    const count = await this.#topic(topic).partitionCount();
    if (part.slot !== undefined) return part.slot % count;
    if (this.#partitions.length !== count) {
      this.#partitions = Array.from({ length: count }, (_, partitionId) => ({ partitionId, leader: 0 }));
    }
    return this.#partitionOf({ topic, partitionMetadata: this.#partitions, message } as never);
  }

  /** Settles every send of the batch; the queue sends nothing else of this partition meanwhile. */
  async #produce(
    producer: PartitionProducer,
    topic: string,
    partition: number,
    batch: readonly PartSend[],
  ): Promise<void> {
    try {
      const messages = batch.map(({ message }) => message);
      const result = await producer.produce(messages, this.#topic(topic).batchBytesMax);
      if (result === 'landed') {
        for (const send of batch) send.resolve({ rejected: 0, reason: '' });
      } else if (result === 'moved') {
        await this.#reroute(producer, topic, partition, batch);
      } else {
        await this.#cut(producer, topic, partition, batch, result);
      }
    } catch (error) {
      for (const send of batch) send.reject(error);
    }
  }

  /** The batch is too large, or one of its messages is refused: none has landed. Halves it, then the one message. */
  async #cut(
    producer: PartitionProducer,
    topic: string,
    partition: number,
    batch: readonly PartSend[],
    reason: TooLarge | RefusedError,
  ): Promise<void> {
    const isTooLarge = !(reason instanceof RefusedError);
    if (isTooLarge) {
      if (reason.isByBroker) await this.#topic(topic).refused(reason.bytes);
      this.counters.add('splits', 1, { topic });
    }
    if (batch.length > 1) {
      const cut = batch.length >>> 1;
      await this.#produce(producer, topic, partition, batch.slice(0, cut));
      await this.#produce(producer, topic, partition, batch.slice(cut));
      return;
    }
    const send = batch[0]!;
    send.abort?.throwIfAborted();
    const halves = isTooLarge ? halvesOf(send.part) : undefined;
    if (halves === undefined) {
      this.#refuse(topic, send, reason);
      return;
    }
    const deliveries: Promise<Delivery>[] = [];
    for (const part of halves) {
      const message = envelopeMessage(part.envelope);
      const { promise, resolve, reject } = Promise.withResolvers<Delivery>();
      const refusable = promise.catch((error: unknown) => {
        if (!(error instanceof RefusedError)) throw error;
        return { rejected: recordsOf(part), reason: error.message };
      });
      deliveries.push(refusable);
      // It is waited for below, when both halves have settled.
      refusable.catch(() => undefined);
      const half = { part, message, size: messageSize(message), abort: send.abort, resolve, reject };
      await this.#produce(producer, topic, partition, [half]);
    }
    send.resolve(joined(await allOf(deliveries)));
  }

  #refuse(topic: string, { part, message, reject }: PartSend, reason: TooLarge | RefusedError): void {
    const { signal, batchId } = part.envelope;
    const records = recordsOf(part);
    const isTooLarge = !(reason instanceof RefusedError);
    this.counters.add('refused_records', records, { topic, reason: isTooLarge ? 'too_large' : 'invalid' });
    const limit = this.#topic(topic).batchBytesMax;
    const fact = isTooLarge
      ? `batch ${batchId}: one ${signal} record of ${message.value.length} bytes (${reason.bytes} compressed) is over the ` +
        `limit of topic ${topic}, ${limit} bytes: raise kafka.message_bytes_max and max.message.bytes of the topic, or send smaller records`
      : `batch ${batchId} of ${message.value.length} bytes: ${reason.message}`;
    this.#options.log.error({ topic, batchId, records }, `kafka: refused for good: ${fact}`);
    reject(new RefusedError(fact, 413, { cause: isTooLarge ? undefined : reason }));
  }

  /** The broker does not know the partition: none of the batch landed. Looks at the topic again, then goes on. */
  async #reroute(
    producer: PartitionProducer,
    topic: string,
    partition: number,
    batch: readonly PartSend[],
  ): Promise<void> {
    await pause(reroutePauseMs, this.#closing.signal);
    await this.#topic(topic).lookAgain();
    const left = batch.filter(({ abort, reject }) => {
      if (abort?.aborted === true) reject(abort.reason);
      return abort?.aborted !== true;
    });
    if (left.length === 0) return;
    const partitions = await Promise.all(left.map((send) => this.#partitionFor(topic, send)));
    // The usual case is a topic that is new: the batch stays in front of its queue, so that order is kept.
    if (partitions.every((each) => each === partition)) {
      await this.#produce(producer, topic, partition, left);
      return;
    }
    for (const send of left) await this.#route(topic, send);
  }

  #topic(name: string): KafkaTopic {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw new Error(`BUG: topic ${name} is none of the transport's`);
    return topic;
  }
}

/** Waits for all, also where one fails: nothing may go on behind the caller's back. Rejects with the first failure. */
async function allOf(deliveries: readonly Promise<Delivery>[]): Promise<readonly Delivery[]> {
  await Promise.allSettled(deliveries);
  return await Promise.all(deliveries);
}

function joined(deliveries: readonly Delivery[]): Delivery {
  const [first] = deliveries;
  if (deliveries.length === 1) return first!;
  return {
    rejected: deliveries.reduce((total, { rejected }) => total + rejected, 0),
    reason: deliveries
      .map(({ reason }) => reason)
      .filter((reason) => reason !== '')
      .join('; '),
  };
}
