/**
 * Goal: each event leads where the protocol says. protocol-model.test.ts has what follows from all of them together.
 * Method: a table of states, events and outcomes as short text.
 */
import { describe, expect, test } from 'vitest';
import {
  initialState,
  type PartitionEvent,
  type PartitionState,
  type RunRange,
  type Transition,
  transition,
} from '#collector/kafka/partition-protocol.ts';

describe('a single transition', () => {
  const range = (first: number, last: number): RunRange => ({ first, last });
  const log = { logStart: 0, logEnd: 100, topicId: '' };
  const [old, anew] = ['o'.repeat(22), 'n'.repeat(22)];
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
    { name: 'a newer version of the protocol blocks', event: recovered(12, 'v3:20'), outcome: 'blocked' },
    { name: 'an intent with half an id blocks', event: recovered(12, 'v2:20:abc'), outcome: 'blocked' },
    {
      name: 'an intent of the same topic is repeated',
      event: recovered(12, `v2:20:${anew}`, { topicId: anew }),
      outcome: 'reading 12 redo 12-20',
    },
    {
      name: 'an intent of another topic is not repeated',
      event: recovered(12, `v2:20:${old}`, { topicId: anew }),
      outcome: 'reading 0 lost 0',
    },
    {
      name: 'an offset of the same topic is where reading goes on',
      event: recovered(12, `topic:${anew}`, { topicId: anew }),
      outcome: 'reading 12',
    },
    {
      name: 'an offset of another topic says nothing',
      event: recovered(12, `topic:${old}`, { topicId: anew, logStart: 3 }),
      outcome: 'reading 3 lost 3',
    },
    {
      name: 'an offset of an earlier version may be of any topic',
      event: recovered(12, 'v1:20', { topicId: anew }),
      outcome: 'reading 12 redo 12-20',
    },
    {
      name: 'a broker without ids may have any topic',
      event: recovered(12, `topic:${old}`),
      outcome: 'reading 12',
    },
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
    {
      name: 'a pending run whose end the log has lost is read anew, as far as it goes',
      event: recovered(90, 'v1:104'),
      outcome: 'reading 90 lost 5',
    },
    {
      name: 'a pending run that the log has lost at both ends is read anew',
      event: recovered(90, 'v1:104', { logStart: 92 }),
      outcome: 'reading 92 lost 7',
    },
    {
      name: 'a pending run that ends with the log is repeated',
      event: recovered(90, 'v1:99'),
      outcome: 'reading 90 redo 90-99',
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
