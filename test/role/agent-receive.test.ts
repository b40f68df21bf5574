/**
 * Goal: an agent takes what is pushed in other protocols, also while its collector is down, where it has a disk buffer.
 * Method: the real command with every receiver and the buffer; a collector that comes late; the agent is killed in between.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode } from '@msgpack/msgpack';
import { pino } from 'pino';
import { afterAll, expect, test } from 'vitest';
import { freePort } from '#test/support/debian-tool.ts';
import { eventually } from '#test/support/eventually.ts';
import { startSonde } from '#test/support/sonde-process.ts';
import { readRecords } from '#test/wire/syslog/syslog-text.ts';
import type { Envelope } from '#wire/envelope.ts';
import { startReceivers } from '#wire/receive/receivers.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-receive-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** What lies in the files of the disk buffer. */
function buffered(signal: string): string {
  const path = join(directory, 'agent/buffer', signal);
  return readdirSync(path)
    .map((name) => readFileSync(join(path, name), 'latin1'))
    .join('');
}

async function sendOverTcp(port: number, bytes: Uint8Array | string): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.end(bytes);
  socket.resume();
  await once(socket, 'close');
}

test('syslog, fluent and statsd survive a collector that is down and an agent that is killed', async () => {
  const [collectorPort, syslog, fluent, statsd] = await Promise.all([
    freePort(),
    freePort(),
    freePort(),
    freePort(),
  ]);
  const environment = {
    SONDE_RECEIVE_OTLP_HTTP_PORT: '0',
    SONDE_RECEIVE_OTLP_GRPC_PORT: '0',
    SONDE_TRANSPORT_COLLECTOR_URL: `http://127.0.0.1:${collectorPort}`,
    SONDE_TELEMETRY_IS_PUSHED: 'false',
    SONDE_AGENT_HOST_IS_READ: 'false',
    SONDE_AGENT_CONTAINERS_IS_MEASURED: 'false',
    SONDE_AGENT_NODE: 'node-1',
    SONDE_AGENT_BUFFER_IS_USED: 'true',
    SONDE_AGENT_SYSLOG_TCP_ADDRESS: `127.0.0.1:${syslog}`,
    SONDE_AGENT_FLUENT_TCP_ADDRESS: `127.0.0.1:${fluent}`,
    SONDE_AGENT_STATSD_UDP_ADDRESS: `127.0.0.1:${statsd}`,
    SONDE_AGENT_STATSD_INTERVAL_MS: '100',
  };
  const agent = await startSonde(['agent', '--data', directory], environment);
  for (const line of ['syslog on tcp', 'fluent on tcp', 'statsd on udp']) {
    expect(agent.output()).toContain(`receives  ${line} 127.0.0.1:`);
  }
  await sendOverTcp(syslog, '<13>Nov 26 11:59:59 web-1 app: by syslog\n');
  const client = connect(fluent, '127.0.0.1');
  client.write(encode(['docker', 1_700_000_000, { log: 'by fluent' }, { chunk: 'c1' }]));
  // The answer says that the event is on disk: nothing else could have it.
  const [answer] = (await once(client, 'data')) as [Buffer];
  expect(answer).toEqual(Buffer.from(encode({ ack: 'c1' })));
  client.destroy();
  const udp = createSocket('udp4');
  udp.send('hits:3|c', statsd, '127.0.0.1');
  await eventually(() => buffered('logs').includes('by syslog') && buffered('remote_write').includes('hits'));
  udp.close();
  await agent.end('SIGKILL');

  const received: Envelope[] = [];
  const collector = await startReceivers({
    sink: async (envelope) => {
      received.push(envelope);
      return { accepted: 1, rejected: 0, reason: '' };
    },
    host: '127.0.0.1',
    httpPort: collectorPort,
    grpcPort: 0,
    bodyBytesMax: 1024 * 1024,
    inflightBytesMax: 16 * 1024 * 1024,
    log: pino({ level: 'silent' }),
    telemetry: { serveMetrics: (_request, response) => void response.end() },
    unready: () => [],
  });
  const second = await startSonde(['agent', '--data', directory], environment);
  const bodies = (): string[] =>
    received
      .filter(({ signal }) => signal === 'logs')
      .flatMap(({ bytes }) => readRecords(bytes).map(({ body }) => body));
  await eventually(() => bodies().length >= 2 && received.some(({ signal }) => signal === 'remote_write'));
  expect(bodies().toSorted()).toEqual(['by fluent', 'by syslog']);
  expect(await second.end('SIGTERM')).toBe(0);
  await collector.close(1000);
});
