/**
 * One member of the consumer group: joins, keeps its seat with heartbeats, reads and commits offsets.
 *
 * Every commit carries the generation of the assignment that it was made under, never a later one: that is how the
 * coordinator fences a member that lost its partitions without noticing.
 */
import { randomBytes } from 'node:crypto';
import kafkajs from 'kafkajs';
import { errorMessage } from '#model/errors.ts';
import { abortable, pause } from '#wire/backoff.ts';
import { kafkaErrorType } from '#wire/kafka/client.ts';
import { type Broker, type Cluster, groupCoordinatorType, joinGroup, type OpenCluster } from './cluster.ts';
import { SeatClock } from './seat-clock.ts';

export interface GroupMemberOptions {
  readonly groupId: string;
  /**
   * A name that stays the same when the process restarts ("static membership", KIP-345); '' for none. Within the session
   * timeout the restarted process gets the same partitions back, and nobody else stops. It never leaves by itself.
   */
  readonly instanceId: string;
  /** The coordinator gives the seat away after this long without a heartbeat. */
  readonly sessionTimeoutMs: number;
  /** How long the coordinator waits for members to come back when the group changes. */
  readonly rebalanceTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
}

/** What this member owns, and for how long: `generation` fences it. */
export interface GroupAssignment {
  readonly generation: number;
  readonly memberId: string;
  readonly partitions: readonly { readonly topic: string; readonly partition: number }[];
}

/** The answers that say: this generation is over. */
const fencingErrors: ReadonlySet<string> = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'FENCED_INSTANCE_ID',
]);
const coordinatorMoved: ReadonlySet<string> = new Set([
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
]);
const heartbeatRetryMs = 200;
const joinMarkBytes = 8;

/**
 * A commit went out and no answer came. A slow broker, or what else is between, may still let it take effect, after later
 * ones, for as long as its generation lasts: it would put the group back.
 */
class UnansweredCommitError extends Error {
  override readonly name = 'UnansweredCommitError';
}

/** Whether a request failed so that nothing more may be done under the assignment it was made under. */
export function isFenced(error: unknown): boolean {
  return error instanceof UnansweredCommitError || fencingErrors.has(kafkaErrorType(error) ?? '');
}

export class GroupMember {
  readonly #options: GroupMemberOptions;
  readonly #cluster: Cluster;
  readonly #assigner: OpenCluster['assigner'];
  #memberId: string;
  #coordinatorId: string | undefined;
  readonly #seat: SeatClock;

  /** `memberId` of an earlier session saves the group the wait for that session's end. */
  constructor({ cluster, assigner }: OpenCluster, options: GroupMemberOptions, memberId: string) {
    this.#cluster = cluster;
    this.#assigner = assigner;
    this.#options = options;
    this.#memberId = memberId;
    this.#seat = new SeatClock(options.sessionTimeoutMs);
  }

  get memberId(): string {
    return this.#memberId;
  }

  /** Whether the coordinator has surely not given our seat away yet. */
  holdsSeat(): boolean {
    return this.#seat.isHeld();
  }

  /**
   * Resolves when the group has settled, in a generation that we were not in before. Must not be called before the last
   * assignment's work has stopped.
   */
  async join(topics: readonly string[], abort: AbortSignal): Promise<GroupAssignment> {
    // A member that comes back as it was may be given its old generation again, in which late commits still count. A static
    // member that begins anew has another id, which fences what its forerunner sent: the others need not stop for a mark.
    const beginsAnew = this.#options.instanceId !== '' && this.#memberId === '';
    const mark = beginsAnew ? Buffer.alloc(0) : randomBytes(joinMarkBytes);
    for (;;) {
      abort.throwIfAborted();
      try {
        return await abortable(this.#joinAndSync(topics, mark), abort);
      } catch (error) {
        const type = kafkaErrorType(error);
        if (type === 'UNKNOWN_MEMBER_ID') this.#memberId = '';
        if (type === 'FENCED_INSTANCE_ID') {
          const { instanceId } = this.#options;
          throw new Error(
            `another collector has joined the group as ${JSON.stringify(instanceId)}: transport.kafka.group_instance_id must differ`,
            { cause: error },
          );
        }
        if (coordinatorMoved.has(type ?? '')) this.#coordinatorId = undefined;
        else if (!isFenced(error)) throw error;
        await pause(heartbeatRetryMs, abort);
      }
    }
  }

  /** Resolves when the group rebalances or gave our seat away; rejects when the coordinator is out of reach. */
  async keepSeat({ generation, memberId }: GroupAssignment, abort: AbortSignal): Promise<void> {
    const { groupId, heartbeatIntervalMs } = this.#options;
    for (;;) {
      await pause(heartbeatIntervalMs, abort);
      try {
        const sent = this.#seat.now();
        await this.#whileSeated(
          this.#withCoordinator((broker) =>
            broker.heartbeat({ groupId, groupGenerationId: generation, memberId }),
          ),
        );
        this.#seat.heard(sent);
      } catch (error) {
        // A static member that is unknown may have been replaced by another process of its name: joining will tell.
        if (kafkaErrorType(error) === 'UNKNOWN_MEMBER_ID' && this.#options.instanceId === '')
          this.#memberId = '';
        if (isFenced(error)) return;
        if (!this.holdsSeat()) throw error;
        await pause(heartbeatRetryMs, abort);
      }
    }
  }

  /** Waits for an answer until the seat may be somebody else's: a connection that went dead in silence gives none. */
  async #whileSeated<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const { sessionTimeoutMs, heartbeatIntervalMs } = this.#options;
    const late = new AbortController();
    const timer = setTimeout(
      () => late.abort(new Error(`the group's coordinator has not answered for ${sessionTimeoutMs} ms`)),
      // After a pause of our own it may have kept the seat all the same.
      Math.max(this.#seat.leftMs(), heartbeatIntervalMs),
    );
    try {
      return await abortable(answer, late.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Returns the committed offset and metadata; undefined where the group has none. */
  async committed(
    topic: string,
    partition: number,
  ): Promise<{ offset: number; metadata: string } | undefined> {
    const { responses } = await this.#withCoordinator((broker) =>
      broker.offsetFetch({
        groupId: this.#options.groupId,
        topics: [{ topic, partitions: [{ partition }] }],
      }),
    );
    const found = responses[0]?.partitions[0];
    if (found === undefined) throw new Error(`the coordinator did not answer for ${topic}/${partition}`);
    const offset = Number(found.offset);
    return offset < 0 ? undefined : { offset, metadata: found.metadata ?? '' };
  }

  /** Resolves when the coordinator has the offset on all in-sync replicas. See isFenced for what it may reject with. */
  async commit(
    { generation, memberId }: GroupAssignment,
    topic: string,
    partition: number,
    offset: number,
    metadata: string,
  ): Promise<void> {
    const sent = this.#seat.now();
    await this.#withCoordinator(async (broker) => {
      try {
        await broker.offsetCommit({
          groupId: this.#options.groupId,
          memberId,
          groupGenerationId: generation,
          topics: [{ topic, partitions: [{ partition, offset: String(offset), metadata }] }],
        });
      } catch (error) {
        if (kafkaErrorType(error) !== undefined) throw error;
        throw new UnansweredCommitError(`a commit was not answered: ${errorMessage(error)}`, {
          cause: error,
        });
      }
    });
    this.#seat.heard(sent);
  }

  /**
   * Gives the seat back, so that the others need not wait for its end. `through` has other connections than our own,
   * on which a join may be waiting for the rest of the group.
   */
  async leave(through: Cluster): Promise<void> {
    if (this.#memberId === '' || this.#coordinatorId === undefined) return;
    if (this.#options.instanceId !== '') return;
    const memberId = this.#memberId;
    this.#memberId = '';
    const broker = await through.findBroker({ nodeId: this.#coordinatorId });
    await broker.leaveGroup({ groupId: this.#options.groupId, memberId });
  }

  async #joinAndSync(topics: readonly string[], mark: Buffer): Promise<GroupAssignment> {
    const { groupId, instanceId, sessionTimeoutMs, rebalanceTimeoutMs } = this.#options;
    const subscription = [...topics];
    await this.#cluster.addMultipleTargetTopics(subscription);
    const metadata = kafkajs.AssignerProtocol.MemberMetadata.encode({
      version: this.#assigner.version,
      topics: subscription,
      userData: mark,
    });
    const joined = await this.#withCoordinator((broker) =>
      joinGroup(
        broker,
        {
          groupId,
          memberId: this.#memberId,
          sessionTimeout: sessionTimeoutMs,
          rebalanceTimeout: rebalanceTimeoutMs,
          groupProtocols: [{ name: this.#assigner.name, metadata }],
        },
        instanceId,
      ),
    );
    this.#memberId = joined.memberId;
    const isLeader = joined.leaderId === joined.memberId;
    if (isLeader) await this.#cluster.refreshMetadata();
    const groupAssignment = isLeader
      ? await this.#assigner.assign({ members: joined.members, topics: subscription })
      : [];
    const { memberId, generationId } = joined;
    const sent = this.#seat.now();
    const { memberAssignment } = await this.#withCoordinator((broker) =>
      broker.syncGroup({ groupId, generationId, memberId, groupAssignment }),
    );
    this.#seat.heard(sent);
    const assigned = kafkajs.AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment ?? {};
    const partitions = Object.entries(assigned)
      .filter(([topic]) => subscription.includes(topic))
      .flatMap(([topic, ids]) => ids.map((partition) => ({ topic, partition })));
    return { generation: generationId, memberId, partitions };
  }

  async #withCoordinator<Answer>(ask: (broker: Broker) => Promise<Answer>): Promise<Answer> {
    try {
      this.#coordinatorId ??= await this.#findCoordinator();
      return await ask(await this.#cluster.findBroker({ nodeId: this.#coordinatorId }));
    } catch (error) {
      // It may have moved, or may be back elsewhere: ask again next time.
      if (!fencingErrors.has(kafkaErrorType(error) ?? '')) this.#coordinatorId = undefined;
      throw error;
    }
  }

  async #findCoordinator(): Promise<string> {
    await this.#cluster.refreshMetadataIfNecessary();
    const found = await this.#cluster.findGroupCoordinatorMetadata({
      groupId: this.#options.groupId,
      coordinatorType: groupCoordinatorType,
    });
    return String(found.coordinator.nodeId);
  }
}
