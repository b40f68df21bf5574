/**
 * Goal: whatever dies, stalls, or loses an answer: no message is stored twice, none is lost unless it is reported, no intent
 * is replaced, and work goes on when faults stop. And: where a protection is taken away, that is found.
 * Method: every interleaving of two members, a broker, a coordinator and a store, within bounds on faults that make it end
 * (protocol-world.ts); deeper ones at random; and the same searches over protocols that are wrong.
 */
import { describe, expect, test } from 'vitest';
import {
  type PartitionEvent,
  type PartitionState,
  type Transition,
  transition,
} from '#collector/kafka/partition-protocol.ts';
import { type Exploration, exploreAll, exploreAtRandom } from './protocol-exploration.ts';
import type { Faults, Protections } from './protocol-world.ts';

const seed = Number(process.env.MODEL_SEED ?? 1);
/** A suite's share of time; `MODEL_WALKS=100000` for a long look. */
const walks = Number(process.env.MODEL_WALKS ?? 300);

/** They compute for some seconds, on a busy machine for many. */
const searchMsMax = 300_000;

const sound: Protections = {
  step: transition,
  isFenced: true,
  hasNotes: true,
  tokenWindow: 100,
  hasFingerprint: true,
  keepsName: true,
  noticesRecreation: true,
  hasTopicIds: false,
};
/** Tokens are the only protection: what a cluster of shards has, and what every mistake below would show in. */
const tokensOnly: Protections = { ...sound, hasNotes: false };
/** The engine has forgotten every token but the last, and the notes in the table must do. */
const notesOnly: Protections = { ...sound, tokenWindow: 1 };

const none: Faults = {
  crashes: 0,
  rebalances: 0,
  lostAnswers: 0,
  lateInserts: 0,
  retentions: 0,
  truncations: 0,
  recreations: 0,
  outlivedRecreations: 0,
};
/** Nobody sees that the topic is gone: only its id tells. */
const idsOnly: Protections = { ...tokensOnly, noticesRecreation: false, hasTopicIds: true };
const small = { messages: 3, toProduce: 0, runLengthMax: 2 };

describe('in every interleaving', () => {
  test.each<{
    name: string;
    at: Omit<Exploration, 'runLengthMax'>;
    worldsAtLeast: number;
  }>([
    {
      name: 'crashes, zombies and lost answers, with tokens alone',
      at: {
        protections: tokensOnly,
        faults: { ...none, crashes: 2, rebalances: 2, lostAnswers: 1 },
        messages: 3,
        toProduce: 0,
      },
      worldsAtLeast: 1000,
    },
    {
      name: 'the same where the engine forgets tokens, with notes',
      at: {
        protections: notesOnly,
        faults: { ...none, crashes: 3, lostAnswers: 3 },
        messages: 3,
        toProduce: 0,
      },
      worldsAtLeast: 1000,
    },
    {
      name: 'inserts that land late, with tokens alone',
      at: {
        protections: tokensOnly,
        faults: { ...none, crashes: 1, rebalances: 1, lateInserts: 2 },
        messages: 3,
        toProduce: 0,
      },
      worldsAtLeast: 1000,
    },
    {
      name: 'retention, with tokens alone',
      at: {
        protections: tokensOnly,
        faults: { ...none, crashes: 1, rebalances: 1, retentions: 2 },
        messages: 3,
        toProduce: 0,
      },
      worldsAtLeast: 1000,
    },
    {
      name: 'logs that are truncated, with notes',
      at: {
        protections: sound,
        faults: { ...none, crashes: 2, truncations: 2, retentions: 1, lostAnswers: 1 },
        messages: 3,
        toProduce: 0,
      },
      worldsAtLeast: 1000,
    },
    {
      name: 'topics that are made anew, and it is noticed',
      at: {
        protections: tokensOnly,
        faults: { ...none, crashes: 1, rebalances: 1, recreations: 1, lostAnswers: 1 },
        messages: 1,
        toProduce: 2,
      },
      worldsAtLeast: 1000,
    },
    {
      name: 'topics that are made anew between two looks, with ids and tokens alone',
      at: {
        protections: idsOnly,
        faults: { ...none, crashes: 1, recreations: 1, outlivedRecreations: 1, lostAnswers: 1 },
        messages: 1,
        toProduce: 2,
      },
      worldsAtLeast: 1000,
    },
    {
      name: 'the same beside zombies and retention',
      at: {
        protections: idsOnly,
        faults: { ...none, rebalances: 1, outlivedRecreations: 1, retentions: 1 },
        messages: 2,
        toProduce: 2,
      },
      worldsAtLeast: 1000,
    },
  ])('nothing is doubled, lost or stuck: $name', { timeout: searchMsMax }, ({ at, worldsAtLeast }) => {
    const found = exploreAll({ ...at, runLengthMax: 2 });
    expect(found.violation).toBeUndefined();
    // The search must have been one. How deep it went is printed: it is the length of the longest story that differs.
    expect(found.worlds).toBeGreaterThan(worldsAtLeast);
    console.info(`${found.worlds} worlds, to the end at depth ${found.depth}`);
  });
});

describe('at random, deeper', () => {
  test.each<{ name: string; protections: Protections; faults: Faults; toProduce?: number }>([
    {
      name: 'all that tokens alone can bear',
      protections: tokensOnly,
      faults: {
        ...none,
        crashes: 4,
        rebalances: 4,
        lostAnswers: 4,
        lateInserts: 2,
        retentions: 3,
        recreations: 1,
      },
    },
    {
      name: 'all that notes can bear when every token but the last is forgotten',
      protections: notesOnly,
      faults: { ...none, crashes: 6, lostAnswers: 6, retentions: 3, recreations: 1 },
    },
    {
      name: 'unclean elections, with both',
      protections: sound,
      faults: { ...none, crashes: 6, lostAnswers: 6, retentions: 3, truncations: 3 },
      // What comes in the place of what was cut off may be missed, see below.
      toProduce: 0,
    },
    {
      name: 'topics that only their ids tell apart',
      protections: idsOnly,
      faults: {
        ...none,
        crashes: 3,
        rebalances: 3,
        lostAnswers: 3,
        lateInserts: 2,
        retentions: 2,
        recreations: 2,
        outlivedRecreations: 2,
      },
    },
    {
      name: 'all else that both can bear',
      protections: sound,
      faults: {
        ...none,
        crashes: 4,
        rebalances: 4,
        lostAnswers: 4,
        lateInserts: 2,
        retentions: 3,
        recreations: 1,
      },
    },
  ])(
    'nothing is doubled, lost or stuck: $name',
    { timeout: searchMsMax },
    ({ protections, faults, toProduce = 6 }) => {
      const found = exploreAtRandom(
        { protections, faults, messages: 10 - toProduce, toProduce, runLengthMax: 3 },
        walks,
        seed,
      );
      expect(found.violation).toBeUndefined();
      expect(found.depth).toBeGreaterThan(40);
    },
  );
});

const mutant =
  (
    change: (state: PartitionState, event: PartitionEvent, next: Transition) => Transition,
  ): typeof transition =>
  (state, event) =>
    change(state, event, transition(state, event));

/** What goes wrong without a protection, and what the search says then. */
describe('the search finds', () => {
  test.each<{
    name: string;
    protections: Protections;
    faults: Partial<Faults>;
    violation: RegExp;
    size?: typeof small;
  }>([
    {
      name: 'a protocol that ignores pending intents',
      protections: {
        ...tokensOnly,
        step: (state, event) =>
          transition(
            state,
            event.kind === 'recovered' ? { ...event, offsets: { ...event.offsets, metadata: '' } } : event,
          ),
      },
      faults: { crashes: 1 },
      violation: /was replaced|twice/,
    },
    {
      name: 'one that inserts before its intent is committed',
      protections: {
        ...tokensOnly,
        step: mutant((_state, _event, next) =>
          next.state.step === 'intending' ? { state: { step: 'inserting', run: next.state.run } } : next,
        ),
      },
      faults: { crashes: 1 },
      violation: /where the intent is undefined|twice/,
    },
    {
      name: 'one that takes a pending run for inserted',
      protections: {
        ...tokensOnly,
        step: mutant((_state, _event, next) =>
          next.state.step === 'reading' && next.state.redo !== undefined
            ? { state: { step: 'committing', run: next.state.redo } }
            : next,
        ),
      },
      faults: { crashes: 1 },
      violation: /is lost/,
    },
    {
      name: 'one that commits before it inserts',
      protections: {
        ...tokensOnly,
        step: mutant((state, event, next) => {
          if (event.kind === 'intent_committed' && state.step === 'intending')
            return { state: { step: 'committing', run: state.run } };
          return next;
        }),
      },
      faults: {},
      violation: /is lost/,
    },
    {
      name: 'one that skips to the end of a log that has lost its offset',
      protections: {
        ...tokensOnly,
        step: mutant((_state, event, next) =>
          event.kind === 'out_of_range' && next.gap !== undefined
            ? { ...next, state: { step: 'reading', next: event.logEnd, redo: undefined } }
            : next,
        ),
      },
      faults: { retentions: 1 },
      violation: /is lost/,
    },
    {
      name: 'one that keeps a gap to itself',
      protections: { ...tokensOnly, step: mutant((_state, _event, { state }) => ({ state })) },
      faults: { retentions: 1 },
      violation: /is lost, and nobody says so/,
    },
    {
      name: 'one that waits for a run whose end is gone',
      protections: {
        ...sound,
        step: mutant((state, _event, next) => {
          const before = state.step === 'reading' ? state : undefined;
          if (next.gap?.reason !== 'log_truncated' || next.gap.pending === undefined) return next;
          return {
            state: { step: 'reading', next: before?.next ?? next.gap.pending.first, redo: next.gap.pending },
          };
        }),
      },
      faults: { crashes: 1, truncations: 1 },
      violation: /never ends/,
    },
    {
      name: 'a coordinator that does not fence zombies',
      protections: { ...tokensOnly, isFenced: false },
      faults: { rebalances: 1 },
      violation: /was replaced|where the intent is|twice|is lost/,
    },
    {
      name: 'a repeat that is named by what retention left of it',
      protections: { ...tokensOnly, keepsName: false },
      faults: { crashes: 1, retentions: 1 },
      violation: /twice/,
    },
    {
      name: 'tokens that are offsets alone, when a topic is made anew',
      protections: { ...tokensOnly, hasFingerprint: false },
      faults: { recreations: 1 },
      violation: /is lost/,
      size: { messages: 2, toProduce: 2, runLengthMax: 1 },
    },
    {
      name: 'a pending intent that outlived its token, where nobody looks into the table',
      protections: { ...tokensOnly, tokenWindow: 1 },
      faults: { rebalances: 1 },
      violation: /twice/,
    },
  ])('$name', ({ protections, faults, violation, size = small }) => {
    expect(exploreAll({ ...size, protections, faults: { ...none, ...faults } }).violation).toMatch(violation);
  });
});

/** These are known, and written down: docs and ARCHITECTURE.md, "Once". */
describe('what remains by design', () => {
  test.each<{
    name: string;
    protections: Protections;
    faults: Partial<Faults>;
    violation: RegExp;
    size?: typeof small;
  }>([
    {
      name: 'an insert that lands after its repeat, and after the engine has forgotten the token, is there twice',
      protections: notesOnly,
      faults: { lateInserts: 1 },
      violation: /twice/,
    },
    {
      name: 'a zombie that has looked up the table before its successor inserted does the same',
      protections: notesOnly,
      faults: { rebalances: 2 },
      violation: /twice/,
      size: { messages: 2, toProduce: 0, runLengthMax: 1 },
    },
    {
      name: 'without notes (a cluster of shards), what an unclean election makes us read again is there twice',
      protections: tokensOnly,
      faults: { truncations: 1 },
      violation: /twice/,
    },
    {
      name: 'without ids, offsets that outlive their topic lose the beginning of the next',
      protections: sound,
      faults: { outlivedRecreations: 1 },
      violation: /is lost/,
      size: { messages: 1, toProduce: 2, runLengthMax: 1 },
    },
    {
      name: 'a topic without id that is made anew unnoticed, and is longer than what was committed, loses its beginning',
      protections: { ...sound, noticesRecreation: false },
      faults: { recreations: 1 },
      violation: /is lost/,
      size: { messages: 1, toProduce: 2, runLengthMax: 1 },
    },
    {
      name: 'a log that is truncated and grows again unnoticed loses what came in its place',
      protections: sound,
      faults: { truncations: 1 },
      violation: /is lost/,
      size: { messages: 2, toProduce: 1, runLengthMax: 2 },
    },
  ])('$name', ({ protections, faults, violation, size = small }) => {
    expect(exploreAll({ ...size, protections, faults: { ...none, ...faults } }).violation).toMatch(violation);
  });
});
