/**
 * The collector's end of the Kafka transport: consumes the topics as a member of a group and inserts their messages
 * exactly once, by the intent protocol (partition-protocol.ts). It never gives up: when Kafka is away it waits, when
 * the store is away the partitions wait, and status() says so.
 */
import { errorMessage } from '#model/errors.ts';
import { Backoff, pause } from '#wire/backoff.ts';
import { createConverterPool } from '#wire/conversion/converter-pool.ts';
import { type Signal, signals } from '#wire/envelope.ts';
import { createKafka, type KafkaClientOptions } from '#wire/kafka/client.ts';
import { ensureTopics, type TopicCreation } from '#wire/kafka/topics.ts';
import { bufferBytesMaxDefault } from '#wire/transport-options.ts';
import type { RunInserter } from '../run.ts';
import { type ConsumerCounter, ConsumerCounters } from './consumer-counters.ts';
import { observeConsumer } from './consumer-gauges.ts';
import { ConsumerSession, type SessionOptions } from './consumer-session.ts';
import { DeadLetterOffice } from './dead-letters.ts';
import { MessageReader } from './message-reader.ts';
import type { FailpointStep, PartitionPlace, PartitionStatus } from './partition-context.ts';
import type { PartitionGates } from './partition-gate.ts';
import { RunGate } from './run-gate.ts';

export interface KafkaConsumerOptions extends Omit<KafkaClientOptions, 'clientId'> {
  readonly clientId?: string;
  readonly groupId: string;
  /** See GroupMemberOptions; default ''. */
  readonly groupInstanceId?: string;
  readonly topics: Readonly<Record<Signal, string>>;
  readonly deadLetterTopic: string;
  /** How long a topic that refuses letters is waited for (see DeadLetterOffice); 0 for ever. Default 0. */
  readonly deadLetterWaitMs?: number;
  /** Of a body, decompressed and after conversion. */
  readonly bodyBytesMax?: number;
  /** Whether what is no request on the topic of logs is stored as the body of a record. Default false. */
  readonly takesPlainLogs?: boolean;
  readonly insertRun: RunInserter;
  /** Where a group that has never committed begins. Default true: nothing is skipped. */
  readonly fromBeginning?: boolean;
  /** Absent: topics that are missing are waited for. */
  readonly createTopics?: TopicCreation | undefined;
  readonly limits?: Partial<KafkaConsumerLimits>;
  /** What messages of traces go through before they are stored. */
  readonly gates?: PartitionGates | undefined;
  /** Called before each step of the protocol; tests crash here. */
  readonly failpoint?: (step: FailpointStep, place: PartitionPlace) => void | Promise<void>;
}

/** Of bufferBytesMax: the rest is for what was fetched and waits, compressed. */
const inflatedShare = 0.6;

/** Bytes are of messages after decompression, unless said otherwise. */
export interface KafkaConsumerLimits {
  /** A run is closed at this size, ... */
  readonly runBytesMax: number;
  /** ... this many messages, ... */
  readonly runMessagesMax: number;
  /** ... or this age of its oldest message. */
  readonly runAgeMsMax: number;
  /** What all partitions may hold together: fetched and still compressed, and inflated for the runs under way. */
  readonly bufferBytesMax: number;
  /** Runs that are inserted at a time. */
  readonly runsMax: number;
  /** One answer of a broker, compressed. */
  readonly fetchBytesMax: number;
  readonly partitionFetchBytesMax: number;
  readonly fetchWaitMsMax: number;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** How long runs under way may take to end at a rebalance or a stop; longer ones are left to the next owner. */
  readonly drainMs: number;
}

export const kafkaConsumerLimitDefaults: KafkaConsumerLimits = {
  runBytesMax: 32 * 1024 * 1024,
  runMessagesMax: 2000,
  runAgeMsMax: 1000,
  bufferBytesMax: bufferBytesMaxDefault,
  runsMax: 8,
  fetchBytesMax: 8 * 1024 * 1024,
  partitionFetchBytesMax: 1024 * 1024,
  fetchWaitMsMax: 500,
  sessionTimeoutMs: 30_000,
  rebalanceTimeoutMs: 60_000,
  heartbeatIntervalMs: 1000,
  drainMs: 10_000,
};

export interface KafkaConsumerStatus {
  /** 'ok', or why messages wait. */
  readonly state: string;
  /** '' while there is none. */
  readonly memberId: string;
  readonly generation: number;
  readonly partitions: readonly PartitionStatus[];
  /** Sum over the partitions that this member owns. */
  readonly lag: number;
  /** Age of the oldest message in them that is not stored. */
  readonly lagSeconds: number;
  /** Fetched and waiting, or in a run under way: compressed. */
  readonly fetchedBytes: number;
  /** Inflated for runs under way, with the copies that threads get. */
  readonly inflatedBytes: number;
  readonly counters: Readonly<Record<ConsumerCounter, number>>;
}

export interface KafkaConsumer {
  /** Ends runs under way within drainMs, leaves the group, disconnects. What was left is repeated by the next owner. */
  stop(): Promise<void>;
  status(): KafkaConsumerStatus;
}

const bodyBytesMaxDefault = 64 * 1024 * 1024;
/** How often topics that are missing are looked for. */
const missingTopicsPauseMs = 5000;
const reconnectBackoff = { firstMs: 200, maxMs: 10_000 };
/** Returns at once; connects in the background and for as long as it takes. */
export async function startKafkaConsumer(options: KafkaConsumerOptions): Promise<KafkaConsumer> {
  const consumer = new Consumer(options);
  consumer.start();
  return consumer;
}

class Consumer implements KafkaConsumer {
  readonly #options: KafkaConsumerOptions;
  readonly #limits: KafkaConsumerLimits;
  readonly #session: SessionOptions;
  readonly #counters = new ConsumerCounters();
  readonly #stopping = new AbortController();
  #current: ConsumerSession | undefined;
  #trouble = 'connecting to Kafka';
  #missingTopics: readonly string[] = [];
  /** Kept from session to session: the group need not wait for the old seat's end. */
  #memberId = '';
  #done: Promise<void> = Promise.resolve();
  #stopObserving: () => void = () => undefined;

  constructor(options: KafkaConsumerOptions) {
    this.#options = options;
    this.#limits = { ...kafkaConsumerLimitDefaults, ...options.limits };
    const limits = this.#limits;
    const kafka = createKafka({ ...options, clientId: options.clientId ?? 'sonde-collector' });
    this.#session = {
      kafka,
      group: {
        groupId: options.groupId,
        instanceId: options.groupInstanceId ?? '',
        sessionTimeoutMs: limits.sessionTimeoutMs,
        rebalanceTimeoutMs: limits.rebalanceTimeoutMs,
        heartbeatIntervalMs: limits.heartbeatIntervalMs,
      },
      topics: options.topics,
      insertRun: options.insertRun,
      gate: new RunGate({
        inflatedBytesMax: Math.floor(limits.bufferBytesMax * inflatedShare),
        runsMax: limits.runsMax,
      }),
      reader: new MessageReader({
        pool: createConverterPool(),
        bodyBytesMax: options.bodyBytesMax ?? bodyBytesMaxDefault,
        isTextTaken: options.takesPlainLogs ?? false,
      }),
      deadLetters: new DeadLetterOffice({
        kafka,
        topic: options.deadLetterTopic,
        createTopic: options.createTopics,
        waitMs: options.deadLetterWaitMs ?? 0,
        log: options.log,
      }),
      counters: this.#counters,
      log: options.log,
      fromBeginning: options.fromBeginning ?? true,
      limits: {
        ...limits,
        fetchedBytesMax: Math.floor(limits.bufferBytesMax * (1 - inflatedShare)),
        bytesMax: limits.runBytesMax,
        messagesMax: limits.runMessagesMax,
        lingerMs: limits.runAgeMsMax,
      },
      drainMs: limits.drainMs,
      gates: options.gates,
      failpoint: options.failpoint,
    };
  }

  start(): void {
    this.#stopObserving = observeConsumer(() => this.status());
    this.#done = this.#consume();
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the consumer is stopping'));
    await this.#done;
    this.#stopObserving();
    await this.#session.deadLetters.close();
    await this.#session.reader.close();
  }

  status(): KafkaConsumerStatus {
    const partitions = this.#current?.status() ?? [];
    const waiting = partitions.find(({ isWaiting }) => isWaiting);
    const missing =
      this.#missingTopics.length === 0 ? '' : `topics are missing: ${this.#missingTopics.join(', ')}`;
    return {
      state:
        this.#trouble ||
        (this.#current?.isJoined === true ? '' : 'joining the consumer group') ||
        (waiting === undefined ? '' : `${waiting.topic}/${waiting.partition}: ${waiting.state}`) ||
        this.#session.deadLetters.trouble ||
        missing ||
        'ok',
      memberId: this.#current?.memberId ?? '',
      generation: this.#current?.generation ?? -1,
      partitions,
      lag: partitions.reduce((total, { lag }) => total + lag, 0),
      lagSeconds: partitions.reduce((most, { lagSeconds }) => Math.max(most, lagSeconds), 0),
      fetchedBytes: partitions.reduce((total, { heldBytes }) => total + heldBytes, 0),
      inflatedBytes: this.#session.gate.heldBytes,
      counters: this.#counters.totals(),
    };
  }

  async #consume(): Promise<void> {
    const stopping = this.#stopping.signal;
    const backoff = new Backoff(reconnectBackoff);
    while (!stopping.aborted) {
      try {
        const topics = await this.#untilTopicsExist();
        this.#trouble = '';
        await this.#runSession(topics);
        backoff.reset();
      } catch (error) {
        if (stopping.aborted) return;
        const trouble = `Kafka: ${errorMessage(error)}`;
        if (trouble !== this.#trouble)
          this.#options.log.warn({ brokers: this.#options.brokers }, `${trouble}; retrying`);
        this.#trouble = trouble;
        await pause(backoff.nextMs(), stopping).catch(() => undefined);
      }
    }
  }

  /** Resolves when the session must begin anew (a missing topic has appeared) or the consumer stops. */
  async #runSession(topics: readonly string[]): Promise<void> {
    const stopping = this.#stopping.signal;
    const renewing = new AbortController();
    const session = new ConsumerSession(
      this.#session,
      this.#memberId,
      AbortSignal.any([stopping, renewing.signal]),
    );
    this.#current = session;
    const watching = this.#watchMissingTopics(renewing);
    try {
      await session.run(topics);
    } catch (error) {
      if (!stopping.aborted && !renewing.signal.aborted) throw error;
    } finally {
      renewing.abort(new Error('the session is over'));
      await watching;
      this.#memberId = session.memberId;
      await session.close(stopping.aborted);
      this.#current = undefined;
    }
  }

  /** Returns the topics that can be consumed, as soon as there is one. */
  async #untilTopicsExist(): Promise<readonly string[]> {
    const backoff = new Backoff(reconnectBackoff);
    for (;;) {
      this.#missingTopics = await this.#findMissingTopics();
      const found = this.#consumedTopics().filter((topic) => !this.#missingTopics.includes(topic));
      if (found.length > 0) return found;
      this.#trouble = 'none of the Kafka topics exists yet';
      await pause(backoff.nextMs(), this.#stopping.signal);
    }
  }

  async #watchMissingTopics(renewing: AbortController): Promise<void> {
    while (this.#missingTopics.length > 0) {
      try {
        await pause(missingTopicsPauseMs, renewing.signal);
        const missing = await this.#findMissingTopics();
        const hasAppeared = this.#consumedTopics().some(
          (topic) => this.#missingTopics.includes(topic) && !missing.includes(topic),
        );
        if (hasAppeared) return renewing.abort(new Error('a topic has appeared'));
        this.#missingTopics = missing;
      } catch (error) {
        if (renewing.signal.aborted) return;
        this.#options.log.debug(
          { error: errorMessage(error) },
          'looking for missing topics failed; trying again',
        );
      }
    }
  }

  async #findMissingTopics(): Promise<readonly string[]> {
    const { log, createTopics, deadLetterTopic } = this.#options;
    const { kafka, deadLetters } = this.#session;
    const missing = await ensureTopics(kafka, this.#consumedTopics(), createTopics, log);
    // Without it everything that can be decoded goes on: a refusal is the office's trouble, and no reason to stop.
    return (await deadLetters.ensureTopic()) ? missing : [...missing, deadLetterTopic];
  }

  #consumedTopics(): string[] {
    return signals.map((signal) => this.#options.topics[signal]);
  }
}
