/**
 * Goal: a collector that lost its seat, and does not know it yet, doubles nothing: neither by what it still does, nor by
 * what it has sent and the network delivers late.
 * Method: two collectors, one of them behind TCP proxies that hold what it sends while the other takes over; the tables
 * keep no notes, so that intent, token and generation alone must keep repeats out.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import type { CollectorDoors, CollectorPlan, FaultCollector } from '#test/support/fault-collector.ts';
import { describeKafka } from '#test/support/kafka.ts';
import { TcpProxy } from '#test/support/tcp-proxy.ts';
import { type FaultStore, openFaultStore } from './fault-store.ts';
import { FaultWorld } from './fault-world.ts';

// Brokers, sessions and processes of a busy machine take their time.
vi.setConfig({ testTimeout: 240_000 });

let toKafka: TcpProxy;
/** By the partitioner they are spread over both partitions. */
const senders = ['a', 'b', 'c', 'd'];

describeKafka(
  'a collector that lost its seat unawares',
  (kafka) => {
    let store: FaultStore;
    let toStore: TcpProxy;
    let world: FaultWorld;
    beforeAll(async () => {
      store = await openFaultStore();
      toStore = await TcpProxy.start();
      toStore.targetPort = Number(new URL(store.url).port);
      toKafka.targetPort = kafka().proxiedPort;
    });
    beforeEach(async ({ skip }) => {
      const { brokers, isOwned } = kafka();
      if (!isOwned) skip('a broker of KAFKA_BROKERS does not know of our proxy');
      world = await FaultWorld.create({
        brokers,
        isOwned,
        storeUrl: store.url,
        store: store.store,
        hasShards: true,
      });
    });
    afterEach(async () => {
      toKafka.heal();
      toStore.heal();
      await world?.end();
    });
    afterAll(async () => {
      await toKafka?.close();
      await toStore?.close();
      await store?.close();
    });

    /** Of two, so that it does not lead the group; ours is behind the proxies. */
    async function start(doors: CollectorDoors, over: Partial<CollectorPlan> = {}) {
      const other = await world.collect({ limits: { runMessagesMax: 2 } });
      await eventually(() => other.consumer.status().partitions.length === 8);
      const collector = await world.collect(
        {
          brokers: [`127.0.0.1:${toKafka.port}`],
          storeUrl: `http://127.0.0.1:${toStore.port}`,
          ...over,
        },
        doors,
      );
      await eventually(
        () => [other, collector].every(({ consumer }) => consumer.status().partitions.length === 4),
        () => [other.consumer.status(), collector.consumer.status()],
      );
      return { other, collector };
    }

    async function produceToAll(): Promise<void> {
      await Promise.all(senders.map((sender) => world.produce(20, sender)));
    }

    function untilBack({ consumer }: FaultCollector): Promise<boolean> {
      const { generation } = consumer.status();
      return eventually(
        () => consumer.status().generation > generation && consumer.status().state === 'ok',
        () => consumer.status(),
      );
    }

    test('inserts nothing of a run that it was about to insert', async () => {
      const gate = Promise.withResolvers<void>();
      const inserted: string[] = [];
      let isHeld = false;
      const { collector, other } = await start({
        async failpoint(step, { signal }) {
          if (step !== 'inserting' || signal !== 'logs' || isHeld) return;
          isHeld = true;
          await gate.promise;
        },
        async insert(block, token, to) {
          inserted.push(token);
          await to.insert(block, token);
        },
      });
      await produceToAll();
      await eventually(() => isHeld);
      toKafka.stall('both');
      await eventually(() => other.consumer.status().partitions.length === 8);
      await world.untilCommitted(() => other.consumer.status());
      const before = [...inserted];
      gate.resolve();
      await delay(100);
      const back = untilBack(collector);
      toKafka.heal();
      await back;
      expect(inserted).toEqual(before);
      await world.expectExact();
    });

    test('doubles nothing by a block that the network delivers when its successor has moved on', async () => {
      const { collector, other } = await start({}, { storeTimeoutMs: 60_000 });
      toStore.stall('up');
      await produceToAll();
      await eventually(() =>
        collector.consumer.status().partitions.some(({ state }) => state === 'inserting'),
      );
      toKafka.stall('both');
      await eventually(() => other.consumer.status().partitions.length === 8);
      await world.untilCommitted(() => other.consumer.status());
      const back = untilBack(collector);
      const stored = store.http.queries.length;
      toStore.heal();
      await eventually(() => store.http.queries.length > stored);
      toKafka.heal();
      await back;
      await produceToAll();
      await world.untilCommitted(() => [other.consumer.status(), collector.consumer.status()]);
      await world.expectExact();
    });

    test('does not put the group back by a commit that the network delivers late', async () => {
      const gate = Promise.withResolvers<void>();
      let isHeld = false;
      const { collector, other } = await start({
        async failpoint(step, { signal }) {
          if (step !== 'intending' || signal !== 'logs' || isHeld) return;
          isHeld = true;
          await gate.promise;
        },
      });
      await produceToAll();
      await eventually(() => isHeld);
      toKafka.stallOpen('up');
      gate.resolve();
      await delay(100);
      // The collector knows that the connection broke; what it sent on it is still on its way.
      toKafka.resetClients();
      await world.untilCommitted(() => [other.consumer.status(), collector.consumer.status()]);
      toKafka.heal();
      await delay(300);
      await collector.stop();
      await produceToAll();
      await world.untilCommitted(() => other.consumer.status());
      await world.expectExact();
    });
  },
  {},
  async () => {
    toKafka = await TcpProxy.start();
    return toKafka.port;
  },
);
