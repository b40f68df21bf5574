/**
 * Goal: from a real Kafka to the store, each message lands under exactly one token, whatever dies on the way.
 * Method: messages with known offsets, a store that records tokens, and consumers that stop, share, stall or are
 * killed; what has landed is compared with what was produced.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { UnavailableError } from '#model/errors.ts';
import { eventually } from '#test/support/eventually.ts';
import { describeKafka } from '#test/support/kafka.ts';
import { RecordingStore } from '#test/support/recording-store.ts';
import { World } from './kafka-world.ts';

describeKafka('the Kafka consumer', (kafka) => {
  let world: World;
  beforeEach(() => {
    world = new World(kafka());
  });
  afterEach(() => world.end());

  test('lands every message once and leaves no intent behind', async () => {
    await world.produce('logs', 0, 25);
    const store = new RecordingStore();
    const consumer = await world.consume(store);
    await eventually(
      () => consumer.status().counters.messages === 25 && consumer.status().lag === 0,
      () => consumer.status(),
    );
    expect(store.bodies()).toEqual(world.bodies('logs', 0, 25));
    // runMessagesMax is 5, and nothing was repeated.
    expect(store.calls.length).toBeGreaterThanOrEqual(5);
    expect(new Set(store.calls).size).toBe(store.calls.length);
    expect(consumer.status().state).toBe('ok');
    expect(await world.committed('logs', 0)).toEqual({ offset: '25', intent: null });
  });

  test('goes on after a restart where the last one stopped', async () => {
    await world.produce('metrics', 1, 10);
    const store = new RecordingStore();
    const first = await world.consume(store);
    await eventually(() => first.status().counters.messages === 10);
    await first.stop();
    await world.produce('metrics', 1, 5, 10);
    const second = await world.consume(store);
    await eventually(
      () => second.status().counters.messages === 5,
      () => second.status(),
    );
    expect(store.bodies()).toEqual(world.bodies('metrics', 1, 15));
    expect(store.landed.size).toBe(store.calls.length);
  });

  test.each(['intending', 'inserting', 'committing'])(
    'a process that is killed before %s leaves a run that is repeated as it was',
    async (step) => {
      await world.produce('logs', 0, 23);
      const before = await world.crash(step, 5);
      const committed = await world.committed('logs', 0);
      const store = new RecordingStore();
      // Other limits and smaller fetches than the dead one had: the run must be the same all the same.
      const survivor = await world.consume(store, { runMessagesMax: 3, partitionFetchBytesMax: 100 });
      await eventually(
        async () => (await world.committed('logs', 0)).offset === '23',
        () => survivor.status(),
      );
      if (step === 'intending') {
        expect(committed.intent).toBeNull();
        expect(survivor.status().counters.repeated_runs).toBe(0);
      } else {
        expect(committed.intent).not.toBeNull();
        expect(store.calls[0]).toContain(`/0/${committed.offset}-${committed.intent}/`);
        expect(survivor.status().counters.repeated_runs).toBe(1);
      }
      const landed = new Map([...before, ...store.landed]);
      expect([...landed.values()].flat().sort()).toEqual(world.bodies('logs', 0, 23));
      expect(before.has(store.calls[0]!)).toBe(step === 'committing');
    },
  );

  test('two consumers share the partitions, and a rebalance neither loses nor doubles', async () => {
    const store = new RecordingStore();
    const first = await world.consume(store, { runMessagesMax: 2 });
    await world.produce('logs', 0, 20);
    await world.produce('logs', 1, 20);
    const second = await world.consume(store, { runMessagesMax: 2 });
    await eventually(() => first.status().partitions.length === 4 && second.status().partitions.length === 4);
    await world.produce('logs', 0, 20, 20);
    await world.produce('logs', 1, 20, 20);
    const done = async () =>
      (await world.committed('logs', 0)).offset === '40' &&
      (await world.committed('logs', 1)).offset === '40';
    await eventually(done, () => [first.status(), second.status()]);
    expect(store.bodies()).toEqual([...world.bodies('logs', 0, 40), ...world.bodies('logs', 1, 40)].sort());
    await first.stop();
    await eventually(
      () => second.status().partitions.length === 8,
      () => second.status(),
    );
  });

  test('a member that lost its seat while it inserted is fenced: its successor repeats the run', async () => {
    await world.produce('logs', 0, 5);
    const stalled = new RecordingStore();
    const stall = Promise.withResolvers<void>();
    stalled.beforeInsert = () => stall.promise;
    const zombie = await world.consume(stalled, { heartbeatIntervalMs: 300, drainMs: 100 });
    await eventually(async () => (await world.committed('logs', 0)).intent !== null);
    // A second member joins: the first cannot end its run in time and has to let go of it.
    const store = new RecordingStore();
    const successors = [await world.consume(store), await world.consume(store)];
    await zombie.stop();
    await eventually(
      async () => (await world.committed('logs', 0)).offset === '5',
      () => successors.map((each) => each.status()),
    );
    stall.resolve();
    await eventually(() => stalled.calls.length > 0);
    expect(store.bodies()).toEqual(world.bodies('logs', 0, 5));
    expect(store.calls).toContain(stalled.calls[0]);
    expect(await world.committed('logs', 0)).toEqual({ offset: '5', intent: null });
  });

  test('a store that is down holds up its partition, which says why, and no other', async () => {
    const store = new RecordingStore();
    let isDown = true;
    store.beforeInsert = (_requests, token) => {
      if (isDown && token.includes('_logs/0/'))
        throw new UnavailableError('the store is down', { retryAfterMs: 50 });
    };
    await world.produce('logs', 0, 3);
    await world.produce('logs', 1, 3);
    await world.produce('traces', 0, 3);
    const consumer = await world.consume(store);
    await eventually(
      () => consumer.status().counters.messages === 6,
      () => consumer.status(),
    );
    expect(consumer.status().state).toMatch(/_logs\/0: inserting failed: the store is down/);
    isDown = false;
    await eventually(
      () => consumer.status().counters.messages === 9,
      () => consumer.status(),
    );
    expect(consumer.status().state).toBe('ok');
    expect(store.landed.size).toBe(store.calls.length);
  });

  test('stop does not wait for a store that is down: the run is left to the next owner', async () => {
    await world.produce('logs', 0, 5);
    const down = new RecordingStore();
    down.beforeInsert = () => {
      throw new UnavailableError('the store is down', { retryAfterMs: 3_600_000 });
    };
    const consumer = await world.consume(down, { drainMs: 3_600_000 });
    await eventually(() => /the store is down/.test(consumer.status().state));
    await consumer.stop();
    expect(await world.committed('logs', 0)).toEqual({ offset: '0', intent: '4' });
    const store = new RecordingStore();
    await world.consume(store);
    await eventually(async () => (await world.committed('logs', 0)).offset === '5');
    expect(store.bodies()).toEqual(world.bodies('logs', 0, 5));
  });

  test('what cannot be decoded becomes a dead letter, and its partition goes on', async () => {
    await world.send('logs', 0, [
      { value: 'good 1' },
      { value: 'poison', key: 'k', headers: { tenant: 'team-a', 'batch-id': 'b7' } },
      { value: 'json', headers: { 'content-type': 'application/json' } },
      { value: null },
      { value: 'good 2' },
    ]);
    const store = new RecordingStore();
    const consumer = await world.consume(store);
    await eventually(
      () => consumer.status().counters.dead_letters === 3,
      () => consumer.status(),
    );
    await eventually(async () => (await world.committed('logs', 0)).offset === '5');
    expect(store.bodies()).toEqual(['good 1', 'good 2']);
    const source = {
      'source-topic': world.topics.logs,
      'source-partition': '0',
      'source-timestamp': expect.stringMatching(/^\d{13}$/),
      'letter-id': expect.stringMatching(/^[\w-]{16}$/),
      'content-type': 'application/x-protobuf',
    };
    expect(await world.deadLetters(3)).toEqual([
      {
        value: 'json',
        headers: {
          ...source,
          'source-offset': '2',
          tenant: 'default',
          'content-type': 'application/json',
          reason:
            'text is not read on the topic of logs: to store it as the body of a log record, send the header encoding: raw, or set transport.kafka.plain_logs',
        },
      },
      {
        value: undefined,
        headers: { ...source, 'source-offset': '3', tenant: 'default', reason: 'the message has no value' },
      },
      {
        value: 'poison',
        headers: {
          ...source,
          'source-offset': '1',
          tenant: 'team-a',
          'batch-id': 'b7',
          reason: 'unknown field 99 at byte 0',
        },
      },
    ]);
  });

  test('messages that retention removed before they were read are counted', async () => {
    await world.produce('logs', 0, 10);
    const store = new RecordingStore();
    const first = await world.consume(store);
    await eventually(() => first.status().counters.messages === 10);
    await first.stop();
    await world.produce('logs', 0, 10, 10);
    await world.deleteBefore('logs', 0, 14);
    const second = await world.consume(store);
    await eventually(
      () => second.status().counters.messages === 6,
      () => second.status(),
    );
    expect(second.status().counters).toMatchObject({ gaps: 1, gap_messages: 4 });
    expect(store.bodies()).toEqual(
      [...world.bodies('logs', 0, 10), ...world.bodies('logs', 0, 6, 14)].sort(),
    );
  });

  test('a topic that is made anew is read from its beginning, and nothing in it is taken for a repeat', async () => {
    await world.produce('logs', 0, 10);
    const store = new RecordingStore();
    const consumer = await world.consume(store);
    await eventually(() => consumer.status().counters.messages === 10);
    await world.deleteTopic('logs');
    await eventually(
      () => consumer.status().state !== 'ok',
      () => consumer.status(),
    );
    await world.produce('logs', 0, 15);
    await eventually(
      async () => store.bodies().length === 25,
      () => [consumer.status(), store.calls],
    );
    expect(store.bodies()).toEqual([...world.bodies('logs', 0, 10), ...world.bodies('logs', 0, 15)].sort());
  });

  test('stop does not wait for a group that does not settle', async () => {
    const patient = { drainMs: 60_000, rebalanceTimeoutMs: 120_000 };
    await world.produce('logs', 0, 5);
    const stalled = new RecordingStore();
    const stall = Promise.withResolvers<void>();
    stalled.beforeInsert = () => stall.promise;
    await world.consume(stalled, patient);
    await eventually(async () => (await world.committed('logs', 0)).intent !== null);
    const second = await world.consume(new RecordingStore(), patient);
    await eventually(() => second.status().state === 'joining the consumer group');
    await second.stop();
    stall.resolve();
  });

  test('a new group may begin at the end, and remembers where that was', async () => {
    await world.produce('logs', 0, 10);
    const store = new RecordingStore();
    const first = await world.consume(store, {}, { fromBeginning: false });
    await eventually(async () => (await world.committed('logs', 0)).offset === '10');
    await first.stop();
    await world.produce('logs', 0, 5, 10);
    await world.consume(store, {}, { fromBeginning: false });
    await eventually(async () => (await world.committed('logs', 0)).offset === '15');
    expect(store.bodies()).toEqual(world.bodies('logs', 0, 5, 10));
  });

  test('topics that do not exist yet are waited for, and named', async () => {
    const store = new RecordingStore();
    const consumer = await world.consume(store, {}, { createTopics: undefined });
    await eventually(
      () => consumer.status().state === 'none of the Kafka topics exists yet',
      () => consumer.status(),
    );
    await world.produce('logs', 0, 3);
    await eventually(
      () => consumer.status().counters.messages === 3,
      () => consumer.status(),
    );
  });

  test('a broker that is killed and comes back costs nothing but time', async ({ skip }) => {
    if (!kafka().isOwned) skip('KAFKA_BROKERS cannot be killed');
    const store = new RecordingStore();
    await world.produce('logs', 0, 10);
    const consumer = await world.consume(store);
    await eventually(() => consumer.status().counters.messages === 10);
    await kafka().kill9();
    await eventually(
      () => consumer.status().state !== 'ok',
      () => consumer.status(),
    );
    await kafka().start();
    await world.produce('logs', 0, 10, 10);
    await eventually(
      // The broker is there before it is the group's coordinator again.
      async () => (await world.committed('logs', 0).catch(() => undefined))?.offset === '20',
      () => consumer.status(),
    );
    expect(store.bodies()).toEqual(world.bodies('logs', 0, 20));
    expect(consumer.status().state).toBe('ok');
  }, 60_000);
});
