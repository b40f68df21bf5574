/**
 * Sends letters again, each under its batch id: however often, it lands once. After a letter was taken, a mark says so;
 * dying between the two leaves a letter that looks as if it had not been sent, and sending it again changes nothing.
 */
import kafkajs, { type Kafka, type Producer } from 'kafkajs';
import { errorMessage, RefusedError, UnavailableError } from '#model/errors.ts';
import { httpHeaderBatchId, receivePaths } from '#wire/bus.ts';
import type { Signal } from '#wire/envelope.ts';
import { kafkaErrorType } from '#wire/kafka/client.ts';
import { messageFacts } from '#wire/kafka/message.ts';
import { recognisePayload } from '#wire/kafka/payload.ts';
import type { KafkaRecord } from '#wire/kafka/record-batch.ts';
import { encodeMark, type LetterFacts, placeName, replayedMessage } from './letter.ts';

export type ReplayedMessage = ReturnType<typeof replayedMessage>;

/** Takes a message again. Resolves with where it went; rejects with RefusedError where it cannot go there. */
export type ReplayTarget = (facts: LetterFacts, message: ReplayedMessage) => Promise<string>;

/** What broker errors say of one message; all others are of the cluster, and end the replay. */
const messageErrors = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'CORRUPT_MESSAGE'];
const answerMsMax = 60_000;

export class LetterReplay implements AsyncDisposable {
  readonly #producer: Producer;
  readonly #letterTopic: string;
  readonly #target: ReplayTarget;

  private constructor(producer: Producer, letterTopic: string, target: ReplayTarget | undefined) {
    this.#producer = producer;
    this.#letterTopic = letterTopic;
    this.#target = target ?? ((facts, message) => this.#toSource(facts, message));
  }

  /** Without `target` messages go back to their source topic. */
  static async start(kafka: Kafka, letterTopic: string, target?: ReplayTarget): Promise<LetterReplay> {
    const producer = kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    return new LetterReplay(producer, letterTopic, target);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#producer.disconnect();
  }

  /**
   * Resolves with where the letter went, once it is marked. `value` is the message's own. Rejects with RefusedError where
   * this letter cannot be sent, with anything else where none can at the moment.
   */
  async send(facts: LetterFacts, record: KafkaRecord, value: Buffer | null): Promise<string> {
    if (value === null) {
      throw new RefusedError(
        facts.isValueDropped ? 'its body is not kept anywhere any more' : 'it has no body: a tombstone',
      );
    }
    const replayedTo = await this.#target(facts, replayedMessage(facts, record, value));
    const mark = encodeMark({ letterId: facts.id, replayedTo });
    await this.#producer.send({
      topic: this.#letterTopic,
      acks: -1,
      messages: [{ ...mark, partition: facts.partition }],
    });
    return replayedTo;
  }

  async #toSource({ source }: LetterFacts, { batchId: _, ...message }: ReplayedMessage): Promise<string> {
    const { topic, partition } = source;
    try {
      const [sent] = await this.#producer.send({
        topic,
        acks: -1,
        compression: kafkajs.CompressionTypes.ZSTD,
        // Where it came from, so that it stays behind what its key has there.
        messages: [{ ...message, ...(partition < 0 ? {} : { partition }) }],
      });
      // kafkajs leaves out what is for a partition that does not exist, without a word.
      if (sent === undefined) throw gone(topic, partition);
      return placeName({ topic, partition: sent.partition, offset: Number(sent.baseOffset ?? -1) });
    } catch (error) {
      const type = kafkaErrorType(error);
      if (type === 'UNKNOWN_TOPIC_OR_PARTITION') throw gone(topic, partition, error);
      if (type !== undefined && messageErrors.includes(type)) {
        throw new RefusedError(errorMessage(error), 413, { cause: error });
      }
      throw error;
    }
  }
}

function gone(topic: string, partition: number, cause?: unknown): RefusedError {
  return new RefusedError(`${topic}/${partition} is not there any more`, 404, { cause });
}

/** Returns a target that pushes to a receiver, which answers at once whether the message can be read. */
export function receiverTarget(
  baseUrl: string,
  signalOf: (topic: string) => Signal | undefined,
): ReplayTarget {
  return async ({ source, tenant }, { headers, value, batchId }) => {
    const signal = signalOf(source.topic);
    if (signal === undefined) throw new RefusedError(`no signal has the topic ${source.topic}`);
    const { contentEncoding, contentType, encoding } = messageFacts(headers);
    if (contentEncoding !== '' && contentEncoding !== 'identity') {
      throw new RefusedError(`content-encoding ${contentEncoding}: replay it to its topic`);
    }
    const body = new Uint8Array(value!);
    const payload = recognisePayload(signal, body, { contentType, encoding, isTextTaken: false });
    if (payload === 'text') throw new RefusedError('receivers take no bare text: replay it to its topic');
    const path = payload === 'zipkin_json' ? '/api/v2/spans' : receivePaths[signal];
    const isJson = payload !== 'bus' && payload !== 'snappy';
    const url = new URL(path, baseUrl).href;
    const response = await fetch(url, {
      method: 'POST',
      body,
      signal: AbortSignal.timeout(answerMsMax),
      headers: {
        'content-type': isJson ? 'application/json' : 'application/x-protobuf',
        ...(signal === 'remote_write' && {
          'content-encoding': payload === 'snappy' ? 'snappy' : 'identity',
        }),
        'x-scope-orgid': tenant,
        [httpHeaderBatchId]: batchId,
      },
    }).catch((error: unknown) => {
      throw new UnavailableError(`nobody answers at ${url}: ${errorMessage(error)}`, { cause: error });
    });
    const answer = (await response.text()).slice(0, 500);
    if (response.ok) return url;
    if (response.status >= 500 || response.status === 429) {
      throw new UnavailableError(`${url} answers ${response.status}: ${answer}`);
    }
    throw new RefusedError(`${url} answers ${response.status}: ${answer}`, response.status);
  };
}
