/**
 * `npm run bench:kafka-rebalance`: for how long partitions stand still when a member of the consumer group comes, goes or
 * restarts: through our group member, and through kafkajs's own consumer as the baseline in the same run. Both speak the
 * classic protocol, in which everybody gives everything back; inserts are waits of a fixed length.
 *
 *   npm run bench:kafka-rebalance -- [--partitions 24] [--members 3] [--insert-ms 50]
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startKafkaConsumer } from '#collector/kafka/consumer.ts';
import { eventually } from '#test/support/eventually.ts';
import { startKafka } from '#test/support/kafka.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import { createKafka } from '#wire/kafka/client.ts';

const { values } = parseArgs({
  options: {
    partitions: { type: 'string', default: '24' },
    members: { type: 'string', default: '3' },
    'insert-ms': { type: 'string', default: '50' },
  },
});
const partitions = Number(values.partitions);
const insertMs = Number(values['insert-ms']);
const produceEveryMs = 50;
const settleMs = 4000;
const watchMs = 10_000;
/** Where everybody owns something, in the time that a machine takes. */
const patienceMs = 60_000;

interface Member {
  stop(): Promise<unknown>;
}
/** Starts a member that calls `work` for each piece of a partition. `name` is static where it is not ''. */
type StartMember = (work: (partition: number) => Promise<void>, name: string) => Promise<Member>;

const kafka = await startKafka();
if (kafka === undefined) process.exit(1);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const { brokers } = kafka;
const client = createKafka({ brokers, clientId: 'bench', log: silentKafkaLog });
try {
  await measure('ours', startOurs('ours'));
  await measure('kafkajs', startKafkajs('kafkajs'));
} finally {
  await kafka.stop();
}

function startOurs(name: string): StartMember {
  return (work, groupInstanceId) =>
    startKafkaConsumer({
      brokers,
      groupId: name,
      groupInstanceId,
      topics: { logs: name, traces: `${name}-t`, metrics: `${name}-m`, remote_write: `${name}-w` },
      deadLetterTopic: `${name}-dead`,
      log: silentKafkaLog,
      limits: { runAgeMsMax: 10, runsMax: partitions },
      // A run's token is topic/partition/first-last/fingerprint.
      insertRun: async (requests, token) => {
        await work(Number(token.split('/')[1]));
        return requests.map(() => ({ accepted: 1, repeated: 0, rejections: [], decodeError: undefined }));
      },
    });
}

/** As its documentation has it: batches, all partitions at a time. It knows no static members. */
function startKafkajs(name: string): StartMember {
  return async (work) => {
    const consumer = client.consumer({ groupId: name, maxWaitTimeInMs: 500 });
    await consumer.connect();
    await consumer.subscribe({ topic: name, fromBeginning: true });
    await consumer.run({
      partitionsConsumedConcurrently: partitions,
      eachBatch: async ({ batch }) => work(batch.partition),
    });
    return {
      async stop() {
        await consumer.stop();
        await consumer.disconnect();
      },
    };
  };
}

async function measure(topic: string, start: StartMember): Promise<void> {
  const admin = client.admin();
  await admin.connect();
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: partitions }] });
  await admin.disconnect();
  const producer = client.producer();
  await producer.connect();
  let isOver = false;
  const producing = (async () => {
    while (!isOver) {
      await producer.send({
        topic,
        messages: Array.from({ length: partitions }, (_, partition) => ({
          partition,
          value: 'x',
          headers: { 'content-type': 'application/x-protobuf' },
        })),
      });
      await delay(produceEveryMs);
    }
  })();
  const ends = Array.from({ length: partitions }, () => [] as number[]);
  const work = async (partition: number): Promise<void> => {
    await delay(insertMs);
    ends[partition]!.push(performance.now());
  };
  const members: Member[] = [];
  for (let index = 0; index < Number(values.members); index++) members.push(await start(work, ''));
  await eventually(
    () => ends.every((each) => each.length > 5),
    () => '',
    patienceMs,
  );
  await delay(settleMs);

  /** The longest time without an insert in each partition, from one second before `happen` on. */
  const report = async (what: string, happen: () => Promise<unknown>): Promise<void> => {
    for (const each of ends) each.splice(0);
    await delay(1000);
    await happen();
    await delay(watchMs);
    const gaps = ends
      .map((each) => Math.max(...each.map((end, index) => end - (each[index - 1] ?? end))))
      .sort((a, b) => a - b);
    const show = (share: number): string =>
      `${Math.round(gaps[Math.min(gaps.length - 1, Math.floor(share * gaps.length))]!)} ms`;
    console.log(
      `${topic.padEnd(8)} ${what.padEnd(28)} longest pause of a partition: p50 ${show(0.5)}, max ${show(1)}`,
    );
  };
  await report('nothing happens', async () => undefined);
  await report('a member joins', async () => members.push(await start(work, '')));
  await report('a member leaves', async () => members.pop()!.stop());
  if (topic === 'ours') {
    members.push(await start(work, 'static'));
    await delay(settleMs);
    await report('a static member restarts', async () => {
      await members.pop()!.stop();
      members.push(await start(work, 'static'));
    });
  }
  isOver = true;
  await producing;
  await producer.disconnect();
  await Promise.all(members.map((member) => member.stop()));
}
