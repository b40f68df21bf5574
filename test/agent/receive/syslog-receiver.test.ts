/**
 * Goal: what comes over UDP, TCP and TLS is what the next station gets, once and whole, and a full station stops senders.
 * Method: real sockets against a sink that records, and can be told to wait.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import type { Receiver } from '#agent/receive/receiver.ts';
import { syslogOptions } from '#agent/receive/syslog-options.ts';
import { startSyslogReceiver } from '#agent/receive/syslog-receiver.ts';
import { makeCertificates } from '#test/support/certificates.ts';
import { eventually } from '#test/support/eventually.ts';
import { LogSink, optionsOf } from './log-sink.ts';

let receiver: Receiver | undefined;
afterEach(async () => {
  await receiver?.stop(0);
  receiver = undefined;
});

async function start(options: object) {
  const sink = new LogSink();
  const context = sink.context('syslog');
  receiver = await startSyslogReceiver(
    optionsOf(syslogOptions, { 'syslog.flush_interval_ms': 20, ...options }),
    context,
  );
  return { sink, context, counts: context.counts, addresses: receiver?.addresses ?? {} };
}

const line = (number: number): string => `<13>Nov 26 11:59:59 h a: number ${number}`;
const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `number ${i}`);

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

test('no address, no receiver', async () => {
  expect((await start({})).addresses).toEqual({});
});

test.each(['newlines', 'octets'])(
  'TCP, framed by %s: everything that was sent before the end comes',
  async (framing) => {
    const { sink, addresses, counts } = await start({ 'syslog.tcp_address': '127.0.0.1:0' });
    const socket = await dial(addresses.tcp!.port);
    for (let i = 0; i < 5000; i++) {
      const text = line(i);
      socket.write(framing === 'octets' ? `${text.length} ${text}` : `${text}\n`);
    }
    socket.end();
    await eventually(() => counts.delivered === 5000);
    expect(sink.bodies()).toEqual(numbers(5000));
    expect(new Set(sink.envelopes.map(({ batchId }) => batchId)).size).toBe(sink.envelopes.length);
    expect(sink.envelopes[0]).toMatchObject({ signal: 'logs', tenant: 'acme', key: 'acme/node-1/syslog' });
    // More than the batch size: not all in one.
    expect(sink.envelopes.length).toBeGreaterThan(3);
  },
);

test('UDP: a datagram is a message, longer ones are cut, and bytes that are not UTF-8 are repaired', async () => {
  const { sink, addresses, counts } = await start({
    'syslog.udp_address': '127.0.0.1:0',
    'syslog.message_bytes_max': 40,
  });
  const socket = createSocket('udp4');
  const send = (bytes: string | Buffer): void => socket.send(bytes, addresses.udp!.port, '127.0.0.1');
  send(`<13>Nov 26 11:59:59 h a: ${'x'.repeat(100)}`);
  send(Buffer.from('<13>Nov 26 11:59:59 h a: caf\xe9', 'latin1'));
  send('<13>Nov 26 11:59:59 a: no host');
  send('junk');
  await eventually(() => counts.delivered === 4);
  socket.close();
  const records = sink.records();
  expect(records.map(({ body, resource }) => [body, resource['host.name']]).toSorted()).toEqual(
    [
      ['x'.repeat(15), 'h'],
      ['caf\uFFFD', 'h'],
      ['no host', '127.0.0.1'],
      ['junk', '127.0.0.1'],
    ].toSorted(),
  );
  expect(counts.repaired).toBe(1);
  expect([...counts.malformed]).toEqual([['no_priority', 1]]);
  expect([...counts.dropped]).toEqual([['message_tail', 1]]);
});

test('a full station stops streams, drops datagrams, and loses nothing that was read', async () => {
  const { sink, addresses, counts } = await start({
    'syslog.tcp_address': '127.0.0.1:0',
    'syslog.udp_address': '127.0.0.1:0',
    'syslog.inflight_bytes_max': 100_000,
  });
  sink.block();
  const socket = await dial(addresses.tcp!.port);
  const count = 250_000;
  let isDrained = true;
  for (let i = 0; i < count; i++) isDrained = socket.write(`${line(i)}\n`) && isDrained;
  expect(isDrained).toBe(false);
  await eventually(() => counts.received > 1000);
  const seen = await settled(() => counts.received);
  expect(seen).toBeLessThan(count);
  const udp = createSocket('udp4');
  udp.send(line(0), addresses.udp!.port, '127.0.0.1');
  await eventually(() => counts.dropped.get('no_room') === 1);
  udp.close();
  sink.unblock();
  socket.end();
  await eventually(() => counts.delivered === count);
  expect(sink.bodies()).toEqual(numbers(count));
});

/** The value when it has stood still for a while. */
async function settled(read: () => number): Promise<number> {
  let last = -1;
  let same = 0;
  await eventually(() => {
    same = read() === last ? same + 1 : 0;
    last = read();
    return same === 10;
  });
  return last;
}

test('stop takes what has arrived, and counts what the station does not take in time', async () => {
  const { sink, addresses, counts } = await start({
    'syslog.tcp_address': '127.0.0.1:0',
    'syslog.flush_interval_ms': 60_000,
  });
  const socket = await dial(addresses.tcp!.port);
  socket.write(`${line(0)}\n${line(1)}`);
  await eventually(() => counts.received === 1);
  await receiver!.stop(5000);
  expect(sink.bodies()).toEqual(numbers(2));

  const second = await start({ 'syslog.tcp_address': '127.0.0.1:0', 'syslog.flush_interval_ms': 60_000 });
  second.sink.block();
  const late = await dial(second.addresses.tcp!.port);
  late.write(`${line(0)}\n`);
  await eventually(() => second.counts.received === 1);
  await receiver!.stop(10);
  expect([...second.counts.dropped]).toEqual([['stopped', 1]]);
});

test('connections over the limit, idle ones and those that lose their place are closed and counted', async () => {
  const { addresses, counts, context } = await start({
    'syslog.tcp_address': '127.0.0.1:0',
    'syslog.connections_max': 1,
    'syslog.idle_timeout_ms': 300,
  });
  const first = await dial(addresses.tcp!.port);
  const second = await dial(addresses.tcp!.port);
  await once(second, 'close');
  expect(counts.dropped.get('connection_limit')).toBe(1);
  await once(first, 'close');
  await eventually(() => counts.connections === 0);
  const third = await dial(addresses.tcp!.port);
  third.write('5 <1>aboops');
  await once(third, 'close');
  expect(counts.dropped.get('stream_broken')).toBe(1);
  expect(context.warnings.join()).toContain('expected the length of a syslog message');
});

test('TLS, with and without certificates of clients', async () => {
  const certificates = makeCertificates();
  const { sink, addresses, counts } = await start({
    'syslog.tls_address': '127.0.0.1:0',
    'syslog.tls_certificate_path': certificates.server.certPath,
    'syslog.tls_key_path': certificates.server.keyPath,
    'syslog.tls_client_ca_path': certificates.authority.certPath,
  });
  const port = addresses.tls!.port;
  const known = connectTls({ port, host: '127.0.0.1', ...certificates.clientOptions(true) });
  known.end(`${line(0).length} ${line(0)}`);
  await eventually(() => counts.delivered === 1);
  const stranger = connectTls({ port, host: '127.0.0.1', ...certificates.clientOptions(false) });
  stranger.on('error', () => undefined);
  stranger.write(`${line(1)}\n`);
  await new Promise((resolve) => stranger.once('close', resolve));
  await eventually(() => counts.dropped.get('tls_handshake') === 1);
  expect(sink.bodies()).toEqual(['number 0']);
});

test('mistakes in the configuration are named', async () => {
  const { addresses } = await start({ 'syslog.tcp_address': '127.0.0.1:0' });
  const taken = `127.0.0.1:${addresses.tcp!.port}`;
  const context = new LogSink().context('syslog');
  const starting = (options: object): Promise<unknown> =>
    startSyslogReceiver(optionsOf(syslogOptions, options), context);
  await expect(starting({ 'syslog.tcp_address': taken })).rejects.toThrow(
    `cannot receive syslog on ${taken}: listen EADDRINUSE`,
  );
  await expect(starting({ 'syslog.tls_address': '127.0.0.1:0' })).rejects.toThrow(
    'agent.syslog.tls_address is set, but agent.syslog.tls_certificate_path is not',
  );
  const directory = mkdtempSync(join(tmpdir(), 'sonde-tls-'));
  const path = join(directory, 'bad.pem');
  await expect(
    starting({ 'syslog.tls_address': '127.0.0.1:0', 'syslog.tls_certificate_path': path }),
  ).rejects.toThrow(`agent.syslog.tls_certificate_path: cannot read ${path}: ENOENT`);
  writeFileSync(path, 'no certificate');
  await expect(
    starting({
      'syslog.tls_address': '127.0.0.1:0',
      'syslog.tls_certificate_path': path,
      'syslog.tls_key_path': path,
    }),
  ).rejects.toThrow('cannot receive syslog on 127.0.0.1:0: ');
});
