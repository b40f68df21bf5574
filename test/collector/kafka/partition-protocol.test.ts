/**
 * Goal: whatever dies, stalls or loses an answer, no message is inserted under two tokens and none is skipped.
 * Method: a table for single transitions, then every interleaving of two members, a coordinator and a store over a
 * short log, with crashes, rebalances, zombies and lost answers; and the same search must catch protocols that are wrong.
 */
import { describe, expect, test } from 'vitest';
import {
  initialState,
  intentMetadata,
  type PartitionEvent,
  type PartitionState,
  type RunRange,
  type Transition,
  transition,
} from '#collector/kafka/partition-protocol.ts';

describe('a single transition', () => {
  const range = (first: number, last: number): RunRange => ({ first, last });
  const log = { logStart: 0, logEnd: 100 };
  const recovered = (committed: number | undefined, metadata = '', over = {}): PartitionEvent => ({
    kind: 'recovered',
    offsets: { committed, metadata, ...log, ...over },
  });

  test.each([
    {
      name: 'a group without offsets begins where the log begins',
      event: recovered(undefined, '', { logStart: 7 }),
      outcome: 'reading 7',
    },
    { name: 'a committed offset is where reading goes on', event: recovered(12), outcome: 'reading 12' },
    { name: 'a pending intent is repeated', event: recovered(12, 'v1:20'), outcome: 'reading 12 redo 12-20' },
    {
      name: 'the notes of other tools are no intent',
      event: recovered(12, 'reset by hand'),
      outcome: 'reading 12',
    },
    { name: 'a newer version of the protocol blocks', event: recovered(12, 'v2:20'), outcome: 'blocked' },
    { name: 'an intent that ends before it begins blocks', event: recovered(12, 'v1:3'), outcome: 'blocked' },
    {
      name: 'what retention removed is reported',
      event: recovered(12, '', { logStart: 30 }),
      outcome: 'reading 30 lost 18',
    },
    {
      name: 'what is left of a pending run keeps its name',
      event: recovered(12, 'v1:40', { logStart: 30 }),
      outcome: 'reading 30 redo 12-40 lost 18',
    },
    {
      name: 'a pending run that is gone is not repeated',
      event: recovered(12, 'v1:20', { logStart: 30 }),
      outcome: 'reading 30 lost 18',
    },
    {
      name: 'a log that ends before the offset is read from its beginning',
      event: recovered(120),
      outcome: 'reading 0 lost unknown',
    },
    { name: 'an offset at the end of the log waits there', event: recovered(100), outcome: 'reading 100' },
  ])('$name', ({ event, outcome }) => expect(show(transition(initialState, event))).toBe(outcome));

  test.each([
    {
      name: 'a new run needs an intent first',
      state: reading(5),
      event: read(5, 9),
      outcome: 'intending 5-9',
    },
    {
      name: 'a repeated run has its intent already',
      state: reading(5, range(5, 9)),
      event: read(5, 9),
      outcome: 'inserting 5-9',
    },
    {
      name: 'an intent is followed by the insert',
      state: { step: 'intending', run: range(5, 9) },
      event: { kind: 'intent_committed' },
      outcome: 'inserting 5-9',
    },
    {
      name: 'an insert is followed by the commit',
      state: { step: 'inserting', run: range(5, 9) },
      event: { kind: 'inserted' },
      outcome: 'committing 5-9',
    },
    {
      name: 'a commit is followed by the next run',
      state: { step: 'committing', run: range(5, 9) },
      event: { kind: 'run_committed' },
      outcome: 'reading 10',
    },
    {
      name: 'retention can overtake a reader',
      state: reading(5),
      event: { kind: 'out_of_range', logStart: 8, logEnd: 20 },
      outcome: 'reading 8 lost 3',
    },
    {
      name: 'a revoked partition is released in any step',
      state: { step: 'inserting', run: range(5, 9) },
      event: { kind: 'revoked' },
      outcome: 'released',
    },
  ] as { name: string; state: PartitionState; event: PartitionEvent; outcome: string }[])(
    '$name',
    ({ state, event, outcome }) => expect(show(transition(state, event))).toBe(outcome),
  );

  test.each([
    { name: 'a run that does not begin where the last ended', state: reading(5), event: read(6, 9) },
    { name: 'a repeat of other offsets', state: reading(5, range(5, 9)), event: read(5, 8) },
    { name: 'an insert without an intent', state: reading(5), event: { kind: 'inserted' } },
  ] as { name: string; state: PartitionState; event: PartitionEvent }[])(
    '$name is a bug',
    ({ state, event }) => expect(() => transition(state, event)).toThrow(/^BUG:/),
  );
});

describe('every interleaving', () => {
  test('stores each message once, under one token', () => {
    const found = explore(transition);
    expect(found.violation).toBeUndefined();
    // The search must have been one: it ends thousands of worlds, after crashes at every step.
    expect(found.ends).toBeGreaterThan(100);
    expect(found.worlds).toBeGreaterThan(5000);
  });

  test.each([
    {
      name: 'ignores pending intents',
      broken: (state: PartitionState, event: PartitionEvent) =>
        transition(
          state,
          event.kind === 'recovered' ? { ...event, offsets: { ...event.offsets, metadata: '' } } : event,
        ),
      violation: /under two tokens/,
    },
    {
      name: 'inserts before its intent is committed',
      broken: (state: PartitionState, event: PartitionEvent): Transition => {
        const next = transition(state, event);
        return next.state.step === 'intending' ? { state: { step: 'inserting', run: next.state.run } } : next;
      },
      violation: /under two tokens/,
    },
    {
      name: 'takes a pending run for inserted',
      broken: (state: PartitionState, event: PartitionEvent): Transition => {
        const next = transition(state, event);
        return next.state.step === 'reading' && next.state.redo !== undefined
          ? { state: { step: 'committing', run: next.state.redo } }
          : next;
      },
      violation: /was never inserted/,
    },
  ])('catches a protocol that $name', ({ broken, violation }) => {
    expect(explore(broken).violation).toMatch(violation);
  });
});

const logLength = 3;

/** One member's worker: `generation` is that of its assignment, which may be over without its knowing. */
interface Member {
  readonly generation: number;
  readonly state: PartitionState;
}

interface World {
  readonly committed: number | undefined;
  readonly metadata: string;
  readonly generation: number;
  readonly owner: number;
  /** Tokens in the store; it remembers all of them. */
  readonly tokens: readonly string[];
  readonly members: readonly [Member, Member];
  readonly crashesLeft: number;
  readonly rebalancesLeft: number;
  readonly lostAnswersLeft: number;
}

interface Found {
  violation: string | undefined;
  worlds: number;
  ends: number;
}

const released: PartitionState = { step: 'released' };

function explore(step: typeof transition): Found {
  const start: World = {
    committed: undefined,
    metadata: '',
    generation: 1,
    owner: 0,
    tokens: [],
    members: [
      { generation: 1, state: initialState },
      { generation: 0, state: released },
    ],
    crashesLeft: 2,
    rebalancesLeft: 2,
    lostAnswersLeft: 1,
  };
  const seen = new Set<string>();
  const open = [start];
  const found: Found = { violation: undefined, worlds: 0, ends: 0 };
  for (let world = open.pop(); world !== undefined && found.violation === undefined; world = open.pop()) {
    const key = JSON.stringify(world);
    if (seen.has(key)) continue;
    seen.add(key);
    found.worlds++;
    found.violation = doubled(world);
    const next = successors(world, step);
    open.push(...next);
    if (next.length === 0) {
      found.ends++;
      found.violation ??= unfinished(world);
    }
  }
  return found;
}

function successors(world: World, step: typeof transition): World[] {
  const next: World[] = [];
  for (const who of [0, 1] as const) {
    const { state } = world.members[who];
    if (state.step === 'released' || state.step === 'blocked') continue;
    next.push(...moves(world, who, step));
    if (world.crashesLeft > 0) {
      next.push(
        withMember({ ...world, crashesLeft: world.crashesLeft - 1 }, who, { generation: 0, state: released }),
      );
    }
  }
  // A dead owner is replaced for free: the coordinator sees to it.
  const isOwnerDead = world.members[world.owner]!.state.step === 'released';
  if (isOwnerDead || world.rebalancesLeft > 0) {
    for (const owner of [0, 1]) {
      const generation = world.generation + 1;
      const rebalancesLeft = world.rebalancesLeft - (isOwnerDead ? 0 : 1);
      next.push(
        withMember({ ...world, owner, generation, rebalancesLeft }, owner, {
          generation,
          state: initialState,
        }),
      );
    }
  }
  return next;
}

/** What one member's current step can lead to: done, fenced, or done with the answer lost (then it repeats). */
function moves(world: World, who: number, step: typeof transition): World[] {
  const member = world.members[who]!;
  const { state } = member;
  const after = (changed: World, event: PartitionEvent): World =>
    withMember(changed, who, { ...member, state: step(state, event).state });
  const withLoss = (changed: World, event: PartitionEvent): World[] => [
    after(changed, event),
    ...(world.lostAnswersLeft > 0 ? [{ ...changed, lostAnswersLeft: world.lostAnswersLeft - 1 }] : []),
  ];
  const commit = (committed: number, metadata: string, event: PartitionEvent): World[] =>
    member.generation === world.generation
      ? withLoss({ ...world, committed, metadata }, event)
      : [after(world, { kind: 'revoked' })];
  switch (state.step) {
    case 'recovering': {
      const { committed, metadata } = world;
      return [
        after(world, { kind: 'recovered', offsets: { committed, metadata, logStart: 0, logEnd: logLength } }),
      ];
    }
    case 'reading': {
      if (state.redo !== undefined) return [after(world, { kind: 'run_read', run: state.redo })];
      const lasts = [state.next, state.next + 1].filter((last) => last < logLength);
      return lasts.map((last) => after(world, { kind: 'run_read', run: { first: state.next, last } }));
    }
    case 'intending':
      return commit(state.run.first, intentMetadata(state.run.last), { kind: 'intent_committed' });
    case 'inserting': {
      const token = `${state.run.first}-${state.run.last}`;
      const tokens = world.tokens.includes(token) ? world.tokens : [...world.tokens, token].sort();
      return withLoss({ ...world, tokens }, { kind: 'inserted' });
    }
    case 'committing':
      return commit(state.run.last + 1, '', { kind: 'run_committed' });
    default:
      return [];
  }
}

function withMember(world: World, who: number, member: Member): World {
  return { ...world, members: who === 0 ? [member, world.members[1]] : [world.members[0], member] };
}

function tokensOf(world: World, offset: number): string[] {
  return world.tokens.filter((token) => {
    const [first, last] = token.split('-').map(Number) as [number, number];
    return first <= offset && offset <= last;
  });
}

function doubled(world: World): string | undefined {
  for (let offset = 0; offset < logLength; offset++) {
    const tokens = tokensOf(world, offset);
    if (tokens.length > 1) return `offset ${offset} is under two tokens: ${tokens.join(' ')}`;
  }
  return undefined;
}

function unfinished(world: World): string | undefined {
  if (world.committed !== logLength) return `the group stopped at ${world.committed}`;
  for (let offset = 0; offset < logLength; offset++) {
    if (tokensOf(world, offset).length === 0) return `offset ${offset} was never inserted`;
  }
  return undefined;
}

function reading(next: number, redo?: RunRange): PartitionState {
  return { step: 'reading', next, redo };
}

function read(first: number, last: number): PartitionEvent {
  return { kind: 'run_read', run: { first, last } };
}

function show({ state, gap }: Transition): string {
  const lost = gap === undefined ? '' : ` lost ${gap.count ?? 'unknown'}`;
  if (state.step === 'reading') {
    const redo = state.redo === undefined ? '' : ` redo ${state.redo.first}-${state.redo.last}`;
    return `reading ${state.next}${redo}${lost}`;
  }
  return 'run' in state
    ? `${state.step} ${state.run.first}-${state.run.last}${lost}`
    : `${state.step}${lost}`;
}
