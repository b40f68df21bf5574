/**
 * Puts the record batches of one partition into Kafka, one after the other: idempotent, acks from all in-sync replicas,
 * retried for ever.
 *
 * Each partition has a producer id of its own: where the broker forgets or fences it, no other partition repeats anything.
 * A batch lands whole or not at all. After a failure that leaves open whether it has, the same records are sent again
 * under the same numbers, and the broker drops the repeat. If something else must be sent under these numbers, because
 * the batch turned out to be too large, refused or in the wrong place, the id is given up first: the broker would take
 * other records for the repeat, and drop them.
 */
import { RefusedError } from '#model/errors.ts';
import { freeBytes } from '#model/free-bytes.ts';
import { Backoff, type BackoffOptions, pause } from '#wire/backoff.ts';
import { type BatchIdentity, batchBytes, type EncodedBatch, encodeBatch } from '#wire/kafka/batch-encoder.ts';
import type { KafkaLog } from '#wire/kafka/client.ts';
import type { KafkaCompression } from '#wire/kafka/compression-codecs.ts';
import type { OutgoingMessage } from '#wire/kafka/message.ts';
import type { ProducerCluster } from '#wire/kafka/producer-cluster.ts';
import type { ProducerCounters } from './kafka-counters.ts';
import { errorLabel, explainKafkaError, mayHaveLanded, type Verdict, verdictOf } from './kafka-errors.ts';
import type { KafkaTroubles } from './kafka-troubles.ts';

/** A batch is over the limit, the topic's or our own; nothing of it has landed. `bytes` is its size, compressed. */
export interface TooLarge {
  readonly kind: 'too-large';
  readonly bytes: number;
  /** Whether the broker said so, who may know better than we do. */
  readonly isByBroker: boolean;
}

/** What became of a batch. 'moved': the broker does not know the partition, nothing landed. */
export type ProduceResult = 'landed' | 'moved' | TooLarge | RefusedError;

export interface ProducerContext {
  readonly cluster: ProducerCluster;
  readonly brokers: readonly string[];
  readonly compression: KafkaCompression;
  readonly counters: ProducerCounters;
  readonly troubles: KafkaTroubles;
  readonly log: KafkaLog;
  /** Of what goes away by itself. */
  readonly backoff: BackoffOptions;
  /** Of what a person must change: authentication, rights. */
  readonly deniedBackoff: BackoffOptions;
  /** Ends all retries: batches under way reject with its reason. */
  readonly closed: AbortSignal;
}

/** Sequence numbers are 31 bits, and begin again at zero. */
const sequenceMask = 0x7fffffff;

export class PartitionProducer {
  readonly #context: ProducerContext;
  readonly #topic: string;
  readonly #partition: number;
  readonly #place: string;
  #identity: BatchIdentity | undefined;
  /** Why the last id was given up. */
  #lostBy = 'start';

  constructor(context: ProducerContext, topic: string, partition: number) {
    this.#context = context;
    this.#topic = topic;
    this.#partition = partition;
    this.#place = `${topic}/${partition}`;
  }

  /**
   * Resolves when the batch is durable, or cannot land as it is; rejects only when closed. One call at a time. The
   * messages' bytes are not read any more once this has returned its promise.
   */
  async produce(messages: readonly OutgoingMessage[], bytesMax: number): Promise<ProduceResult> {
    const { cluster, closed, compression, backoff, deniedBackoff } = this.#context;
    const batch = await encodeBatch(messages, compression, Date.now());
    const bytes = batchBytes(batch);
    if (bytes > bytesMax) return { kind: 'too-large', bytes, isByBroker: false };
    const [retries, slowRetries] = [new Backoff(backoff), new Backoff(deniedBackoff)];
    let hasFailed = false;
    let isOpen = false;
    for (;;) {
      closed.throwIfAborted();
      try {
        const identity = await this.#identify();
        await cluster.produce(this.#topic, this.#partition, batch, identity);
        // All of it was read. After a failure, a dead connection may still hold it.
        if (!hasFailed) freeBytes(batch.payload);
        return this.#landed(batch, bytes);
      } catch (error) {
        closed.throwIfAborted();
        const verdict = verdictOf(error);
        hasFailed = true;
        if (verdict === 'landed') return this.#landed(batch, bytes);
        const result = this.#settled(verdict, error, bytes);
        if (result !== undefined) {
          if (isOpen) this.#identity = undefined;
          return result;
        }
        isOpen ||= mayHaveLanded(error);
        if (verdict === 'lost') this.#lose(error);
        else cluster.distrust(this.#topic);
        await this.#wait(error, (verdict === 'denied' ? slowRetries : retries).nextMs());
      }
    }
  }

  #landed(batch: EncodedBatch, bytes: number): 'landed' {
    const { counters, troubles } = this.#context;
    const topic = this.#topic;
    troubles.clear(this.#place);
    const identity = this.#identity!;
    this.#identity = {
      ...identity,
      baseSequence: (identity.baseSequence + batch.recordCount) & sequenceMask,
    };
    counters.add('messages', batch.recordCount, { topic });
    counters.add('batches', 1, { topic });
    counters.add('plain_bytes', batch.plainBytes, { topic });
    counters.add('batch_bytes', bytes, { topic });
    return 'landed';
  }

  /** Returns what the batch has come to, undefined where it is sent again. */
  #settled(verdict: Verdict, error: unknown, bytes: number): ProduceResult | undefined {
    const { troubles, cluster } = this.#context;
    if (verdict === 'moved') {
      troubles.clear(this.#place);
      cluster.distrust(this.#topic);
      // A topic that is made anew knows nothing of this id.
      this.#identity = undefined;
      this.#lostBy = 'UNKNOWN_TOPIC_OR_PARTITION';
      return 'moved';
    }
    if (verdict !== 'too-large' && verdict !== 'refused') return undefined;
    troubles.clear(this.#place);
    if (verdict === 'too-large') return { kind: 'too-large', bytes, isByBroker: true };
    return new RefusedError(`${this.#place} does not take the message: ${(error as Error).message}`, 413, {
      cause: error,
    });
  }

  async #identify(): Promise<BatchIdentity> {
    if (this.#identity !== undefined) return this.#identity;
    const { cluster, counters } = this.#context;
    this.#identity = { ...(await cluster.newProducerId()), baseSequence: 0 };
    counters.add('producer_ids', 1, { topic: this.#topic, reason: this.#lostBy });
    return this.#identity;
  }

  /** If the batch has landed unheard, it lands again under the new id: the collector knows it by its batch id. */
  #lose(error: unknown): void {
    this.#identity = undefined;
    this.#lostBy = errorLabel(error);
    this.#context.log.warn(
      { topic: this.#topic, partition: this.#partition, reason: this.#lostBy },
      'the broker does not know this producer any more: going on under a new id',
    );
  }

  async #wait(error: unknown, pauseMs: number): Promise<void> {
    const { brokers, closed, counters, log, troubles } = this.#context;
    const [topic, partition] = [this.#topic, this.#partition];
    counters.add('retries', 1, { topic, error: errorLabel(error) });
    const message = explainKafkaError(error, topic, brokers);
    const isNew = troubles.set(this.#place, message, pauseMs);
    if (isNew) {
      const isDenied = verdictOf(error) === 'denied';
      log[isDenied ? 'error' : 'warn']({ topic, partition }, `kafka ${this.#place}: ${message}; retrying`);
    }
    await pause(pauseMs, closed);
  }
}
