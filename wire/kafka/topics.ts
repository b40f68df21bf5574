/** Makes sure that the topics exist: creates them where that is allowed, else says which are missing. */
import type { Admin, Kafka } from 'kafkajs';
import { errorMessage } from '#model/errors.ts';
import { type KafkaLog, kafkaErrorType } from './client.ts';

/** How missing topics are made. */
export interface TopicCreation {
  readonly partitions: number;
  readonly replicationFactor: number;
  /** Becomes max.message.bytes of the topic; the broker's own default where absent. */
  readonly messageBytesMax?: number | undefined;
  /** Becomes retention.ms of the topic; the broker's own default where absent. */
  readonly retentionMs?: number | undefined;
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
    await create(admin, missing, creation, true, log);
    return [];
  } finally {
    await admin.disconnect();
  }
}

/**
 * Creates one topic; that another process creates it meanwhile is fine. Rejects with the broker's reason. Some brokers may
 * not have heard of the topic yet when this resolves.
 */
export async function createTopic(
  kafka: Kafka,
  name: string,
  creation: TopicCreation,
  log: KafkaLog,
): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    await create(admin, [name], creation, false, log);
  } finally {
    await admin.disconnect();
  }
}

/** What an administrator runs where we may not create the topic. */
export function createTopicCommand(
  brokers: readonly string[],
  name: string,
  { partitions, replicationFactor, ...settings }: TopicCreation,
): string {
  const configs = configEntries(settings).map(({ name: key, value }) => ` --config ${key}=${value}`);
  return (
    `kafka-topics.sh --bootstrap-server ${brokers.join(',')} --create --topic ${name} ` +
    `--partitions ${partitions} --replication-factor ${replicationFactor}${configs.join('')}`
  );
}

async function create(
  admin: Admin,
  names: readonly string[],
  { partitions, replicationFactor, ...settings }: TopicCreation,
  waitForLeaders: boolean,
  log: KafkaLog,
): Promise<void> {
  const isNew = await admin
    .createTopics({
      waitForLeaders,
      topics: names.map((topic) => ({
        topic,
        numPartitions: partitions,
        replicationFactor,
        configEntries: configEntries(settings),
      })),
    })
    .catch(explainRefusal);
  if (isNew === true) log.info({ topics: names, partitions, replicationFactor }, 'created Kafka topics');
}

function configEntries({
  messageBytesMax,
  retentionMs,
}: Pick<TopicCreation, 'messageBytesMax' | 'retentionMs'>): { name: string; value: string }[] {
  const values = { 'max.message.bytes': messageBytesMax, 'retention.ms': retentionMs };
  return Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [{ name, value: String(value) }],
  );
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
