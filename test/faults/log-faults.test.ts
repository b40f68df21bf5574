/**
 * Goal: whatever is in the log, or is there no more, a partition goes on: what cannot be read is a dead letter with a
 * reason, what retention removed is counted, and a topic that was made anew is read from its beginning.
 * Method: poison among numbered records, records deleted before a collector read them, topics deleted and made again.
 */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createZstdCompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { expandingLogs } from '#test/support/crowding-requests.ts';
import { eventually } from '#test/support/eventually.ts';
import type { FaultCollector } from '#test/support/fault-collector.ts';
import { describeKafka } from '#test/support/kafka.ts';
import { batchPlainBytesMax } from '#wire/kafka/compression-codecs.ts';
import { type FaultStore, openFaultStore } from './fault-store.ts';
import { FaultWorld } from './fault-world.ts';

// Brokers, sessions and processes of a busy machine take their time.
vi.setConfig({ testTimeout: 240_000 });

describeKafka('a log', (kafka) => {
  let store: FaultStore;
  let world: FaultWorld;
  beforeAll(async () => {
    store = await openFaultStore();
  });
  beforeEach(async () => {
    const { brokers, isOwned } = kafka();
    world = await FaultWorld.create({
      brokers,
      isOwned,
      storeUrl: store.url,
      store: store.store,
      // Tokens alone must tell what is new from what is repeated.
      hasShards: true,
    });
  });
  afterEach(() => world?.end());
  afterAll(() => store?.close());

  const errorsOf = ({ log }: FaultCollector) =>
    log.filter(({ level }) => level === 'error').map(({ message, fields }) => ({ message, ...fields }));

  test('with poison in it is read to its end, and each poison is a dead letter that says why', async () => {
    const whole = world.logsEnvelope(5, 'a');
    await world.send(whole);
    await world.produce(20, 'b');
    const tenant = world.name;
    const protobuf = { 'content-type': 'application/x-protobuf' };
    const poison: { value: Buffer | null; headers: Record<string, string>; reason: RegExp }[] = [
      {
        value: Buffer.from('\xff\xff garbage', 'latin1'),
        headers: { tenant, ...protobuf },
        reason: /^malformed ExportLogsServiceRequest: .* at byte \d+/,
      },
      {
        value: Buffer.from(whole.bytes).subarray(0, -3),
        headers: { tenant, ...protobuf },
        reason: /^malformed ExportLogsServiceRequest: .* at byte \d+/,
      },
      {
        value: Buffer.from(whole.bytes),
        headers: { tenant: '../etc', ...protobuf },
        reason: /tenant/,
      },
      {
        value: Buffer.from(whole.bytes),
        headers: { tenant, 'content-type': 'avro/binary' },
        reason: /^content-type "avro\/binary" is not supported/,
      },
      { value: null, headers: { tenant }, reason: /^the message has no value$/ },
      { value: Buffer.from(expandingLogs()), headers: { tenant, ...protobuf }, reason: /expands/ },
    ];
    // An empty request is a request: it holds nothing that could be lost.
    const empty = { value: Buffer.alloc(0), headers: { tenant } };
    for (const partition of [0, 1]) {
      await world.sendRaw(world.topics.logs, [
        ...poison.map(({ value, headers }) => ({ value, headers, partition })),
        { ...empty, partition },
      ]);
    }
    await Promise.all(['a', 'b', 'c', 'd'].map((sender) => world.produce(20, sender)));
    const collector = await world.collect({ limits: { runMessagesMax: 7 } });
    await world.untilCommitted(() => collector.consumer.status());
    await world.expectExact();
    expect(collector.consumer.status().counters).toMatchObject({ dead_letters: 2 * poison.length, gaps: 0 });
    const letters = await world.deadLetters(2 * poison.length);
    for (const { value, reason, headers } of poison) {
      const found = letters.filter(
        (letter) =>
          reason.test(letter.headers.reason ?? '') &&
          (value === null ? letter.value === null : letter.value?.equals(value) === true),
      );
      expect(found.map((letter) => letter.headers['source-partition']).sort(), String(reason)).toEqual([
        '0',
        '1',
      ]);
      expect(found.map((letter) => letter.headers['content-type'])).toEqual([
        headers['content-type'],
        headers['content-type'],
      ]);
    }
  });

  test('with a record batch in it that expands too far is read to its end', async () => {
    await world.produce(20);
    const { partition, offset } = await world.onlyPartition('logs');
    await sendBomb(world.topics.logs, partition, batchPlainBytesMax + 1);
    await world.produce(20);
    const collector = await world.collect();
    await world.untilCommitted(() => collector.consumer.status());
    await world.expectExact();
    expect(collector.consumer.status().counters).toMatchObject({ dead_letters: 1, gaps: 0 });
    const [letter] = await world.deadLetters(1);
    expect(letter?.headers).toMatchObject({
      'source-offset': String(offset),
      reason: expect.stringMatching(/^the record batch .* cannot be read: .*larger than/),
    });
  });

  /** A record of so many zeros. The codec is handed them compressed: nobody has to hold them. */
  async function sendBomb(topic: string, partition: number, valueBytes: number): Promise<void> {
    const bomb = await zstdOfZeroRecord(valueBytes);
    const codecs = kafkajs.CompressionCodecs as unknown as Record<number, () => unknown>;
    const { ZSTD } = kafkajs.CompressionTypes;
    const usual = codecs[ZSTD]!;
    codecs[ZSTD] = () => ({ compress: async () => bomb });
    try {
      await world.sendRaw(topic, [{ value: 'a bomb', partition }], ZSTD);
    } finally {
      codecs[ZSTD] = usual;
    }
  }

  test.each([30, 120])(
    'whose topic was made anew under a collector, with %i records after 60, is read from its beginning',
    async (count) => {
      await world.produce(60);
      const collector = await world.collect();
      await world.untilCommitted(() => collector.consumer.status());
      await world.recreateTopic('logs');
      await world.produce(count);
      await eventually(
        async () => (await world.storedCount()) === 60 + count,
        () => [collector.consumer.status(), collector.log],
      );
      await world.expectExact();
      expect(collector.log.map(({ message }) => message).join()).toMatch(
        /was the topic deleted|the log ends before the committed offset/,
      );
    },
  );

  test('that ends before what the group has committed is read from its beginning, and that is reported', async () => {
    await world.produce(60);
    const before = await world.collect();
    await world.untilCommitted(() => before.consumer.status());
    await before.stop();
    const { partition, offset } = await world.onlyPartition('logs');
    await world.recreateTopic('logs');
    await world.produce(30);
    // As where the group's offsets outlive the topic: on a broker restored from a copy, or kept by another tool.
    await world.withAdmin((admin) =>
      admin.setOffsets({
        groupId: world.name,
        topic: world.topics.logs,
        partitions: [{ partition, offset: String(offset) }],
      }),
    );
    const after = await world.collect();
    await world.untilCommitted(() => after.consumer.status());
    await world.expectExact();
    expect(after.consumer.status().counters.gaps).toBe(1);
    expect(errorsOf(after)).toMatchObject([
      { message: /^the log ends before the committed offset/, partition, from: offset, to: 0 },
    ]);
  });

  test.each([
    { what: 'all was committed', crash: undefined },
    { what: 'a run was under way', crash: { at: 'inserting', after: 3, table: 'logs' } },
  ] as const)(
    'whose topic was made anew, longer, while no collector ran and the group kept its offsets: $what',
    async ({ crash }) => {
      await world.produce(60);
      if (crash === undefined) {
        const before = await world.collect();
        await world.untilCommitted(() => before.consumer.status());
        await before.stop();
      } else expect(await world.collectApart(crash).ended).toBe('SIGKILL');
      const { partition, offset: end } = await world.onlyPartition('logs');
      const { offset, metadata } = await world.committed('logs', partition);
      if (crash === undefined) expect(offset).toBe(end);
      else world.forgive('a', offset * 5 + 1, 60);
      await world.recreateTopic('logs');
      await world.produce(120);
      // As where the coordinator was away when the topic was deleted, or offsets came from a copy.
      await world.setOffset('logs', partition, { offset, metadata });
      const after = await world.collect();
      await world.untilCommitted(() => after.consumer.status());
      await world.expectExact();
      expect(after.consumer.status().counters).toMatchObject({ gaps: 1, gap_messages: 0 });
      expect(errorsOf(after)).toMatchObject([{ message: /^the topic was deleted and made anew/, partition }]);
    },
  );

  test('whose topic was made anew, longer, while its collector stood still is read from its beginning', async () => {
    await world.produce(60);
    const collector = world.collectApart(undefined, { sessionTimeoutMs: 60_000 });
    await world.untilCommitted();
    collector.pause();
    await world.recreateTopic('logs');
    await world.produce(120);
    collector.resume();
    await world.untilCommitted();
    await world.expectExact();
  });

  test('that retention has cut below a stopped collector is read on, and the gap is counted', async () => {
    await world.produce(30);
    const before = await world.collect();
    await world.untilCommitted(() => before.consumer.status());
    await before.stop();
    await world.produce(50);
    const { partition } = await world.onlyPartition('logs');
    // Five records to a message: offsets 6, 7 and 8 are records 31 to 45.
    await world.deleteBefore('logs', partition, 9);
    world.forgive('a', 31, 45);
    const after = await world.collect();
    await world.untilCommitted(() => after.consumer.status());
    await world.expectExact();
    expect(after.consumer.status().counters).toMatchObject({ gaps: 1, gap_messages: 3 });
    expect(errorsOf(after)).toMatchObject([
      {
        message: 'retention removed 3 messages before they were read: they are lost',
        from: 6,
        to: 9,
        count: 3,
      },
    ]);
  });

  test.each([
    { at: 'landed', what: 'had landed loses nothing', isLost: false },
    { at: 'inserting', what: 'had not landed loses what is gone', isLost: true },
  ] as const)('that retention has cut within a pending run which $what', async ({ at, isLost }) => {
    await world.produce(60);
    const dead = world.collectApart({ at, after: 3, table: 'logs' });
    expect(await dead.ended).toBe('SIGKILL');
    const { partition } = await world.onlyPartition('logs');
    const intent = await world.committed('logs', partition);
    const last = Number(/^v2:(\d+):[\w-]{22}$/.exec(intent.metadata ?? '')?.[1]);
    expect(last).toBeGreaterThan(intent.offset);
    await world.deleteBefore('logs', partition, intent.offset + 1);
    if (isLost) world.forgive('a', intent.offset * 5 + 1, intent.offset * 5 + 5);
    const after = await world.collect();
    await world.untilCommitted(() => after.consumer.status());
    await world.expectExact();
    expect(after.consumer.status().counters).toMatchObject({ gaps: 1, gap_messages: 1 });
    expect(errorsOf(after)).toMatchObject([{ count: 1, pending: { first: intent.offset, last } }]);
  });
});

/** The first record of a batch (KIP-98): length, attributes, time and offset deltas, no key, the value, no headers. */
async function zstdOfZeroRecord(valueBytes: number): Promise<Buffer> {
  const head = [0, 0, 0, ...zigzag(-1), ...zigzag(valueBytes)];
  const length = zigzag(head.length + valueBytes + 1);
  const piece = Buffer.alloc(1024 * 1024);
  function* pieces(): Generator<Buffer> {
    yield Buffer.from([...length, ...head]);
    for (let left = valueBytes + 1; left > 0; left -= piece.length) {
      yield piece.subarray(0, Math.min(left, piece.length));
    }
  }
  return buffer(Readable.from(pieces()).pipe(createZstdCompress()));
}

function zigzag(value: number): number[] {
  const bytes: number[] = [];
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}
