/**
 * Goal: clients of the forward protocol are understood in all of its modes, and hear of durability when it is there.
 * Method: real sockets and messages as the specification (v1) draws them, packed by another MessagePack; then every cut and
 * random bytes.
 */
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { decode, decodeMulti, ExtData, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { fluentOptions } from '#agent/receive/fluent-options.ts';
import { startFluentReceiver } from '#agent/receive/fluent-receiver.ts';
import type { Receiver } from '#agent/receive/receiver.ts';
import { DecodeError } from '#model/errors.ts';
import { makeCertificates } from '#test/support/certificates.ts';
import { eventually } from '#test/support/eventually.ts';
import { readForwardMessage } from '#wire/fluent/forward-message.ts';
import { MsgpackCursor } from '#wire/fluent/msgpack-cursor.ts';
import { LogSink, optionsOf } from './log-sink.ts';

let receiver: Receiver | undefined;
afterEach(async () => {
  await receiver?.stop(0);
  receiver = undefined;
});

async function start(options: object = {}) {
  const sink = new LogSink();
  const context = sink.context('fluent');
  receiver = await startFluentReceiver(
    optionsOf(fluentOptions, {
      'fluent.tcp_address': '127.0.0.1:0',
      'fluent.flush_interval_ms': 20,
      ...options,
    }),
    context,
  );
  return { sink, context, counts: context.counts, port: receiver!.addresses.tcp!.port };
}

interface Client {
  readonly socket: Socket;
  /** Values that the server has sent. */
  heard(): unknown[];
  send(...values: unknown[]): void;
}

async function dial(port: number): Promise<Client> {
  const socket = connect(port, '127.0.0.1');
  let bytes = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
  });
  await once(socket, 'connect');
  return {
    socket,
    heard: () => [...decodeMulti(bytes)],
    send: (...values) => void socket.write(Buffer.concat(values.map((value) => encode(value)))),
  };
}

function eventTime(seconds: number, nanos: number): ExtData {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(seconds, 0);
  bytes.writeUInt32BE(nanos, 4);
  return new ExtData(0, bytes);
}
const entry = (number: number): unknown[] => [
  eventTime(1_441_588_984, number),
  { message: `number ${number}` },
];
const packed = (count: number): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => encode(entry(i))));
const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `number ${i}`);

test("Message mode, as Docker's log driver sends it", async () => {
  const { sink, counts, port } = await start();
  const client = await dial(port);
  const container = { container_id: 'abc', container_name: '/web', source: 'stdout' };
  client.send(['docker.web', 1_441_588_984, { ...container, log: 'hello\n' }, {}]);
  client.send(['docker.web', eventTime(1_441_588_984, 5), { ...container, log: 'again', n: 1.5 }]);
  await eventually(() => counts.delivered === 2);
  const attributes = { 'fluent.tag': 'docker.web', ...container };
  expect(sink.records()).toMatchObject([
    { body: 'hello', time: '2015-09-07T01:23:04', attributes },
    { body: 'again', time: '2015-09-07T01:23:04.000000005', attributes: { ...attributes, n: 1.5 } },
  ]);
});

const options = (compressed?: string): object => ({
  chunk: 'p8n9gmxTQVC8',
  size: 3,
  ...(compressed && { compressed }),
});
test.each([
  ['Forward', ['t', [entry(0), entry(1), entry(2)], options()]],
  ['PackedForward', ['t', packed(3), options()]],
  ['PackedForward, packed as text', ['t', packed(3).toString('latin1'), options()]],
  ['CompressedPackedForward, gzip', ['t', gzipSync(packed(3)), options('gzip')]],
  [
    '... of two members',
    ['t', Buffer.concat([gzipSync(packed(2)), gzipSync(encode(entry(2)))]), options('gzip')],
  ],
  ['CompressedPackedForward, zstd', ['t', zstdCompressSync(packed(3)), options('zstd')]],
  [
    'entries with metadata (1.5)',
    ['t', [[[eventTime(1, 0), { a: 1 }], { message: 'number 0' }], entry(1), entry(2)], options()],
  ],
])('%s: events in order, and an answer', async (name, message) => {
  const { sink, counts, port } = await start();
  const client = await dial(port);
  if (name.includes('as text')) {
    // Old clients pack the entries as a string, whatever its bytes are.
    const bytes = packed(3);
    const head = Buffer.from([0x93, 0xa1, 0x74, 0xda, bytes.length >> 8, bytes.length & 0xff]);
    client.socket.write(Buffer.concat([head, bytes, encode(options())]));
  } else client.send(message);
  await eventually(() => client.heard().length === 1);
  expect(client.heard()).toEqual([{ ack: 'p8n9gmxTQVC8' }]);
  expect(sink.bodies()).toEqual(numbers(3));
  expect([...counts.dropped, ...counts.malformed]).toEqual([]);
});

test('the answer waits for durability, and a repeated chunk has the same batch ids and bytes', async () => {
  const { sink, counts, port } = await start();
  const client = await dial(port);
  sink.block();
  const many = ['t', packed(4000), { chunk: 'c1' }];
  client.send(many, ['t', 1, { log: 'single' }, { chunk: 'c2' }]);
  await eventually(() => counts.received === 4001);
  expect(client.heard()).toEqual([]);
  sink.unblock();
  await eventually(() => client.heard().length === 2);
  expect(client.heard()).toEqual(expect.arrayContaining([{ ack: 'c1' }, { ack: 'c2' }]));
  const first = sink.envelopes.filter(
    ({ batchId }) => batchId.split('/').length === 3 && /^fluent\/[\w-]{43}\//.test(batchId),
  );
  expect(first.length).toBeGreaterThan(2);
  const again = await dial(port);
  again.send(many);
  await eventually(() => again.heard().length === 1);
  const second = sink.envelopes.slice(-first.length);
  expect(second.map(({ batchId, bytes }) => [batchId, Buffer.from(bytes).toString('hex')])).toEqual(
    first.map(({ batchId, bytes }) => [batchId, Buffer.from(bytes).toString('hex')]),
  );
});

test('what is refused for good is counted and acknowledged, what a stop leaves is neither', async () => {
  const { sink, counts, port } = await start();
  const client = await dial(port);
  sink.isRefusing = true;
  client.send(['t', packed(2), { chunk: 'bad' }]);
  await eventually(() => client.heard().length === 1);
  expect([...counts.dropped]).toEqual([['refused', 2]]);
  sink.isRefusing = false;
  sink.block();
  client.send(['t', packed(3), { chunk: 'late' }]);
  await eventually(() => counts.received === 5);
  await receiver!.stop(10);
  expect(client.heard()).toEqual([{ ack: 'bad' }]);
  expect(counts.dropped.get('stopped')).toBe(3);
});

test('a client that reads no answers is closed', async () => {
  const { counts, port } = await start();
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  const chunk = 'c'.repeat(1000);
  const message = encode(['t', 1, {}, { chunk }]);
  const many = Buffer.concat(Array.from({ length: 1000 }, () => message));
  for (let i = 0; i < 30; i++) socket.write(many);
  await eventually(() => counts.dropped.get('answers_unread') === 1);
  socket.destroy();
});

test('values keep their types', async () => {
  const { sink, counts, port } = await start();
  const client = await dial(port);
  const head = encode(['t', 1, {}]).subarray(0, -1);
  // {"u": uint64 max, "i": int64 min, "bad": text that is no UTF-8, 7: "no text as key", [1]: 2}
  const odd = Buffer.concat([
    Buffer.from([0x85, 0xa1, 0x75, 0xcf]),
    Buffer.alloc(8, 0xff),
    Buffer.from([0xa1, 0x69, 0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0]),
    Buffer.from([0xa3, 0x62, 0x61, 0x64, 0xa2, 0x63, 0xe9]),
    Buffer.concat([encode(7), encode('x'), encode([1]), encode(2)]),
  ]);
  client.socket.write(Buffer.concat([head, odd]));
  const record = {
    log: 7,
    message: 'body',
    yes: true,
    none: null,
    list: [1, 'a'],
    map: { a: { b: -3 } },
    raw: Uint8Array.of(255),
  };
  client.send(['t', 1, record]);
  await eventually(() => counts.delivered === 2);
  const [first, second] = sink.records();
  expect(first!.attributes).toEqual({
    'fluent.tag': 't',
    u: '18446744073709551615',
    i: '-9223372036854775808',
    bad: 'c\uFFFD',
  });
  expect(second).toMatchObject({
    body: 'body',
    attributes: {
      log: '7',
      yes: true,
      list: { values: [{ intValue: '1' }, { stringValue: 'a' }] },
      map: {
        values: [{ key: 'a', value: { kvlistValue: { values: [{ key: 'b', value: { intValue: '-3' } }] } } }],
      },
    },
  });
  expect(second!.attributes).toHaveProperty('none');
  expect(counts.repaired).toBe(1);
  expect([...counts.dropped]).toEqual([['attribute_key', 2]]);
});

test('the handshake lets in who knows the key', async () => {
  const { sink, counts, port, context } = await start({ 'fluent.shared_key': 'secret' });
  const login = async (key: string): Promise<Client> => {
    const client = await dial(port);
    const [kind, { nonce }] = (await eventually(() => client.heard()[0])) as [string, { nonce: Uint8Array }];
    expect(kind).toBe('HELO');
    const digest = createHash('sha512').update('salt').update('host').update(nonce).update(key).digest('hex');
    client.send(['PING', 'host', 'salt', digest, '', '']);
    await eventually(() => client.heard().length === 2);
    const [, isAccepted, reason, server, proof] = client.heard()[1] as [
      string,
      boolean,
      string,
      string,
      string,
    ];
    if (isAccepted) {
      const expected = createHash('sha512')
        .update('salt')
        .update(server)
        .update(nonce)
        .update(key)
        .digest('hex');
      expect(proof).toBe(expected);
    } else expect(reason).toBe('the shared key is another one');
    return client;
  };
  const friend = await login('secret');
  friend.send(['t', 1, { log: 'in' }]);
  await eventually(() => counts.delivered === 1);
  const stranger = await login('guess');
  await eventually(() => stranger.socket.closed);
  const rude = await dial(port);
  rude.send(['t', 1, { log: 'no' }]);
  await eventually(() => rude.socket.closed);
  expect(sink.bodies()).toEqual(['in']);
  expect(counts.dropped.get('stream_broken')).toBe(2);
  expect(context.warnings.join()).toContain('does not know the shared key');
});

test('heartbeats over UDP are answered, those over TCP are nothing', async () => {
  const { sink, counts, port } = await start();
  const udp = createSocket('udp4');
  udp.send(Uint8Array.of(0), port, '127.0.0.1');
  const [answer] = (await once(udp, 'message')) as [Buffer];
  expect([...answer]).toEqual([0]);
  udp.close();
  const client = await dial(port);
  client.send(null, ['t', 1, { log: 'x' }]);
  await eventually(() => counts.delivered === 1);
  expect(sink.bodies()).toEqual(['x']);
});

test('TLS', async () => {
  const { server, clientOptions } = makeCertificates();
  const { counts } = await start({
    'fluent.tls_address': '127.0.0.1:0',
    'fluent.tls_certificate_path': server.certPath,
    'fluent.tls_key_path': server.keyPath,
  });
  const socket = connectTls({
    port: receiver!.addresses.tls!.port,
    host: '127.0.0.1',
    ...clientOptions(false),
  });
  socket.write(encode(['t', 1, { log: 'x' }]));
  const [answer] = await Promise.all([
    eventually(() => counts.delivered === 1),
    once(socket, 'secureConnect'),
  ]);
  expect(answer).toBe(true);
  socket.destroy();
});

test.each([
  ['no message', 'nonsense', 'expected [tag, time, record]'],
  ['no tag', [1, 2, {}], 'expected a tag as text'],
  ['no entries', ['t', 1], 'expected entries, or a time and a record'],
  [
    'an unknown compression',
    ['t', packed(1), { compressed: 'lzma' }],
    'the compression lzma is not known: gzip and zstd are',
  ],
  ['what is not gzip', ['t', packed(1), { compressed: 'gzip' }], 'the gzip entries cannot be decompressed'],
  [
    'what expands too far',
    ['t', gzipSync(Buffer.alloc(2_000_000)), { compressed: 'gzip' }],
    'cannot be decompressed',
  ],
  ['a message that is too long', ['t', Buffer.alloc(2_000_000)], 'a message is longer than 1000000 bytes'],
  [
    'an option of another type',
    ['t', packed(1), { chunk: 7 }],
    'the option chunk has an unexpected type (integer)',
  ],
])('%s closes the connection, with the reason', async (_, message, reason) => {
  const { counts, port, context } = await start({ 'fluent.message_bytes_max': 1_000_000 });
  const client = await dial(port);
  client.socket.on('error', () => undefined);
  client.send(message);
  await eventually(() => client.socket.closed);
  expect(counts.dropped.get('stream_broken')).toBe(1);
  expect(context.warnings.join()).toContain(reason);
});

test('an event that makes no sense is counted, and those before it are kept', async () => {
  const { sink, counts, port, context } = await start();
  const client = await dial(port);
  client.send(['t', [entry(0), ['yesterday', {}], entry(2)], { chunk: 'a' }]);
  client.send(['metrics', packed(1), { chunk: 'b', fluent_signal: 1 }]);
  await eventually(() => client.heard().length === 2);
  expect(sink.bodies()).toEqual(['number 0']);
  expect([...counts.dropped]).toEqual([
    ['malformed', 1],
    ['unsupported_signal', 1],
  ]);
  expect(context.warnings.join()).toContain('expected the time of an event');
});

test('wherever the stream is cut, the same events come out', async () => {
  const stream = Buffer.concat([
    encode(['t', 1, { log: 'a', list: [1, { b: [] }] }]),
    encode(null),
    encode(['t', packed(2), {}]),
    encode(['t', [entry(2)]]),
  ]);
  const { sink, counts, port } = await start();
  for (let cut = 1; cut < stream.length; cut++) {
    const client = await dial(port);
    client.socket.setNoDelay(true);
    client.socket.write(stream.subarray(0, cut));
    await new Promise((resolve) => setImmediate(resolve));
    client.socket.end(stream.subarray(cut));
  }
  await eventually(() => counts.delivered === 4 * (stream.length - 1));
  expect(new Set(sink.bodies())).toEqual(new Set(['a', 'number 0', 'number 1', 'number 2']));
});

test('random bytes are a message or a DecodeError', () => {
  const value = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.jsonValue().map((json) => encode(json)),
  );
  fc.assert(
    fc.property(value, (bytes) => {
      const cursor = new MsgpackCursor();
      cursor.begin(Buffer.from(bytes), 0, bytes.length);
      try {
        readForwardMessage(cursor, 1000);
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
      cursor.begin(Buffer.from(bytes), 0, bytes.length);
      try {
        cursor.skip();
        expect(() => decode(bytes.subarray(0, cursor.position))).not.toThrow('Insufficient');
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
    }),
    { numRuns: 3000 },
  );
});
