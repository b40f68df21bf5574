/**
 * `npm run bench:kafka-producer`: what producing OTLP logs to Kafka costs an agent, in CPU seconds of its process (the broker
 * is another one): through our transport, and with the same batches through kafkajs's own producer as the baseline in the
 * same run.
 *
 *   npm run bench:kafka-producer -- --seconds 10 --records 625      (requests of so many records; 5000, 1250, 312...)
 *   npm run bench:kafka-producer -- --levels                        (what zstd's levels cost and save; no broker)
 */
import { fork } from 'node:child_process';
import { parseArgs } from 'node:util';
import { constants, crc32, zstdCompressSync } from 'node:zlib';
import kafkajs from 'kafkajs';
import { createKafkaTransport } from '#agent/transport/kafka.ts';
import { PartitionQueue } from '#agent/transport/partition-queue.ts';
import { countBuffersWithHeap } from '#model/buffer-accounting.ts';
import { startKafka } from '#test/support/kafka.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import type { Envelope } from '#wire/envelope.ts';
import { createKafka } from '#wire/kafka/client.ts';
import { envelopeMessage, messageSize } from '#wire/kafka/message.ts';
import { countRecords, halveRequest } from '#wire/kafka/split-request.ts';
import { processCost } from './process-cost.ts';
import { logsRequest } from './workload.ts';

type Mode = 'ours' | 'kafkajs';
interface Task {
  readonly mode: Mode;
  readonly brokers: readonly string[];
  readonly seconds: number;
  readonly records: number;
  readonly underWay: number;
}
interface Result {
  readonly records: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly threadSeconds: readonly (readonly [string, number])[];
  readonly rssMibMax: number;
}

const partitions = 8;
const warmupSeconds = 3;
const mib = 1024 * 1024;

/** Requests with as near to `records` log records as halving one of 5,000 comes. */
function makeRequests(records: number): Uint8Array[] {
  let requests: Uint8Array[] = Array.from({ length: 8 }, (_, seed) => logsRequest(seed));
  while (countRecords('logs', requests[0]!) >= 2 * records) {
    requests = requests.flatMap((request) => [...halveRequest('logs', request)!]);
  }
  return requests;
}

/** Returns how to send one envelope through either producer. */
function openSender({ mode, brokers }: Task): (envelope: Envelope) => Promise<unknown> {
  const topics = {
    logs: `bench-${mode}-${process.pid}`,
    traces: 'bench-traces',
    metrics: 'bench-metrics',
    remote_write: 'bench-remote-write',
  };
  const createTopics = { partitions, replicationFactor: 1 };
  const options = { brokers, clientId: 'bench', topics, createTopics, log: silentKafkaLog };
  if (mode === 'ours') {
    const transport = createKafkaTransport(options);
    return (envelope) => transport.send(envelope);
  }
  const client = createKafka({ ...options });
  const producer = client.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  const connected = (async () => {
    const admin = client.admin();
    await admin.connect();
    await admin.createTopics({
      topics: [{ topic: topics.logs, numPartitions: partitions }],
      waitForLeaders: true,
    });
    await admin.disconnect();
    await producer.connect();
  })();
  const compression = kafkajs.CompressionTypes.ZSTD;
  // Batches are filled as ours are: only who encodes and sends them is another one.
  const queues = Array.from(
    { length: partitions },
    (_, partition) =>
      new PartitionQueue({
        batchBytesMax: 1_000_000,
        lingerMs: 5,
        produce: async (batch) => {
          const messages = batch.map(({ message }) => ({ ...message, partition }));
          await producer.send({ topic: topics.logs, acks: -1, compression, messages });
          for (const each of batch) each.resolve({ rejected: 0, reason: '' });
        },
      }),
  );
  return async (envelope) => {
    await connected;
    const message = envelopeMessage(envelope);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const size = messageSize(message);
    queues[crc32(envelope.key) % partitions]!.add({ message, size, abort: undefined, resolve, reject });
    await promise;
  };
}

async function produce(task: Task): Promise<Result> {
  // As the agent does it.
  countBuffersWithHeap();
  const requests = makeRequests(task.records);
  const recordCounts = requests.map((request) => countRecords('logs', request));
  const send = openSender(task);
  let [records, bytes, number] = [0, 0, 0];
  const run = async (seconds: number): Promise<void> => {
    const end = Date.now() + seconds * 1000;
    const lane = async (): Promise<void> => {
      while (Date.now() < end) {
        const index = number++;
        const request = requests[index % requests.length]!;
        await send({
          signal: 'logs',
          tenant: 'bench',
          batchId: `bench-${index}`,
          key: `bench/node-${index % 32}/0`,
          bytes: request,
        });
        records += recordCounts[index % requests.length]!;
        bytes += request.length;
      }
    };
    await Promise.all(Array.from({ length: task.underWay }, lane));
  };
  await run(warmupSeconds);
  [records, bytes] = [0, 0];
  const before = processCost(process.pid);
  const startMs = Date.now();
  await run(task.seconds);
  const after = processCost(process.pid);
  return {
    records,
    bytes,
    seconds: (Date.now() - startMs) / 1000,
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    threadSeconds: [...after.threadSeconds].map(
      ([name, seconds]) => [name, seconds - (before.threadSeconds.get(name) ?? 0)] as const,
    ),
    rssMibMax: after.rssMaxMib,
  };
}

function inChild(task: Task): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = fork(import.meta.filename, ['--child']);
    child.once('message', (result: Result) => resolve(result));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the producer ended with ${code}`)));
    child.send(task);
  });
}

function render(
  mode: Mode,
  { records, bytes, seconds, cpuSeconds, threadSeconds, rssMibMax }: Result,
): string {
  const threads = threadSeconds
    .filter(([, each]) => each >= 0.05)
    .map(([name, each]) => `${name} ${each.toFixed(1)} s`)
    .join(', ');
  return (
    `  ${mode.padEnd(8)} ${Math.round(records / seconds)} records/s, ${Math.round(records / cpuSeconds)} records and ` +
    `${(bytes / mib / cpuSeconds).toFixed(0)} MiB per CPU second, ${rssMibMax.toFixed(0)} MiB at most  (${threads})`
  );
}

/** What the levels of zstd cost and save on a batch of requests as large as a record batch gets. */
function compareLevels(records: number): void {
  const batch = Buffer.concat(makeRequests(records)).subarray(0, 1_000_000);
  for (const level of [1, 2, 3, 4, 6, 9]) {
    const params = { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 };
    const compress = (): Buffer => zstdCompressSync(batch, { params, chunkSize: 512 * 1024 });
    let [best, size] = [Number.POSITIVE_INFINITY, 0];
    for (let round = 0; round < 15; round++) {
      const before = process.cpuUsage();
      size = compress().length;
      const { user, system } = process.cpuUsage(before);
      best = Math.min(best, (user + system) / 1e6);
    }
    console.log(
      `  zstd level ${level}: ${(batch.length / size).toFixed(2)} times smaller, ${(batch.length / mib / best).toFixed(0)} MiB per CPU second`,
    );
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      child: { type: 'boolean', default: false },
      levels: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '5' },
      records: { type: 'string' },
      'under-way': { type: 'string', default: '16' },
    },
  });
  if (values.child) {
    process.once('message', (task: Task) => {
      produce(task)
        .then((result) => process.send!(result, () => process.exit(0)))
        .catch((error: unknown) => {
          console.error(error);
          process.exit(1);
        });
    });
    return;
  }
  if (values.levels) {
    compareLevels(Number(values.records ?? 625));
    return;
  }
  const kafka = await startKafka();
  if (kafka === undefined) return;
  try {
    for (const records of values.records === undefined ? [2500, 312, 19] : [Number(values.records)]) {
      const [request] = makeRequests(records);
      console.log(`requests of ${countRecords('logs', request!)} log records, ${request!.length} bytes:`);
      for (const mode of ['kafkajs', 'ours'] as const) {
        const result = await inChild({
          mode,
          brokers: kafka.brokers,
          seconds: Number(values.seconds),
          records,
          underWay: Number(values['under-way']),
        });
        console.log(render(mode, result));
      }
    }
  } finally {
    await kafka.stop();
  }
}

await main();
