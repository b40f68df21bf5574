/**
 * Goal: a group whose members come, go and die all the time stores everything, once.
 * Method: two collectors stay; others join, leave well or are killed about every second, in an order drawn from a seed,
 * while records flow. Tables keep no notes. FAULT_SECONDS makes it longer (the nightly run), FAULT_SEED repeats a run.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { CollectorProcess } from '#test/support/collector-process.ts';
import { eventually } from '#test/support/eventually.ts';
import type { FaultCollector } from '#test/support/fault-collector.ts';
import { describeKafka } from '#test/support/kafka.ts';
import { Lcg } from '#test/support/lcg.ts';
import { type FaultStore, openFaultStore } from './fault-store.ts';
import { FaultWorld } from './fault-world.ts';

// Brokers, sessions and processes of a busy machine take their time.
vi.setConfig({ testTimeout: 240_000 });

const seconds = Number(process.env.FAULT_SECONDS ?? 8);
const seed = Number(process.env.FAULT_SEED ?? Math.floor(Math.random() * 1e6));
const senders = ['a', 'b', 'c', 'd', 'e'];
const guestsMax = 3;
const movesMin = 6;
const patienceMs = 60_000;
/** Runs are small here on purpose. Who sends faster than a busy machine stores them measures the machine. */
const lagMax = 300;

describeKafka('a group', (kafka) => {
  let store: FaultStore;
  let world: FaultWorld;
  beforeAll(async () => {
    store = await openFaultStore();
  });
  afterEach(() => world?.end());
  afterAll(() => store?.close());

  test(
    'whose members come and go all the time stores each record once',
    async () => {
      console.log(`rebalance storm: FAULT_SEED=${seed} FAULT_SECONDS=${seconds}`);
      const random = new Lcg(seed);
      const sizes = new Lcg(seed + 1);
      const { brokers, isOwned } = kafka();
      world = await FaultWorld.create({
        brokers,
        isOwned,
        storeUrl: store.url,
        store: store.store,
        hasShards: true,
        partitions: 3,
        limits: { drainMs: 300 },
      });
      const steady = [await world.collect(), await world.collect({ limits: { runMessagesMax: 5 } })];
      const seen = () => [seed, ...steady.map(({ consumer }) => consumer.status())];
      const guests: (FaultCollector | CollectorProcess)[] = [];
      const ending: Promise<unknown>[] = [];
      const untilOwning = ({ consumer }: FaultCollector) =>
        eventually(() => consumer.status().partitions.length > 0, seen);
      await Promise.all(steady.map(untilOwning));
      const deadline = Date.now() + seconds * 1000;
      let moves = 0;
      const lag = () => steady.reduce((total, { consumer }) => total + consumer.status().lag, 0);
      const producing = (async () => {
        while (Date.now() < deadline) {
          if (lag() > lagMax) {
            await delay(100);
            continue;
          }
          await Promise.all(senders.map((sender) => world.produce(5 + sizes.int(10), sender)));
          await Promise.all([world.produceDeltas(1, 'a'), delay(100)]);
        }
      })();
      // A machine that is too busy for a move each second makes some all the same.
      while (Date.now() < deadline || moves < movesMin) {
        const leaves = guests.length === guestsMax || (guests.length > 0 && random.int(2) === 0);
        if (leaves) {
          const [guest] = guests.splice(random.int(guests.length), 1);
          // A process dies; one that is in this process leaves well.
          ending.push('kill9' in guest! ? guest.kill9() : guest!.stop());
        } else if (moves > 0 && random.int(3) === 0) guests.push(world.collectApart());
        else guests.push(await world.collect({ limits: { runMessagesMax: 1 + random.int(6) } }));
        // At least the first guest gets its share before it goes.
        if (moves++ === 0) await untilOwning(guests[0] as FaultCollector);
        await delay(500 + random.int(700));
      }
      await producing;
      await Promise.all(ending);
      await Promise.all(guests.map((guest) => guest.stop()));
      await world.untilCommitted(seen, patienceMs);
      await world.expectExact();
      expect(steady[0]!.consumer.status().counters.rebalances).toBeGreaterThan(1);
    },
    seconds * 1000 + 2 * patienceMs,
  );
});
