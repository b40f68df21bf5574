/**
 * Goal: the direct transport keeps the transport contract, and OTLP's and remote write's retry rules.
 * Method: the conformance suite against a small HTTP server that stores what arrives, then a table of its answers.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import snappy from 'snappyjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDirectTransport, type DirectTransportOptions } from '#agent/transport/direct.ts';
import { answerBytesMax } from '#agent/transport/http-post.ts';
import { eventually } from '#test/support/eventually.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import { receivePaths } from '#wire/bus.ts';
import { signals } from '#wire/envelope.ts';
import { encodeExportResponse, encodeStatus } from '#wire/receive/reply.ts';
import { type Arrived, type Carrier, envelope, testTransport } from './conformance.case.ts';

const refusedBody = 'this is not protobuf';

/** A collector that stores what it is sent; `answers` are given first, one per request. */
class TestCollector implements Carrier {
  readonly hasKeys = false;
  readonly hasOutages = true;
  readonly refused = envelope({ bytes: Buffer.from(refusedBody) });
  readonly refusedMessage =
    /\/v1\/logs refused batch batch-\S+ \(logs, 20 bytes\) with 400: not protobuf at byte 0/;
  readonly stored: Arrived[] = [];
  readonly requests: IncomingMessage['headers'][] = [];
  readonly answers: ((response: ServerResponse) => void)[] = [];
  #server: Server | undefined;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async bringBack(): Promise<void> {
    const server = createServer((request, response) => void this.#answer(request, response));
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as { port: number }).port;
    this.#server = server;
  }

  async takeAway(): Promise<void> {
    const closed = new Promise((resolve) => this.#server?.close(resolve));
    this.#server?.closeAllConnections();
    await closed;
  }

  async open(options: Partial<DirectTransportOptions> = {}) {
    return createDirectTransport({ url: this.url, log: silentKafkaLog, ...options });
  }

  async arrived(): Promise<readonly Arrived[]> {
    return this.stored;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const { headers } = request;
    this.requests.push(headers);
    const answer = this.answers.shift();
    if (answer !== undefined) return answer(response);
    const bytes = decode(body, headers['content-encoding']);
    if (bytes.toString() === refusedBody)
      return protobuf(response, 400, encodeStatus(3, 'not protobuf at byte 0'));
    this.stored.push({
      signal: signals.find((signal) => receivePaths[signal] === request.url)!,
      tenant: String(headers['x-scope-orgid']),
      batchId: String(headers['x-sonde-batch-id']),
      contentType: String(headers['content-type']),
      bytes,
    });
    protobuf(response, 200, new Uint8Array(0));
  }
}

function decode(body: Buffer, encoding: string | undefined): Buffer {
  if (encoding === 'zstd') return zstdDecompressSync(body);
  if (encoding === 'gzip') return gunzipSync(body);
  return encoding === 'snappy' ? Buffer.from(snappy.uncompress(body)) : body;
}

function protobuf(response: ServerResponse, status: number, body: Uint8Array): void {
  response.writeHead(status, { 'content-type': 'application/x-protobuf' }).end(body);
}

const collector = new TestCollector();
beforeAll(() => collector.bringBack());
afterAll(() => collector.takeAway());

describe('the direct transport', () => testTransport(() => collector));

test.each([
  [404, {}, 'not here', /404 not here \(is the URL right\?\)/],
  [301, { location: 'http://elsewhere/' }, '', /301 it redirects to http:\/\/elsewhere\/: set that URL/],
])('the state says what a person should look at after a %d', async (status, headers, text, words) => {
  const answers = Array.from(
    { length: 50 },
    () => (response: ServerResponse) => void response.writeHead(status, headers).end(text),
  );
  collector.answers.push(...answers);
  const transport = await collector.open({});
  const leave = new AbortController();
  const sending = transport.send(envelope({ signal: 'logs' }), leave.signal).catch(() => undefined);
  await expect.poll(() => transport.state()).toMatch(words);
  leave.abort(new Error('seen'));
  await sending;
  collector.answers.length = 0;
  await transport.close();
});

describe('answers of the collector', () => {
  const plain =
    (status: number, text = '', headers = {}) =>
    (response: ServerResponse) =>
      void response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(text);

  async function send(signal: 'logs' | 'remote_write', answers: TestCollector['answers'], options = {}) {
    collector.answers.push(...answers);
    const transport = await collector.open(options);
    const before = collector.requests.length;
    const outcome = await transport.send(envelope({ signal })).then(
      ({ rejected, reason }) => `${rejected} rejected ${reason}`.trim(),
      (error: Error) => `refused: ${error.message.replace(/^\S+ refused batch \S+ /, '')}`,
    );
    await transport.close();
    return `${outcome} after ${collector.requests.length - before}`;
  }

  test.each([
    { name: '429 is repeated', signal: 'logs', answers: [plain(429)], outcome: '0 rejected after 2' },
    {
      name: '502, 503 and 504 are repeated',
      signal: 'logs',
      answers: [plain(502), plain(503), plain(504)],
      outcome: '0 rejected after 4',
    },
    {
      name: 'Retry-After of 0 is no obstacle',
      signal: 'logs',
      answers: [plain(503, '', { 'retry-after': '0' })],
      outcome: '0 rejected after 2',
    },
    {
      name: 'a connection that is cut is repeated',
      signal: 'logs',
      answers: [(response) => void response.destroy()],
      outcome: '0 rejected after 2',
    },
    {
      name: '500 is not repeated for OTLP',
      signal: 'logs',
      answers: [plain(500, 'a bug')],
      outcome: /^refused: \(logs, \d+ bytes\) with 500: a bug after 1$/,
    },
    {
      name: '500 is repeated for remote write',
      signal: 'remote_write',
      answers: [plain(500, 'a bug')],
      outcome: '0 rejected after 2',
    },
    {
      name: '401, 404 and a redirect are repeated: a person mends them, and nothing is lost meanwhile',
      signal: 'logs',
      answers: [plain(401, 'no token'), plain(404), plain(301, '', { location: 'http://elsewhere/' })],
      outcome: '0 rejected after 4',
    },
    {
      name: '400 is not repeated',
      signal: 'logs',
      answers: [plain(400, 'bad bytes')],
      outcome: /^refused: \(logs, \d+ bytes\) with 400: bad bytes after 1$/,
    },
    {
      name: 'partial success is told',
      signal: 'logs',
      answers: [(response) => protobuf(response, 200, encodeExportResponse(3, 'too old'))],
      outcome: '3 rejected too old after 1',
    },
    {
      name: 'a warning without rejections is success',
      signal: 'logs',
      answers: [(response) => protobuf(response, 200, encodeExportResponse(0, 'slow down'))],
      outcome: '0 rejected after 1',
    },
    {
      name: 'an answer that is not protobuf is success',
      signal: 'logs',
      answers: [plain(200, 'ok')],
      outcome: '0 rejected after 1',
    },
    {
      name: 'a damaged answer is success',
      signal: 'logs',
      answers: [(response) => protobuf(response, 200, Buffer.from([0x0a, 0xff, 0xff]))],
      outcome: '0 rejected after 1',
    },
    {
      name: 'an answer without end is cut',
      signal: 'logs',
      answers: [plain(400, 'x'.repeat(answerBytesMax * 4))],
      outcome: /with 400: x{500} after/,
    },
  ] as {
    name: string;
    signal: 'logs' | 'remote_write';
    answers: TestCollector['answers'];
    outcome: string | RegExp;
  }[])('$name', async ({ signal, answers, outcome }) => expect(await send(signal, answers)).toMatch(outcome));

  test('a collector that does not answer in time is asked again', async () => {
    expect(await send('logs', [() => undefined], { requestTimeoutMs: 100 })).toBe('0 rejected after 2');
  });

  test.each(['zstd', 'gzip', 'none'] as const)('OTLP bodies can travel as %s', async (compression) => {
    await send('logs', [], { compression });
    expect(collector.requests.at(-1)!['content-encoding']).toBe(
      compression === 'none' ? undefined : compression,
    );
  });

  test('remote write is snappy with its version, whatever OTLP is', async () => {
    await send('remote_write', [], { compression: 'gzip' });
    expect(collector.requests.at(-1)).toMatchObject({
      'content-encoding': 'snappy',
      'x-prometheus-remote-write-version': '2.0.0',
    });
  });

  test('a token is sent and never logged', async () => {
    const lines: string[] = [];
    const log = {
      warn: (fields: object, message: string) => void lines.push(JSON.stringify(fields) + message),
    };
    await send('logs', [plain(503)], { token: 'top-secret', log });
    expect(collector.requests.at(-1)!.authorization).toBe('Bearer top-secret');
    expect(lines.join()).toMatch(/503/);
    expect(lines.join()).not.toMatch(/top-secret/);
  });

  test('the path of the base URL is kept', async () => {
    const paths: string[] = [];
    const server = createServer((request, response) => {
      paths.push(request.url!);
      request.resume().once('end', () => response.end());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const transport = createDirectTransport({ url: `http://127.0.0.1:${port}/otlp/`, log: silentKafkaLog });
    await transport.send(envelope());
    await transport.close();
    await eventually(() => paths.length > 0);
    expect(paths).toEqual(['/otlp/v1/logs']);
    server.closeAllConnections();
    server.close();
  });
});
