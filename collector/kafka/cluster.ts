/**
 * The layer of kafkajs below its consumer: connections, metadata and single protocol requests.
 *
 * Its own consumer cannot carry the intent protocol: it commits under whatever generation is current when a retry gets
 * through, resets the group's offset by itself when a log was cut, and fetches nothing while one partition is busy.
 * The door to this layer is public: kafkajs hands its cluster to the partition assigner that a consumer is made with.
 */
import { createRequire } from 'node:module';
import kafkajs, { type Assigner, type Kafka } from 'kafkajs';
import type { MessageHeaders } from '#wire/kafka/message.ts';

export interface TopicPartitions<Fields> {
  readonly topic: string;
  readonly partitions: readonly (Fields & { readonly partition: number })[];
}

/** A record as kafkajs decodes it; key and value are views of the fetched batch. */
export interface FetchedRecord {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: MessageHeaders;
  readonly isControlRecord?: boolean;
}

export interface FetchedPartition {
  readonly partition: number;
  readonly highWatermark: string;
  readonly abortedTransactions?: readonly unknown[];
  readonly messages: readonly FetchedRecord[];
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
  joinGroup(
    request: GroupIdentity & {
      readonly sessionTimeout: number;
      readonly rebalanceTimeout: number;
      readonly groupProtocols: readonly unknown[];
    },
  ): Promise<JoinedGroup>;
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
  fetch(request: {
    readonly isolationLevel: number;
    readonly maxWaitTime: number;
    readonly minBytes: number;
    readonly maxBytes: number;
    readonly topics: readonly TopicPartitions<{ readonly fetchOffset: string; readonly maxBytes: number }>[];
  }): Promise<{
    readonly responses: readonly {
      readonly topicName: string;
      readonly partitions: readonly FetchedPartition[];
    }[];
  }>;
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
const filterAborted = require('kafkajs/src/consumer/filterAbortedMessages.js') as (fetched: {
  readonly messages: readonly FetchedRecord[];
  readonly abortedTransactions: readonly unknown[] | undefined;
}) => FetchedRecord[];

/** Returns the records that count, from `offset` on: fetches begin at batch starts and hold transaction markers. */
export function committedRecords(
  { messages, abortedTransactions }: FetchedPartition,
  offset: number,
): FetchedRecord[] {
  return filterAborted({ messages, abortedTransactions }).filter(
    (record) => record.isControlRecord !== true && Number(record.offset) >= offset,
  );
}
