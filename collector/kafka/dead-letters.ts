/**
 * Puts what cannot be decoded onto the dead-letter topic (letter.ts says how it looks).
 *
 * At least once: a collector that dies between this and its commit repeats the letters with the run. A repeat has the same
 * letter-id and goes to the same partition, so that whoever reads the topic knows it.
 *
 * A topic that is missing, full or denied is tried again, and `trouble` says so: its partition waits. After `waitMs` of
 * answers like that, to this source's letters or to all, the letter is given up, counted and named in the log, and the
 * partition goes on; the message stays where it was until retention. While no broker answers nothing is given up: nothing
 * could be committed either.
 */
import { crc32 } from 'node:zlib';
import { metrics } from '@opentelemetry/api';
import kafkajs, { type Kafka, type Producer } from 'kafkajs';
import { errorMessage } from '#model/errors.ts';
import { Backoff, pause } from '#wire/backoff.ts';
import { type KafkaLog, kafkaErrorType } from '#wire/kafka/client.ts';
import { ensureTopics, type TopicCreation } from '#wire/kafka/topics.ts';
import { encodeLetter, type Shortening } from './letter.ts';
import { RefusalClock } from './refusal-clock.ts';
import type { DeadLetter } from './run-requests.ts';

export interface DeadLetterOptions {
  readonly kafka: Kafka;
  readonly topic: string;
  /** undefined: a topic that is missing is waited for. */
  readonly createTopic: TopicCreation | undefined;
  /** 0 waits for ever. */
  readonly waitMs: number;
  readonly log: KafkaLog;
}

interface Source {
  readonly topic: string;
  readonly partition: number;
}

const backoffOptions = { firstMs: 200, maxMs: 10_000 };
/** Kafka's default for a message is 1 MiB: a letter is such a message and its headers. */
const letterBytesMax = 2 * 1024 * 1024;
const tooLargeErrors = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'];
const shortenings: readonly Shortening[] = ['whole', 'without value', 'without value and headers'];

const waitingGauge = metrics
  .getMeter('sonde')
  .createUpDownCounter('sonde.kafka.consumer.dead_letters_waiting', {
    description: 'Dead letters that their topic does not take at the moment.',
  });

export class DeadLetterOffice {
  readonly #options: DeadLetterOptions;
  #producer: Promise<Producer> | undefined;
  #trouble = '';
  /** Of all letters: brokers answer that they do not take them. */
  readonly #refusals = new RefusalClock();
  /** Of each source partition's: those of others, of other sizes or in another partition, may be taken meanwhile. */
  readonly #sourceRefusals = new Map<string, RefusalClock>();
  #isRefused = false;

  constructor(options: DeadLetterOptions) {
    this.#options = options;
  }

  /** '' or why letters wait. */
  get trouble(): string {
    return this.#trouble;
  }

  /** Returns whether the topic is there, or could be made. Rejects where no broker is reached. */
  async ensureTopic(): Promise<boolean> {
    const { kafka, topic, createTopic, log } = this.#options;
    const ensure = async (creation: TopicCreation | undefined): Promise<boolean> => {
      const missing = await ensureTopics(kafka, [topic], creation, log);
      if (!this.#isRefused) this.#trouble = '';
      return missing.length === 0;
    };
    if (createTopic === undefined) return ensure(undefined);
    try {
      return await ensure({ ...createTopic, messageBytesMax: letterBytesMax });
    } catch (error) {
      if (!isAnswer(error)) throw error;
    }
    try {
      // Some clusters let nobody choose a size.
      return await ensure(createTopic);
    } catch (error) {
      if (!isAnswer(error)) throw error;
      const trouble = `the topic of dead letters: ${errorMessage(error)}`;
      if (trouble !== this.#trouble) log.warn({ topic }, trouble);
      this.#trouble = trouble;
      return false;
    }
  }

  /** Resolves when all in-sync replicas have all of them but those that were given up; returns their number. */
  async post(letters: readonly DeadLetter[], source: Source, abort: AbortSignal): Promise<number> {
    let lost = 0;
    waitingGauge.add(letters.length);
    let waiting = letters.length;
    try {
      // One by one: letters are rare, and one that is too large must not hold the others.
      for (const letter of letters) {
        if (!(await this.#postOne(letter, source, abort))) lost++;
        waitingGauge.add(-1);
        waiting--;
      }
    } finally {
      waitingGauge.add(-waiting);
    }
    return lost;
  }

  async close(): Promise<void> {
    await this.#producer?.then((producer) => producer.disconnect()).catch(() => undefined);
  }

  /** Returns false where the letter was given up. */
  async #postOne(letter: DeadLetter, source: Source, abort: AbortSignal): Promise<boolean> {
    const { topic, log } = this.#options;
    const { reason, tenant, message } = letter;
    const place = { ...source, offset: message.offset };
    const backoff = new Backoff(backoffOptions);
    let shortening = 0;
    for (;;) {
      abort.throwIfAborted();
      try {
        const producer = await this.#connectedProducer();
        await producer.send({
          topic,
          acks: -1,
          compression: kafkajs.CompressionTypes.ZSTD,
          messages: [encodeLetter(letter, source, shortenings[shortening])],
        });
        this.#trouble = '';
        this.#forgetRefusals(source);
        return true;
      } catch (error) {
        const type = kafkaErrorType(error);
        if (type !== undefined && tooLargeErrors.includes(type) && shortening + 1 < shortenings.length) {
          shortening++;
          log.warn(
            { ...place, tenant, reason },
            `a dead letter is too large: sent ${shortenings[shortening]}`,
          );
          continue;
        }
        this.#trouble = `dead letters cannot be written to ${topic}: ${errorMessage(error)}`;
        if (this.#isOverdue(error, source)) {
          log.error(
            { ...place, tenant, reason },
            `${this.#trouble}; given up: it is only where it came from`,
          );
          return false;
        }
        log.warn({ ...place, tenant, reason }, `${this.#trouble}; retrying`);
        if (type === 'UNKNOWN_TOPIC_OR_PARTITION') await this.#recreate();
        await pause(backoff.nextMs(), abort);
      }
    }
  }

  #isOverdue(error: unknown, source: Source): boolean {
    if (!isAnswer(error)) {
      this.#forgetRefusals(source);
      return false;
    }
    this.#isRefused = true;
    const name = sourceName(source);
    const sourceRefusals = this.#sourceRefusals.get(name) ?? new RefusalClock();
    this.#sourceRefusals.set(name, sourceRefusals);
    const nowMs = Date.now();
    const { waitMs } = this.#options;
    const breakMs = Math.max(waitMs, 2 * backoffOptions.maxMs);
    const refusedMs = [this.#refusals, sourceRefusals].map((each) => each.refusedForMs(nowMs, breakMs));
    return waitMs > 0 && Math.max(...refusedMs) >= waitMs;
  }

  #forgetRefusals(source: Source): void {
    this.#isRefused = false;
    this.#refusals.clear();
    this.#sourceRefusals.delete(sourceName(source));
  }

  /** Somebody has deleted the topic. */
  async #recreate(): Promise<void> {
    const { log, createTopic } = this.#options;
    if (createTopic === undefined) return;
    const trouble = this.#trouble;
    await this.ensureTopic().catch((error: unknown) => log.debug({ error: errorMessage(error) }, trouble));
  }

  #connectedProducer(): Promise<Producer> {
    if (this.#producer !== undefined) return this.#producer;
    const producer = this.#options.kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: () => letterPartition,
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

function sourceName({ topic, partition }: Source): string {
  return `${topic}/${partition}`;
}

/** Letters of one source partition lie in one partition, in their order, and their repeats beside them. */
function letterPartition({
  partitionMetadata,
  message,
}: Parameters<
  ReturnType<NonNullable<Parameters<Kafka['producer']>[0]>['createPartitioner'] & {}>
>[0]): number {
  const { 'source-topic': topic, 'source-partition': partition } = message.headers ?? {};
  const ids = partitionMetadata.map(({ partitionId }) => partitionId).sort((a, b) => a - b);
  return ids[crc32(`${topic}/${partition}`) % ids.length]!;
}

/** Whether a broker has answered, as opposed to none being reached. */
function isAnswer(error: unknown): boolean {
  return kafkaErrorType(error) !== undefined;
}
