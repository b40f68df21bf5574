/**
 * Goal: through a real Kafka every kept trace is stored whole and once, and every dropped one not at all, whatever dies
 * or moves on the way; and where everything is kept, what is stored is what was sent.
 * Method: traces whose spans are scattered over many requests are split as the agent does, and produced with timestamps that
 * the test makes, so that no wait depends on the machine; consumers share, are killed and take over; what has landed is
 * compared with what a policy says of whole traces.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import kafkajs, { type Admin } from 'kafkajs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { partsOf } from '#agent/transport/kafka-parts.ts';
import { type KafkaConsumer, startKafkaConsumer } from '#collector/kafka/consumer.ts';
import type { RunInserter } from '#collector/run.ts';
import { eventually } from '#test/support/eventually.ts';
import { describeKafka, type TestKafka } from '#test/support/kafka.ts';
import { decodeTraceRequest, encodeTraceRequest, type ProtoObject } from '#test/support/naive/otlp-proto.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import type { Envelope } from '#wire/envelope.ts';
import { createKafka } from '#wire/kafka/client.ts';
import { envelopeMessage } from '#wire/kafka/message.ts';
import { ensureTopics } from '#wire/kafka/topics.ts';
import { type SamplerOrder, testSampling } from './crashing-sampler.ts';

const partitions = 4;
const spansPerTrace = 6;
/** Traces of every third have an error, in their last span. */
const isFailed = (trace: number): boolean => trace % 3 === 0;
/** The name of spans that only bring the log's time. */
const marker = 'marker';
const errorsOnly = [{ name: 'errors', type: 'status_code', status_code: { status_codes: ['ERROR'] } }];
const everything = [{ name: 'all', type: 'always_sample' }];

describeKafka('tail sampling on Kafka', (kafka) => {
  let world: World;
  beforeEach(() => {
    world = new World(kafka());
  });
  afterEach(() => world.end());

  test('traces are kept whole or not at all, by what any of their spans shows', async () => {
    await world.send(0, 60);
    const store = new TokenStore();
    const sampling = testSampling(errorsOnly);
    await world.consume(store, sampling);
    await world.drained();
    expect(store.spans()).toEqual(spansOf(traces(0, 60).filter(isFailed)));
    expect(sampling.counters.totals()).toEqual({
      tracesKept: 20,
      tracesDropped: 40,
      spansKept: 20 * spansPerTrace,
      spansDropped: 40 * spansPerTrace,
      lateKept: 0,
      lateDropped: 0,
      early: 0,
    });
  });

  test('where everything is kept, the same messages land as without sampling, to the byte', async () => {
    await world.send(0, 40);
    const [sampled, plain] = [new TokenStore(), new TokenStore()];
    await world.consume(sampled, testSampling(everything), 'sampled');
    await world.consume(plain, undefined, 'plain');
    await world.drained('sampled', 'plain');
    expect(sampled.bodies()).toEqual(plain.bodies());
    expect(sampled.spans()).toEqual(spansOf(traces(0, 40)));
  });

  test('a second consumer takes partitions over in the middle, and no trace is cut or doubled', async () => {
    const store = new TokenStore();
    const first = await world.consume(store, testSampling(errorsOnly));
    await world.send(0, 50);
    // Some of its traces are open, some are stored.
    await eventually(
      () => first.status().counters.messages > 0,
      () => first.status(),
    );
    const sending = world.send(50, 90);
    const second = await world.consume(store, testSampling(errorsOnly));
    await sending;
    const shares = (consumer: KafkaConsumer): boolean =>
      consumer.status().partitions.some(({ topic }) => topic === world.topic);
    await eventually(
      () => shares(first) && shares(second),
      () => [first.status(), second.status()],
    );
    await world.send(90, 120);
    await world.drained();
    expect(store.spans()).toEqual(spansOf(traces(0, 120).filter(isFailed)));
    await first.stop();
    await world.send(120, 130);
    await world.drained();
    expect(store.spans()).toEqual(spansOf(traces(0, 130).filter(isFailed)));
  });

  test('a new owner goes on where retention has taken what it would have read again', async () => {
    await world.send(0, 20);
    const store = new TokenStore();
    const first = await world.consume(store, testSampling(errorsOnly));
    const ends = await world.ends();
    await world.drained();
    await first.stop();
    await world.send(20, 40);
    await world.deleteBefore(ends);
    const second = await world.consume(store, testSampling(errorsOnly));
    await world.drained();
    expect(store.spans()).toEqual(spansOf(traces(0, 40).filter(isFailed)));
    expect(second.status().counters.gaps).toBe(0);
  });

  test('what waits for its traces does not stop the fetching, and is left to the next owner', async () => {
    await world.send(0, 20);
    const store = new TokenStore();
    const consumer = await world.consume(store, testSampling(everything, '1h'));
    // Four times what partitions may hold (bufferBytesMax) before fetching stops.
    await eventually(
      () => consumer.status().partitions.reduce((total, { heldBytes }) => total + heldBytes, 0) > 20_000,
      () => consumer.status(),
    );
    await consumer.stop();
    expect(store.spans()).toEqual([]);
    await world.consume(store, testSampling(everything));
    await world.drained();
    expect(store.spans()).toEqual(spansOf(traces(0, 20)));
  });

  test('a topic that is made anew is sampled from its beginning', async () => {
    await world.send(0, 20);
    const store = new TokenStore();
    const consumer = await world.consume(store, testSampling(errorsOnly));
    await world.drained();
    await world.deleteTopic();
    await eventually(
      () => consumer.status().state !== 'ok',
      () => consumer.status(),
    );
    await world.send(20, 50);
    await world.endWaits();
    const wanted = spansOf(traces(0, 50).filter(isFailed));
    await eventually(
      () => store.spans().length >= wanted.length,
      () => [consumer.status(), store.spans().length],
    );
    expect(store.spans()).toEqual(wanted);
  });

  test.each(['intending', 'inserting', 'committing'])(
    'a consumer that is killed before %s leaves traces that its heir completes, and late spans find their verdict',
    async (step) => {
      await world.send(0, 30, { first: 0, last: spansPerTrace - 1 });
      await world.endWaits();
      const before = await world.crash(step, 10);
      // The last span of each trace is late: its error does not save the trace, and nothing of it is stored.
      await world.send(0, 30, { first: spansPerTrace - 1, last: spansPerTrace });
      await world.send(30, 60);
      const store = new TokenStore(before);
      await world.consume(store, testSampling([{ name: 'even', ...attribute('parity', 'even') }]));
      await world.drained();
      expect(store.spans()).toEqual(spansOf(traces(0, 60).filter((trace) => trace % 2 === 0)));
    },
    60_000,
  );
});

const attribute = (key: string, value: string) => ({
  type: 'string_attribute',
  string_attribute: { key, values: [value] },
});

const traces = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

/** The spans of whole traces by name, sorted. */
function spansOf(numbers: readonly number[]): string[] {
  return numbers
    .flatMap((trace) => Array.from({ length: spansPerTrace }, (_, index) => `${trace}.${index}`))
    .sort();
}

function spanOf(trace: number, index: number): ProtoObject {
  const traceId = Buffer.alloc(16, 0x5a);
  traceId.writeUInt32BE(Math.imul(trace + 1, 0x9e37_79b1) >>> 0, 8);
  traceId.writeUInt32BE(trace, 12);
  const spanId = Buffer.alloc(8, index + 1);
  const isEvidence = index === 0 && trace % 2 === 0;
  return {
    traceId,
    spanId,
    name: `${trace}.${index}`,
    startTimeUnixNano: BigInt(Date.now()) * 1_000_000n,
    ...(isEvidence ? { attributes: [{ key: 'parity', value: { stringValue: 'even' } }] } : {}),
    ...(isFailed(trace) && index === spansPerTrace - 1 ? { status: { code: 2 } } : {}),
  };
}

const requestOf = (spans: readonly ProtoObject[]): Uint8Array =>
  encodeTraceRequest({
    resourceSpans: [{ resource: {}, scopeSpans: [{ scope: { name: 'test' }, spans }] }],
  });

/** A busy machine elects leaders slowly. */
const patientRetry = { retries: 20, initialRetryTime: 100, maxRetryTime: 1000 };

/** Lands a token once, as the store does. */
class TokenStore {
  readonly #landed: Map<string, readonly Uint8Array[]>;

  constructor(landed: ReadonlyMap<string, readonly Uint8Array[]> = new Map()) {
    this.#landed = new Map(landed);
  }

  readonly insertRun: RunInserter = async (requests, token) => {
    if (!this.#landed.has(token))
      this.#landed.set(
        token,
        requests.map(({ bytes }) => new Uint8Array(bytes)),
      );
    return requests.map(() => ({ accepted: 1, repeated: 0, rejections: [], decodeError: undefined }));
  };

  bodies(): string[] {
    return [...this.#landed.values()]
      .flat()
      .filter((bytes) => !namesOf(bytes).includes(marker))
      .map((bytes) => Buffer.from(bytes).toString('base64'))
      .sort();
  }

  spans(): string[] {
    return [...this.#landed.values()]
      .flat()
      .flatMap(namesOf)
      .filter((name) => name !== marker)
      .sort();
  }
}

function namesOf(bytes: Uint8Array): string[] {
  const { resourceSpans } = decodeTraceRequest(bytes) as {
    resourceSpans: { scopeSpans: { spans: { name: string }[] }[] }[];
  };
  return resourceSpans.flatMap(({ scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) => spans.map(({ name }) => name)),
  );
}

/** One test's topic, groups, producer and consumers on the shared broker. */
class World {
  static #count = 0;
  readonly #kafka: TestKafka;
  readonly #name: string;
  readonly #topics;
  readonly #client;
  readonly #producer;
  readonly #consumers: KafkaConsumer[] = [];
  #batch = 0;
  /** The log's. */
  #nowMs = Date.now() - 3_600_000;

  constructor(kafka: TestKafka) {
    this.#kafka = kafka;
    this.#name = `s${process.pid}-${World.#count++}`;
    this.#topics = {
      logs: `${this.#name}_logs`,
      traces: `${this.#name}_spans`,
      metrics: `${this.#name}_metrics`,
      remote_write: `${this.#name}_writes`,
    };
    this.#client = createKafka({ brokers: kafka.brokers, clientId: 'test', log: silentKafkaLog });
    this.#producer = this.#client.producer({
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      retry: patientRetry,
    });
  }

  get topic(): string {
    return this.#topics.traces;
  }

  async end(): Promise<void> {
    await Promise.all(this.#consumers.map((consumer) => consumer.stop()));
    await this.#producer.disconnect();
  }

  /** Sends traces [from, to), each span in another request, ten traces side by side, four seconds for each ten. */
  async send(from: number, to: number, { first, last } = { first: 0, last: spansPerTrace }): Promise<void> {
    await this.#connect();
    for (let group = from; group < to; group += 10) {
      for (let index = first; index < last; index++) {
        const spans = traces(group, Math.min(to, group + 10)).map((trace) => spanOf(trace, index));
        const batchId = `${this.#name}-${this.#batch++}`;
        const bytes = requestOf(spans);
        const envelope: Envelope = { signal: 'traces', tenant: 'default', batchId, key: batchId, bytes };
        for (const { envelope: part, slot } of partsOf(envelope, partitions)) {
          await this.#produce({ ...envelopeMessage(part), partition: slot! % partitions });
        }
      }
      this.#nowMs += 4000;
    }
  }

  /** Lets the log's time go on until nothing that was sent waits any more. */
  async endWaits(): Promise<void> {
    this.#nowMs += 11_000;
    for (let partition = 0; partition < partitions; partition++) {
      const traceId = Buffer.alloc(16, 0xee);
      traceId.writeUInt32BE(this.#batch++);
      const span = { traceId, spanId: Buffer.alloc(8, 1), name: marker };
      await this.#produce({ partition, value: Buffer.from(requestOf([span])) });
    }
  }

  async #connect(): Promise<void> {
    await this.#producer.connect();
    const topics = Object.values(this.#topics);
    await ensureTopics(this.#client, topics, { partitions, replicationFactor: 1 }, silentKafkaLog);
  }

  async #produce(message: { partition?: number; value: Buffer }): Promise<void> {
    const timestamp = String(this.#nowMs);
    await this.#producer.send({ topic: this.topic, messages: [{ ...message, timestamp }] });
  }

  #order(group: string): Pick<SamplerOrder, 'brokers' | 'groupId' | 'topics' | 'deadLetterTopic' | 'limits'> {
    return {
      brokers: this.#kafka.brokers,
      groupId: this.#groupId(group),
      topics: this.#topics,
      deadLetterTopic: `${this.#name}_dead`,
      limits: {
        runMessagesMax: 7,
        runAgeMsMax: 20,
        fetchWaitMsMax: 50,
        sessionTimeoutMs: this.#kafka.isOwned ? 1500 : 6000,
        heartbeatIntervalMs: 200,
        rebalanceTimeoutMs: 3000,
        drainMs: 500,
        bufferBytesMax: 5000,
        // A record batch at a time, so that the bound above is felt.
        partitionFetchBytesMax: 500,
      },
    };
  }

  #groupId(group: string): string {
    return `${this.#name}-${group}`;
  }

  async consume(
    store: TokenStore,
    gates: ReturnType<typeof testSampling> | undefined,
    group = 'group',
  ): Promise<KafkaConsumer> {
    const consumer = await startKafkaConsumer({
      ...this.#order(group),
      gates,
      log: silentKafkaLog,
      insertRun: store.insertRun,
      createTopics: { partitions, replicationFactor: 1 },
    });
    this.#consumers.push(consumer);
    return consumer;
  }

  /** Runs a sampler that kills itself; returns what its store had taken, by token. */
  async crash(step: string, after: number): Promise<Map<string, Uint8Array[]>> {
    const directory = await mkdtemp(join(tmpdir(), 'sonde-sampler-'));
    const path = join(directory, 'inserts.jsonl');
    const policies = [{ name: 'even', ...attribute('parity', 'even') }];
    const order: SamplerOrder = { ...this.#order('group'), policies, step, after, path };
    const signal = await new Promise((resolve) => {
      const script = join(import.meta.dirname, 'crashing-sampler.ts');
      execFile(process.execPath, [script, JSON.stringify(order)]).once('exit', (_code, name) =>
        resolve(name),
      );
    });
    expect(signal).toBe('SIGKILL');
    const lines = (await readFile(path, 'utf8')).trim().split('\n');
    await rm(directory, { recursive: true });
    return new Map(
      lines.map((line) => {
        const { token, bodies } = JSON.parse(line) as { token: string; bodies: string[] };
        return [token, bodies.map((body) => new Uint8Array(Buffer.from(body, 'base64')))];
      }),
    );
  }

  async ends(): Promise<{ partition: number; offset: string }[]> {
    return await this.#withAdmin((admin) => admin.fetchTopicOffsets(this.topic));
  }

  async deleteBefore(ends: readonly { partition: number; offset: string }[]): Promise<void> {
    await this.#withAdmin(async (admin) => {
      // kafkajs deletes only in topics whose metadata it has loaded.
      await admin.fetchTopicOffsets(this.topic);
      const partitions = ends.map(({ partition, offset }) => ({ partition, offset }));
      await admin.deleteTopicRecords({ topic: this.topic, partitions });
    });
  }

  async deleteTopic(): Promise<void> {
    await this.#withAdmin((admin) => admin.deleteTopics({ topics: [this.topic] }));
  }

  /** Ends all waits, and resolves when everything that was sent before is committed. */
  async drained(...groups: readonly string[]): Promise<void> {
    const ends = await this.ends();
    await this.endWaits();
    for (const group of groups.length === 0 ? ['group'] : groups) await this.#committed(group, ends);
  }

  async #committed(group: string, ends: readonly { partition: number; offset: string }[]): Promise<void> {
    await this.#withAdmin((admin) =>
      eventually(
        async () => {
          const [committed] = await admin
            .fetchOffsets({ groupId: this.#groupId(group), topics: [this.topic] })
            .catch(() => []);
          return ends.every(({ partition, offset }) => {
            const own = committed?.partitions.find((each) => each.partition === partition);
            // Elsewhere the intent of a run that reaches further may be pending.
            return offset === '0' || Number(own?.offset) >= Number(offset);
          });
        },
        () => this.#consumers.map((consumer) => consumer.status()),
      ),
    );
  }

  async #withAdmin<Result>(use: (admin: Admin) => Promise<Result>): Promise<Result> {
    const admin = this.#client.admin({ retry: patientRetry });
    await admin.connect();
    try {
      return await use(admin);
    } finally {
      await admin.disconnect();
    }
  }
}
