/**
 * Goal: a collector that is killed at any step of the protocol loses nothing and doubles nothing, whoever takes over.
 * Method: a process with the real pipeline kills itself there; another one, with other limits, takes its partitions. In
 * most tests the tables keep no notes of batches, so that intent and token alone must keep a repeat out.
 */
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { CrashPoint } from '#test/support/collector-child.ts';
import { describeKafka } from '#test/support/kafka.ts';
import { type FaultStore, openFaultStore } from './fault-store.ts';
import { FaultWorld } from './fault-world.ts';

// Brokers, sessions and processes of a busy machine take their time.
vi.setConfig({ testTimeout: 240_000 });

interface Case {
  readonly title: string;
  readonly at: CrashPoint;
  readonly after: number;
  readonly hasNotes?: boolean;
  readonly table?: string;
}

const cases: readonly Case[] = [
  { title: 'before it reads offsets', at: 'recovering', after: 0 },
  { title: 'before it reads messages', at: 'reading', after: 4 },
  { title: 'after reading, before the intent', at: 'intending', after: 4 },
  { title: 'after the intent, before the insert', at: 'inserting', after: 4 },
  { title: 'while a block travels', at: 'sending', after: 4, table: 'logs' },
  { title: 'when the block has landed, unheard', at: 'landed', after: 4, table: 'logs' },
  {
    title: 'when samples of delta totals have landed, unheard',
    at: 'landed',
    after: 2,
    table: 'samples_head',
  },
  { title: 'between two blocks of a run', at: 'landed', after: 0, table: 'series' },
  { title: 'after the insert, before the commit', at: 'committing', after: 4 },
  {
    title: 'when the block has landed, unheard, where notes are kept',
    at: 'landed',
    after: 4,
    table: 'logs',
    hasNotes: true,
  },
  {
    title: 'after the insert, before the commit, where notes are kept',
    at: 'committing',
    after: 4,
    hasNotes: true,
  },
];

describeKafka('a collector that is killed', (kafka) => {
  let store: FaultStore;
  let world: FaultWorld;
  beforeAll(async () => {
    store = await openFaultStore();
  });
  afterEach(() => world?.end());
  afterAll(() => store?.close());

  test.each(cases)('$title: its successor neither loses nor doubles', async (each) => {
    const { brokers, isOwned } = kafka();
    world = await FaultWorld.create({
      brokers,
      isOwned,
      storeUrl: store.url,
      store: store.store,
      hasShards: each.hasNotes !== true,
    });
    await Promise.all([world.produce(30, 'a'), world.produce(30, 'b'), world.produceDeltas(6, 'a')]);
    const { at, after, table } = each;
    const dead = world.collectApart({ at, after, ...(table === undefined ? {} : { table }) });
    expect(await dead.ended).toBe('SIGKILL');
    expect((await world.verdict()).repeated).toEqual([]);
    const survivor = await world.collect({ limits: { runMessagesMax: 2, partitionFetchBytesMax: 300 } });
    await world.untilCommitted(() => survivor.consumer.status());
    await world.expectExact();
  });
});
