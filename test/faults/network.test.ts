/**
 * Goal: a network that cuts, stalls, delays or forgets connections, between a collector and the brokers or between it and
 * the store, costs time and nothing else; a collector that lost its seat behind a stall doubles nothing.
 * Method: a TCP proxy on each of the two ways, faults while records flow, and a second collector where one must take over.
 * The tables keep no notes: intent and token alone must keep repeats out.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, test, vi } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import { describeKafka } from '#test/support/kafka.ts';
import { TcpProxy } from '#test/support/tcp-proxy.ts';
import { type FaultStore, openFaultStore } from './fault-store.ts';
import { FaultWorld, type WorldPlan } from './fault-world.ts';

// Brokers, sessions and processes of a busy machine take their time.
vi.setConfig({ testTimeout: 240_000 });

let toKafka: TcpProxy;
let toStore: TcpProxy;

/** Longer than the session timeout of collectors in these tests. */
const overSessionMs = 2500;

describeKafka(
  'between a collector and',
  (kafka) => {
    let store: FaultStore;
    let world: FaultWorld;
    beforeAll(async () => {
      store = await openFaultStore();
      toStore = await TcpProxy.start();
      toStore.targetPort = Number(new URL(store.url).port);
      toKafka.targetPort = kafka().proxiedPort;
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

    async function behind(proxy: TcpProxy, plan: Partial<WorldPlan> = {}): Promise<FaultWorld> {
      const { brokers, isOwned } = kafka();
      const address = `127.0.0.1:${proxy.port}`;
      world = await FaultWorld.create({
        brokers,
        isOwned,
        storeUrl: store.url,
        store: store.store,
        hasShards: true,
        ...(proxy === toKafka ? { collectorBrokers: [address] } : { collectorStoreUrl: `http://${address}` }),
        ...plan,
      });
      return world;
    }

    const faults: readonly [name: string, happen: (proxy: TcpProxy) => Promise<void>][] = [
      [
        'a cut of a second',
        async (proxy) => {
          proxy.cut();
          await delay(1000);
        },
      ],
      ['connections that are reset', async (proxy) => proxy.reset()],
      ['connections that are half open', async (proxy) => proxy.forgetOpen()],
      [
        'a stall of all that travels',
        async (proxy) => {
          proxy.stall('both');
          await delay(overSessionMs);
        },
      ],
      [
        'answers that are late',
        async (proxy) => {
          proxy.stall('down');
          await delay(700);
        },
      ],
      [
        'a way that takes a tenth of a second',
        async (proxy) => {
          proxy.delay(100);
          await delay(1500);
        },
      ],
    ];

    for (const [way, proxy] of [
      ['the brokers', () => toKafka],
      ['the store', () => toStore],
    ] as const) {
      test.for(faults)(`${way}: %s costs no record and doubles none`, async ([, happen], { skip }) => {
        if (way === 'the brokers' && !kafka().isOwned)
          skip('a broker of KAFKA_BROKERS does not know of our proxy');
        await behind(proxy());
        const collector = await world.collect({ storeTimeoutMs: 1000 });
        await world.produce(20);
        await eventually(() => collector.consumer.status().counters.messages > 0);
        await Promise.all([world.produce(100, 'b'), world.produceDeltas(4), happen(proxy())]);
        proxy().heal();
        await world.produce(20, 'c');
        await world.untilCommitted(() => collector.consumer.status());
        await world.expectExact();
      });
    }
  },
  {},
  async () => {
    toKafka = await TcpProxy.start();
    return toKafka.port;
  },
);
