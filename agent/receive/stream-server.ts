/**
 * A TCP or TLS listener whose connections are bounded in number and idle time, and are not read while there is no room.
 */
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions, type Server as TlsServer } from 'node:tls';
import { ConfigError, errorMessage } from '#model/errors.ts';
import { type ListenAddress, renderAddress } from './listen-address.ts';
import type { Outlet } from './outlet.ts';
import type { ReceiveCounts } from './receive-counts.ts';

/** What a protocol makes of one connection. */
export interface StreamReader {
  /** Takes bytes as they come. Throws where the stream makes no sense any more: the connection is closed. */
  push(chunk: Buffer): void;
  /** The connection is closed; called once. */
  end(): void;
}

/** The end of a connection that a protocol answers on. */
export interface StreamPeer {
  /** The sender's address, without its port. */
  readonly address: string;
  /** Bytes that are written to a connection which has closed are dropped. One that reads no answers is closed. */
  write(bytes: Uint8Array): void;
}

export interface StreamServerOptions {
  readonly address: ListenAddress;
  /** TLS where it is there: reads its files. Called again every `tlsCheckMs`, so that certificates can be renewed. */
  readonly tls: (() => TlsOptions) | undefined;
  readonly tlsCheckMs?: number;
  readonly connectionsMax: number;
  /** A connection without bytes for so long is closed. */
  readonly idleTimeoutMs: number;
  readonly open: (peer: StreamPeer) => StreamReader;
  /** While it is full, connections are not read; undefined where they always are. */
  readonly outlet: Outlet | undefined;
  readonly counts: ReceiveCounts;
  readonly log: { warn(fields: object, message: string): void };
}

export interface StreamServer {
  readonly address: ListenAddress;
  /** Stops listening, tells senders that the connection ends, and takes what they still send for a short while. */
  stop(): Promise<void>;
}

/** Senders that hear of the end have this long for what they have on their way. */
const lingerMs = 500;
/** Answers that a sender has not read: some thousands of acknowledgements. */
const unreadBytesMax = 1024 * 1024;
const tlsCheckMsDefault = 60_000;

/** Throws ConfigError where the address cannot be listened on. */
export async function startStreamServer(options: StreamServerOptions): Promise<StreamServer> {
  const { address, tls, counts, log } = options;
  const sockets = new Set<Socket>();
  /** With TLS: also those whose handshake is under way. */
  const raw = new Set<Socket>();
  const accept = (socket: Socket): void => {
    sockets.add(socket);
    counts.connections++;
    socket.once('close', () => {
      sockets.delete(socket);
      counts.connections--;
    });
    serve(socket, options);
  };
  let server: Server;
  try {
    server = tls === undefined ? createTcpServer(accept) : createTlsServer(tls(), accept);
    server.maxConnections = options.connectionsMax;
    server.on('connection', (socket: Socket) => {
      raw.add(socket);
      socket.once('close', () => raw.delete(socket));
    });
    server.on('drop', () => counts.addDropped('connection_limit'));
    server.on('tlsClientError', (error: Error) => {
      counts.addDropped('tls_handshake');
      log.warn({ protocol: counts.protocol, reason: errorMessage(error) }, 'a TLS handshake failed');
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(address.port, address.host, () => resolve());
    });
  } catch (error) {
    throw new ConfigError(
      `cannot receive ${counts.protocol} on ${renderAddress(address)}: ${errorMessage(error)}`,
      {
        cause: error,
      },
    );
  }
  server.on('error', (error) => log.warn({ protocol: counts.protocol, error }, 'a listener failed'));
  const renewal = tls === undefined ? undefined : renewCertificates(server as TlsServer, tls, options);
  const { port } = server.address() as { port: number };
  return {
    address: { host: address.host, port },
    async stop() {
      clearInterval(renewal);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // The listener counts a connection as closed before its reader has heard so.
      const read = [...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
      for (const socket of sockets) socket.end();
      const cut = setTimeout(() => {
        for (const socket of [...sockets, ...raw]) socket.destroy();
      }, lingerMs);
      await Promise.all([closed, ...read]);
      clearTimeout(cut);
    },
  };
}

/** Connections that are open keep theirs. */
function renewCertificates(
  server: TlsServer,
  read: () => TlsOptions,
  { tlsCheckMs = tlsCheckMsDefault, counts, log }: StreamServerOptions,
): NodeJS.Timeout {
  const textOf = ({ cert, key, ca }: TlsOptions): string => [cert, key, ca].map(String).join('\n');
  let text = textOf(read());
  const look = (): void => {
    try {
      const found = read();
      if (textOf(found) === text) return;
      server.setSecureContext(found);
      text = textOf(found);
    } catch (error) {
      // Files that are being replaced do not fit together for a moment: the old ones stay until they do.
      log.warn({ protocol: counts.protocol, reason: errorMessage(error) }, 'certificates were not renewed');
    }
  };
  return setInterval(look, tlsCheckMs).unref();
}

function serve(socket: Socket, { open, outlet, counts, log, idleTimeoutMs }: StreamServerOptions): void {
  const address = plainAddress(socket.remoteAddress ?? '');
  let isWaiting = false;
  const reader = open({
    address,
    write(bytes) {
      if (!socket.writable) return;
      socket.write(bytes);
      if (socket.writableLength <= unreadBytesMax) return;
      counts.addDropped('answers_unread');
      socket.destroy();
    },
  });
  socket.setTimeout(idleTimeoutMs, () => {
    // One that is not read cannot be seen to be idle.
    if (!isWaiting) socket.destroy();
  });
  socket.on('data', (chunk: Buffer) => {
    try {
      reader.push(chunk);
    } catch (error) {
      counts.addDropped('stream_broken');
      log.warn(
        { protocol: counts.protocol, peer: address, reason: errorMessage(error) },
        'a connection was closed',
      );
      socket.destroy();
      return;
    }
    if (!outlet?.isFull || isWaiting) return;
    isWaiting = true;
    socket.pause();
    void outlet.whenRoom().then(() => {
      isWaiting = false;
      socket.resume();
    });
  });
  // A sender that is gone is no fault of ours: what it sent is taken, and 'close' follows.
  socket.on('error', () => undefined);
  socket.once('close', () => reader.end());
}

/** Addresses of IPv4 senders at a listener on [::] come as ::ffff:10.0.0.1. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
