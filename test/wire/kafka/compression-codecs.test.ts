/**
 * Goal: what any Kafka producer compresses can be read, damage and bombs are errors, and a real broker takes ours.
 * Method: frames made by hand for the edges; then a real broker that compresses anew with each codec, read by kafkajs.
 */
import kafkajs from 'kafkajs';
import snappy from 'snappyjs';
import { describe, expect, test } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import { describeKafka } from '#test/support/kafka.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import { createKafka } from '#wire/kafka/client.ts';
import { decompressLz4Frame } from '#wire/kafka/lz4-frame.ts';
import { decompressSnappy } from '#wire/kafka/snappy-frame.ts';

/** A frame header without content size and checksums, the blocks, and the end mark. */
function lz4(...blocks: { bytes: number[]; plain?: boolean }[]): Buffer {
  const parts = blocks.flatMap(({ bytes, plain }) => {
    const header = Buffer.alloc(4);
    header.writeUInt32LE((bytes.length | (plain ? 0x80000000 : 0)) >>> 0);
    return [header, Buffer.from(bytes)];
  });
  return Buffer.concat([Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]), ...parts, Buffer.alloc(4)]);
}

const bytes = (text: string): number[] => [...Buffer.from(text)];

describe('LZ4 frames', () => {
  test.each([
    { name: 'no block', frame: lz4(), plain: '' },
    { name: 'a plain block', frame: lz4({ bytes: bytes('abc'), plain: true }), plain: 'abc' },
    { name: 'literals only', frame: lz4({ bytes: [0x30, ...bytes('abc')] }), plain: 'abc' },
    {
      name: 'a copy of what came before',
      frame: lz4({ bytes: [0x40, ...bytes('abcd'), 4, 0, 0x10, ...bytes('!')] }),
      plain: 'abcdabcd!',
    },
    {
      name: 'a copy that overlaps itself',
      frame: lz4({ bytes: [0x16, ...bytes('a'), 1, 0, 0x10, ...bytes('b')] }),
      plain: `${'a'.repeat(11)}b`,
    },
    {
      name: 'a length in two bytes',
      frame: lz4({ bytes: [0xf0, 5, ...bytes('x'.repeat(20))] }),
      plain: 'x'.repeat(20),
    },
    {
      name: 'a block that looks back into the one before',
      frame: lz4({ bytes: bytes('abcd'), plain: true }, { bytes: [0x00, 4, 0, 0x10, ...bytes('!')] }),
      plain: 'abcdabcd!',
    },
  ])('$name', ({ frame, plain }) => expect(decompressLz4Frame(frame, 1000).toString()).toBe(plain));

  test.each([
    { name: 'another magic', frame: Buffer.from('not a frame'), message: 'not an LZ4 frame at byte 0' },
    {
      name: 'a frame that ends early',
      frame: lz4({ bytes: bytes('abc'), plain: true }).subarray(0, 12),
      message: /ends in a block/,
    },
    {
      name: 'a copy from before the start',
      frame: lz4({ bytes: [0x10, ...bytes('a'), 9, 0] }),
      message: /points before the start/,
    },
    {
      name: 'a copy from nowhere',
      frame: lz4({ bytes: [0x10, ...bytes('a'), 0, 0] }),
      message: /points before the start/,
    },
    {
      name: 'literals past the end',
      frame: lz4({ bytes: [0x50, ...bytes('a')] }),
      message: /ends in literals/,
    },
    {
      name: 'a bomb',
      frame: lz4({ bytes: [0x1f, ...bytes('a'), 1, 0, ...Array(100).fill(255), 0] }),
      message: /larger than 1000 bytes/,
    },
  ])('$name is refused', ({ frame, message }) =>
    expect(() => decompressLz4Frame(frame, 1000)).toThrow(message),
  );
});

describe('snappy', () => {
  const java = (...blocks: string[]): Buffer =>
    Buffer.concat([
      Buffer.from('82534e41505059000000000100000001', 'hex'),
      ...blocks.flatMap((text) => {
        const block = Buffer.from(snappy.compress(Buffer.from(text)));
        const length = Buffer.alloc(4);
        length.writeUInt32BE(block.length);
        return [length, block];
      }),
    ]);

  test.each([
    { name: 'one bare block', input: Buffer.from(snappy.compress(Buffer.from('abc'))), plain: 'abc' },
    { name: "the Java library's blocks", input: java('abc', 'def'), plain: 'abcdef' },
  ])('$name', ({ input, plain }) => expect(decompressSnappy(input, 1000).toString()).toBe(plain));

  test.each([
    { name: 'a block that ends early', input: java('abcdef').subarray(0, 22), message: /ends in a block/ },
    { name: 'damage', input: Buffer.from([3, 0xff, 0xff, 0xff]), message: /invalid snappy block/ },
    {
      name: 'blocks that are too much together',
      input: java('x'.repeat(600), 'y'.repeat(600)),
      message: /invalid snappy block/,
    },
  ])('$name is refused', ({ input, message }) =>
    expect(() => decompressSnappy(input, 1000)).toThrow(message),
  );
});

describeKafka('a real broker', (kafka) => {
  const bodies = [
    'short',
    'repeat '.repeat(5000),
    Array.from({ length: 9000 }, (_, index) => (index * index) % 9973).join(' '),
  ];

  test.each(['zstd', 'gzip', 'lz4', 'snappy', 'uncompressed'])(
    'takes our zstd batches and checksums, and what it compresses anew as %s is read',
    async (codec) => {
      const client = createKafka({ brokers: kafka().brokers, clientId: 'test', log: silentKafkaLog });
      const topic = `codec-${process.pid}-${codec}`;
      const admin = client.admin();
      await admin.connect();
      const configEntries = [{ name: 'compression.type', value: codec }];
      await admin.createTopics({
        topics: [{ topic, numPartitions: 1, configEntries }],
        waitForLeaders: true,
      });
      await admin.disconnect();
      const producer = client.producer({ allowAutoTopicCreation: false });
      await producer.connect();
      await producer.send({
        topic,
        acks: -1,
        compression: kafkajs.CompressionTypes.ZSTD,
        messages: bodies.map((value) => ({ value })),
      });
      await producer.disconnect();
      const read: string[] = [];
      const consumer = client.consumer({ groupId: topic, maxWaitTimeInMs: 20, sessionTimeout: 6000 });
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({ eachMessage: async ({ message }) => void read.push(message.value!.toString()) });
      await eventually(() => read.length === bodies.length);
      await consumer.disconnect();
      expect(read).toEqual(bodies);
    },
  );

  test('idle connections do not wake the process', async () => {
    const client = createKafka({ brokers: kafka().brokers, clientId: 'test', log: silentKafkaLog });
    const admin = client.admin();
    await admin.connect();
    await admin.listTopics();
    const armed: number[] = [];
    const { setTimeout: original } = globalThis;
    globalThis.setTimeout = ((run: () => void, ms: number) => {
      armed.push(ms);
      return original(run, ms);
    }) as typeof setTimeout;
    await new Promise((resolve) => original(resolve, 100));
    globalThis.setTimeout = original;
    await admin.disconnect();
    expect(armed.length).toBeLessThan(5);
  });
});
