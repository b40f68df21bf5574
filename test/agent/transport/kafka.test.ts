/**
 * Goal: the Kafka transport keeps the transport contract on a real broker, and what it writes is what wire/bus.ts says.
 * Method: the conformance suite, with kafkajs's own consumer as the reader, then batches, limits and topics.
 */
import { createCipheriv } from 'node:crypto';
import type { Admin, IHeaders } from 'kafkajs';
import { afterAll, describe, expect, test } from 'vitest';
import { createKafkaTransport, type KafkaTransportOptions } from '#agent/transport/kafka.ts';
import { PartitionQueue, type WaitingSend } from '#agent/transport/partition-queue.ts';
import { RefusedError } from '#model/errors.ts';
import { eventually } from '#test/support/eventually.ts';
import { describeKafka, type TestKafka } from '#test/support/kafka.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import { type Signal, signals } from '#wire/envelope.ts';
import { createKafka } from '#wire/kafka/client.ts';
import { type Arrived, type Carrier, envelope, testTransport } from './conformance.case.ts';

const messageBytesMax = 200_000;
/** zstd cannot make it smaller. */
const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(
  Buffer.alloc(messageBytesMax + 1),
);

/** A busy machine elects leaders slowly. */
const patientRetry = { retries: 20, initialRetryTime: 100, maxRetryTime: 1000 };

class KafkaCarrier implements Carrier {
  readonly hasKeys = true;
  readonly refused = envelope({ bytes: noise });
  readonly refusedMessage =
    /^batch \S+: one logs record of 200001 bytes \(\d+ compressed\) is over the limit of topic \S+, 200000 bytes: raise kafka\.message_bytes_max/;
  readonly topics: Record<Signal, string>;
  readonly #kafka: TestKafka;

  constructor(kafka: TestKafka, name: string) {
    this.#kafka = kafka;
    const topic = (signal: Signal) => `${name}-${process.pid}-${signal}`;
    this.topics = Object.fromEntries(signals.map((signal) => [signal, topic(signal)])) as Record<
      Signal,
      string
    >;
  }

  get hasOutages(): boolean {
    return this.#kafka.isOwned;
  }

  async open(options: Partial<KafkaTransportOptions> = {}) {
    return createKafkaTransport({
      brokers: this.#kafka.brokers,
      clientId: 'test-agent',
      topics: this.topics,
      createTopics: { partitions: 3, replicationFactor: 1 },
      messageBytesMax,
      backoff: { firstMs: 50, maxMs: 500 },
      log: silentKafkaLog,
      ...options,
    });
  }

  takeAway(): Promise<void> {
    return this.#kafka.kill9();
  }

  bringBack(): Promise<void> {
    return this.#kafka.start();
  }

  async arrived(): Promise<readonly Arrived[]> {
    const all = await Promise.all(signals.map((signal) => this.#read(signal)));
    return all.flat();
  }

  /** The high watermarks are what is durable: everything below them is read, each partition in order. */
  async #read(signal: Signal): Promise<Arrived[]> {
    const topic = this.topics[signal];
    // A topic that was just made has no leader yet.
    const offsets = await eventually(() =>
      this.admin((admin) => admin.fetchTopicOffsets(topic)).catch(() => undefined),
    );
    const ends = new Map(offsets.map(({ partition, high }) => [partition, Number(high)]));
    const arrived: (Arrived & { partition: number })[] = [];
    if ([...ends.values()].every((end) => end === 0)) return arrived;
    const left = new Map([...ends].filter(([, end]) => end > 0));
    const groupId = `reader-${process.pid}-${readers++}`;
    const reader = this.client().consumer({ groupId, maxWaitTimeInMs: 20, sessionTimeout: 6000 });
    await reader.connect();
    await reader.subscribe({ topic, fromBeginning: true });
    await reader.run({
      eachMessage: async ({ partition, message }) => {
        if (Number(message.offset) < ends.get(partition)!)
          arrived.push({ ...arrival(signal, message), partition });
        if (Number(message.offset) + 1 >= ends.get(partition)!) left.delete(partition);
      },
    });
    await eventually(() => left.size === 0);
    await reader.disconnect();
    return arrived.sort((a, b) => a.partition - b.partition).map(({ partition: _, ...rest }) => rest);
  }

  async admin<Result>(use: (admin: Admin) => Promise<Result>): Promise<Result> {
    const admin = this.client().admin({ retry: patientRetry });
    await admin.connect();
    try {
      return await use(admin);
    } finally {
      await admin.disconnect();
    }
  }

  client() {
    return createKafka({ brokers: this.#kafka.brokers, clientId: 'test', log: silentKafkaLog });
  }
}

let readers = 0;

function arrival(
  signal: Signal,
  message: { key: Buffer | null; value: Buffer | null; headers?: IHeaders | undefined },
): Arrived {
  const header = (name: string) => String(message.headers?.[name]);
  return {
    signal,
    tenant: header('tenant'),
    batchId: header('batch-id'),
    contentType: header('content-type'),
    key: message.key?.toString(),
    bytes: message.value!,
  };
}

describeKafka('the Kafka transport', (kafka) => {
  let shared: KafkaCarrier | undefined;
  const carrier = () => {
    shared ??= new KafkaCarrier(kafka(), 'conformance');
    return shared;
  };
  testTransport(carrier);

  test('a burst over many keys arrives once and spreads over the partitions', async () => {
    const own = new KafkaCarrier(kafka(), 'burst');
    const transport = await own.open();
    await transport.send(envelope());
    await Promise.all(
      Array.from({ length: 300 }, (_, index) => transport.send(envelope({ key: `k${index % 20}` }))),
    );
    await transport.close();
    const arrived = await own.arrived();
    expect(arrived.length).toBe(301);
    expect(new Set(arrived.map(({ batchId }) => batchId)).size).toBe(301);
    const offsets = await own.admin((admin) => admin.fetchTopicOffsets(own.topics.logs));
    expect(offsets.filter(({ high }) => Number(high) > 0).length).toBe(3);
  });

  test('a message over the limit goes when its compressed size is below it', async () => {
    const own = new KafkaCarrier(kafka(), 'compressible');
    const transport = await own.open();
    const sent = envelope({ bytes: Buffer.alloc(messageBytesMax * 3, 'compressible ') });
    await transport.send(sent);
    await transport.close();
    expect((await own.arrived()).map(({ bytes }) => bytes.length)).toEqual([messageBytesMax * 3]);
  });

  test('a topic with a lower limit than ours refuses the message, names both settings, and takes the others', async () => {
    const own = new KafkaCarrier(kafka(), 'low-limit');
    const transport = await own.open({
      createTopics: { partitions: 1, replicationFactor: 1, messageBytesMax: 10_000 },
      lingerMs: 50,
    });
    const small = [envelope(), envelope()];
    const outcomes = await Promise.allSettled(
      [small[0]!, envelope({ bytes: noise.subarray(0, 50_000) }), small[1]!].map((each) =>
        transport.send(each),
      ),
    );
    await transport.close();
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const { reason } = outcomes[1] as PromiseRejectedResult;
    expect(reason).toBeInstanceOf(RefusedError);
    expect(reason.message).toMatch(
      /of 50000 bytes \(\d+ compressed\) is over the limit of topic \S+, 10000 bytes: .*max.message.bytes/,
    );
    expect((await own.arrived()).map(({ batchId }) => batchId)).toEqual(small.map(({ batchId }) => batchId));
  });

  test('topics that are missing and may not be created are named, and used once they are there', async () => {
    const own = new KafkaCarrier(kafka(), 'missing');
    const transport = await own.open({ createTopics: undefined });
    const send = transport.send(envelope());
    await eventually(() =>
      /topic missing-\d+-\w+ is missing, and kafka.create_topics is off: .*kafka-topics.sh --bootstrap-server \S+ --create --topic missing-/.test(
        transport.state(),
      ),
    );
    await own.admin((admin) =>
      admin.createTopics({ topics: Object.values(own.topics).map((topic) => ({ topic, numPartitions: 1 })) }),
    );
    await send;
    await eventually(() => transport.state() === 'ok');
    await transport.close();
    expect((await own.arrived()).length).toBe(1);
  });

  test('a topic that is deleted while it is used is made again', async () => {
    const own = new KafkaCarrier(kafka(), 'deleted');
    const transport = await own.open();
    await transport.send(envelope());
    await own.admin((admin) => admin.deleteTopics({ topics: [own.topics.logs] }));
    // Until the broker has heard of it, it takes messages into what is going to be deleted.
    await eventually(() => own.admin(async (admin) => !(await admin.listTopics()).includes(own.topics.logs)));
    const sent = envelope();
    await transport.send(sent);
    await transport.close();
    expect((await own.arrived()).map(({ batchId }) => batchId)).toEqual([sent.batchId]);
  });

  test.each(['gzip', 'none'] as const)('record batches can be %s', async (compression) => {
    const own = new KafkaCarrier(kafka(), `as-${compression}`);
    const transport = await own.open({ compression });
    const sent = envelope();
    await transport.send(sent);
    await transport.close();
    expect((await own.arrived()).map(({ batchId }) => batchId)).toEqual([sent.batchId]);
  });

  test('close ends sends that wait for a broker that is not there', async () => {
    const transport = createKafkaTransport({
      brokers: ['127.0.0.1:1'],
      clientId: 'test-agent',
      topics: carrier().topics,
      log: silentKafkaLog,
    });
    const send = transport.send(envelope()).catch((error: Error) => error.message);
    await eventually(() => /ECONNREFUSED/.test(transport.state()));
    await transport.close();
    expect(await send).toBe('the transport was closed');
  });
});

describe('a partition queue', () => {
  const abort = new AbortController();
  const sends = (...sizes: number[]): WaitingSend[] =>
    sizes.map((size) => ({
      message: { key: '', value: Buffer.from(String(size)), headers: {} },
      size,
      abort: undefined,
      resolve: () => undefined,
      reject: () => undefined,
    }));
  afterAll(() => abort.abort());

  async function batchesOf(waiting: WaitingSend[]): Promise<string> {
    const batches: string[] = [];
    const first = Promise.withResolvers<void>();
    const queue = new PartitionQueue({
      batchBytesMax: 100,
      lingerMs: 0,
      produce: async (batch) => {
        batches.push(batch.map(({ message }) => message.value.toString()).join('+'));
        await first.promise;
      },
    });
    for (const send of waiting) queue.add(send);
    first.resolve();
    await eventually(
      () => batches.join('+').split('+').length === waiting.filter((send) => !send.abort?.aborted).length,
    );
    return batches.join(' ');
  }

  test.each([
    {
      name: 'what comes while a batch is on its way goes together',
      sizes: [10, 20, 30],
      batches: '10 20+30',
    },
    { name: 'a batch stays below its limit', sizes: [10, 60, 50, 40], batches: '10 60 50+40' },
    { name: 'a message over the limit goes alone', sizes: [10, 500, 20], batches: '10 500 20' },
  ])('$name', async ({ sizes, batches }) => expect(await batchesOf(sends(...sizes))).toBe(batches));

  test('what was aborted while it waited is not sent', async () => {
    const waiting = sends(10, 20, 30);
    waiting[1] = { ...waiting[1]!, abort: AbortSignal.abort() };
    expect(await batchesOf(waiting)).toBe('10 30');
  });
});
