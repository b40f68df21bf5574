/**
 * Goal: a pushing sender repeats what may pass with the same bytes and headers, takes a refusal as the last word, and
 * counts as acknowledged only what was.
 * Method: senders against a real HTTP server that answers from a script.
 */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { logSignal } from '#load/push/log-signal.ts';
import { PushSender } from '#load/push/push-sender.ts';
import type { PushSignal } from '#load/push/push-signal.ts';
import { sampleSignal } from '#load/push/sample-signal.ts';
import { spanSignal } from '#load/push/span-signal.ts';
import { encodeExportResponse } from '#wire/receive/reply.ts';

interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
}

/** One for each request; 'hang up' breaks the connection after the request was read. */
let script: (Answer | 'hang up')[] = [];
let received: { url: string; headers: IncomingHttpHeaders; body: Buffer }[] = [];

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    received.push({ url: request.url!, headers: request.headers, body: Buffer.concat(chunks) });
    const answer = script.shift() ?? { status: 200 };
    if (answer === 'hang up') request.socket.destroy();
    else response.writeHead(answer.status, answer.headers).end(answer.body);
  });
});
let url = '';
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());
beforeEach(() => {
  script = [];
  received = [];
});

const shape = { lineBytes: 100, isSingleLine: false };

async function send(
  options: { signal?: PushSignal; hasBatchId?: boolean; base?: string; giveUp?: AbortSignal } = {},
) {
  const retries: string[] = [];
  const sender = new PushSender({
    name: 'otlp-logs-1',
    kind: 'otlp_logs',
    run: 'r1',
    url: options.base ?? url,
    signal: options.signal ?? logSignal('r1', 'otlp-logs-1', shape),
    headers: { 'x-scope-orgid': 'shop', authorization: 'Bearer secret' },
    hasBatchId: options.hasBatchId ?? true,
    onRetry: (_sender, reason) => retries.push(reason.trim()),
  });
  const stop = new AbortController().signal;
  await sender.run({ due: () => 5, planned: 5, stop, giveUp: options.giveUp ?? stop });
  return { ...sender.report(), reasons: retries };
}

test('what may pass is repeated, to the last bit', async () => {
  script = [
    { status: 503, body: 'come again' },
    'hang up',
    { status: 429 },
    { status: 502 },
    { status: 504 },
  ];
  const report = await send();
  expect(report).toMatchObject({ written: 5, acknowledged: 5, retries: 5, failure: '' });
  expect(report.reasons[0]).toBe('503 come again');
  expect(report.reasons[1]).toMatch(/^fetch failed: /);
  expect(received).toHaveLength(6);
  for (const { headers, body } of received) {
    expect(body.equals(received[0]!.body)).toBe(true);
    expect(headers).toMatchObject({
      'x-sonde-batch-id': 'load-r1-otlp-logs-1-1',
      'x-scope-orgid': 'shop',
      authorization: 'Bearer secret',
      'content-type': 'application/x-protobuf',
    });
  }
});

test('a sender without batch ids sends none', async () => {
  await send({ hasBatchId: false });
  expect(received[0]!.headers).not.toHaveProperty('x-sonde-batch-id');
});

test("a path of the URL stays before the signal's own", async () => {
  await send({ base: `${url}/sonde/` });
  expect(received[0]!.url).toBe('/sonde/v1/logs');
});

test.each([400, 401, 404, 413, 500, 301])(
  'OTLP: %i is the last word, and its records are unknown',
  async (status) => {
    script = [{ status, body: 'no such\nthing' }];
    expect(await send()).toMatchObject({
      ...{ written: 5, acknowledged: 0, retries: 0 },
      failure: `the receiver answered ${status}: no such thing`,
    });
    expect(received).toHaveLength(1);
  },
);

test('OTLP: a partial success names what was rejected', async () => {
  script = [{ status: 200, body: encodeExportResponse(3, 'too late') }];
  expect(await send()).toMatchObject({
    acknowledged: 0,
    failure: 'the receiver rejected 3 records: too late',
  });
  script = [{ status: 200, body: encodeExportResponse(0, 'be warned') }];
  expect(await send()).toMatchObject({ acknowledged: 5, failure: '' });
  script = [{ status: 200, body: '<html>' }];
  expect((await send()).failure).toMatch(/^the receiver's answer is no protobuf: /);
});

test('remote write: 500 is repeated, and the written samples must be all', async () => {
  const written = (count: number) => ({ 'x-prometheus-remote-write-samples-written': String(count) });
  const signal = () => sampleSignal('r1', 'samples-1', 2);
  script = [{ status: 500 }, { status: 204, headers: written(5) }];
  expect(await send({ signal: signal() })).toMatchObject({ acknowledged: 5, retries: 1, failure: '' });
  expect(received[0]!.headers).toMatchObject({
    'content-encoding': 'snappy',
    'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
    'x-prometheus-remote-write-version': '2.0.0',
  });
  script = [{ status: 204, headers: written(4) }];
  expect((await send({ signal: signal() })).failure).toBe('the receiver wrote 4 of 5 samples');
  script = [{ status: 204 }];
  expect((await send({ signal: signal() })).failure).toContain('it does not speak 2.0');
  script = [{ status: 400 }];
  expect((await send({ signal: signal() })).failure).toBe('the receiver answered 400');
});

test('who is never answered ends when the load gives up, and nothing is acknowledged', async () => {
  const giveUp = new AbortController();
  script = Array.from({ length: 100 }, () => ({ status: 503 }));
  const sending = send({ signal: spanSignal('r1', 'otlp-spans-1', 10), giveUp: giveUp.signal });
  await expect.poll(() => received.length).toBeGreaterThan(1);
  giveUp.abort();
  expect(await sending).toMatchObject({
    ...{ written: 5, acknowledged: 0 },
    failure: 'records from 1 on were not acknowledged in time',
  });
});
