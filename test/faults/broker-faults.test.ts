/**
 * Goal: brokers that restart, die, hang or come back elsewhere cost time and nothing else, whether they lead partitions
 * or coordinate the group.
 * Method: three real brokers, of which each record must be on two. The one that leads, or coordinates, is stopped in all
 * the ways there are, while records flow through the agent's transport and two collectors.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import type { OwnedBroker } from '#test/support/kafka.ts';
import { describeKafkaCluster } from '#test/support/kafka-cluster.ts';
import { type FaultStore, openFaultStore } from './fault-store.ts';
import { FaultWorld } from './fault-world.ts';

// Brokers, sessions and processes of a busy machine take their time.
vi.setConfig({ testTimeout: 240_000 });

/** Elections, sessions and backoffs follow one another, on a machine that starts a broker meanwhile. */
const patienceMs = 100_000;
const overSessionsMs = 5000;

const cases: readonly {
  readonly title: string;
  readonly role: 'leader' | 'coordinator';
  readonly happen: (broker: OwnedBroker) => Promise<void>;
}[] = [
  {
    title: 'a coordinator that is restarted',
    role: 'coordinator',
    async happen(broker) {
      await broker.terminate();
      await broker.start();
    },
  },
  {
    title: 'a coordinator that is killed',
    role: 'coordinator',
    async happen(broker) {
      await broker.kill9();
      await delay(overSessionsMs);
      await broker.start();
    },
  },
  {
    title: 'a leader that hangs for longer than every session',
    role: 'leader',
    async happen(broker) {
      broker.pause();
      await delay(overSessionsMs);
      broker.resume();
    },
  },
  {
    title: 'a leader that is killed, and its disk moved to another machine',
    role: 'leader',
    async happen(broker) {
      await broker.kill9();
      await broker.moveData();
      await broker.start();
    },
  },
];

describeKafkaCluster('of three brokers', (cluster) => {
  let store: FaultStore;
  let world: FaultWorld;
  beforeAll(async () => {
    store = await openFaultStore();
  });
  afterEach(() => world?.end());
  afterAll(() => store?.close());

  async function leaderOf(topic: string): Promise<number> {
    const { topics } = await world.withAdmin((admin) => admin.fetchTopicMetadata({ topics: [topic] }));
    return topics[0]!.partitions.find(({ partitionId }) => partitionId === 0)!.leader;
  }

  test.each(cases)(
    '$title costs time and nothing else',
    async ({ role, happen }) => {
      world = await FaultWorld.create({
        brokers: cluster().brokers,
        isOwned: true,
        storeUrl: store.url,
        store: store.store,
        hasShards: true,
        replicationFactor: 3,
      });
      const collectors = [await world.collect(), await world.collect()];
      const seen = () => collectors.map(({ consumer }) => consumer.status());
      const senders = ['a', 'b', 'c', 'd'];
      const produceAll = () => Promise.all(senders.map((sender) => world.produce(10, sender)));
      await produceAll();
      await world.untilCommitted(seen, patienceMs);
      // The group's offsets are in one partition: who leads it coordinates.
      const id = await leaderOf(role === 'leader' ? world.topics.logs : '__consumer_offsets');
      let isOver = false;
      const happening = happen(cluster().node(id)).finally(() => {
        isOver = true;
      });
      const sending: Promise<unknown>[] = [];
      while (!isOver && sending.length < 40) {
        sending.push(produceAll());
        await delay(200);
      }
      await happening;
      await Promise.all(sending);
      await produceAll();
      await world.untilCommitted(seen, patienceMs);
      await world.expectExact();
      for (const { consumer } of collectors) expect(consumer.status().counters.gaps).toBe(0);
    },
    2 * patienceMs,
  );

  test('dead letters whose broker is away are given up after the wait: their partition goes on', async () => {
    world = await FaultWorld.create({
      brokers: cluster().brokers,
      isOwned: true,
      storeUrl: store.url,
      store: store.store,
      hasShards: true,
      replicationFactor: 3,
    });
    const collector = await world.collect({ deadLetterWaitMs: 2000 });
    await world.produce(10);
    await world.untilCommitted(() => collector.consumer.status(), patienceMs);
    const away = ((await leaderOf('__consumer_offsets')) % 3) + 1;
    const topic = world.deadLetterTopic;
    await world.withAdmin((admin) => admin.deleteTopics({ topics: [topic] }));
    await eventually(() =>
      world
        .withAdmin((admin) =>
          admin.createTopics({
            waitForLeaders: true,
            topics: [
              {
                topic,
                replicaAssignment: [{ partition: 0, replicas: [away] }],
                configEntries: [{ name: 'min.insync.replicas', value: '1' }],
              },
            ],
          }),
        )
        .then(
          () => true,
          () => false,
        ),
    );
    const { partition } = await world.onlyPartition('logs');
    await cluster().node(away).kill9();
    try {
      // kafkajs gives up where the first broker that it asks is away.
      const isSent = () =>
        world.sendRaw(world.topics.logs, [{ value: 'poison', partition }]).then(
          () => true,
          () => false,
        );
      await eventually(isSent);
      await world.produce(10);
      const { consumer } = collector;
      // Not by the admin client: kafkajs asks nothing of any topic while one has no leader.
      await eventually(
        () => consumer.status().partitions.some(({ committedOffset }) => committedOffset === 5),
        () => consumer.status(),
        patienceMs,
      );
      await world.expectExact();
      expect(consumer.status().counters).toMatchObject({ dead_letters: 0, dead_letters_lost: 1 });
      expect(consumer.status().state).toContain('dead letters cannot be written');
    } finally {
      await cluster().node(away).start();
    }
  });
});
