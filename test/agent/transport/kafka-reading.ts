/** What stands in topics, read by kafkajs's own consumer, for tests of the producer. */
import type { Admin, IHeaders } from 'kafkajs';
import { eventually } from '#test/support/eventually.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import { type Signal, signals } from '#wire/envelope.ts';
import { createKafka } from '#wire/kafka/client.ts';

export interface ReadMessage {
  readonly partition: number;
  readonly offset: number;
  readonly batchId: string;
  readonly key: string;
  readonly value: Buffer;
}

/** A busy machine elects leaders slowly. */
const patientRetry = { retries: 20, initialRetryTime: 100, maxRetryTime: 1000 };
let readers = 0;

/** Topic names that no other test has. */
export function topicsOf(name: string): Record<Signal, string> {
  return Object.fromEntries(signals.map((signal) => [signal, `${name}-${process.pid}-${signal}`])) as Record<
    Signal,
    string
  >;
}

export async function withAdmin<Result>(
  brokers: readonly string[],
  use: (admin: Admin) => Promise<Result>,
): Promise<Result> {
  const admin = createKafka({ brokers, clientId: 'test', log: silentKafkaLog }).admin({
    retry: patientRetry,
  });
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Returns all that is durable now, each partition in order. */
export async function readTopic(brokers: readonly string[], topic: string): Promise<readonly ReadMessage[]> {
  const offsets = await eventually(() =>
    withAdmin(brokers, (admin) => admin.fetchTopicOffsets(topic)).catch(() => undefined),
  );
  const ends = new Map(offsets.map(({ partition, high }) => [partition, Number(high)]));
  const left = new Map([...ends].filter(([, end]) => end > 0));
  const found: ReadMessage[] = [];
  if (left.size === 0) return found;
  const client = createKafka({ brokers, clientId: 'test', log: silentKafkaLog });
  const reader = client.consumer({
    groupId: `producer-test-${process.pid}-${readers++}`,
    maxWaitTimeInMs: 20,
    sessionTimeout: 6000,
  });
  await reader.connect();
  await reader.subscribe({ topic, fromBeginning: true });
  await reader.run({
    eachMessage: async ({ partition, message }) => {
      const offset = Number(message.offset);
      if (offset < ends.get(partition)!) found.push(read(partition, offset, message));
      if (offset + 1 >= ends.get(partition)!) left.delete(partition);
    },
  });
  await eventually(() => left.size === 0);
  await reader.disconnect();
  return found.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

function read(
  partition: number,
  offset: number,
  message: { key: Buffer | null; value: Buffer | null; headers?: IHeaders | undefined },
): ReadMessage {
  return {
    partition,
    offset,
    batchId: String(message.headers?.['batch-id']),
    key: String(message.key),
    value: message.value ?? Buffer.alloc(0),
  };
}
