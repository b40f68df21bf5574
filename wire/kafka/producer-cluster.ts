/**
 * What a producer asks of the brokers: leaders, producer ids, topic settings, and to take a batch. It stands on kafkajs's
 * connections (authentication, TLS, API versions), not on its producer, which encodes with copies, keeps one id for all
 * partitions, and takes sequence numbers back after failures that leave open what has landed.
 *
 * The door to that layer is public: kafkajs hands its cluster to the partition assigner that a consumer is made with.
 */
import { createRequire } from 'node:module';
import kafkajs, { type Kafka } from 'kafkajs';
import type { BatchIdentity, EncodedBatch } from './batch-encoder.ts';
import { decodeProduceResponse, produceApiKey, produceFrame, produceVersion } from './produce-request.ts';

interface QueuedRequest {
  readonly entry: {
    readonly apiKey: number;
    readonly apiName: string;
    readonly apiVersion: number;
    readonly correlationId: number;
    readonly resolve: (answer: { readonly payload: Buffer }) => void;
    readonly reject: (error: unknown) => void;
  };
  readonly expectResponse: boolean;
  readonly requestTimeout: number;
  readonly sendRequest: () => void;
}

/** One connection of kafkajs. */
interface Connection {
  readonly clientId: string;
  readonly socket: { cork(): void; uncork(): void; write(bytes: Uint8Array): void };
  readonly requestQueue: { push(request: QueuedRequest): void; maybeThrottle(ms: number): void };
  isAuthenticated(): boolean;
  authenticate(): Promise<void>;
  failIfNotConnected(): void;
  nextCorrelationId(): number;
}

interface MetadataAnswer {
  readonly topicMetadata: readonly {
    readonly topicErrorCode: number;
    readonly topic: string;
    readonly partitionMetadata: readonly { readonly partitionId: number; readonly leader: number }[];
  }[];
}

interface Protocol {
  readonly request: object;
  readonly response: { readonly decode: (bytes: Buffer) => Promise<unknown> };
}

interface Broker {
  readonly versions: Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>>;
  readonly connectionPool: {
    getConnection(): Promise<Connection>;
    send(protocol: object): Promise<unknown>;
  };
  readonly allowAutoTopicCreation: boolean;
  lookupRequest(apiKey: number, definition: unknown): (fields: object) => Protocol;
  metadata(topics: string[]): Promise<MetadataAnswer>;
  initProducerId(request: {
    readonly transactionTimeout: number;
  }): Promise<{ readonly producerId: string; readonly producerEpoch: number }>;
  describeConfigs(request: { readonly resources: readonly object[] }): Promise<{
    readonly resources: readonly {
      readonly resourceName: string;
      readonly configEntries: readonly { readonly configName: string; readonly configValue: string | null }[];
    }[];
  }>;
}

interface BrokerPool {
  readonly metadata: MetadataAnswer | null;
  createBroker(options: object): Broker;
  findConnectedBroker(): Promise<Broker>;
  findBroker(node: { readonly nodeId: number }): Promise<Broker>;
  refreshMetadata(topics: string[]): Promise<void>;
  disconnect(): Promise<void>;
}

const require = createRequire(import.meta.url);
const { createErrorFromCode } = require('kafkajs/src/protocol/error.js') as {
  createErrorFromCode: (code: number) => Error;
};
const { requests } = require('kafkajs/src/protocol/requests/index.js') as {
  requests: { readonly Metadata: unknown };
};
const metadataApiKey = 3;
const topicResource = 2;
const produceTimeoutMs = 30_000;
/** The broker answers by its own limit first. */
const requestTimeoutMs = produceTimeoutMs + 5000;
/** Unused: there are no transactions; must be below the brokers' transaction.max.timeout.ms. */
const transactionTimeoutMs = 60_000;
const noLeader = -1;

export class ProducerCluster {
  readonly #pool: BrokerPool;
  /** Node id of each partition's leader. */
  readonly #leaders = new Map<string, readonly number[]>();
  readonly #stale = new Set<string>();
  #refreshing: Promise<unknown> = Promise.resolve();

  /** Connects when it is first asked for something. */
  constructor(kafka: Kafka) {
    this.#pool = openPool(kafka);
  }

  /** How many partitions a topic has, by the last look; undefined before the first. */
  partitionCount(topic: string): number | undefined {
    return this.#leaders.get(topic)?.length;
  }

  /** Looks a topic up again. Rejects with the broker's error, such as UNKNOWN_TOPIC_OR_PARTITION. Returns its partitions. */
  async refresh(topic: string): Promise<number> {
    // kafkajs keeps one answer, for all topics: asking must not overlap.
    const refreshing = this.#refreshing
      .catch(() => undefined)
      .then(async () => {
        await this.#pool.refreshMetadata([topic]);
        const found = this.#pool.metadata?.topicMetadata.find((each) => each.topic === topic);
        if (found === undefined) throw new Error(`BUG: metadata of topic ${topic} came without it`);
        const leaders = new Array<number>(found.partitionMetadata.length).fill(noLeader);
        for (const { partitionId, leader } of found.partitionMetadata) leaders[partitionId] = leader;
        this.#leaders.set(topic, leaders);
        this.#stale.delete(topic);
        return leaders.length;
      });
    this.#refreshing = refreshing;
    return await refreshing;
  }

  /** The leader may be another one by now: the next batch asks before it is sent. */
  distrust(topic: string): void {
    this.#stale.add(topic);
  }

  /** Returns an id that no other producer has. Any broker gives them. */
  async newProducerId(): Promise<Pick<BatchIdentity, 'producerId' | 'producerEpoch'>> {
    const broker = await this.#pool.findConnectedBroker();
    const { producerId, producerEpoch } = await broker.initProducerId({
      transactionTimeout: transactionTimeoutMs,
    });
    return { producerId: BigInt(producerId), producerEpoch };
  }

  /** Resolves when all in-sync replicas have the batch. Rejects with the broker's error, its name in `type`. */
  async produce(
    topic: string,
    partition: number,
    batch: EncodedBatch,
    identity: BatchIdentity,
  ): Promise<void> {
    if (this.#stale.has(topic) || !this.#leaders.has(topic)) await this.refresh(topic);
    const leader = this.#leaders.get(topic)![partition];
    // As the broker would say it.
    if (leader === undefined) throw protocolError(3);
    if (leader === noLeader) throw protocolError(5);
    const broker = await this.#pool.findBroker({ nodeId: leader });
    const connection = await broker.connectionPool.getConnection();
    if (!connection.isAuthenticated()) await connection.authenticate();
    connection.failIfNotConnected();
    const apiVersion = produceVersion(broker.versions[produceApiKey]);
    const correlationId = connection.nextCorrelationId();
    const head = produceFrame({
      correlationId,
      apiVersion,
      clientId: connection.clientId,
      timeoutMs: produceTimeoutMs,
      topic,
      partition,
      batch,
      identity,
    });
    const { payload } = await new Promise<{ readonly payload: Buffer }>((resolve, reject) => {
      connection.requestQueue.push({
        entry: { apiKey: produceApiKey, apiName: 'Produce', apiVersion, correlationId, resolve, reject },
        expectResponse: true,
        requestTimeout: requestTimeoutMs,
        sendRequest() {
          connection.socket.cork();
          connection.socket.write(head);
          connection.socket.write(batch.payload);
          connection.socket.uncork();
        },
      });
    });
    const { errorCode, reason, throttleMs } = decodeProduceResponse(payload, apiVersion);
    connection.requestQueue.maybeThrottle(throttleMs);
    if (errorCode === 0) return;
    const error = protocolError(errorCode);
    if (reason !== '') error.message += ` (${reason})`;
    throw error;
  }

  /** Returns the values of some of a topic's settings. Rejects where that is not allowed. */
  async topicSettings(topic: string, configNames: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const broker = await this.#pool.findConnectedBroker();
    const { resources } = await broker.describeConfigs({
      resources: [{ type: topicResource, name: topic, configNames }],
    });
    return new Map(
      resources.flatMap(({ configEntries }) =>
        configEntries.map(({ configName, configValue }) => [configName, configValue ?? ''] as const),
      ),
    );
  }

  async close(): Promise<void> {
    await this.#pool.disconnect();
  }
}

/** As kafkajs makes it: `type` is the error's name. Codes that it does not know keep their number. */
function protocolError(code: number): Error {
  return createErrorFromCode(code);
}

function openPool(kafka: Kafka): BrokerPool {
  let pool: BrokerPool | undefined;
  kafka.consumer({
    groupId: 'none: this consumer never joins one',
    allowAutoTopicCreation: false,
    partitionAssigners: [
      (config) => {
        pool = (config.cluster as unknown as { brokerPool: BrokerPool }).brokerPool;
        return kafkajs.PartitionAssigners.roundRobin(config);
      },
    ],
  });
  if (pool === undefined) throw new Error('BUG: kafkajs did not hand over its cluster');
  const { createBroker } = pool;
  pool.createBroker = (options) => toleratePartitionsWithoutLeader(createBroker(options));
  return pool;
}

/**
 * kafkajs throws a topic's metadata away where one of its partitions has no leader: a single dead broker would then stop
 * producing to all the others.
 */
function toleratePartitionsWithoutLeader(broker: Broker): Broker {
  return Object.assign(broker, {
    async metadata(topics: string[]): Promise<MetadataAnswer> {
      const protocol = broker.lookupRequest(
        metadataApiKey,
        requests.Metadata,
      )({
        topics,
        allowAutoTopicCreation: broker.allowAutoTopicCreation,
      });
      const parse = async (answer: MetadataAnswer): Promise<MetadataAnswer> => {
        const failed = answer.topicMetadata.find(({ topicErrorCode }) => topicErrorCode !== 0);
        if (failed !== undefined) throw protocolError(failed.topicErrorCode);
        return answer;
      };
      const { request, response } = protocol;
      return (await broker.connectionPool.send({
        request,
        response: { decode: response.decode, parse },
      })) as MetadataAnswer;
    },
  });
}
