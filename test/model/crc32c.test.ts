/**
 * Goal: our CRC-32C is kafkajs's, faster, and really the one that is used.
 * Method: known values, then equality with kafkajs's own function over every length and random bytes.
 */
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32c } from '#model/crc32c.ts';
import { patchKafkajs } from '#wire/kafka/kafkajs-patches.ts';

const require = createRequire(import.meta.url);
const kafkajsChecksum = require('kafkajs/src/protocol/recordBatch/crc32C/index.js') as (
  bytes: Buffer,
) => number;

test.each([
  { text: '', checksum: 0 },
  { text: 'a', checksum: 0xc1d04330 },
  { text: '123456789', checksum: 0xe3069283 },
])('the checksum of "$text" is the one of RFC 3720', ({ text, checksum }) => {
  expect(crc32c(Buffer.from(text))).toBe(checksum);
});

test('every length up to a few blocks has the checksum that kafkajs computes', () => {
  const bytes = Buffer.from(Array.from({ length: 40 }, (_, index) => (index * 37 + 200) & 0xff));
  for (let start = 0; start < 9; start++) {
    for (let end = start; end <= bytes.length; end++) {
      const part = bytes.subarray(start, end);
      expect(crc32c(part)).toBe(kafkajsChecksum(part));
    }
  }
});

test('random bytes have the checksum that kafkajs computes', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 2000 }),
      (bytes) => crc32c(bytes) === kafkajsChecksum(Buffer.from(bytes)),
    ),
  );
});

test('kafkajs encodes record batches with ours once it is patched, and a second patch changes nothing', () => {
  patchKafkajs();
  patchKafkajs();
  expect(require('kafkajs/src/protocol/recordBatch/crc32C')).toBe(crc32c);
});
