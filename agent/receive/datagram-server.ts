/** A UDP listener. Datagrams that come while there is no room are dropped and counted: nobody can make the sender wait. */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { ConfigError, errorMessage } from '#model/errors.ts';
import { type ListenAddress, renderAddress } from './listen-address.ts';
import type { ReceiveCounts } from './receive-counts.ts';
import { plainAddress } from './stream-server.ts';

export interface DatagramServerOptions {
  readonly address: ListenAddress;
  /** The kernel's buffer for datagrams that were not read yet. It may give less (net.core.rmem_max). */
  readonly bufferBytes: number;
  /** Whether the next datagram must be dropped, and why. */
  readonly dropReason: () => string | undefined;
  /** Takes one datagram; may answer it. Must not throw. */
  readonly take: (bytes: Buffer, peer: string, answer: (bytes: Uint8Array) => void) => void;
  readonly counts: ReceiveCounts;
  readonly log: { warn(fields: object, message: string): void };
}

export interface DatagramServer {
  readonly address: ListenAddress;
  stop(): Promise<void>;
}

/** Throws ConfigError where the address cannot be listened on. */
export async function startDatagramServer(options: DatagramServerOptions): Promise<DatagramServer> {
  const { address, bufferBytes, counts, log } = options;
  const socket = createSocket({
    type: isIPv6(address.host) ? 'udp6' : 'udp4',
    recvBufferSize: bufferBytes,
  });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(address.port, address.host, () => resolve());
    });
  } catch (error) {
    socket.close();
    throw new ConfigError(
      `cannot receive ${counts.protocol} on UDP ${renderAddress(address)}: ${errorMessage(error)}`,
      { cause: error },
    );
  }
  socket.on('error', (error) => log.warn({ protocol: counts.protocol, error }, 'a UDP socket failed'));
  // Linux says twice of what it was asked for, as it counts its own bookkeeping.
  const given = socket.getRecvBufferSize() / (process.platform === 'linux' ? 2 : 1);
  if (given < bufferBytes) {
    log.warn(
      { protocol: counts.protocol, bufferBytes, given },
      'the kernel gives UDP a smaller buffer: raise net.core.rmem_max',
    );
  }
  socket.on('message', (bytes, { address: peer, port }) => {
    const reason = options.dropReason();
    if (reason !== undefined) counts.addDropped(reason);
    else options.take(bytes, plainAddress(peer), (answer) => socket.send(answer, port, peer));
  });
  const { port } = socket.address();
  counts.kernelDrops = () => readKernelDrops(port);
  let stopped: Promise<void> | undefined;
  return {
    address: { host: address.host, port },
    stop() {
      stopped ??= new Promise((resolve) => socket.close(() => resolve()));
      return stopped;
    },
  };
}

/** Datagrams that came to this port and found the kernel's buffer full; 0 where the kernel does not say. */
function readKernelDrops(port: number): number {
  let total = 0;
  for (const path of ['/proc/net/udp', '/proc/net/udp6']) {
    try {
      total += udpDrops(readFileSync(path, 'utf8'), port);
    } catch (error) {
      // Without IPv6 or outside of Linux there is no such file.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return total;
}

/**
 * Sums the last column of a port's lines in /proc/net/udp.
 *
 *   '12: 0100007F:1F45 00000000:0000 07 ... 4242 2 ffff888 17'  ->  17 for port 8005
 */
export function udpDrops(text: string, port: number): number {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  let total = 0;
  for (const line of text.split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (fields[1]?.endsWith(suffix)) total += Number(fields.at(-1)) || 0;
  }
  return total;
}
