/**
 * A world in which the partition protocol runs: one partition's log, the group's coordinator, a store, and two members of
 * which each may be a zombie. A world is a value; `moves` returns every one that can follow, with what happened.
 *
 * Left out: time (anything may happen before anything), more than one partition (they share nothing but memory), and what
 * a batch is (a message is one, and its id is its note).
 */
import {
  doneMetadata,
  initialState,
  intentMetadata,
  type OffsetGap,
  type PartitionEvent,
  type PartitionState,
  type RunRange,
  type transition,
} from '#collector/kafka/partition-protocol.ts';

/** How often each fault may still happen. */
export interface Faults {
  /** A member ends, whatever it was doing. */
  readonly crashes: number;
  /** The coordinator gives the partition to either member; the one before does not know. */
  readonly rebalances: number;
  /** A commit or an insert is done, and its answer is lost. */
  readonly lostAnswers: number;
  /** An insert is given up for failed, and lands at any later time. */
  readonly lateInserts: number;
  /** The log loses its first message. */
  readonly retentions: number;
  /** The log loses its last message (an unclean election). */
  readonly truncations: number;
  /** The topic is deleted and made anew. */
  readonly recreations: number;
  /** The same, and the group's offsets outlive it: its coordinator was away, or they came from a copy. */
  readonly outlivedRecreations: number;
}

/** What stands between a fault and a doubled or lost message. Tests switch each off. */
export interface Protections {
  readonly step: typeof transition;
  /** The coordinator refuses commits of an older generation. */
  readonly isFenced: boolean;
  /** What is in the table is looked up before an insert. */
  readonly hasNotes: boolean;
  /** Tokens that the engine remembers, of the last inserts. */
  readonly tokenWindow: number;
  /** The run's token tells its last message. */
  readonly hasFingerprint: boolean;
  /** A repeat is named as its intent says, not by what is left of it. */
  readonly keepsName: boolean;
  /** A member notices that the topic is gone before it is there again. */
  readonly noticesRecreation: boolean;
  /** Topics have ids: they are noted with offsets, and a run goes on only where its topic is that of the assignment. */
  readonly hasTopicIds: boolean;
}

interface Run {
  readonly range: RunRange;
  readonly ids: readonly number[];
  readonly token: string;
}

interface Insert {
  readonly token: string;
  /** What was not in the table when it was looked up. */
  readonly ids: readonly number[];
}

/** One member's worker: `generation` is that of its assignment, which may be over without its knowing. */
interface Member {
  readonly generation: number;
  /** That it recovered with. */
  readonly topic: number;
  readonly state: PartitionState;
  readonly run: Run | undefined;
  /** It has looked up the table, and inserts next. */
  readonly insert: Insert | undefined;
}

export interface World {
  /** The messages of offsets `start`, `start` + 1, ... */
  readonly log: readonly number[];
  readonly start: number;
  /** What retention removed, as [offset, message]. */
  readonly removed: readonly (readonly [number, number])[];
  readonly topic: number;
  readonly nextId: number;
  readonly toProduce: number;
  readonly committed: number | undefined;
  readonly metadata: string;
  readonly generation: number;
  readonly owner: 0 | 1;
  readonly tokens: readonly string[];
  /** Messages in the table, sorted; one that is there twice was doubled. */
  readonly table: readonly number[];
  readonly late: readonly Insert[];
  readonly members: readonly [Member, Member];
  /** Messages that need not be stored: their loss was reported, or Kafka or a person deleted them unread. */
  readonly excused: readonly number[];
  /** A gap was reported within the pending run: it may be replaced. */
  readonly isWaived: boolean;
  /** Set when something happened that must never happen. */
  readonly broken: string | undefined;
  readonly left: Faults;
}

export interface Move {
  readonly label: string;
  readonly world: World;
  /** Whether it is something that goes wrong, as opposed to work that goes on. */
  readonly isFault: boolean;
}

const released: Member = {
  generation: 0,
  topic: 0,
  state: { step: 'released' },
  run: undefined,
  insert: undefined,
};

export function firstWorld(faults: Faults, messages: number, toProduce: number): World {
  return {
    log: Array.from({ length: messages }, (_, id) => id),
    start: 0,
    removed: [],
    topic: 0,
    nextId: messages,
    toProduce,
    committed: undefined,
    metadata: '',
    generation: 1,
    owner: 0,
    tokens: [],
    table: [],
    late: [],
    members: [{ ...released, generation: 1, state: initialState }, released],
    excused: [],
    isWaived: false,
    broken: undefined,
    left: faults,
  };
}

export const logEnd = (world: World): number => world.start + world.log.length;

/** Everything that can happen next. `runLengthMax` is of a member's choice. */
export function moves(world: World, protections: Protections, runLengthMax: number): Move[] {
  const found: Move[] = [];
  for (const who of [0, 1] as const) found.push(...memberMoves(world, who, protections, runLengthMax));
  found.push(...brokerFaults(world, protections), ...coordinatorMoves(world));
  for (const [index, insert] of world.late.entries()) {
    const rest = { ...world, late: world.late.toSpliced(index, 1) };
    found.push({
      label: `late ${insert.token} lands`,
      world: land(rest, insert, protections),
      isFault: true,
    });
  }
  if (world.toProduce > 0) found.push({ label: 'produce', world: produce(world), isFault: false });
  return found;
}

function produce(world: World): World {
  return {
    ...world,
    log: [...world.log, world.nextId],
    nextId: world.nextId + 1,
    toProduce: world.toProduce - 1,
  };
}

function spend(world: World, fault: keyof Faults): World {
  return { ...world, left: { ...world.left, [fault]: world.left[fault] - 1 } };
}

function brokerFaults(world: World, { noticesRecreation }: Protections): Move[] {
  const { left, log, start } = world;
  const found: Move[] = [];
  const add = (label: string, fault: keyof Faults, changed: Partial<World>): void => {
    if (left[fault] > 0) found.push({ label, world: { ...spend(world, fault), ...changed }, isFault: true });
  };
  if (log.length > 0) {
    const removed: World['removed'] = [...world.removed, [start, log[0]!]];
    add('retention', 'retentions', { log: log.slice(1), start: start + 1, removed });
    add('truncation', 'truncations', {
      log: log.slice(0, -1),
      excused: excuse(world, log.slice(-1)).excused,
    });
  }
  const anew = {
    log: [],
    start: 0,
    removed: [],
    topic: world.topic + 1,
    excused: excuse(world, [...log, ...world.removed.map(([, id]) => id)]).excused,
    members: noticesRecreation ? [released, released] : world.members,
  } satisfies Partial<World>;
  const forgotten = { committed: undefined, metadata: '', isWaived: false };
  add('recreation', 'recreations', { ...anew, ...forgotten });
  add('recreation that offsets outlive', 'outlivedRecreations', anew);
  return found;
}

function coordinatorMoves(world: World): Move[] {
  // A dead owner is replaced for free: the coordinator sees to it.
  const isOwnerDead = world.members[world.owner].state.step === 'released';
  if (!isOwnerDead && world.left.rebalances === 0) return [];
  return ([0, 1] as const).map((owner) => ({
    label: `rebalance to ${owner}`,
    world: assign(isOwnerDead ? world : spend(world, 'rebalances'), owner),
    isFault: !isOwnerDead,
  }));
}

function assign(world: World, owner: 0 | 1): World {
  const generation = world.generation + 1;
  const member: Member = { ...released, generation, state: initialState };
  return withMember({ ...world, owner, generation }, owner, member);
}

/** What one member's next step can lead to: it works, or it is fenced, or the answer is lost (then it is repeated). */
function memberMoves(world: World, who: 0 | 1, protections: Protections, runLengthMax: number): Move[] {
  const member = world.members[who];
  const { state } = member;
  const apply = (changed: World, event: PartitionEvent, run = member.run, topic = member.topic): World => {
    const next = protections.step(state, event);
    return reportGap(
      withMember(changed, who, { ...member, topic, state: next.state, run, insert: undefined }),
      next.gap,
    );
  };
  const ownTopicId = topicIdOf(member.topic, protections);
  const found: Move[] = [];
  const add = (label: string, after: World, isFault = false): void => {
    found.push({ label: `${who} ${label}`, world: after, isFault });
  };
  const commit = (offset: number, metadata: string, done: PartitionEvent): void => {
    if (protections.isFenced && member.generation !== world.generation) {
      add('is fenced', apply(world, { kind: 'revoked' }));
      return;
    }
    const changed = checkedCommit(world, state, offset, metadata, ownTopicId);
    add(`commits ${offset} ${metadata}`, apply(changed, done));
    if (world.left.lostAnswers > 0) add('loses the answer', spend(changed, 'lostAnswers'), true);
  };
  switch (state.step) {
    case 'recovering': {
      const { committed, metadata, start } = world;
      const topicId = topicIdOf(world.topic, protections);
      const offsets = { committed, metadata, logStart: start, logEnd: logEnd(world), topicId };
      // A group that has never committed begins where the log begins: what was before is not its to report.
      const excused = committed === undefined ? world.removed.map(([, id]) => id) : [];
      add('recovers', apply(excuse(world, excused), { kind: 'recovered', offsets }, member.run, world.topic));
      break;
    }
    case 'reading':
      if (ownTopicId !== topicIdOf(world.topic, protections)) {
        add('sees another topic', apply(world, { kind: 'revoked' }));
        break;
      }
      for (const event of readEvents(world, state, runLengthMax)) {
        const isRun = event.kind === 'run_read';
        const run = isRun ? runOf(world, state.next, event.run, protections) : undefined;
        add(isRun ? `reads ${event.run.first}-${event.run.last}` : event.kind, apply(world, event, run));
      }
      break;
    case 'intending':
      commit(state.run.first, intentMetadata(state.run.last, ownTopicId), { kind: 'intent_committed' });
      break;
    case 'inserting': {
      const { insert, run } = member;
      if (run === undefined) throw new Error('BUG: the model inserts without a run');
      if (insert === undefined) {
        const ids = protections.hasNotes ? run.ids.filter((id) => !world.table.includes(id)) : run.ids;
        add('looks up', withMember(world, who, { ...member, insert: { token: run.token, ids } }));
        break;
      }
      const landed = land(world, insert, protections);
      add(`inserts ${insert.token}`, apply(landed, { kind: 'inserted' }));
      const again = { ...member, insert: undefined };
      if (world.left.lostAnswers > 0)
        add('inserts and loses the answer', withMember(spend(landed, 'lostAnswers'), who, again), true);
      if (world.left.lateInserts > 0) {
        const late = [...world.late, insert];
        add('gives an insert up', withMember({ ...spend(world, 'lateInserts'), late }, who, again), true);
      }
      break;
    }
    case 'committing':
      commit(state.run.last + 1, doneMetadata(ownTopicId), { kind: 'run_committed' });
      break;
    case 'blocked':
    case 'released':
      return [];
    default:
      state satisfies never;
  }
  if (world.left.crashes > 0) add('crashes', withMember(spend(world, 'crashes'), who, released), true);
  return found;
}

function readEvents(
  world: World,
  { next, redo }: PartitionState & { step: 'reading' },
  runLengthMax: number,
): PartitionEvent[] {
  const end = logEnd(world);
  const isGone = next < world.start || next > end || (redo !== undefined && redo.last >= end);
  if (isGone) return [{ kind: 'out_of_range', logStart: world.start, logEnd: end }];
  if (redo !== undefined) return [{ kind: 'run_read', run: redo }];
  return Array.from({ length: Math.min(runLengthMax, end - next) }, (_, more) => ({
    kind: 'run_read',
    run: { first: next, last: next + more },
  }));
}

function runOf(world: World, next: number, range: RunRange, protections: Protections): Run {
  const { hasFingerprint, keepsName } = protections;
  const ids = world.log.slice(next - world.start, range.last + 1 - world.start);
  const fingerprint = hasFingerprint ? `/${ids.at(-1)}` : '';
  return { range, ids, token: `${keepsName ? range.first : next}-${range.last}${fingerprint}` };
}

function land(world: World, { token, ids }: Insert, { tokenWindow }: Protections): World {
  if (world.tokens.includes(token)) return world;
  return {
    ...world,
    table: [...world.table, ...ids].sort((a, b) => a - b),
    // An insert without rows leaves no token behind.
    tokens: ids.length === 0 ? world.tokens : [...world.tokens, token].slice(-tokenWindow),
  };
}

/** The commit, and what must hold of it. */
function checkedCommit(
  world: World,
  state: PartitionState,
  offset: number,
  metadata: string,
  topicId: string,
): World {
  const pending = isIntentMetadata(world.metadata) ? `${world.committed} ${world.metadata}` : undefined;
  const isIntent = isIntentMetadata(metadata);
  let broken = world.broken;
  if (isIntent && pending !== undefined && pending !== `${offset} ${metadata}` && !world.isWaived)
    broken ??= `intent ${pending} was replaced by ${offset} ${metadata}`;
  if (!isIntent && 'run' in state) {
    const own = `${state.run.first} ${intentMetadata(state.run.last, topicId)}`;
    const isRepeat = pending === undefined && world.committed === offset;
    if (pending !== own && !isRepeat && world.topic === 0)
      broken ??= `run ${own} was committed where the intent is ${pending}`;
  }
  return { ...world, committed: offset, metadata, broken, isWaived: isIntent && world.isWaived };
}

const isIntentMetadata = (metadata: string): boolean => metadata.startsWith('v');

function topicIdOf(topic: number, { hasTopicIds }: Protections): string {
  return hasTopicIds ? String(topic).padStart(22, '0') : '';
}

function reportGap(world: World, gap: OffsetGap | undefined): World {
  if (gap === undefined) return world;
  const lost = world.removed.flatMap(([offset, id]) => (offset >= gap.from && offset < gap.to ? [id] : []));
  return { ...excuse(world, lost), isWaived: world.isWaived || gap.pending !== undefined };
}

function excuse(world: World, ids: readonly number[]): World {
  if (ids.length === 0) return world;
  return { ...world, excused: [...new Set([...world.excused, ...ids])].sort((a, b) => a - b) };
}

function withMember(world: World, who: 0 | 1, member: Member): World {
  return { ...world, members: who === 0 ? [member, world.members[1]] : [world.members[0], member] };
}
