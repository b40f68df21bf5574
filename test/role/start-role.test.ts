/**
 * Goal: a role that stops lets go in an order in which nothing that it still has to say is lost.
 * Method: the real command against a receiver that stands for the collector.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, expect, test } from 'vitest';
import { startSonde } from '#test/support/sonde-process.ts';
import type { Envelope } from '#wire/envelope.ts';
import { checkStructure } from '#wire/protobuf/structure.ts';
import { type Receivers, startReceivers } from '#wire/receive/receivers.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-role-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A receiver that stands for the collector, with what it received. */
async function startCollector(): Promise<{ collector: Receivers; received: Envelope[] }> {
  const received: Envelope[] = [];
  const collector = await startReceivers({
    sink: async (envelope) => {
      received.push(envelope);
      return { accepted: 1, rejected: 0, reason: '' };
    },
    host: '127.0.0.1',
    httpPort: 0,
    grpcPort: 0,
    bodyBytesMax: 1024 * 1024,
    inflightBytesMax: 16 * 1024 * 1024,
    log: pino({ level: 'silent' }),
    telemetry: { serveMetrics: (_request, response) => void response.end() },
    unready: () => [],
  });
  return { collector, received };
}

test('an agent that stops forwards its own last metrics before its receiver closes', async () => {
  const { collector, received } = await startCollector();
  const agent = await startSonde(['agent', '--data', directory], {
    SONDE_RECEIVE_OTLP_HTTP_PORT: String(await freePort()),
    SONDE_RECEIVE_OTLP_GRPC_PORT: '0',
    SONDE_TRANSPORT_COLLECTOR_URL: collector.httpUrl,
    // Never in this test: what arrives was pushed because the agent stopped.
    SONDE_TELEMETRY_INTERVAL_MS: '3600000',
  });
  const isOwn = ({ tenant, signal }: Envelope): boolean => tenant === 'sonde' && signal === 'metrics';
  expect(received.filter(isOwn)).toEqual([]);
  expect(await agent.end('SIGTERM')).toBe(0);
  expect(received.filter(isOwn)).toHaveLength(1);
  await collector.close(1000);
});

test('an agent converts what is pushed to it, and forwards OTLP and remote write', async () => {
  const { collector, received } = await startCollector();
  const agent = await startSonde(['agent', '--data', join(directory, 'converting')], {
    SONDE_RECEIVE_OTLP_HTTP_PORT: '0',
    SONDE_RECEIVE_OTLP_GRPC_PORT: '0',
    SONDE_TRANSPORT_COLLECTOR_URL: collector.httpUrl,
    SONDE_AGENT_HOST_IS_READ: 'false',
    SONDE_AGENT_CONTAINERS_IS_MEASURED: 'false',
  });
  const pushes = [
    ['/loki/api/v1/push', '{"streams":[{"stream":{"app":"a"},"values":[["5","x"]]}]}', 204],
    ['/api/v2/spans', '[{"traceId":"a","id":"b","timestamp":5}]', 202],
    ['/write', 'm a=1 5', 204],
  ] as const;
  for (const [path, body, status] of pushes) {
    const headers = { 'content-type': 'application/json', 'x-scope-orgid': 'pushed' };
    const reply = await fetch(`${agent.otlpUrl}${path}`, { method: 'POST', headers, body });
    expect(reply.status, await reply.text()).toBe(status);
  }
  const pushed = received.filter(({ tenant }) => tenant === 'pushed');
  expect(pushed.map(({ signal }) => signal)).toEqual(['logs', 'traces', 'remote_write']);
  for (const { signal, bytes } of pushed) checkStructure(signal, bytes);
  expect(await agent.end('SIGTERM')).toBe(0);
  await collector.close(1000);
});

test('a signal that comes while the start still waits for something ends the process at once', async () => {
  // Takes connections and never answers, as a server behind a dead load balancer does.
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const isAsked = once(silent, 'connection');
  const { port } = silent.address() as AddressInfo;
  const child = spawn(process.execPath, ['main.ts', 'query', '--port', '0'], {
    cwd: join(import.meta.dirname, '../..'),
    env: { ...process.env, SONDE_STORE_KIND: 'server', SONDE_STORE_URL: `http://127.0.0.1:${port}` },
    stdio: 'ignore',
  });
  const exited = once(child, 'exit');
  await isAsked;
  child.kill('SIGTERM');
  // An exit code, not the signal: without a handler, the first process of a container would go on.
  expect(await exited).toEqual([130, null]);
  silent.close();
});
