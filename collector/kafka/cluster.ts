/**
 * The layer of kafkajs below its consumer: connections, metadata and single protocol requests.
 *
 * Its own consumer cannot carry the intent protocol: it commits under whatever generation is current when a retry gets
 * through, resets the group's offset by itself when a log was cut, and fetches nothing while one partition is busy.
 * The door to this layer is public: kafkajs hands its cluster to the partition assigner that a consumer is made with.
 */
import { createRequire } from 'node:module';
import kafkajs, { type Assigner, type Kafka } from 'kafkajs';

export interface TopicPartitions<Fields> {
  readonly topic: string;
  readonly partitions: readonly (Fields & { readonly partition: number })[];
}

interface JoinRequest extends GroupIdentity {
  readonly sessionTimeout: number;
  readonly rebalanceTimeout: number;
  readonly groupProtocols: readonly unknown[];
}

interface GroupIdentity {
  readonly groupId: string;
  readonly memberId: string;
}

export interface JoinedGroup {
  readonly generationId: number;
  readonly leaderId: string;
  readonly memberId: string;
  readonly members: Parameters<Assigner['assign']>[0]['members'];
}

/** The requests that one broker answers. Each rejects with the broker's error, its name in `type`. */
export interface Broker {
  readonly nodeId: number | string | null;
  joinGroup(request: JoinRequest): Promise<JoinedGroup>;
  syncGroup(
    request: GroupIdentity & { readonly generationId: number; readonly groupAssignment: readonly unknown[] },
  ): Promise<{ readonly memberAssignment: Buffer }>;
  heartbeat(request: GroupIdentity & { readonly groupGenerationId: number }): Promise<unknown>;
  leaveGroup(request: GroupIdentity): Promise<unknown>;
  offsetCommit(
    request: GroupIdentity & {
      readonly groupGenerationId: number;
      readonly topics: readonly TopicPartitions<{ readonly offset: string; readonly metadata: string }>[];
    },
  ): Promise<unknown>;
  offsetFetch(request: {
    readonly groupId: string;
    readonly topics: readonly TopicPartitions<object>[];
  }): Promise<{
    readonly responses: readonly TopicPartitions<{
      readonly offset: string;
      readonly metadata: string | null;
    }>[];
  }>;
  listOffsets(request: {
    readonly isolationLevel: number;
    readonly topics: readonly TopicPartitions<{ readonly timestamp: number }>[];
  }): Promise<{ readonly responses: readonly TopicPartitions<{ readonly offset: string }>[] }>;
  /** What the broker knows, by API key; null before it has been asked. */
  readonly versions: Readonly<Record<number, { readonly maxVersion: number }>> | null;
  readonly connectionPool: ConnectionPool;
}

/** Sends a request that the broker object has no method for, or one whose answer we decode ourselves. */
interface ConnectionPool {
  send<Answer>(request: {
    readonly request: object;
    readonly response: {
      decode(payload: Buffer): Promise<Answer>;
      parse(answer: Answer): Promise<Answer>;
    };
    readonly requestTimeout?: number;
  }): Promise<Answer>;
}

export interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addMultipleTargetTopics(topics: string[]): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  /** What the last refresh said; no request. `leader` is -1 while there is none. */
  findTopicPartitionMetadata(topic: string): { readonly partitionId: number; readonly leader: number }[];
  findBroker(node: { readonly nodeId: string }): Promise<Broker>;
  findGroupCoordinatorMetadata(group: {
    readonly groupId: string;
    readonly coordinatorType: number;
  }): Promise<{ readonly coordinator: { readonly nodeId: number } }>;
}

/** A cluster and the assigner that speaks for it; members of one group must agree on the assigner. */
export interface OpenCluster {
  readonly cluster: Cluster;
  readonly assigner: Assigner;
}

/** Only what transactions have committed is read. */
export const readCommitted = 1;
export const earliestTimestamp = -2;
export const latestTimestamp = -1;
export const groupCoordinatorType = 0;
const metadataAgeMaxMs = 30_000;

/** Returns a cluster that has not connected yet, with connections of its own: a long poll blocks what is behind it. */
export function openCluster(kafka: Kafka, groupId: string): OpenCluster {
  let opened: OpenCluster | undefined;
  kafka.consumer({
    groupId,
    allowAutoTopicCreation: false,
    metadataMaxAge: metadataAgeMaxMs,
    partitionAssigners: [
      (config) => {
        const assigner = kafkajs.PartitionAssigners.roundRobin(config);
        opened = { cluster: config.cluster as unknown as Cluster, assigner };
        return assigner;
      },
    ],
  });
  if (opened === undefined) throw new Error('BUG: kafkajs did not hand over its cluster');
  return opened;
}

const require = createRequire(import.meta.url);
const joinProtocol = require('kafkajs/src/protocol/requests/joinGroup/index.js') as {
  protocol(of: { readonly version: number }): (request: object) => {
    readonly request: object;
    readonly response: {
      decode(payload: Buffer): Promise<JoinedGroup>;
      parse(answer: JoinedGroup): Promise<JoinedGroup>;
    };
    readonly requestTimeout: number;
  };
};
/** The first version with group_instance_id (KIP-345), of Kafka 2.3; kafkajs can write it, but its broker does not. */
const staticJoinVersion = 5;

/** Joins as the static member `instanceId`; '' joins as an ordinary one. */
export async function joinGroup(
  broker: Broker,
  request: JoinRequest,
  instanceId: string,
): Promise<JoinedGroup> {
  if (instanceId === '') return await broker.joinGroup(request);
  const join = joinProtocol.protocol({ version: staticJoinVersion });
  return await broker.connectionPool.send(
    join({ ...request, protocolType: 'consumer', groupInstanceId: instanceId }),
  );
}
