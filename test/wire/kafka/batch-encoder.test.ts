/**
 * Goal: our record batches are to the byte what kafkajs writes, and what compresses is read back by its decoder.
 * Method: random messages through both encoders; brokers read ours in test/agent/transport.
 */
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { batchBytes, batchHeader, encodeBatch } from '#wire/kafka/batch-encoder.ts';
import { patchKafkajs } from '#wire/kafka/kafkajs-patches.ts';
import type { OutgoingMessage } from '#wire/kafka/message.ts';
import { decodeProduceResponse, produceVersion } from '#wire/kafka/produce-request.ts';

const require = createRequire(import.meta.url);
const timestampMs = 1_760_000_000_123;
const identity = { producerId: 2n ** 40n + 7n, producerEpoch: 3, baseSequence: 2_147_483_000 };

beforeAll(patchKafkajs);

const messages = fc.array(
  fc.record({
    key: fc.string({ unit: 'grapheme', maxLength: 70 }),
    value: fc.uint8Array({ maxLength: 20_000 }).map((bytes) => Buffer.from(bytes)),
    headers: fc.dictionary(
      // kafkajs gathers headers in an object, and takes what every object has for a value that was there before.
      fc.string({ minLength: 1, maxLength: 20 }).filter((name) => !(name in {})),
      fc.string({ unit: 'grapheme', maxLength: 90 }),
    ),
  }),
  { minLength: 1, maxLength: 70 },
);

async function ofKafkajs(batch: readonly OutgoingMessage[], compression: number): Promise<Buffer> {
  const Record = require('kafkajs/src/protocol/recordBatch/record/v0') as (fields: object) => object;
  const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
    RecordBatch: (fields: object) => Promise<{ buffer: Buffer }>;
  };
  const encoded = await RecordBatch({
    compression,
    records: batch.map((message, offsetDelta) => Record({ ...message, offsetDelta })),
    firstTimestamp: timestampMs,
    maxTimestamp: timestampMs,
    lastOffsetDelta: batch.length - 1,
    // kafkajs says 0; -1 is what the protocol guide asks of producers.
    partitionLeaderEpoch: -1,
    producerId: identity.producerId.toString(),
    producerEpoch: identity.producerEpoch,
    firstSequence: identity.baseSequence,
  });
  return encoded.buffer;
}

test('an uncompressed batch is the one that kafkajs writes', () =>
  fc.assert(
    fc.asyncProperty(messages, async (batch) => {
      const encoded = await encodeBatch(batch, 'none', timestampMs);
      const ours = Buffer.concat([batchHeader(encoded, identity), encoded.payload]);
      expect(ours.length).toBe(batchBytes(encoded));
      expect(ours.equals(await ofKafkajs(batch, 0))).toBe(true);
    }),
    { numRuns: 60 },
  ));

test.each(['zstd', 'gzip'] as const)('a batch of %s is read by kafkajs as it was given', (compression) =>
  fc.assert(
    fc.asyncProperty(messages, async (batch) => {
      const encoded = await encodeBatch(batch, compression, timestampMs);
      const Decoder = require('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => object;
      const decode = require('kafkajs/src/protocol/recordBatch/v0/decoder') as (decoder: object) => Promise<{
        producerId: string;
        firstSequence: number;
        records: readonly { key: Buffer; value: Buffer; headers: Record<string, Buffer> }[];
      }>;
      const bytes = Buffer.concat([batchHeader(encoded, identity), encoded.payload]);
      const read = await decode(new Decoder(bytes));
      expect(read.producerId).toBe(String(identity.producerId));
      const texts = (headers: Record<string, Buffer>) =>
        Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, String(text)]));
      expect(
        read.records.map(({ key, value, headers }) => ({
          key: String(key),
          value: Buffer.from(value),
          headers: texts(headers),
        })),
      ).toEqual(batch.map(({ key, value, headers }) => ({ key, value, headers: { ...headers } })));
    }),
    { numRuns: 30 },
  ),
);

test.each([
  { range: { minVersion: 3, maxVersion: 13 }, version: 8 },
  { range: { minVersion: 0, maxVersion: 7 }, version: 7 },
])(
  'brokers that take Produce $range.minVersion to $range.maxVersion are asked in version $version',
  ({ range, version }) => expect(produceVersion(range)).toBe(version),
);

test.each([
  { name: 'too old', range: { minVersion: 0, maxVersion: 6 } },
  { name: 'too new', range: { minVersion: 9, maxVersion: 20 } },
  { name: 'silent', range: undefined },
])('a broker that is $name is named as such', ({ range }) =>
  expect(() => produceVersion(range)).toThrow(
    /Produce requests of versions .* use Apache Kafka 2.1 or newer/,
  ),
);

test('the answer of a broker is its code, its words and its wish to slow down', () => {
  const text = (value: string) => Buffer.concat([Buffer.from([0, value.length]), Buffer.from(value)]);
  const int = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return bytes;
  };
  const partition = Buffer.concat([int(0), Buffer.from([0, 87]), Buffer.alloc(24)]);
  const errors = Buffer.concat([int(1), int(0), text('no key'), text('invalid')]);
  const answer = Buffer.concat([int(1), text('t'), int(1), partition, errors, int(250)]);
  expect(decodeProduceResponse(answer, 8)).toEqual({
    errorCode: 87,
    reason: 'no key; invalid',
    throttleMs: 250,
  });
  for (let length = 0; length < answer.length; length++) {
    expect(() => decodeProduceResponse(answer.subarray(0, length), 8)).toThrow(/cannot be read/);
  }
});
