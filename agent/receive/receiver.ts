/**
 * What all receivers have in common: what they are given, and servers that are started and stopped together.
 *
 *   await startServers(async (servers) => servers.add(await startStreamServer({ ... }), 'tcp'))
 *     ->  { addresses: { tcp: 0.0.0.0:514 }, stop }
 */
import type { Transport } from '#wire/envelope.ts';
import type { ListenAddress } from './listen-address.ts';
import type { OutletLog } from './outlet.ts';
import type { ReceiveCounts } from './receive-counts.ts';
import { type StreamServerOptions, startStreamServer } from './stream-server.ts';
import { readTlsFiles, type TlsFiles } from './tls-files.ts';

export interface ReceiverContext {
  readonly transport: Transport;
  readonly tenant: string;
  readonly node: string;
  readonly batchBytesMax: number;
  readonly log: OutletLog;
  readonly counts: ReceiveCounts;
}

export interface Receiver {
  /** What it listens on: 'tcp' -> 0.0.0.0:514. */
  readonly addresses: Readonly<Record<string, ListenAddress>>;
  /** Stops listening, and gives what has arrived `drainMs` to get through. */
  stop(drainMs: number): Promise<void>;
}

interface ReceiverServer {
  readonly address: ListenAddress;
  stop(): Promise<void>;
}

/** Servers that end together. */
export class ReceiverServers {
  readonly #addresses: Record<string, ListenAddress> = {};
  readonly #servers: ReceiverServer[] = [];

  /** Of the servers that have a name. */
  get addresses(): Readonly<Record<string, ListenAddress>> {
    return this.#addresses;
  }

  add(server: ReceiverServer, name?: string): void {
    this.#servers.push(server);
    if (name !== undefined) this.#addresses[name] = server.address;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()));
  }
}

/** Rejects as `start` does: the servers that it has added before are then stopped. */
export async function startServers(
  start: (servers: ReceiverServers) => Promise<void>,
): Promise<ReceiverServers> {
  const servers = new ReceiverServers();
  try {
    await start(servers);
  } catch (error) {
    await servers.stop();
    throw error;
  }
  return servers;
}

export interface StreamsOptions extends Omit<StreamServerOptions, 'address' | 'tls'> {
  /** Undefined: not listened on. */
  readonly tcp: ListenAddress | undefined;
  readonly tls: ListenAddress | undefined;
  readonly tlsFiles: TlsFiles;
  /** What the options of the files begin with, for error texts. */
  readonly optionPrefix: string;
}

/** Adds a protocol over TCP, as `tcp`, and over TLS, as `tls`. Throws ConfigError where an address cannot be listened on. */
export async function addStreams(
  servers: ReceiverServers,
  { tcp, tls, tlsFiles, optionPrefix, ...shared }: StreamsOptions,
): Promise<void> {
  if (tcp !== undefined) {
    servers.add(await startStreamServer({ ...shared, address: tcp, tls: undefined }), 'tcp');
  }
  if (tls !== undefined) {
    const readFiles = () => readTlsFiles(optionPrefix, tlsFiles);
    servers.add(await startStreamServer({ ...shared, address: tls, tls: readFiles }), 'tls');
  }
}
