/**
 * One fault test's world: topics, group and tenant of its own on a shared Kafka and a shared store. Numbered records go
 * in through the agent's transport, collectors carry them, and a verdict says what of them is in the table, how often.
 */
import kafkajs, { type Message } from 'kafkajs';
import { expect } from 'vitest';
import { createKafkaTransport } from '#agent/transport/kafka.ts';
import { groupCoordinatorType, openCluster } from '#collector/kafka/cluster.ts';
import type { KafkaConsumerLimits } from '#collector/kafka/consumer.ts';
import { readNumberedLine } from '#load/numbered-line.ts';
import { logSignal } from '#load/push/log-signal.ts';
import { SequenceTally } from '#load/verify/sequence-tally.ts';
import type { Store } from '#store/store.ts';
import type { ChildOrder } from '#test/support/collector-child.ts';
import { type CollectorProcess, startCollectorProcess } from '#test/support/collector-process.ts';
import { deltaSum } from '#test/support/delta-request.ts';
import { eventually } from '#test/support/eventually.ts';
import {
  type CollectorDoors,
  type CollectorPlan,
  type FaultCollector,
  startFaultCollector,
} from '#test/support/fault-collector.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import type { Envelope, Signal, Transport } from '#wire/envelope.ts';
import { createKafka } from '#wire/kafka/client.ts';

export interface WorldPlan {
  readonly brokers: string[];
  /** Where collectors connect, if elsewhere than everybody else. */
  readonly collectorBrokers?: string[];
  /** A broker of others has a least session timeout of six seconds. */
  readonly isOwned: boolean;
  readonly storeUrl: string;
  /** Where collectors connect, if elsewhere. */
  readonly collectorStoreUrl?: string;
  readonly store: Store;
  readonly hasShards?: boolean;
  readonly partitions?: number;
  readonly replicationFactor?: number;
  readonly limits?: Partial<KafkaConsumerLimits>;
}

export interface TableVerdict {
  /** Distinct records. */
  readonly stored: number;
  /** "sender first-last" */
  readonly missing: readonly string[];
  /** "sender number" of the first ones that are there more than once. */
  readonly repeated: readonly string[];
  readonly altered: number;
}

export interface CommittedOffset {
  readonly offset: number;
  readonly metadata: string | null;
}

/** On a busy machine. */
const patienceMs = 60_000;
const dayMs = 86_400_000;
const recordsPerMessage = 5;
const shape = { lineBytes: 120, isSingleLine: true };
/** A busy machine elects leaders slowly. */
const patientRetry = { retries: 20, initialRetryTime: 100, maxRetryTime: 1000 };
const deltaMetric = 'fault_total';

export class FaultWorld {
  static #count = 0;
  readonly name = `f${process.pid}-${FaultWorld.#count++}`;
  readonly topics: Readonly<Record<Signal, string>> = {
    logs: `${this.name}_logs`,
    traces: `${this.name}_spans`,
    metrics: `${this.name}_metrics`,
    remote_write: `${this.name}_writes`,
  };
  readonly deadLetterTopic = `${this.name}_dead`;
  readonly client;
  readonly #plan: WorldPlan;
  readonly #sent = new Map<string, number>();
  readonly #deltas = new Map<string, { count: number; total: number }>();
  readonly #ends: (() => Promise<unknown>)[] = [];
  readonly #startedMs = Date.now();
  #transport: Transport | undefined;

  private constructor(plan: WorldPlan) {
    this.#plan = plan;
    this.client = createKafka({ brokers: plan.brokers, clientId: 'faults', log: silentKafkaLog });
  }

  static async create(plan: WorldPlan): Promise<FaultWorld> {
    const world = new FaultWorld(plan);
    await world.createTopics([...Object.values(world.topics), world.deadLetterTopic]);
    return world;
  }

  /** Must be called in the end: collectors of a world that is over would disturb the next. */
  async end(): Promise<void> {
    await Promise.all(this.#ends.map((end) => end()));
    await this.#transport?.close();
  }

  async createTopics(topics: readonly string[]): Promise<void> {
    const { partitions = 2, replicationFactor = 1 } = this.#plan;
    await this.withAdmin((admin) =>
      admin.createTopics({
        topics: topics.map((topic) => ({ topic, numPartitions: partitions, replicationFactor })),
        waitForLeaders: true,
      }),
    );
  }

  /** What a collector of this world is told; `over` are its limits. */
  plan(over: Partial<KafkaConsumerLimits> = {}): CollectorPlan {
    const { brokers, collectorBrokers, storeUrl, collectorStoreUrl, isOwned, hasShards, limits } = this.#plan;
    return {
      brokers: collectorBrokers ?? brokers,
      groupId: this.name,
      topics: this.topics,
      deadLetterTopic: this.deadLetterTopic,
      storeUrl: collectorStoreUrl ?? storeUrl,
      hasShards: hasShards ?? false,
      limits: {
        runMessagesMax: 3,
        runAgeMsMax: 20,
        fetchWaitMsMax: 50,
        sessionTimeoutMs: isOwned ? 1500 : 6000,
        heartbeatIntervalMs: 200,
        rebalanceTimeoutMs: 3000,
        drainMs: 500,
        ...limits,
        ...over,
      },
    };
  }

  async collect(over: Partial<CollectorPlan> = {}, doors: CollectorDoors = {}): Promise<FaultCollector> {
    const collector = await startFaultCollector({ ...this.plan(over.limits), ...without(over) }, doors);
    this.#ends.push(() => collector.stop());
    return collector;
  }

  collectApart(crash?: ChildOrder['crash'], limits: Partial<KafkaConsumerLimits> = {}): CollectorProcess {
    const running = startCollectorProcess({
      ...this.plan(limits),
      ...(crash === undefined ? {} : { crash }),
    });
    this.#ends.push(() => running.kill9());
    return running;
  }

  /**
   * Sends so many numbered records, in messages of five that fall into two days each. Resolves when the brokers have
   * them. The records of a sender are in one partition, and each message is a record batch: a run is whole batches, and
   * faults need several runs.
   */
  async produce(count: number, sender = 'a'): Promise<void> {
    for (let left = count; left > 0; left -= recordsPerMessage) {
      await this.send(this.logsEnvelope(Math.min(left, recordsPerMessage), sender));
    }
  }

  /** The sender's next records. They are expected in the table from now on. */
  logsEnvelope(count: number, sender: string): Envelope {
    const signal = logSignal(this.name, sender, shape);
    const first = (this.#sent.get(sender) ?? 0) + 1;
    for (let seq = first; seq < first + count; seq++) {
      signal.add(seq, this.#startedMs - (seq % 2) * dayMs);
    }
    this.#sent.set(sender, first + count - 1);
    return this.#envelope('logs', sender, `${sender}/${first}`, signal.finish());
  }

  /** Sends so many points of a delta counter, a message each; the n-th counts n. */
  async produceDeltas(count: number, sender = 'a'): Promise<void> {
    const state = this.#deltas.get(sender) ?? { count: 0, total: 0 };
    this.#deltas.set(sender, state);
    const firstMs = this.#startedMs - 1_000_000;
    for (let i = 0; i < count; i++) {
      const n = ++state.count;
      state.total += n;
      const [startMs, endMs] = [firstMs + (n - 1) * 1000, firstMs + n * 1000];
      const bytes = deltaSum(deltaMetric, [{ startMs, endMs, value: n, route: sender }]);
      await this.send(this.#envelope('metrics', sender, `delta/${sender}/${n}`, bytes));
    }
  }

  send(envelope: Envelope): Promise<unknown> {
    const { brokers } = this.#plan;
    this.#transport ??= createKafkaTransport({
      brokers,
      clientId: 'faults-agent',
      log: silentKafkaLog,
      topics: this.topics,
      lingerMs: 0,
    });
    return this.#transport.send(envelope);
  }

  /** Sends what no agent would. */
  async sendRaw(
    topic: string,
    messages: Message[],
    compression = kafkajs.CompressionTypes.None,
  ): Promise<void> {
    const producer = this.client.producer({ retry: patientRetry });
    await producer.connect();
    await producer.send({ topic, messages, compression });
    await producer.disconnect();
  }

  /** Reads the dead-letter topic until it has this many, and waits for no more. */
  async deadLetters(count: number): Promise<{ value: Buffer | null; headers: Record<string, string> }[]> {
    const letters: { value: Buffer | null; headers: Record<string, string> }[] = [];
    const reader = this.client.consumer({ groupId: `${this.name}-reader`, maxWaitTimeInMs: 100 });
    await reader.connect();
    await reader.subscribe({ topic: this.deadLetterTopic, fromBeginning: true });
    await reader.run({
      eachMessage: async ({ message }) => {
        const headers = Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]);
        letters.push({
          value: message.value,
          headers: Object.fromEntries(headers) as Record<string, string>,
        });
      },
    });
    await eventually(
      () => letters.length >= count,
      () => letters.map(({ headers }) => headers),
    );
    await reader.disconnect();
    return letters;
  }

  /** Deletes a topic and makes it again: its offsets begin at 0. */
  async recreateTopic(signal: Signal): Promise<void> {
    const topic = this.topics[signal];
    await this.withAdmin((admin) => admin.deleteTopics({ topics: [topic] }));
    await this.#transport?.close();
    this.#transport = undefined;
    await eventually(async () =>
      this.createTopics([topic]).then(
        () => true,
        () => false,
      ),
    );
  }

  async deleteBefore(signal: Signal, partition: number, offset: number): Promise<void> {
    const topic = this.topics[signal];
    await this.withAdmin(async (admin) => {
      // kafkajs deletes only in topics whose metadata it has loaded.
      await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
    });
  }

  /** The one partition that has messages, and the offset after its last. */
  async onlyPartition(signal: Signal): Promise<{ partition: number; offset: number }> {
    const offsets = await this.withAdmin((admin) => admin.fetchTopicOffsets(this.topics[signal]));
    const found = offsets.filter(({ high }) => high !== '0');
    expect(found).toHaveLength(1);
    return { partition: found[0]!.partition, offset: Number(found[0]!.high) };
  }

  /** Those records are not expected any more: something has reported them lost. */
  forgive(sender: string, first: number, last: number): void {
    this.#forgiven.push({ sender, first, last });
  }
  readonly #forgiven: { sender: string; first: number; last: number }[] = [];

  /** Resolves when the group has committed the end of every partition's log. */
  async untilCommitted(seen: () => unknown = () => '', timeoutMs = patienceMs): Promise<void> {
    let lagging: unknown;
    await eventually(
      async () => {
        lagging = await this.#lagging().catch((error: unknown) => [String(error)]);
        return Array.isArray(lagging) && lagging.length === 0;
      },
      () => [lagging, seen()],
      timeoutMs,
    );
  }

  async #lagging(): Promise<string[]> {
    return this.withAdmin(async (admin) => {
      const lagging: string[] = [];
      const topics = [this.topics.logs, this.topics.metrics];
      const committed = await admin.fetchOffsets({ groupId: this.name, topics });
      for (const topic of topics) {
        const offsets = committed.find((each) => each.topic === topic)?.partitions ?? [];
        for (const { partition, high, low } of await admin.fetchTopicOffsets(topic)) {
          const found = offsets.find((each) => each.partition === partition);
          const isDone = found?.offset === high && !isIntent(found.metadata);
          if (!isDone && high !== low) lagging.push(`${topic}/${partition}: ${found?.offset} of ${high}`);
        }
      }
      return lagging;
    });
  }

  async committed(signal: Signal, partition: number): Promise<CommittedOffset> {
    const [topic] = await this.withAdmin((admin) =>
      admin.fetchOffsets({ groupId: this.name, topics: [this.topics[signal]] }),
    );
    const { offset, metadata } = topic!.partitions.find((each) => each.partition === partition)!;
    return { offset: Number(offset), metadata };
  }

  /** Commits for a group that has no members. */
  async setOffset(signal: Signal, partition: number, { offset, metadata }: CommittedOffset): Promise<void> {
    const { cluster } = openCluster(this.client, this.name);
    await cluster.connect();
    await cluster.addMultipleTargetTopics([this.topics[signal]]);
    const { coordinator } = await cluster.findGroupCoordinatorMetadata({
      groupId: this.name,
      coordinatorType: groupCoordinatorType,
    });
    const broker = await cluster.findBroker({ nodeId: String(coordinator.nodeId) });
    const committed = { partition, offset: String(offset), metadata: metadata ?? '' };
    // A member that was killed is one until its session is over.
    await eventually(() =>
      broker
        .offsetCommit({
          groupId: this.name,
          memberId: '',
          groupGenerationId: -1,
          topics: [{ topic: this.topics[signal], partitions: [committed] }],
        })
        .then(
          () => true,
          () => false,
        ),
    );
    await cluster.disconnect();
  }

  /** Fails unless every record that was produced is in the table once, and nothing else. */
  async expectExact(): Promise<void> {
    expect(await this.verdict()).toEqual({
      stored: this.sentCount() - this.#forgiven.reduce((sum, { first, last }) => sum + last - first + 1, 0),
      missing: this.#forgiven.map(({ sender, first, last }) => `${sender} ${first}-${last}`),
      repeated: [],
      altered: 0,
    } satisfies TableVerdict);
    expect(await this.#deltaTotals()).toEqual(
      new Map([...this.#deltas].map(([sender, { total }]) => [sender, total])),
    );
  }

  sentCount(): number {
    return [...this.#sent.values()].reduce((sum, count) => sum + count, 0);
  }

  async storedCount(): Promise<number> {
    return (await this.verdict()).stored;
  }

  async verdict(): Promise<TableVerdict> {
    const rows = await this.#plan.store.rows<{ body: string }>(
      'SELECT body FROM default.logs WHERE tenant = {tenant:String}',
      { params: { tenant: this.name } },
    );
    const tallies = new Map([...this.#sent].map(([sender, last]) => [sender, new SequenceTally(last)]));
    let stray = 0;
    for (const { body } of rows) {
      const line = readNumberedLine(body);
      const tally = line === undefined ? undefined : tallies.get(line.sender);
      if (line === undefined || tally === undefined || line.run !== this.name) stray++;
      else tally.add(line.seq, line.isWhole);
    }
    const each = [...tallies];
    return {
      stored: each.reduce((sum, [, { stored }]) => sum + stored, 0),
      missing: each.flatMap(([sender, tally]) =>
        tally.missing(this.#sent.get(sender)!).ranges.map(([first, last]) => `${sender} ${first}-${last}`),
      ),
      repeated: each.flatMap(([sender, { repeatedFirst }]) => repeatedFirst.map((seq) => `${sender} ${seq}`)),
      altered: each.reduce((sum, [, { altered, unexpected }]) => sum + altered + unexpected, stray),
    };
  }

  /** The highest total of each sender's counter. */
  async #deltaTotals(): Promise<Map<string, number>> {
    const rows = await this.#plan.store.rows<{ route: string; total: number }>(
      `SELECT any(s.labels['route']) AS route, max(v) AS total FROM default.samples_head AS h
       JOIN (SELECT id, any(labels) AS labels FROM default.series WHERE tenant = {tenant:String} GROUP BY id) AS s
       ON s.id = h.id WHERE h.tenant = {tenant:String} AND h.metric = {metric:String} GROUP BY h.id`,
      { params: { tenant: this.name, metric: deltaMetric } },
    );
    return new Map(rows.map(({ route, total }) => [route, Number(total)]));
  }

  #envelope(signal: Signal, key: string, batchId: string, bytes: Uint8Array): Envelope {
    return { signal, tenant: this.name, batchId: `${this.name}/${batchId}`, key, bytes };
  }

  async withAdmin<Result>(
    use: (admin: ReturnType<typeof this.client.admin>) => Promise<Result>,
  ): Promise<Result> {
    const admin = this.client.admin({ retry: patientRetry });
    await admin.connect();
    try {
      return await use(admin);
    } finally {
      await admin.disconnect();
    }
  }
}

function isIntent(metadata: string | null): boolean {
  return /^v\d+:/.test(metadata ?? '');
}

function without({ limits: _, ...rest }: Partial<CollectorPlan>): Partial<CollectorPlan> {
  return rest;
}
