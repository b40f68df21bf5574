/**
 * Goal: whatever is pushed is either handed on exactly as it was meant, or refused in the protocol's own words.
 * Method: real sockets, a sink that records envelopes, one row per request that people get wrong.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import * as grpc from '@grpc/grpc-js';
import { pino } from 'pino';
import snappy from 'snappyjs';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { RefusedError, UnavailableError } from '#model/errors.ts';
import type { Delivery, Envelope } from '#wire/envelope.ts';
import { type Receivers, startReceivers } from '#wire/receive/receivers.ts';

const body = Buffer.from('any bytes: the sink decodes');
const mebibyte = 1024 * 1024;
let receivers: Receivers;
let received: Envelope[] = [];
let answer: () => Promise<Delivery> = async () => ({ accepted: 1, rejected: 0, reason: '' });

const start = (): Promise<Receivers> =>
  startReceivers({
    sink: (envelope) => {
      received.push(envelope);
      return answer();
    },
    host: '127.0.0.1',
    httpPort: 0,
    grpcPort: 0,
    bodyBytesMax: 64 * mebibyte,
    inflightBytesMax: 128 * mebibyte,
    log: pino({ level: 'silent' }),
    telemetry: { serveMetrics: (_request, response) => void response.end('# EOF\n') },
    unready: () => [],
  });

beforeAll(async () => {
  receivers = await start();
});
afterAll(() => receivers.close(1000));
beforeEach(() => {
  received = [];
  answer = async () => ({ accepted: 1, rejected: 0, reason: '' });
});

async function post(path: string, options: { headers?: Record<string, string>; body?: Uint8Array } = {}) {
  const response = await fetch(`${receivers.httpUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', ...options.headers },
    body: (options.body ?? body) as Uint8Array<ArrayBuffer>,
  });
  return {
    status: response.status,
    headers: response.headers,
    bytes: Buffer.from(await response.arrayBuffer()),
  };
}

/** The message of a google.rpc.Status body. */
function statusMessage(bytes: Buffer): string {
  const tag = bytes.indexOf(0x12);
  const isLong = bytes[tag + 1]! >= 0x80;
  return bytes.subarray(tag + (isLong ? 3 : 2)).toString();
}

test.each([
  { name: 'plain', headers: {}, sent: body },
  { name: 'gzip', headers: { 'content-encoding': 'gzip' }, sent: gzipSync(body) },
  { name: 'zstd', headers: { 'content-encoding': 'zstd' }, sent: zstdCompressSync(body) },
])('OTLP logs arrive unchanged: $name', async ({ headers, sent }) => {
  const reply = await post('/v1/logs', { headers: { ...headers, 'x-scope-orgid': 'team-a' }, body: sent });
  expect(reply.status).toBe(200);
  expect(reply.headers.get('content-type')).toBe('application/x-protobuf');
  expect(reply.bytes.length).toBe(0);
  expect(received).toHaveLength(1);
  expect(received[0]).toMatchObject({ signal: 'logs', tenant: 'team-a' });
  expect(Buffer.from(received[0]!.bytes)).toEqual(body);
});

test('the same bytes have the same batch id, other bytes another, and a sender may name its own', async () => {
  await post('/v1/logs');
  await post('/v1/logs');
  await post('/v1/traces');
  await post('/v1/logs', { headers: { 'x-sonde-batch-id': 'agent-1.7' } });
  const [first, repeat, other, own] = received.map(({ batchId }) => batchId);
  expect(repeat).toBe(first);
  expect(other).not.toBe(first);
  expect(own).toBe('agent-1.7');
});

test('remote write is snappy, answers 204 and says how many samples were written', async () => {
  const reply = await post('/api/v1/write', {
    headers: {
      'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
      'content-encoding': 'snappy',
    },
    body: snappy.compress(body),
  });
  expect(reply.status).toBe(204);
  expect(reply.headers.get('x-prometheus-remote-write-samples-written')).toBe('1');
  expect(Buffer.from(received[0]!.bytes)).toEqual(body);
});

test('a partly refused remote write is 400, never 2xx', async () => {
  answer = async () => ({ accepted: 3, rejected: 1, reason: 'label name "0" is not valid' });
  const reply = await post('/api/v1/write', {
    headers: { 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request' },
    body: snappy.compress(body),
  });
  expect(reply.status).toBe(400);
  expect(reply.headers.get('x-prometheus-remote-write-samples-written')).toBe('3');
  expect(reply.bytes.toString()).toBe('label name "0" is not valid\n');
});

test('samples, native histograms and exemplars are told apart to a sender of 2.0, and not named to one of 1.0', async () => {
  answer = async () => ({ accepted: 5, histograms: 2, exemplars: 4, rejected: 0, reason: '' });
  const written = async (proto: string): Promise<(string | null)[]> => {
    const reply = await post('/api/v1/write', {
      headers: { 'content-type': `application/x-protobuf${proto}` },
      body: snappy.compress(body),
    });
    expect(reply.status).toBe(204);
    return ['samples', 'histograms', 'exemplars'].map((kind) =>
      reply.headers.get(`x-prometheus-remote-write-${kind}-written`),
    );
  };
  expect(await written(';proto=io.prometheus.write.v2.Request')).toEqual(['3', '2', '4']);
  expect(await written('')).toEqual([null, null, null]);
  expect(await written(';proto=prometheus.WriteRequest')).toEqual([null, null, null]);
});

test.each(['gzip', 'deflate'])(
  'remote write in %s is 415: the protocol has snappy alone',
  async (encoding) => {
    const reply = await post('/api/v1/write', {
      headers: { 'content-encoding': encoding },
      body: gzipSync(body),
    });
    expect(reply.status).toBe(415);
    expect(received).toEqual([]);
  },
);

test('partly refused OTLP is 200 with the count and the reason', async () => {
  answer = async () => ({ accepted: 3, rejected: 300, reason: 'too old' });
  const reply = await post('/v1/logs');
  expect(reply.status).toBe(200);
  expect([...reply.bytes.subarray(0, 5)]).toEqual([0x0a, 12, 0x08, 0xac, 0x02]);
  expect(reply.bytes.subarray(-7).toString()).toBe('too old');
});

test.each([
  {
    name: 'a wrong content type',
    path: '/v1/logs',
    headers: { 'content-type': 'text/html' },
    status: 415,
    says: 'content-type "text/html" is not supported on /v1/logs: send application/x-protobuf or application/json',
  },
  {
    name: 'an unknown encoding',
    path: '/v1/logs',
    headers: { 'content-encoding': 'br' },
    status: 415,
    says: 'content-encoding "br" is not supported: send gzip, zstd, deflate, snappy, identity',
  },
  {
    name: 'damaged gzip',
    path: '/v1/logs',
    headers: { 'content-encoding': 'gzip' },
    status: 400,
    says: 'the body is not valid gzip: incorrect header check',
  },
  {
    name: 'a tenant with a slash',
    path: '/v1/logs',
    headers: { 'x-scope-orgid': '../etc' },
    status: 400,
    says: 'the tenant in X-Scope-OrgID has a character that is not allowed: "../etc"',
  },
])('$name is refused', async ({ path, headers, status, says }) => {
  const reply = await post(path, { headers });
  expect(reply.status).toBe(status);
  expect(statusMessage(reply.bytes)).toBe(says);
  expect(received).toEqual([]);
});

const tooLarge =
  'the body is larger than 67108864 bytes after decompression: send smaller batches, or raise receive.body_bytes_max';

test('a body of 65 MiB is refused with 413 and the option that raises the limit', async () => {
  const reply = await post('/v1/logs', { body: Buffer.alloc(65 * mebibyte) });
  expect(reply.status).toBe(413);
  expect(statusMessage(reply.bytes)).toBe(tooLarge);
});

test('a small body that inflates to 65 MiB is stopped at the limit', async () => {
  const bomb = gzipSync(Buffer.alloc(65 * mebibyte));
  expect(bomb.length).toBeLessThan(mebibyte);
  const reply = await post('/v1/logs', { headers: { 'content-encoding': 'gzip' }, body: bomb });
  expect(reply.status).toBe(413);
  expect(statusMessage(reply.bytes)).toBe(tooLarge);
});

test('snappy that announces 4 GiB is refused before it is unpacked', async () => {
  const reply = await post('/api/v1/write', { body: Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0]) });
  expect(reply.status).toBe(413);
});

test('an unknown remote write message is 415 and names those that are known', async () => {
  const reply = await post('/api/v1/write', {
    headers: { 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v3.Request' },
  });
  expect(reply.status).toBe(415);
  expect(reply.bytes.toString()).toContain('io.prometheus.write.v2.Request or prometheus.WriteRequest');
});

test('a store that is down is 503 with Retry-After; refused bytes are 400', async () => {
  answer = () => Promise.reject(new UnavailableError('the store is down', { retryAfterMs: 2500 }));
  const later = await post('/v1/metrics');
  expect(later.status).toBe(503);
  expect(later.headers.get('retry-after')).toBe('3');
  expect(statusMessage(later.bytes)).toBe('the store is down');
  answer = () => Promise.reject(new RefusedError('bad varint at byte 7'));
  const never = await post('/v1/metrics');
  expect(never.status).toBe(400);
  expect(never.headers.get('retry-after')).toBe(null);
  expect(statusMessage(never.bytes)).toBe('bad varint at byte 7');
});

test('bytes in flight are bounded: the one over the bound is told to come again', async () => {
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  answer = () => gate.then(() => ({ accepted: 1, rejected: 0, reason: '' }));
  const large = randomBytes(60 * mebibyte);
  const first = post('/v1/logs', { body: large });
  const second = post('/v1/logs', { body: large });
  await expect.poll(() => received.length, { timeout: 20_000 }).toBe(2);
  const third = await post('/v1/logs', { body: randomBytes(20 * mebibyte) }).catch(() => ({ status: 503 }));
  expect(third.status).toBe(503);
  release();
  expect((await first).status).toBe(200);
  expect((await second).status).toBe(200);
  expect((await post('/v1/logs')).status).toBe(200);
});

test('small bodies that inflate to much are bounded by what they become', async () => {
  const gate = Promise.withResolvers<Delivery>();
  answer = () => gate.promise;
  const bomb = gzipSync(Buffer.alloc(50 * mebibyte));
  const send = () => post('/v1/logs', { headers: { 'content-encoding': 'gzip' }, body: bomb });
  const taken = [send()];
  await expect.poll(() => received.length, { timeout: 20_000 }).toBe(1);
  taken.push(send());
  await expect.poll(() => received.length, { timeout: 20_000 }).toBe(2);
  expect((await send()).status).toBe(503);
  gate.resolve({ accepted: 1, rejected: 0, reason: '' });
  expect((await Promise.all(taken)).map(({ status }) => status)).toEqual([200, 200]);
  expect((await send()).status).toBe(200);
});

test('bodies that are aborted, too large or sent in chunks leave no bytes behind in the bound', async () => {
  const url = new URL(`${receivers.httpUrl}/v1/logs`);
  for (let round = 0; round < 4; round++) {
    const aborted = rawPost(receivers.httpUrl, 60 * mebibyte, body);
    await fetch(`${receivers.httpUrl}/live`);
    aborted.socket.destroy();
    await aborted.closed;
    // Announced beyond what numbers hold exactly.
    const huge = rawPost(receivers.httpUrl, 2 ** 63, body);
    await expect.poll(() => huge.text()).toMatch(/^HTTP\/1.1 413/);
    huge.socket.destroy();
    const stream = new Blob([body]).stream();
    const chunked = {
      method: 'POST',
      body: stream,
      duplex: 'half',
      headers: { 'content-type': 'application/x-protobuf' },
    };
    expect((await fetch(url, chunked as RequestInit)).status).toBe(200);
  }
  await expect
    .poll(async () => (await post('/v1/logs', { body: Buffer.alloc(64 * mebibyte) })).status, {
      timeout: 10_000,
    })
    .toBe(200);
  const gate = Promise.withResolvers<Delivery>();
  answer = () => gate.promise;
  received = [];
  const two = [0, 1].map((fill) => post('/v1/logs', { body: Buffer.alloc(64 * mebibyte, fill) }));
  await expect.poll(() => received.length, { timeout: 20_000 }).toBe(2);
  gate.resolve({ accepted: 1, rejected: 0, reason: '' });
  expect((await Promise.all(two)).map(({ status }) => status)).toEqual([200, 200]);
});

function exportByGrpc(service: string, message: Uint8Array, metadata = new grpc.Metadata()) {
  const client = new grpc.Client(receivers.grpcAddress, grpc.credentials.createInsecure());
  return new Promise<{ code: number; details: string; reply: Buffer | undefined }>((resolve) => {
    client.makeUnaryRequest(
      `/opentelemetry.proto.collector.${service}/Export`,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      Buffer.from(message),
      metadata,
      (error, reply) => {
        client.close();
        resolve({ code: error?.code ?? 0, details: error?.details ?? '', reply });
      },
    );
  });
}

test('OTLP over gRPC makes the same envelopes', async () => {
  const metadata = new grpc.Metadata();
  metadata.set('x-scope-orgid', 'team-b');
  const { code, reply } = await exportByGrpc('trace.v1.TraceService', body, metadata);
  expect({ code, bytes: reply?.length }).toEqual({ code: 0, bytes: 0 });
  expect(received[0]).toMatchObject({ signal: 'traces', tenant: 'team-b' });
  expect(Buffer.from(received[0]!.bytes)).toEqual(body);
});

test('over gRPC, come again is UNAVAILABLE and refused bytes are INVALID_ARGUMENT', async () => {
  answer = () => Promise.reject(new UnavailableError('the store is down'));
  expect(await exportByGrpc('logs.v1.LogsService', body)).toMatchObject({
    code: grpc.status.UNAVAILABLE,
    details: 'the store is down',
  });
  answer = () => Promise.reject(new RefusedError('bad varint at byte 7'));
  expect(await exportByGrpc('logs.v1.LogsService', body)).toMatchObject({
    code: grpc.status.INVALID_ARGUMENT,
    details: 'bad varint at byte 7',
  });
});

test('over gRPC too, messages in flight are bounded', async () => {
  const gate = Promise.withResolvers<Delivery>();
  answer = () => gate.promise;
  const large = () => exportByGrpc('logs.v1.LogsService', Buffer.alloc(60 * mebibyte));
  const taken = [large(), large()];
  await expect.poll(() => received.length, { timeout: 20_000 }).toBe(2);
  expect((await large()).code).toBe(grpc.status.UNAVAILABLE);
  gate.resolve({ accepted: 1, rejected: 0, reason: '' });
  expect((await Promise.all(taken)).map(({ code }) => code)).toEqual([0, 0]);
});

test('a port in use is explained, with the flag that chooses another', async () => {
  const taken = Number(new URL(receivers.httpUrl).port);
  const second = startReceivers({
    sink: () => answer(),
    host: '127.0.0.1',
    httpPort: taken,
    grpcPort: 0,
    bodyBytesMax: mebibyte,
    inflightBytesMax: mebibyte,
    log: pino({ level: 'silent' }),
    telemetry: { serveMetrics: (_request, response) => void response.end() },
    unready: () => [],
  });
  await expect(second).rejects.toThrow(
    `the OTLP/HTTP receiver cannot listen on 127.0.0.1:${taken}: the port is in use. Stop the other process, or choose another port with --otlp-http-port`,
  );
});

test('/ready and /live answer, and an unknown path is 404', async () => {
  expect((await fetch(`${receivers.httpUrl}/live`)).status).toBe(200);
  expect(await (await fetch(`${receivers.httpUrl}/ready`)).text()).toBe('ready\n');
  expect((await fetch(`${receivers.httpUrl}/v1/nothing`)).status).toBe(404);
});

/** A request on a connection that its client keeps; `body` may be less than `announcedBytes`. */
function rawPost(url: string, announcedBytes: number, sent: Uint8Array) {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => undefined);
  socket.write(
    `POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: ${announcedBytes}\r\n\r\n`,
  );
  socket.write(sent);
  return { socket, closed: once(socket, 'close'), text: () => text };
}

test('closing answers what is under way and does not wait for connections that are kept alive', async () => {
  const own = await start();
  const gate = Promise.withResolvers<Delivery>();
  answer = () => gate.promise;
  const { closed, text } = rawPost(own.httpUrl, body.length, body);
  await expect.poll(() => received.length).toBe(1);
  const isClosed = own.close(60_000);
  // Nothing listens any more: the closing has begun.
  await expect
    .poll(() =>
      fetch(`${own.httpUrl}/live`).then(
        () => 'up',
        () => 'down',
      ),
    )
    .toBe('down');
  gate.resolve({ accepted: 1, rejected: 0, reason: '' });
  await isClosed;
  await closed;
  expect(text()).toMatch(/^HTTP\/1.1 200 OK\r\n/);
});

test.each([
  { name: 'a body that does not end', announcedBytes: body.length + 1 },
  { name: 'a store that does not answer', announcedBytes: body.length },
])('closing cuts off after its grace: $name', async ({ announcedBytes }) => {
  const own = await start();
  answer = () => new Promise(() => undefined);
  const { closed, text } = rawPost(own.httpUrl, announcedBytes, body);
  if (announcedBytes === body.length) await expect.poll(() => received.length).toBe(1);
  else await fetch(`${own.httpUrl}/live`);
  await own.close(50);
  await closed;
  expect(text()).toBe('');
});
