/**
 * Goal: datagrams that the kernel had no room for are seen, too.
 * Method: the kernel's table as text; then a real socket whose process does not read while it is flooded.
 */
import { createSocket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { startDatagramServer, udpDrops } from '#agent/receive/datagram-server.ts';
import { lostReasons, ReceiveCounts } from '#agent/receive/receive-counts.ts';
import { eventually } from '#test/support/eventually.ts';

const table = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  345: 0100007F:1FBD 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4242 2 0000000000000000 17
  346: 00000000:1FBD 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4243 2 0000000000000000 5
  347: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4244 2 0000000000000000 9
`;

test('the drops of a port are those of all its lines', () => {
  expect([udpDrops(table, 8125), udpDrops(table, 68), udpDrops(table, 9)]).toEqual([22, 9, 0]);
});

const canSee = existsSync('/proc/net/udp');
if (!canSee) console.warn('SKIPPED: drops of the kernel: there is no /proc/net/udp here');

test.skipIf(!canSee)('a flood over the buffer is counted as lost', async () => {
  const counts = new ReceiveCounts('syslog');
  let taken = 0;
  const server = await startDatagramServer({
    address: { host: '127.0.0.1', port: 0 },
    bufferBytes: 4096,
    dropReason: () => undefined,
    take: () => void taken++,
    counts,
    log: { warn: () => undefined },
  });
  const socket = createSocket('udp4');
  const count = 500;
  let sent = 0;
  // Sent at once, before this process reads any of them.
  for (let i = 0; i < count; i++)
    socket.send(Buffer.alloc(1000), server.address.port, '127.0.0.1', () => void sent++);
  await eventually(
    () => sent === count && taken + (lostReasons(counts).get('kernel_buffer_full') ?? 0) === count,
  );
  expect(lostReasons(counts).get('kernel_buffer_full')).toBeGreaterThan(0);
  socket.close();
  await server.stop();
  await server.stop();
});
