/** A collector as its role wires it, from Kafka to a store over HTTP, with doors for faults. */
import {
  type KafkaConsumer,
  type KafkaConsumerOptions,
  startKafkaConsumer,
} from '#collector/kafka/consumer.ts';
import { createPipeline } from '#collector/pipeline.ts';
import { openServerStore } from '#store/server/server-store.ts';
import type { NativeBlock, Store } from '#store/store.ts';

/** What can be handed to another process. */
export interface CollectorPlan
  extends Pick<
    KafkaConsumerOptions,
    'brokers' | 'groupId' | 'topics' | 'deadLetterTopic' | 'deadLetterWaitMs' | 'limits'
  > {
  readonly storeUrl: string;
  /** Without notes in the tables: then only intents and tokens keep a repeat out. */
  readonly hasShards: boolean;
  readonly storeTimeoutMs?: number;
}

export interface CollectorDoors {
  readonly failpoint?: NonNullable<KafkaConsumerOptions['failpoint']>;
  /** Stands between the pipeline and the store. */
  readonly insert?: (block: NativeBlock, token: string, store: Store) => Promise<void>;
}

export interface LoggedLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: object;
}

export interface FaultCollector {
  readonly consumer: KafkaConsumer;
  readonly log: readonly LoggedLine[];
  /** Ends what is under way, and lets go of Kafka, store and thread. */
  stop(): Promise<void>;
}

export async function startFaultCollector(
  plan: CollectorPlan,
  { failpoint, insert }: CollectorDoors = {},
): Promise<FaultCollector> {
  const store = await openServerStore({
    url: plan.storeUrl,
    database: 'default',
    ...(plan.storeTimeoutMs === undefined ? {} : { requestTimeoutMs: plan.storeTimeoutMs }),
  });
  const pipeline = createPipeline({
    store: insert === undefined ? store : withInsert(store, insert),
    workers: 1,
    inflightBytesMax: 64 * 1024 * 1024,
    group: { rowsMax: 250_000, ageMsMax: 5 },
    hasShards: plan.hasShards,
    retentionMs: 0,
    now: Date.now,
  });
  const log: LoggedLine[] = [];
  const write = (level: LoggedLine['level']) => (fields: object, message: string) =>
    void log.push({ level, message, fields });
  const { brokers, groupId, topics, deadLetterTopic, deadLetterWaitMs, limits } = plan;
  const consumer = await startKafkaConsumer({
    brokers,
    groupId,
    topics,
    deadLetterTopic,
    ...(deadLetterWaitMs === undefined ? {} : { deadLetterWaitMs }),
    ...(limits === undefined ? {} : { limits }),
    insertRun: pipeline.insertRun,
    log: { debug: () => undefined, info: write('info'), warn: write('warn'), error: write('error') },
    ...(failpoint === undefined ? {} : { failpoint }),
  });
  let stopping: Promise<void> | undefined;
  return {
    consumer,
    log,
    stop() {
      stopping ??= (async () => {
        await consumer.stop();
        await pipeline.close();
        await store.close();
      })();
      return stopping;
    },
  };
}

function withInsert(store: Store, insert: NonNullable<CollectorDoors['insert']>): Store {
  return {
    kind: store.kind,
    exec: (sql, options) => store.exec(sql, options),
    rows: (sql, options) => store.rows(sql, options),
    stream: (sql, options) => store.stream(sql, options),
    ping: () => store.ping(),
    close: () => store.close(),
    insert: (block, token) => insert(block, token, store),
  };
}
