/** Makes sure that the topics exist: creates them where that is allowed, else says which are missing. */
import type { Kafka } from 'kafkajs';
import { errorMessage } from '#model/errors.ts';
import { type KafkaLog, kafkaErrorType } from './client.ts';

/** How missing topics are made. */
export interface TopicCreation {
  readonly partitions: number;
  readonly replicationFactor: number;
  /** Becomes max.message.bytes of the topic; the broker's own default where absent. */
  readonly messageBytesMax?: number;
}

/**
 * Returns the topics that are still missing: none after a creation, which rejects where the broker refuses.
 * Must have reached a broker; rejects with kafkajs's error otherwise.
 */
export async function ensureTopics(
  kafka: Kafka,
  names: readonly string[],
  creation: TopicCreation | undefined,
  log: KafkaLog,
): Promise<readonly string[]> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const existing = new Set(await admin.listTopics());
    const missing = names.filter((name) => !existing.has(name));
    if (missing.length === 0 || creation === undefined) return missing;
    const { partitions, replicationFactor, messageBytesMax } = creation;
    const configEntries =
      messageBytesMax === undefined ? [] : [{ name: 'max.message.bytes', value: String(messageBytesMax) }];
    await admin
      .createTopics({
        waitForLeaders: true,
        topics: missing.map((topic) => ({
          topic,
          numPartitions: partitions,
          replicationFactor,
          configEntries,
        })),
      })
      .catch(explainRefusal);
    log.info({ topics: missing, partitions, replicationFactor }, 'created Kafka topics');
    return [];
  } finally {
    await admin.disconnect();
  }
}

/** Another process may create the same topics now; any other reason is told, topic by topic. */
function explainRefusal(error: unknown): void {
  const each = (error as { errors?: unknown }).errors;
  const refusals = Array.isArray(each) ? each : [error];
  const others = refusals.filter((refusal) => kafkaErrorType(refusal) !== 'TOPIC_ALREADY_EXISTS');
  const reasons = others.map((refusal) => {
    const topic = (refusal as { topic?: string }).topic;
    return `${topic === undefined ? '' : `${topic}: `}${errorMessage(refusal)}`;
  });
  if (reasons.length > 0) {
    throw new Error(`topics could not be created: ${reasons.join('; ')}`, { cause: others[0] });
  }
}

/** Returns how many partitions each topic has. */
export async function countPartitions(
  kafka: Kafka,
  topics: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const metadata = await admin.fetchTopicMetadata({ topics: [...topics] });
    return new Map(metadata.topics.map(({ name, partitions }) => [name, partitions.length]));
  } finally {
    await admin.disconnect();
  }
}
