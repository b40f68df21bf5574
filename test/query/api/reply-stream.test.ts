/**
 * Goal: a reply of any size is sent as it is made, at the client's pace, and compressed as it asks.
 * Method: a real server and sockets; what makes the text counts how far it got.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { chooseEncoding, sendPieces } from '#query/api/reply-stream.ts';
import { eventually } from '#test/support/eventually.ts';

let app: FastifyInstance;
let port = 0;
let madeCount = 0;
let isEnded = false;

const piece = `${'0123456789abcdef'.repeat(64)}\n`;

function* endless(): Generator<string> {
  try {
    for (;;) {
      madeCount++;
      yield randomBytes(512).toString('hex');
    }
  } finally {
    isEnded = true;
  }
}

function* pieces(count: number): Generator<string> {
  for (let i = 0; i < count; i++) yield piece;
}

function* failing(after: number): Generator<string> {
  yield* pieces(after);
  throw new Error('no more');
}

beforeAll(async () => {
  app = fastify();
  app.get('/endless', (request, reply) => sendPieces(request, reply, 'text/plain', endless()));
  app.get('/many/:count', (request, reply) =>
    sendPieces(request, reply, 'text/plain', pieces(Number((request.params as { count: string }).count))),
  );
  app.get('/failing/:count', (request, reply) =>
    sendPieces(request, reply, 'text/plain', failing(Number((request.params as { count: string }).count))),
  );
  app.get('/short', (request, reply) => sendPieces(request, reply, 'text/plain', ['ab', 'c']));
  await app.listen({ host: '127.0.0.1', port: 0 });
  port = (app.server.address() as { port: number }).port;
});
beforeEach(() => {
  madeCount = 0;
  isEnded = false;
});
afterAll(async () => {
  app.server.closeAllConnections();
  await app.close();
});

test.each([
  [undefined, undefined],
  ['', undefined],
  ['identity', undefined],
  ['gzip', 'gzip'],
  ['GZIP', 'gzip'],
  ['zstd', 'zstd'],
  ['gzip, deflate, br, zstd', 'zstd'],
  ['gzip, zstd;q=0.5', 'gzip'],
  ['gzip;q=0', undefined],
  ['*', 'zstd'],
  ['*;q=0.1, gzip', 'gzip'],
  ['zstd;q=0, *', 'gzip'],
  ['identity, gzip;q=0.5', undefined],
  ['br', undefined],
  ['gzip;q=x', undefined],
])('Accept-Encoding %j chooses %s', (header, expected) => {
  expect(chooseEncoding(header)).toBe(expected);
});

/** Not fetch, which undoes the encoding. */
async function get(path: string, encoding: string): Promise<{ headers: string; body: Buffer }> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET ${path} HTTP/1.0\r\nHost: a\r\nAccept-Encoding: ${encoding}\r\n\r\n`);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'close');
  const all = Buffer.concat(chunks);
  const end = all.indexOf('\r\n\r\n');
  return { headers: all.subarray(0, end).toString().toLowerCase(), body: all.subarray(end + 4) };
}

test('a long reply comes whole, compressed or not', async () => {
  const expected = Buffer.from(piece.repeat(3000));
  const plain = await get('/many/3000', 'identity');
  expect(plain.body.equals(expected)).toBe(true);
  expect(plain.headers).not.toContain('content-encoding');
  const gzip = await get('/many/3000', 'gzip');
  expect(gzip.headers).toContain('content-encoding: gzip');
  expect(gzip.headers).toContain('vary: accept-encoding');
  expect(gunzipSync(gzip.body).equals(expected)).toBe(true);
  const zstd = await get('/many/3000', 'zstd');
  expect(zstd.headers).toContain('content-encoding: zstd');
  expect(zstdDecompressSync(zstd.body).equals(expected)).toBe(true);
});

test('a short reply is not compressed, and has a length', async () => {
  const { headers, body } = await get('/short', 'gzip');
  expect(headers).not.toContain('content-encoding');
  expect(headers).toContain('content-length: 3');
  expect(body.toString()).toBe('abc');
});

test.each(['identity', 'gzip', 'zstd'])(
  'a client that does not read stops the making, one that leaves ends it (%s)',
  async (encoding) => {
    const socket = connect(port, '127.0.0.1');
    socket.pause();
    socket.write(`GET /endless HTTP/1.1\r\nHost: a\r\nAccept-Encoding: ${encoding}\r\n\r\n`);
    // Buffers of sockets and of compression fill, and then nothing more is made.
    await eventually(async () => {
      const before = madeCount;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return (before > 0 && madeCount === before) || undefined;
    });
    expect(isEnded).toBe(false);
    socket.destroy();
    await eventually(async () => isEnded || undefined);
  },
);

test('what fails before the first piece is sent keeps its status; later the connection is cut', async () => {
  const early = await fetch(`http://127.0.0.1:${port}/failing/3`);
  expect([early.status, ((await early.json()) as { message: string }).message]).toEqual([500, 'no more']);
  const late = await fetch(`http://127.0.0.1:${port}/failing/300`);
  expect(late.status).toBe(200);
  await expect(late.text()).rejects.toThrow();
});
