/**
 * Goal: every encoding that a sender may use is undone exactly, and a bomb or damage is refused in time.
 * Method: encoders of Node and snappyjs, a framed encoder after the format's description, and cuts at every byte.
 */
import { randomBytes } from 'node:crypto';
import { deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import snappy from 'snappyjs';
import { expect, test } from 'vitest';
import { RefusedError, UnavailableError } from '#model/errors.ts';
import { checkedChunk, framedSnappy, snappyChunk, streamIdentifier } from '#test/support/framed-snappy.ts';
import { decodeContent } from '#wire/receive/content-encoding.ts';

const text = Buffer.from('telemetry '.repeat(500));
const bytesMax = 1_000_000;

test.each([
  { encoding: undefined, encode: (plain: Buffer) => plain },
  { encoding: 'identity', encode: (plain: Buffer) => plain },
  { encoding: 'gzip', encode: gzipSync },
  { encoding: 'X-GZip', encode: gzipSync },
  { encoding: ' GZIP ', encode: gzipSync },
  { encoding: 'zstd', encode: zstdCompressSync },
  { encoding: 'deflate', encode: deflateSync },
  { encoding: 'deflate', encode: deflateRawSync },
  { encoding: 'snappy', encode: (plain: Buffer) => snappy.compress(plain) },
  { encoding: 'snappy', encode: framedSnappy },
  { encoding: 'x-snappy-framed', encode: framedSnappy },
])('$encoding is undone', async ({ encoding, encode }) => {
  for (const plain of [text, Buffer.from('x'), randomBytes(200_000)]) {
    const decoded = await decodeContent(encode(plain), encoding, bytesMax);
    expect(Buffer.compare(Buffer.from(decoded), plain)).toBe(0);
  }
});

test.each([
  ['br', 415, 'content-encoding "br" is not supported: send gzip, zstd, deflate, snappy, identity'],
  ['gzip, gzip', 415, 'content-encoding "gzip, gzip" is not supported'],
  ['constructor', 415, 'content-encoding "constructor" is not supported'],
  ['gzip', 400, 'the body is not valid gzip: incorrect header check'],
  ['zstd', 400, 'the body is not valid zstd'],
  ['deflate', 400, 'the body is not valid deflate'],
  ['snappy', 400, 'the body is not valid snappy'],
])('%s of other bytes is %i', async (encoding, status, says) => {
  const refusal = decodeContent(Buffer.from('no compression'), encoding, bytesMax);
  await expect(refusal).rejects.toMatchObject({ name: 'RefusedError', status });
  await expect(refusal).rejects.toThrow(says);
});

const large = Buffer.alloc(2 * bytesMax);
test.each([
  ['gzip', gzipSync(large)],
  ['zstd', zstdCompressSync(large)],
  ['deflate', deflateSync(large)],
  ['deflate', deflateRawSync(large)],
  ['snappy', snappy.compress(large)],
  ['snappy', framedSnappy(large)],
  ['snappy', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0])],
])('a %s bomb is stopped at the limit, and what it may become is held first', async (encoding, bomb) => {
  const held: number[] = [];
  const refusal = decodeContent(bomb, encoding, bytesMax, (bytes) => void held.push(bytes));
  await expect(refusal).rejects.toMatchObject({ status: 413 });
  expect(Math.max(...held)).toBeLessThanOrEqual(bomb.length + bytesMax);
});

test('what does not fit beside the other requests is told to come again', async () => {
  const hold = (bytes: number) => {
    if (bytes > 10_000) throw new UnavailableError('too many bytes');
  };
  for (const [encoding, bytes] of [
    ['gzip', gzipSync(randomBytes(20_000))],
    ['snappy', framedSnappy(randomBytes(20_000))],
  ] as const) {
    await expect(decodeContent(bytes, encoding, bytesMax, hold)).rejects.toBeInstanceOf(UnavailableError);
  }
});

const plainChunk = checkedChunk(1, text);
test.each([
  ['a chunk header', Buffer.concat([streamIdentifier, Buffer.from([0, 1])]), 'it ends in a chunk header'],
  ['a chunk', Buffer.concat([streamIdentifier, plainChunk.subarray(0, 50)]), 'it ends in a chunk'],
  [
    'a reserved chunk',
    Buffer.concat([streamIdentifier, snappyChunk(0x02, text)]),
    'it has a chunk of unknown type 2',
  ],
  [
    'no checksum',
    Buffer.concat([streamIdentifier, snappyChunk(0x01, Buffer.from([1, 2]))]),
    'a chunk is too short for its checksum',
  ],
  [
    'a wrong checksum',
    Buffer.concat([streamIdentifier, snappyChunk(0x01, Buffer.alloc(9))]),
    'a chunk has a wrong checksum',
  ],
  [
    'a chunk of more than 64 KiB',
    Buffer.concat([streamIdentifier, checkedChunk(1, Buffer.alloc(65_537))]),
    'a chunk has more than 64 KiB',
  ],
])('framed snappy with %s is refused', async (_name, bytes, says) => {
  await expect(decodeContent(bytes, 'snappy', bytesMax)).rejects.toThrow(
    `the body is not valid snappy: ${says}`,
  );
});

test('a snappy block that is cut off anywhere is refused, not filled up with zeros', async () => {
  const plain = Buffer.concat([text, randomBytes(300), text]);
  const block = Buffer.from(snappy.compress(plain));
  expect(Buffer.compare(Buffer.from(await decodeContent(block, 'snappy', bytesMax)), plain)).toBe(0);
  for (let end = 1; end < block.length; end++) {
    await expect(decodeContent(block.subarray(0, end), 'snappy', bytesMax)).rejects.toThrow(
      'not valid snappy',
    );
  }
});

test('cut off or damaged anywhere, bytes are undone or refused', async () => {
  const encoded = {
    gzip: gzipSync(text),
    zstd: zstdCompressSync(text),
    snappy: framedSnappy(text),
    deflate: deflateSync(text),
  };
  const name = fc.constantFrom(...(Object.keys(encoded) as (keyof typeof encoded)[]), 'block' as const);
  await fc.assert(
    fc.asyncProperty(name, fc.nat(), fc.nat(255), fc.nat(), async (encoding, at, byte, cut) => {
      const whole = encoding === 'block' ? Buffer.from(snappy.compress(text)) : encoded[encoding];
      const damaged = Buffer.from(whole);
      damaged[at % whole.length] = byte;
      for (const bytes of [damaged, whole.subarray(0, 1 + (cut % whole.length))]) {
        try {
          await decodeContent(bytes, encoding === 'block' ? 'snappy' : encoding, bytesMax);
        } catch (error) {
          expect(error).toBeInstanceOf(RefusedError);
        }
      }
    }),
    { numRuns: 500 },
  );
});
