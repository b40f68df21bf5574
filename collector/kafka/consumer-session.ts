/**
 * A consumer between two failures: connected, a member of the group, with one worker per partition that it owns.
 * It ends by a rejection (then the next session starts afresh) or by the abort.
 */
import type { Kafka } from 'kafkajs';
import { errorMessage } from '#model/errors.ts';
import { pause } from '#wire/backoff.ts';
import { type Signal, signals } from '#wire/envelope.ts';
import type { KafkaLog } from '#wire/kafka/client.ts';
import type { RunInserter } from '../run.ts';
import type { RunLimits } from './batch-queue.ts';
import { openCluster } from './cluster.ts';
import type { ConsumerCounters } from './consumer-counters.ts';
import type { DeadLetterOffice } from './dead-letters.ts';
import { Fetcher, type FetchLimits } from './fetcher.ts';
import { type GroupAssignment, GroupMember, type GroupMemberOptions } from './group-member.ts';
import { historyStart } from './history-start.ts';
import type { MessageReader } from './message-reader.ts';
import type {
  FailpointStep,
  PartitionContext,
  PartitionPlace,
  PartitionStatus,
} from './partition-context.ts';
import type { PartitionGates } from './partition-gate.ts';
import { doneMetadata } from './partition-protocol.ts';
import { PartitionWorker } from './partition-worker.ts';
import type { RunGate } from './run-gate.ts';
import { TopicIds } from './topic-ids.ts';

export interface SessionOptions {
  readonly kafka: Kafka;
  readonly group: GroupMemberOptions;
  readonly topics: Readonly<Record<Signal, string>>;
  readonly insertRun: RunInserter;
  readonly gate: RunGate;
  readonly reader: MessageReader;
  readonly deadLetters: DeadLetterOffice;
  readonly counters: ConsumerCounters;
  readonly log: KafkaLog;
  readonly fromBeginning: boolean;
  readonly limits: RunLimits & FetchLimits & { readonly lingerMs: number };
  /** How long runs under way may take to end when the group rebalances or the process stops. */
  readonly drainMs: number;
  /** Of partitions of traces; absent: every message is stored as it comes. */
  readonly gates: PartitionGates | undefined;
  readonly failpoint: ((step: FailpointStep, place: PartitionPlace) => void | Promise<void>) | undefined;
}

/** How long closing connections may take. */
const closeMs = 2000;

export class ConsumerSession {
  readonly #options: SessionOptions;
  readonly #abort: AbortSignal;
  readonly #member: GroupMember;
  /** The group's requests have connections of their own: a long poll would delay heartbeats and commits. */
  readonly #group: ReturnType<typeof openCluster>;
  readonly #data: ReturnType<typeof openCluster>;
  #workers: readonly PartitionWorker[] = [];
  #fetcher: Fetcher | undefined;
  #generation = -1;
  #isJoined = false;

  /** `memberId` is that of the session before, or ''. */
  constructor(options: SessionOptions, memberId: string, abort: AbortSignal) {
    this.#options = options;
    this.#abort = abort;
    this.#group = openCluster(options.kafka, options.group.groupId);
    this.#data = openCluster(options.kafka, options.group.groupId);
    this.#member = new GroupMember(this.#group, options.group, memberId);
  }

  get memberId(): string {
    return this.#member.memberId;
  }

  get isJoined(): boolean {
    return this.#isJoined;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Consumes `topics` until aborted or broken; must be closed afterwards. */
  async run(topics: readonly string[]): Promise<void> {
    await this.#group.cluster.connect();
    await this.#data.cluster.connect();
    await this.#data.cluster.addMultipleTargetTopics([...topics]);
    while (!this.#abort.aborted) {
      const assignment = await this.#member.join(topics, this.#abort);
      this.#generation = assignment.generation;
      this.#isJoined = true;
      this.#options.counters.add('rebalances');
      this.#options.log.info(
        { generation: assignment.generation, partitions: assignment.partitions.length },
        'joined the consumer group',
      );
      await this.#own(assignment, topics);
    }
  }

  /** Gives the seat back where it can, and disconnects. Never rejects. */
  async close(isLeaving: boolean): Promise<void> {
    const { log } = this.#options;
    const quietly = (error: unknown) => log.debug({ error: errorMessage(error) }, 'closing a Kafka session');
    if (isLeaving) await this.#member.leave(this.#data.cluster).catch(quietly);
    const closed = Promise.all([this.#group.cluster.disconnect(), this.#data.cluster.disconnect()]).catch(
      quietly,
    );
    // kafkajs waits for answers that are due, and those of a broker that hangs never come.
    await drain(closed, closeMs);
  }

  status(): PartitionStatus[] {
    return this.#workers.map((worker) => {
      const status = worker.status();
      const trouble = this.#fetcher?.trouble(worker);
      return trouble === undefined ? status : { ...status, state: trouble, isWaiting: true };
    });
  }

  /** Works on the partitions of one generation until it is over. */
  async #own(assignment: GroupAssignment, topics: readonly string[]): Promise<void> {
    const over = new AbortController();
    const ending = AbortSignal.any([over.signal, this.#abort]);
    const fetching = new AbortController();
    const workers: PartitionWorker[] = [];
    const context = this.#partitionContext(assignment, over);
    for (const { topic, partition } of assignment.partitions) {
      const signal = signals.find((name) => this.#options.topics[name] === topic);
      if (signal === undefined) throw new Error(`BUG: topic ${topic} is of no signal`);
      workers.push(new PartitionWorker({ signal, topic, partition }, context));
    }
    const { limits, counters, log } = this.#options;
    const fetcher = new Fetcher({
      cluster: this.#data.cluster,
      workers,
      limits,
      counters,
      log,
      abort: fetching.signal,
      onTopicGone: () => over.abort(new Error('a topic is gone')),
    });
    this.#workers = workers;
    this.#fetcher = fetcher;
    const working = Promise.all(workers.map((worker) => worker.work()));
    void fetcher.run();
    try {
      await Promise.race([
        this.#member.keepSeat(assignment, ending),
        this.#untilTopicsChange(topics, ending),
      ]);
    } catch (error) {
      if (!ending.aborted) throw error;
    } finally {
      for (const worker of workers) worker.finish();
      over.abort(new Error('the generation is over'));
      fetching.abort();
      this.#isJoined = false;
      await drain(working, this.#options.drainMs);
      for (const worker of workers) worker.abandon();
      await working;
    }
  }

  #partitionContext(assignment: GroupAssignment, over: AbortController): PartitionContext {
    const { insertRun, gate, reader, deadLetters, counters, log, limits, failpoint, fromBeginning, gates } =
      this.#options;
    const topicIds = new TopicIds((place) => this.#fetcher!.brokerOf(place));
    return {
      insertRun,
      gate,
      reader,
      deadLetters,
      counters,
      log,
      limits,
      failpoint,
      commit: ({ topic, partition }, offset, metadata) =>
        this.#member.commit(assignment, topic, partition, offset, metadata),
      holdsSeat: () => this.#member.holdsSeat(),
      lostSeat: () => over.abort(new Error('another member took over')),
      wakeFetcher: () => this.#fetcher?.wake(),
      gateOf: ({ signal, topic }) =>
        gates === undefined || signal !== 'traces'
          ? undefined
          : gates.gateOf(this.#data.cluster.findTopicPartitionMetadata(topic).length),
      historyStart: async (place, offsets) =>
        gates === undefined || place.signal !== 'traces'
          ? (offsets.committed ?? offsets.logStart)
          : await historyStart(await this.#fetcher!.brokerOf(place), place, offsets, gates.historyMs),
      topicId: (place) => topicIds.idNow(place),
      recover: async (place) => {
        // Asked first: of a topic that is replaced meanwhile we have the old id, and notice.
        const topicId = await topicIds.idNow(place);
        const committed = await this.#member.committed(place.topic, place.partition);
        const range = await this.#fetcher!.logRange(place);
        if (committed === undefined && !fromBeginning) {
          // From now on, whenever we are asked again.
          const metadata = doneMetadata(topicId);
          await this.#member.commit(assignment, place.topic, place.partition, range.logEnd, metadata);
          return { ...range, topicId, committed: range.logEnd, metadata };
        }
        return { ...range, topicId, committed: committed?.offset, metadata: committed?.metadata ?? '' };
      },
    };
  }

  /** Resolves when a topic has got more partitions: the group's leader must share them out. */
  async #untilTopicsChange(topics: readonly string[], abort: AbortSignal): Promise<void> {
    const { cluster } = this.#data;
    const count = (): number =>
      topics.reduce((total, topic) => total + cluster.findTopicPartitionMetadata(topic).length, 0);
    const before = count();
    while (count() === before) await pause(1000, abort);
  }
}

/** Resolves when `work` has, or after `ms`. */
async function drain(work: Promise<unknown>, ms: number): Promise<void> {
  const done = new AbortController();
  void work.then(() => done.abort());
  await pause(ms, done.signal).catch(() => undefined);
}
