/**
 * Goal: however far a consumer is behind, what it holds is bounded; partitions take turns; one that is stuck, or flooded, or
 * restarting holds up no other; and it says how far behind it is.
 * Method: a real broker, a store that can be held and that remembers the order of runs.
 */
import kafkajs from 'kafkajs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { KafkaConsumer } from '#collector/kafka/consumer.ts';
import { UnavailableError } from '#model/errors.ts';
import { eventually } from '#test/support/eventually.ts';
import { describeKafka } from '#test/support/kafka.ts';
import { RecordingStore } from '#test/support/recording-store.ts';
import { World } from './kafka-world.ts';

const mib = 1024 * 1024;
const partitionOf = (token: string): string => token.split('/')[1]!;

describeKafka('the flow of a Kafka consumer', (kafka) => {
  let world: World;
  beforeEach(() => {
    world = new World(kafka());
  });
  afterEach(() => world.end());

  /** A store that takes nothing until it is opened. */
  function heldStore(): { store: RecordingStore; open: () => void } {
    const store = new RecordingStore();
    const gate = Promise.withResolvers<void>();
    store.beforeInsert = () => gate.promise;
    return { store, open: gate.resolve };
  }

  test('what it holds stays within one bound, however much its messages expand', {
    timeout: 90_000,
  }, async () => {
    const body = 'x'.repeat(4 * mib);
    const { ZSTD } = kafkajs.CompressionTypes;
    for (const partition of [0, 1]) {
      for (let count = 0; count < 5; count++) await world.send('logs', partition, [{ value: body }], ZSTD);
    }
    const bufferBytesMax = 24 * mib;
    const store = new RecordingStore();
    let consumer: KafkaConsumer | undefined;
    const seen: number[] = [];
    store.beforeInsert = () => {
      const { fetchedBytes, inflatedBytes } = consumer!.status();
      seen.push(fetchedBytes + inflatedBytes);
    };
    consumer = await world.consume(store, { bufferBytesMax, runBytesMax: 8 * mib, runMessagesMax: 1000 });
    await eventually(
      () => consumer.status().counters.messages === 10,
      () => consumer.status(),
    );
    expect(consumer.status().counters.bytes).toBe(10 * body.length);
    expect(Math.max(...seen)).toBeLessThanOrEqual(bufferBytesMax);
    // Two copies of a message at least: the bound was used, and all of it is given back.
    expect(Math.max(...seen)).toBeGreaterThan(8 * mib);
    await eventually(() => consumer.status().inflatedBytes === 0);
  });

  test('the partition with a flood in it gets one run where the other gets one', async () => {
    await world.produce('logs', 0, 200);
    await world.produce('logs', 1, 20);
    const { store, open } = heldStore();
    const consumer = await world.consume(store, { runsMax: 1, runMessagesMax: 5, runAgeMsMax: 0 });
    const held = (partition: number): boolean =>
      (consumer
        .status()
        .partitions.find((each) => each.topic === world.topics.logs && each.partition === partition)
        ?.heldBytes ?? 0) > 0;
    await eventually(
      () => held(0) && held(1),
      () => consumer.status(),
    );
    open();
    await eventually(
      () => consumer.status().counters.messages === 220,
      () => consumer.status(),
    );
    const order = store.calls.map(partitionOf);
    const lastOfSmall = order.lastIndexOf('1');
    const smallRuns = order.filter((partition) => partition === '1').length;
    expect(smallRuns).toBeLessThanOrEqual(4);
    // Each of its runs waited for one of the flood's at most, and the first for the one that was under way as well.
    expect(
      order.slice(0, lastOfSmall + 1).filter((partition) => partition === '0').length,
    ).toBeLessThanOrEqual(smallRuns + 1);
  });

  test('runs are small where there is little, and large where much waits', async () => {
    await world.produce('logs', 0, 5);
    const { store, open } = heldStore();
    const consumer = await world.consume(store, { runsMax: 1, runMessagesMax: 1000, runAgeMsMax: 0 });
    await eventually(() => consumer.status().partitions.some(({ heldBytes }) => heldBytes > 0));
    await world.produce('logs', 0, 95, 5);
    await eventually(
      () => consumer.status().lag >= 100,
      () => consumer.status(),
    );
    open();
    await eventually(() => consumer.status().counters.messages === 100);
    expect(store.calls).toHaveLength(2);
  });

  test('a partition that is stuck holds neither a place nor the room of others', async () => {
    const store = new RecordingStore();
    store.beforeInsert = (_requests, token) => {
      if (partitionOf(token) === '0') throw new UnavailableError('the store is down', { retryAfterMs: 20 });
    };
    const { ZSTD } = kafkajs.CompressionTypes;
    await world.send('logs', 0, [{ value: 'x'.repeat(8 * mib) }], ZSTD);
    await world.produce('logs', 0, 100);
    const limits = { runsMax: 1, runMessagesMax: 5, bufferBytesMax: 4 * mib };
    const consumer = await world.consume(store, limits);
    await eventually(() => consumer.status().counters.retries > 0);
    await world.produce('logs', 1, 50);
    await eventually(
      async () => (await world.committed('logs', 1)).offset === '50',
      () => consumer.status(),
    );
    expect(consumer.status().state).toMatch(/_logs\/0: inserting failed: the store is down/);
    expect((await world.committed('logs', 0)).offset).toBe('0');
  });

  test('says how many messages it is behind, and how old the oldest is', async () => {
    const { store, open } = heldStore();
    const hourAgo = Date.now() - 3_600_000;
    await world.send('logs', 0, [{ value: 'old', timestamp: String(hourAgo) }, { value: 'new' }]);
    const consumer = await world.consume(store);
    await eventually(
      () => consumer.status().lag === 2 && consumer.status().lagSeconds > 0,
      () => consumer.status(),
    );
    const of = ({ topic, partition }: { topic: string; partition: number }): boolean =>
      topic === world.topics.logs && partition === 0;
    const behind = consumer.status().partitions.find(of)!;
    expect(behind.lag).toBe(2);
    expect(behind.lagSeconds).toBeGreaterThanOrEqual(3600);
    expect(
      consumer
        .status()
        .partitions.filter((each) => !of(each))
        .map(({ lagSeconds }) => lagSeconds),
    ).toEqual(Array(7).fill(0));
    open();
    await eventually(() => consumer.status().lag === 0);
    expect(consumer.status().lagSeconds).toBe(0);
  });

  test('the markers behind the last transaction are no lag, and those that were aborted no run', async () => {
    await world.produce('logs', 0, 1);
    const producer = world.client.producer({
      transactionalId: world.topics.logs,
      maxInFlightRequests: 1,
      idempotent: true,
    });
    await producer.connect();
    for (const end of ['commit', 'abort', 'abort'] as const) {
      const transaction = await producer.transaction();
      await transaction.send({
        topic: world.topics.logs,
        messages: [{ value: end, partition: 0, headers: { 'content-type': 'application/x-protobuf' } }],
      });
      await transaction[end]();
    }
    await producer.disconnect();
    const store = new RecordingStore();
    const consumer = await world.consume(store);
    await eventually(
      () => store.bodies().length === 2 && consumer.status().state === 'ok' && consumer.status().lag === 0,
      () => consumer.status(),
    );
    expect(store.bodies()).toEqual(['commit', ...world.bodies('logs', 0, 1)]);
    expect(consumer.status()).toMatchObject({ lagSeconds: 0, fetchedBytes: 0 });
  });

  test('a static member that restarts gets its partitions back, and the others do not stop', async () => {
    const store = new RecordingStore();
    const limits = { sessionTimeoutMs: 6000, heartbeatIntervalMs: 100 };
    const first = await world.consume(store, limits, { groupInstanceId: 'collector-0' });
    const second = await world.consume(store, limits, { groupInstanceId: 'collector-1' });
    const share = (consumer: KafkaConsumer): string =>
      consumer
        .status()
        .partitions.map(({ topic, partition }) => `${topic}/${partition}`)
        .sort()
        .join();
    await eventually(
      () => first.status().partitions.length === 4 && second.status().partitions.length === 4,
      () => [first.status(), second.status()],
    );
    const { generation } = first.status();
    const shares = [share(first), share(second)];
    const { rebalances } = first.status().counters;
    await second.stop();
    for (const partition of [0, 1]) await world.produce('logs', partition, 10);
    const again = await world.consume(store, limits, { groupInstanceId: 'collector-1' });
    await eventually(
      () => first.status().counters.messages + again.status().counters.messages === 20,
      () => [first.status(), again.status()],
    );
    expect([share(first), share(again)]).toEqual(shares);
    expect([first.status().generation, again.status().generation]).toEqual([generation, generation]);
    expect(first.status().counters.rebalances).toBe(rebalances);
    expect(store.bodies()).toEqual([...world.bodies('logs', 0, 10), ...world.bodies('logs', 1, 10)].sort());
  });

  test('a static member whose name another has taken says so, and does not fight for it', async () => {
    const limits = { sessionTimeoutMs: 6000, heartbeatIntervalMs: 100 };
    const first = await world.consume(new RecordingStore(), limits, { groupInstanceId: 'same' });
    await eventually(() => first.status().partitions.length === 8);
    const second = await world.consume(new RecordingStore(), limits, { groupInstanceId: 'same' });
    await eventually(
      () => first.status().state.includes('another collector has joined the group as "same"'),
      () => [first.status(), second.status()],
    );
    await eventually(() => second.status().partitions.length === 8);
    const { generation } = second.status();
    await eventually(() => first.status().state.includes('must differ'));
    expect(second.status()).toMatchObject({ generation, state: 'ok' });
  });
});
