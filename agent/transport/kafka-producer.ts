/**
 * Puts record batches into Kafka exactly once per batch: idempotent, acks from all in-sync replicas, retried for ever.
 *
 * A batch goes to one partition in one request, so it lands whole or not at all. After a failure that leaves open
 * whether it landed, the same batch must be sent again before any other: kafkajs takes its sequence numbers back, and
 * the broker would take another batch under the same numbers for a repeat and drop it. That is why retries never stop
 * for an abort, only for close, and why nobody but PartitionQueue may decide what comes next.
 */
import kafkajs, { type Kafka, type Producer } from 'kafkajs';
import { errorMessage, RefusedError } from '#model/errors.ts';
import { Backoff, pause } from '#wire/backoff.ts';
import { type KafkaLog, kafkaErrorType } from '#wire/kafka/client.ts';
import type { OutgoingMessage } from '#wire/kafka/message.ts';

export type KafkaCompression = 'zstd' | 'gzip' | 'none';

/** What became of a batch. 'moved': the partition is gone, nothing landed, and the topic must be looked at again. */
export type ProduceResult = 'landed' | 'moved' | RefusedError;

const compressionTypes = {
  zstd: kafkajs.CompressionTypes.ZSTD,
  gzip: kafkajs.CompressionTypes.GZIP,
  none: kafkajs.CompressionTypes.None,
} as const;

/** The broker does not take these bytes, now or later. */
const refusals: ReadonlySet<string> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
]);
/** The broker has forgotten this producer, or knows another by its id: it needs a new id. */
const lostIdentity: ReadonlySet<string> = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
]);
const backoffOptions = { firstMs: 100, maxMs: 5000 };
const produceTimeoutMs = 30_000;
/** How soon partitions that were added to a topic are seen. */
const metadataAgeMaxMs = 30_000;

export class KafkaProducer {
  readonly #kafka: Kafka;
  readonly #log: KafkaLog;
  readonly #compression: number;
  readonly #closed: AbortSignal;
  #producer: Promise<Producer> | undefined;
  /** Why batches wait, per topic/partition. */
  readonly #troubles = new Map<string, string>();

  /** `closed` ends all retries: batches under way reject with its reason. */
  constructor(kafka: Kafka, compression: KafkaCompression, log: KafkaLog, closed: AbortSignal) {
    this.#kafka = kafka;
    this.#compression = compressionTypes[compression];
    this.#log = log;
    this.#closed = closed;
  }

  /** 'ok', or why the first of the waiting batches waits. */
  state(): string {
    for (const trouble of this.#troubles.values()) return trouble;
    return 'ok';
  }

  /** Resolves when the batch is durable, refused, or has nowhere to go; rejects only when closed. */
  async produce(
    topic: string,
    partition: number,
    messages: readonly OutgoingMessage[],
  ): Promise<ProduceResult> {
    const backoff = new Backoff(backoffOptions);
    const place = `${topic}/${partition}`;
    for (;;) {
      this.#closed.throwIfAborted();
      const current = this.#connectedProducer();
      try {
        const [record] = await (await current).send({
          topic,
          acks: -1,
          timeout: produceTimeoutMs,
          compression: this.#compression,
          messages: messages.map((message) => ({ ...message, partition })),
        });
        this.#troubles.delete(place);
        // kafkajs sends nothing, and says nothing, where the partition does not exist.
        return record?.partition === partition ? 'landed' : 'moved';
      } catch (error) {
        const type = kafkaErrorType(error) ?? '';
        if (refusals.has(type)) {
          this.#troubles.delete(place);
          return new RefusedError(`${place} does not take the message: ${errorMessage(error)}`, 413, {
            cause: error,
          });
        }
        if (type === 'UNKNOWN_TOPIC_OR_PARTITION') return 'moved';
        if (lostIdentity.has(type)) this.#forget(current, errorMessage(error));
        const trouble = `kafka ${place}: ${errorMessage(error)}`;
        if (this.#troubles.get(place) !== trouble)
          this.#log.warn({ topic, partition }, `${trouble}; retrying`);
        this.#troubles.set(place, trouble);
        await pause(backoff.nextMs(), this.#closed);
      }
    }
  }

  async close(): Promise<void> {
    await this.#producer?.then((producer) => producer.disconnect()).catch(() => undefined);
  }

  #connectedProducer(): Promise<Producer> {
    if (this.#producer !== undefined) return this.#producer;
    const connecting = this.#connect();
    this.#producer = connecting;
    // A failed attempt must not be kept; whoever awaits it hears why and comes again.
    connecting.catch(() => {
      if (this.#producer === connecting) this.#producer = undefined;
    });
    return connecting;
  }

  async #connect(): Promise<Producer> {
    const producer = this.#kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      metadataMaxAge: metadataAgeMaxMs,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      retry: { retries: 1, initialRetryTime: 100, maxRetryTime: 1000 },
    });
    try {
      await producer.connect();
      return producer;
    } catch (error) {
      await producer.disconnect().catch(() => undefined);
      throw error;
    }
  }

  /** Batches that landed without our hearing of it are repeated under the new id: the one way to a duplicate here. */
  #forget(lost: Promise<Producer>, reason: string): void {
    if (this.#producer !== lost) return;
    this.#producer = undefined;
    this.#log.warn({ reason }, 'the broker does not know this producer any more: starting a new one');
    lost.then((producer) => producer.disconnect()).catch(() => undefined);
  }
}
