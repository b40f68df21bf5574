/**
 * Goal: through a real Kafka every kept trace is stored whole and once, and every dropped one not at all, whatever dies
 * or moves on the way; and where everything is kept, what is stored is what was sent.
 * Method: traces whose spans are scattered over many requests go through the agent's transport; consumers share, are
 * killed and take over; what has landed is compared with what a policy says of whole traces.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createKafkaTransport } from '#agent/transport/kafka.ts';
import { createTraceBuckets } from '#agent/transport/trace-buckets.ts';
import { type KafkaConsumer, startKafkaConsumer } from '#collector/kafka/consumer.ts';
import type { RunInserter } from '#collector/run.ts';
import { eventually } from '#test/support/eventually.ts';
import { describeKafka, type TestKafka } from '#test/support/kafka.ts';
import { decodeTraceRequest, encodeTraceRequest, type ProtoObject } from '#test/support/naive/otlp-proto.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import { createKafka } from '#wire/kafka/client.ts';
import { type SamplerOrder, testSampling } from './crashing-sampler.ts';

const partitions = 4;
const spansPerTrace = 6;
/** Traces of every third have an error, in their last span. */
const isFailed = (trace: number): boolean => trace % 3 === 0;
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
    await Promise.all([world.drained('sampled'), world.drained('plain')]);
    expect(sampled.bodies()).toEqual(plain.bodies());
    expect(sampled.spans()).toEqual(spansOf(traces(0, 40)));
  });

  test('a second consumer takes partitions over in the middle, and no trace is cut or doubled', async () => {
    const store = new TokenStore();
    const first = await world.consume(store, testSampling(errorsOnly));
    await world.send(0, 30);
    // Some of its traces are open, some are stored.
    await eventually(
      () => first.status().counters.messages > 0,
      () => first.status(),
    );
    const sending = world.send(30, 90);
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

  test.each(['intending', 'inserting', 'committing'])(
    'a consumer that is killed before %s leaves traces that its heir completes, and late spans find their verdict',
    async (step) => {
      await world.send(0, 30, { first: 0, last: spansPerTrace - 1 });
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
      .map((bytes) => Buffer.from(bytes).toString('base64'))
      .sort();
  }

  spans(): string[] {
    return [...this.#landed.values()].flat().flatMap(namesOf).sort();
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

/** One test's topic, groups, agent and consumers on the shared broker. */
class World {
  static #count = 0;
  readonly #kafka: TestKafka;
  readonly #name: string;
  readonly #topics;
  readonly #transport;
  readonly #consumers: KafkaConsumer[] = [];
  #batch = 0;

  constructor(kafka: TestKafka) {
    this.#kafka = kafka;
    this.#name = `s${process.pid}-${World.#count++}`;
    this.#topics = {
      logs: `${this.#name}_logs`,
      traces: `${this.#name}_spans`,
      metrics: `${this.#name}_metrics`,
      remote_write: `${this.#name}_writes`,
    };
    const transport = createKafkaTransport({
      brokers: kafka.brokers,
      clientId: 'test-agent',
      topics: this.#topics,
      createTopics: { partitions, replicationFactor: 1 },
      log: silentKafkaLog,
    });
    this.#transport = createTraceBuckets(transport, partitions);
  }

  get topic(): string {
    return this.#topics.traces;
  }

  async end(): Promise<void> {
    await Promise.all(this.#consumers.map((consumer) => consumer.stop()));
    await this.#transport.close();
  }

  /** Sends traces [from, to), each span in another request, ten traces side by side. */
  async send(from: number, to: number, { first, last } = { first: 0, last: spansPerTrace }): Promise<void> {
    for (let group = from; group < to; group += 10) {
      for (let index = first; index < last; index++) {
        const spans = traces(group, Math.min(to, group + 10)).map((trace) => spanOf(trace, index));
        const bytes = encodeTraceRequest({
          resourceSpans: [{ resource: {}, scopeSpans: [{ scope: { name: 'test' }, spans }] }],
        });
        const batchId = `${this.#name}-${this.#batch++}`;
        await this.#transport.send({ signal: 'traces', tenant: 'default', batchId, key: batchId, bytes });
      }
      await sleep(20);
    }
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

  /** Resolves when everything that was sent is committed. */
  async drained(group = 'group'): Promise<void> {
    const admin = createKafka({
      brokers: this.#kafka.brokers,
      clientId: 'test',
      log: silentKafkaLog,
    }).admin();
    await admin.connect();
    try {
      await eventually(
        async () => {
          const ends = await admin.fetchTopicOffsets(this.topic);
          const [committed] = await admin
            .fetchOffsets({ groupId: this.#groupId(group), topics: [this.topic] })
            .catch(() => []);
          return ends.every(({ partition, high }) => {
            const own = committed?.partitions.find((each) => each.partition === partition);
            return high === '0' || (own?.offset === high && !own.metadata);
          });
        },
        () => this.#consumers.map((consumer) => consumer.status()),
      );
    } finally {
      await admin.disconnect();
    }
  }
}
