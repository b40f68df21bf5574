/**
 * Goal: every encoding that a sender may use is undone exactly, and a bomb or damage is refused in time.
 * Method: encoders of Node and snappyjs, a framed encoder after the format's description, and cuts at every byte.
 */
import { randomBytes } from 'node:crypto';
import { constants, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import snappy from 'snappyjs';
import { expect, test } from 'vitest';
import { RefusedError, UnavailableError } from '#model/errors.ts';
import { checkedChunk, framedSnappy, snappyChunk, streamIdentifier } from '#test/support/framed-snappy.ts';
import { chunkSizeFor } from '#wire/compression/plain-size.ts';
import { decodeContent, expectedPlainBytes } from '#wire/receive/content-encoding.ts';

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
    const { bytes: decoded } = await decodeContent(encode(plain), encoding, bytesMax);
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

/** Overwrites the size that a gzip trailer states. */
function restated(gzip: Buffer, plainBytes: number): Buffer {
  const bytes = Buffer.from(gzip);
  bytes.writeUInt32LE(plainBytes, bytes.length - 4);
  return bytes;
}

/** A skippable frame (RFC 8878, 3.1.2) of three bytes. */
const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
const zstdFrames = [zstdCompressSync(text), zstdCompressSync(randomBytes(3))];
test.each([
  ['gzip of two members', 'gzip', Buffer.concat([gzipSync(text), gzipSync('x')]), text.length + 1],
  ['gzip of a member and an empty one', 'gzip', Buffer.concat([gzipSync(text), gzipSync('')]), text.length],
  ['zstd of two frames', 'zstd', Buffer.concat(zstdFrames), text.length + 3],
  [
    'zstd with a frame to skip',
    'zstd',
    Buffer.concat([skippable, ...zstdFrames, skippable]),
    text.length + 3,
  ],
  ['zstd with nothing but that', 'zstd', skippable, 0],
  ['zstd of one byte', 'zstd', zstdCompressSync('x'), 1],
  ['zstd of nothing', 'zstd', zstdCompressSync(''), 0],
  ['zstd of 300 bytes', 'zstd', zstdCompressSync(randomBytes(300)), 300],
  ['zstd of 70,000 bytes', 'zstd', zstdCompressSync(Buffer.alloc(70_000)), 70_000],
])('%s is undone whatever size its first part states', async (_name, encoding, bytes, plainBytes) => {
  const plain = await decodeContent(bytes, encoding, bytesMax);
  expect(plain.bytes).toHaveLength(plainBytes);
});

test.each([0, text.length - 1, text.length + 1, 2 ** 32 - 1])(
  'gzip that states %i bytes is refused, not believed',
  async (plainBytes) => {
    const refusal = decodeContent(restated(gzipSync(text), plainBytes), 'gzip', bytesMax);
    await expect(refusal).rejects.toThrow('the body is not valid gzip: incorrect length check');
  },
);

test.each([
  ['bytes behind it', Buffer.concat([...zstdFrames, Buffer.from('more')]), 400],
  ['a second frame that is cut off', Buffer.concat(zstdFrames).subarray(0, -1), 400],
  ['too many frames', Buffer.concat(Array.from({ length: 1001 }, () => skippable)), 400],
  [
    'frames too large together',
    Buffer.concat([1, 2, 3].map(() => zstdCompressSync(large.subarray(bytesMax / 2)))),
    413,
  ],
])('zstd with %s is refused', async (_name, bytes, status) => {
  await expect(decodeContent(bytes, 'zstd', bytesMax)).rejects.toMatchObject({ status });
});

const oneByte = { gzip: gzipSync('x'), zstd: zstdCompressSync('x') };
const manyBytes = Buffer.alloc(30_000_000);
test.each([
  ['zstd', Buffer.concat([oneByte.zstd, zstdCompressSync(manyBytes)])],
  ['gzip', Buffer.concat([gzipSync(manyBytes), oneByte.gzip])],
  ['gzip', Buffer.concat([gzipSync(manyBytes.subarray(29_000_000)), oneByte.gzip])],
])('%s that states one byte of many is not inflated in steps of a few bytes', async (encoding, bytes) => {
  const chunkSize = chunkSizeFor(encoding, bytes, 64 * 1024 * 1024);
  expect(chunkSize).toBeGreaterThanOrEqual(16 * 1024);
  const { bytes: plain } = await decodeContent(bytes, encoding, 64 * 1024 * 1024);
  expect(plain.length % 1_000_000).toBe(1);
});

test('a frame makes room for itself, not for as much as the first one', async () => {
  const frames = Buffer.concat([
    zstdCompressSync(manyBytes),
    ...Array.from({ length: 998 }, () => oneByte.zstd),
  ]);
  const before = process.cpuUsage();
  const { bytes: plain } = await decodeContent(frames, 'zstd', 64 * 1024 * 1024);
  const { user, system } = process.cpuUsage(before);
  expect(plain).toHaveLength(30_000_998);
  expect(user + system).toBeLessThan(1_000_000);
});

test('what a body may become is what it states, up to what is usual', () => {
  const gzip = gzipSync(text);
  expect(expectedPlainBytes('X-GZip', gzip, bytesMax)).toBe(text.length);
  expect(expectedPlainBytes('gzip', restated(gzip, 2 ** 32 - 1), bytesMax)).toBe(64 * 1024);
  expect(expectedPlainBytes('gzip', restated(gzip, 2 ** 32 - 1), 1000)).toBe(1000);
  expect(expectedPlainBytes('zstd', zstdCompressSync(text), bytesMax)).toBe(text.length);
  expect(expectedPlainBytes('snappy', Buffer.from(snappy.compress(text)), bytesMax)).toBe(0);
  expect(expectedPlainBytes(undefined, text, bytesMax)).toBe(0);
});

test('only what is alone in its buffer may be moved', async () => {
  const random = randomBytes(200_000);
  for (const encode of [gzipSync, zstdCompressSync]) {
    const encoding = encode === gzipSync ? 'gzip' : 'zstd';
    const large = await decodeContent(encode(random), encoding, bytesMax);
    expect(large.isMovable).toBe(true);
    expect(large.bytes.byteOffset).toBe(0);
    const small = await decodeContent(encode(text), encoding, bytesMax);
    expect(small.isMovable).toBe(false);
  }
});

test('bytes that state no size do not hold the room that was made for them', async () => {
  const unsized = { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } };
  for (const [encoding, encode] of [
    ['zstd', (plain: Buffer) => zstdCompressSync(plain, unsized)],
    ['deflate', deflateSync],
  ] as const) {
    for (const plainBytes of [40_000, 100_000, 300_000]) {
      const plain = Buffer.from('telemetry '.repeat(plainBytes / 10));
      const { bytes } = await decodeContent(encode(plain), encoding, bytesMax);
      expect(Buffer.compare(Buffer.from(bytes), plain)).toBe(0);
      expect(bytes.buffer.byteLength).toBeLessThanOrEqual(2 * plainBytes);
    }
  }
  // Of a few bytes, too.
  const { bytes } = await decodeContent(zstdCompressSync('x', unsized), 'zstd', bytesMax);
  expect(bytes.buffer.byteLength).toBeLessThan(Buffer.poolSize);
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
  const { bytes } = await decodeContent(block, 'snappy', bytesMax);
  expect(Buffer.compare(Buffer.from(bytes), plain)).toBe(0);
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
