/**
 * Goal: what is sent lands once, whatever the brokers answer: limits that change, answers that are lost, identities that are
 * taken away, partitions that move or are added.
 * Method: a real broker, and a proxy in front of one that loses its answers.
 */
import { createCipheriv } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createKafkaTransport,
  type KafkaTransport,
  type KafkaTransportOptions,
} from '#agent/transport/kafka.ts';
import { RefusedError } from '#model/errors.ts';
import { eventually } from '#test/support/eventually.ts';
import { describeKafka, freePorts, startKafka, type TestKafka } from '#test/support/kafka.ts';
import { kafkaMissing } from '#test/support/kafka-installation.ts';
import { type KafkaPair, startKafkaPair } from '#test/support/kafka-pair.ts';
import {
  decodeLogsRequest,
  decodeTraceRequest,
  encodeLogsRequest,
  encodeTraceRequest,
} from '#test/support/naive/otlp-proto.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import type { Envelope } from '#wire/envelope.ts';
import { type BatchIdentity, encodeBatch } from '#wire/kafka/batch-encoder.ts';
import { createKafka } from '#wire/kafka/client.ts';
import { ProducerCluster } from '#wire/kafka/producer-cluster.ts';
import { envelope } from './conformance.case.ts';
import { type ReadMessage, readTopic, topicsOf, withAdmin } from './kafka-reading.ts';

const topicResource = kafkajs.ConfigResourceTypes.TOPIC;

/** A log record that zstd cannot make smaller. */
function noisyRecord(id: number, bytes: number): object {
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16, id), Buffer.alloc(16)).update(
    Buffer.alloc(bytes),
  );
  return { timeUnixNano: String(id), body: { bytesValue: noise } };
}

function logsEnvelope(records: readonly object[]): Envelope {
  const bytes = encodeLogsRequest({ resourceLogs: [{ scopeLogs: [{ logRecords: records }] }] });
  return envelope({ bytes });
}

/** The records' times, which number them. */
function recordIds(messages: readonly ReadMessage[]): number[] {
  return messages.flatMap(({ value }) =>
    decodeLogsRequest(value).resourceLogs.flatMap((resource: { scopeLogs: { logRecords: object[] }[] }) =>
      resource.scopeLogs.flatMap(({ logRecords }) =>
        logRecords.map((record) => Number((record as { timeUnixNano: string }).timeUnixNano)),
      ),
    ),
  );
}

function open(
  brokers: readonly string[],
  name: string,
  options: Partial<KafkaTransportOptions> = {},
): KafkaTransport {
  return createKafkaTransport({
    brokers,
    clientId: 'test-agent',
    topics: topicsOf(name),
    createTopics: { partitions: 1, replicationFactor: 1 },
    log: silentKafkaLog,
    ...options,
  });
}

const ids = (messages: readonly ReadMessage[]) => messages.map(({ batchId }) => batchId);
const range = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describeKafka('the Kafka producer', (kafka) => {
  const limited = { partitions: 1, replicationFactor: 1, messageBytesMax: 20_000 };

  test('a request over the limit of its topic goes in parts below it, and in the same parts after a restart', async () => {
    const { logs } = topicsOf('parts');
    const sent = logsEnvelope(range(30).map((id) => noisyRecord(id, 3000)));
    for (const _ of ['first start', 'second start']) {
      const transport = open(kafka().brokers, 'parts', { createTopics: limited });
      expect(await transport.send(sent)).toEqual({ rejected: 0, reason: '' });
      await transport.close();
    }
    const messages = await readTopic(kafka().brokers, logs);
    const once = messages.slice(0, messages.length / 2);
    expect(recordIds(once)).toEqual(range(30));
    expect(ids(once).every((id) => new RegExp(`^${sent.batchId}/[01]+$`).test(id))).toBe(true);
    expect(new Set(ids(once)).size).toBe(once.length);
    expect(messages.slice(once.length).map(({ batchId, value }) => [batchId, value])).toEqual(
      once.map(({ batchId, value }) => [batchId, value]),
    );
  });

  test('one record that no batch can hold is refused and counted, and those around it land', async () => {
    const { logs } = topicsOf('one-large');
    const transport = open(kafka().brokers, 'one-large', { createTopics: limited });
    const records = range(9).map((id) => noisyRecord(id, id === 5 ? 50_000 : 3000));
    const delivery = await transport.send(logsEnvelope(records));
    expect(delivery.rejected).toBe(1);
    expect(delivery.reason).toMatch(
      /one logs record of 500\d\d bytes \(50\d\d\d compressed\) is over the limit of topic one-large-\d+-logs, 20000 bytes/,
    );
    expect(transport.counters.total('refused_records')).toBe(1);
    await expect(transport.send(logsEnvelope([noisyRecord(10, 50_000)]))).rejects.toThrow(RefusedError);
    // Other topics may still be on their way to being made.
    expect(transport.state()).not.toContain(logs);
    await transport.close();
    expect(recordIds(await readTopic(kafka().brokers, logs))).toEqual([1, 2, 3, 4, 6, 7, 8, 9]);
  });

  test('a limit that is lowered meanwhile is learnt from the refusal, and a raised one from the next look', async () => {
    const { logs } = topicsOf('lowered');
    const transport = open(kafka().brokers, 'lowered', { topicLookIntervalMs: 200 });
    await transport.send(logsEnvelope([noisyRecord(100, 100)]));
    const setLimit = (value: string) =>
      withAdmin(kafka().brokers, (admin) =>
        admin.alterConfigs({
          validateOnly: false,
          resources: [
            { type: topicResource, name: logs, configEntries: [{ name: 'max.message.bytes', value }] },
          ],
        }),
      );
    const slow = open(kafka().brokers, 'lowered', { topicLookIntervalMs: 600_000 });
    await slow.send(logsEnvelope([noisyRecord(101, 100)]));
    await setLimit('10000');
    await slow.send(logsEnvelope(range(10).map((id) => noisyRecord(id, 4000))));
    expect(slow.counters.total('splits')).toBeGreaterThan(0);
    await slow.close();
    await setLimit('900000');
    // Before the look, what is sent is cut; after it, it goes whole.
    let count = 0;
    await eventually(async () => {
      const before = transport.counters.total('messages');
      await transport.send(logsEnvelope(range(10).map((id) => noisyRecord(1000 + 10 * count + id, 4000))));
      count++;
      return transport.counters.total('messages') === before + 1;
    });
    await transport.close();
    const found = recordIds(await readTopic(kafka().brokers, logs));
    expect(found).toEqual([100, 101, ...range(10), ...range(10 * count).map((id) => 1000 + id)]);
  });

  test.each([
    {
      name: 'that somebody else goes on under (OUT_OF_ORDER_SEQUENCE_NUMBER)',
      topic: 'out-of-order',
      steal: ({ producerId, producerEpoch }: BatchIdentity) => ({
        producerId,
        producerEpoch,
        baseSequence: 1,
      }),
      reason: /OUT_OF_ORDER_SEQUENCE_NUMBER/,
    },
    {
      name: 'that is fenced (INVALID_PRODUCER_EPOCH)',
      topic: 'fenced',
      steal: ({ producerId, producerEpoch }: BatchIdentity) => ({
        producerId,
        producerEpoch: producerEpoch + 1,
        baseSequence: 0,
      }),
      reason: /INVALID_PRODUCER_EPOCH/,
    },
  ])('an identity $name is replaced, and nothing is lost or repeated', async ({ topic, steal, reason }) => {
    const { logs } = topicsOf(topic);
    const warnings: string[] = [];
    const log = { ...silentKafkaLog, warn: (fields: object) => void warnings.push(JSON.stringify(fields)) };
    const transport = open(kafka().brokers, topic, { log });
    const sent = [envelope()];
    await transport.send(sent[0]!);
    const identity = await producerIdentity(kafka().brokers, logs);
    const stranger = new ProducerCluster(
      createKafka({ brokers: kafka().brokers, clientId: 'stranger', log: silentKafkaLog }),
    );
    const thefts = [0, 1, 2].map((key) => ({ key: String(key), value: Buffer.from('stolen'), headers: {} }));
    await stranger.produce(logs, 0, await encodeBatch(thefts, 'none', Date.now()), steal(identity));
    await stranger.close();
    for (let index = 0; index < 3; index++) {
      sent.push(envelope());
      await transport.send(sent.at(-1)!);
    }
    await eventually(() => transport.state() === 'ok');
    expect(transport.counters.total('producer_ids')).toBe(2);
    expect(warnings.join()).toMatch(reason);
    await transport.close();
    const messages = (await readTopic(kafka().brokers, logs)).filter(
      ({ value }) => String(value) !== 'stolen',
    );
    expect(ids(messages)).toEqual(sent.map(({ batchId }) => batchId));
  });

  test('spans of one trace are in one partition, whoever sends them', async () => {
    const { traces } = topicsOf('traces');
    const traceId = (id: number) => Buffer.concat([Buffer.alloc(12), Buffer.from([0, 0, 0, id])]);
    for (const agent of ['one', 'two']) {
      const transport = open(kafka().brokers, 'traces', {
        createTopics: { partitions: 4, replicationFactor: 1 },
      });
      const spans = range(40).map((id) => ({ traceId: traceId(id), name: `${agent} ${id}` }));
      const bytes = encodeTraceRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
      await transport.send(envelope({ signal: 'traces', bytes }));
      await transport.close();
    }
    const partitions = new Map<number, Set<number>>();
    let count = 0;
    for (const { partition, value } of await readTopic(kafka().brokers, traces)) {
      for (const { scopeSpans } of decodeTraceRequest(value).resourceSpans) {
        for (const { traceId: id } of scopeSpans[0].spans) {
          count++;
          const seen = partitions.get(id.at(-1)) ?? new Set();
          partitions.set(id.at(-1), seen.add(partition));
        }
      }
    }
    expect(count).toBe(80);
    expect([...partitions.values()].every((seen) => seen.size === 1)).toBe(true);
    expect(new Set([...partitions.values()].flatMap((seen) => [...seen])).size).toBe(4);
  });

  test('partitions that are added are used, without a restart', async () => {
    const { logs } = topicsOf('added');
    const transport = open(kafka().brokers, 'added', { topicLookIntervalMs: 100 });
    await transport.send(envelope());
    await withAdmin(kafka().brokers, (admin) =>
      admin.createPartitions({ topicPartitions: [{ topic: logs, count: 5 }] }),
    );
    await eventually(async () => {
      await Promise.all(range(40).map((id) => transport.send(envelope({ key: `key ${id}` }))));
      // The new partitions have no leader at first.
      const offsets = await withAdmin(kafka().brokers, (admin) => admin.fetchTopicOffsets(logs)).catch(
        () => [],
      );
      return offsets.length === 5 && offsets.every(({ high }) => Number(high) > 0);
    });
    await transport.close();
  });

  test('topics are created with the retention that is asked for, and a topic that differs is said to', async () => {
    const { logs } = topicsOf('differs');
    const first = open(kafka().brokers, 'differs', {
      createTopics: { partitions: 2, replicationFactor: 1, retentionMs: 3_600_000 },
    });
    await first.send(envelope());
    await first.close();
    const warnings: string[] = [];
    const log = { ...silentKafkaLog, warn: (_: object, message: string) => void warnings.push(message) };
    const second = open(kafka().brokers, 'differs', {
      createTopics: { partitions: 4, replicationFactor: 1, retentionMs: 7_200_000 },
      keyBuckets: 1,
      log,
    });
    await second.send(envelope());
    await second.close();
    const own = warnings.filter((text) => text.includes(logs)).join('\n');
    expect(own).toMatch(
      /has 2 partitions, and kafka.partitions is 4: kafka-topics.sh .* --alter .* --partitions 4/,
    );
    expect(own).toMatch(
      /keeps messages for 3600000 ms \(retention.ms\), and kafka.retention_ms is 7200000: kafka-configs.sh/,
    );
    expect(own).toMatch(/has 2 partitions, and kafka.key_buckets is 1/);
  });

  test('sends beyond what may be under way wait, and all land', async () => {
    const { logs } = topicsOf('gate');
    const transport = open(kafka().brokers, 'gate', { inflightRequestsMax: 3, inflightBytesMax: 20_000 });
    const sent = range(50).map((id) => logsEnvelope([noisyRecord(id, 6000)]));
    await Promise.all(sent.map((each) => transport.send(each)));
    // With three under way, no batch can hold more of them.
    expect(transport.counters.total('batches')).toBeGreaterThanOrEqual(50 / 3);
    await transport.close();
    expect(recordIds(await readTopic(kafka().brokers, logs)).toSorted((a, b) => a - b)).toEqual(range(50));
  });
});

/** The identity under which the last batch of partition 0 was written. */
async function producerIdentity(brokers: readonly string[], topic: string): Promise<BatchIdentity> {
  const consumer = createKafka({ brokers, clientId: 'test', log: silentKafkaLog }).consumer({
    groupId: `identity-${topic}`,
    maxWaitTimeInMs: 20,
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const found = Promise.withResolvers<BatchIdentity>();
  await consumer.run({
    eachMessage: async ({ message }) => {
      const { batchContext } = message as unknown as {
        batchContext: { producerId: string; producerEpoch: number; firstSequence: number };
      };
      found.resolve({
        producerId: BigInt(batchContext.producerId),
        producerEpoch: batchContext.producerEpoch,
        baseSequence: batchContext.firstSequence,
      });
    },
  });
  const identity = await found.promise;
  await consumer.disconnect();
  return identity;
}

// The tests below end brokers and choose their addresses: a cluster of KAFKA_BROKERS cannot be used.
const isOwn = (kafkaMissing() === undefined && !process.env.KAFKA_BROKERS) || !!process.env.CI;
if (!isOwn)
  console.warn('SKIPPED: the Kafka producer behind a bad line, and with two brokers: no Kafka of our own');

describe.skipIf(!isOwn)('the Kafka producer behind a line that loses answers', () => {
  let kafka: TestKafka;
  let proxy: LossyProxy;
  beforeAll(async () => {
    const [proxyPort, brokerPort] = await freePorts(2);
    proxy = await LossyProxy.listen(proxyPort!, brokerPort!);
    kafka = (await startKafka({
      listeners: `PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controllerPort},PROXIED://127.0.0.1:${brokerPort}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:${proxyPort}`,
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT',
    }))!;
  }, 180_000);
  afterAll(async () => {
    await proxy?.close();
    await kafka?.stop();
  });

  test('batches whose answers were lost are in the log once', async () => {
    const { logs } = topicsOf('lossy');
    const transport = open([proxy.address], 'lossy');
    await transport.send(envelope());
    const sent: Envelope[] = [];
    for (let round = 0; round < 5; round++) {
      proxy.loseNextAnswer();
      const some = range(4).map(() => envelope());
      sent.push(...some);
      await Promise.all(some.map((each) => transport.send(each)));
    }
    expect(proxy.lost).toBe(5);
    expect(transport.counters.total('retries')).toBeGreaterThanOrEqual(5);
    expect(transport.counters.total('producer_ids')).toBe(1);
    await transport.close();
    const found = ids(await readTopic(kafka.brokers, logs)).slice(1);
    expect(found).toEqual(sent.map(({ batchId }) => batchId));
  });
});

/** Passes bytes on, but for one answer to a Produce request: it closes the connection instead. */
class LossyProxy {
  lost = 0;
  #isArmed = false;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  readonly address: string;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.address = `127.0.0.1:${port}`;
  }

  static async listen(port: number, targetPort: number): Promise<LossyProxy> {
    const server = createServer();
    const proxy = new LossyProxy(server, port);
    server.on('connection', (client) => proxy.#pass(client, connect(targetPort, '127.0.0.1')));
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return proxy;
  }

  loseNextAnswer(): void {
    this.#isArmed = true;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #pass(client: Socket, broker: Socket): void {
    let isProducing = false;
    for (const socket of [client, broker]) {
      this.#sockets.add(socket);
      const end = () => {
        client.destroy();
        broker.destroy();
        this.#sockets.delete(socket);
      };
      socket.on('error', end).on('close', end);
    }
    client.on('data', (data: Buffer) => {
      // A frame begins with its size and its API key, and a Produce request's is 0.
      isProducing = data.length >= 6 && data.readInt16BE(4) === 0;
      broker.write(data);
    });
    broker.on('data', (data: Buffer) => {
      if (this.#isArmed && isProducing) {
        this.#isArmed = false;
        this.lost++;
        client.destroy();
        return;
      }
      client.write(data);
    });
  }
}

describe.skipIf(!isOwn)('the Kafka producer with two brokers', () => {
  let pair: KafkaPair;
  beforeAll(async () => {
    pair = (await startKafkaPair())!;
  }, 180_000);
  afterAll(() => pair?.stop());

  async function createOn(topic: string, replicas: readonly number[]): Promise<void> {
    await withAdmin(pair.first.brokers, (admin) =>
      admin.createTopics({
        // kafkajs would fail where it asks the broker that has not heard of the topic.
        waitForLeaders: false,
        topics: [
          {
            topic,
            replicaAssignment: replicas.map((replica, partition) => ({ partition, replicas: [replica] })),
          },
        ],
      }),
    );
  }

  test('a partition that moves to another broker is followed, and everything is there once, in order', async () => {
    const { logs } = topicsOf('moved');
    await createOn(logs, [1]);
    const transport = open(pair.first.brokers, 'moved');
    const sent: Envelope[] = [];
    let isMoved = false;
    const sending = (async () => {
      while (!isMoved || sent.length < 50) {
        sent.push(envelope());
        await transport.send(sent.at(-1)!);
      }
    })();
    await withAdmin(pair.first.brokers, async (admin) => {
      await admin.alterPartitionReassignments({
        topics: [{ topic: logs, partitionAssignment: [{ partition: 0, replicas: [2] }] }],
      });
      await eventually(async () => {
        const metadata = await admin.fetchTopicMetadata({ topics: [logs] }).catch(() => undefined);
        return metadata?.topics[0]?.partitions[0]?.leader === 2;
      });
    });
    isMoved = true;
    await sending;
    expect(transport.counters.total('retries')).toBeGreaterThan(0);
    await eventually(() => transport.state() === 'ok');
    await transport.close();
    expect(ids(await readTopic(pair.first.brokers, logs))).toEqual(sent.map(({ batchId }) => batchId));
  });

  test('a dead broker holds up its own partitions only, also for a producer that starts meanwhile', async () => {
    const { traces } = topicsOf('half-dead');
    await createOn(traces, [1, 2]);
    // Buckets 0 and 1 are partitions 0 and 1.
    const span = (bucket: number) =>
      envelope({
        signal: 'traces',
        bytes: encodeTraceRequest({
          resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: Buffer.alloc(16, bucket), name: 'a' }] }] }],
        }),
      });
    const options = { keyBuckets: 2, brokers: pair.first.brokers };
    const before = open(pair.first.brokers, 'half-dead', options);
    await Promise.all([before.send(span(0)), before.send(span(1))]);
    await pair.second.kill9();
    const meanwhile = open(pair.first.brokers, 'half-dead', options);
    const waiting = [before, meanwhile].map((transport) => transport.send(span(1)));
    for (const transport of [before, meanwhile]) await transport.send(span(0));
    const waits = new RegExp(`^kafka ${traces}/1: .* \\(since \\S+Z, next try \\S+Z`);
    await eventually(
      () => waits.test(before.state()) && waits.test(meanwhile.state()),
      () => [before.state(), meanwhile.state()],
    );
    await pair.second.start();
    await Promise.all(waiting);
    await eventually(
      () => before.state() === 'ok' && meanwhile.state() === 'ok',
      () => [before.state(), meanwhile.state()],
    );
    await before.close();
    await meanwhile.close();
    const messages = await readTopic(pair.first.brokers, traces);
    expect(messages.map(({ partition }) => partition)).toEqual([0, 0, 0, 1, 1, 1]);
  });
});
