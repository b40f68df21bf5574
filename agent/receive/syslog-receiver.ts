/**
 * Syslog over UDP, TCP and TLS becomes OTLP logs.
 *
 *   '<34>Oct 11 22:14:15 web-1 sshd[77]: hello'  ->  resource host.name=web-1 service.name=sshd; 'hello'
 *
 * Nobody acknowledges syslog: a record is safe when the transport has it. While it has no room, streams are not read, so
 * that their senders keep what they have; datagrams are dropped.
 */
import { isUtf8 } from 'node:buffer';
import type { Transport } from '#wire/envelope.ts';
import { SyslogFraming } from '#wire/syslog/stream-framing.ts';
import { createSyslogMessage } from '#wire/syslog/syslog-message.ts';
import { parseSyslog } from '#wire/syslog/syslog-parser.ts';
import { writeSyslogRecord, writeSyslogResource } from '#wire/syslog/syslog-record.ts';
import { SyslogTime } from '#wire/syslog/syslog-time.ts';
import { WallClock } from '#wire/syslog/wall-clock.ts';
import { setUnixNano } from '#wire/unix-nano.ts';
import { startDatagramServer } from './datagram-server.ts';
import { type ListenAddress, parseListenAddress } from './listen-address.ts';
import { LogGatherer } from './log-gatherer.ts';
import { Outlet, type OutletLog } from './outlet.ts';
import type { ReceiveCounts } from './receive-counts.ts';
import { startStreamServer } from './stream-server.ts';
import type { SyslogOptions } from './syslog-options.ts';
import { readTlsFiles } from './tls-files.ts';

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

/** Returns undefined where no address is set. Throws ConfigError where one cannot be listened on. */
export async function startSyslogReceiver(
  options: SyslogOptions,
  context: ReceiverContext,
): Promise<Receiver | undefined> {
  const udp = parseListenAddress(options['syslog.udp_address']);
  const tcp = parseListenAddress(options['syslog.tcp_address']);
  const tls = parseListenAddress(options['syslog.tls_address']);
  if (udp === undefined && tcp === undefined && tls === undefined) return undefined;
  const { counts, log } = context;
  const outlet = new Outlet({ ...context, inflightBytesMax: options['syslog.inflight_bytes_max'] });
  const gatherer = new LogGatherer({
    outlet,
    batchBytesMax: context.batchBytesMax,
    flushIntervalMs: options['syslog.flush_interval_ms'],
  });
  const intake = new SyslogIntake(gatherer, counts, new WallClock(options['syslog.time_zone']));
  const messageBytesMax = options['syslog.message_bytes_max'];
  const addresses: Record<string, ListenAddress> = {};
  const servers: { stop(): Promise<void> }[] = [];
  const stopServers = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  try {
    if (udp !== undefined) {
      const server = await startDatagramServer({
        address: udp,
        bufferBytes: options['syslog.udp_buffer_bytes'],
        dropReason: () => (outlet.isFull ? 'no_room' : undefined),
        take: (bytes, peer) => {
          const end = Math.min(bytes.length, messageBytesMax);
          intake.take(bytes, 0, end, bytes.length - end, peer);
        },
        counts,
        log,
      });
      servers.push(server);
      addresses.udp = server.address;
    }
    for (const [name, address] of Object.entries({ tcp, tls })) {
      if (address === undefined) continue;
      const server = await startStreamServer({
        address,
        tls: name === 'tls' ? () => tlsOf(options) : undefined,
        connectionsMax: options['syslog.connections_max'],
        idleTimeoutMs: options['syslog.idle_timeout_ms'],
        open: ({ address: peer }) =>
          new SyslogFraming(messageBytesMax, (bytes, from, to, bytesCut) =>
            intake.take(bytes, from, to, bytesCut, peer),
          ),
        outlet,
        counts,
        log,
      });
      servers.push(server);
      addresses[name] = server.address;
    }
  } catch (error) {
    await stopServers();
    throw error;
  }
  return {
    addresses,
    async stop(drainMs) {
      await stopServers();
      gatherer.flush();
      await outlet.stop(drainMs);
    },
  };
}

function tlsOf(options: SyslogOptions): ReturnType<typeof readTlsFiles> {
  return readTlsFiles('agent.syslog', {
    certificatePath: options['syslog.tls_certificate_path'],
    keyPath: options['syslog.tls_key_path'],
    clientAuthorityPath: options['syslog.tls_client_ca_path'],
  });
}

/** Messages become records, one at a time: its parts are reused for each. */
class SyslogIntake {
  readonly #gatherer: LogGatherer;
  readonly #counts: ReceiveCounts;
  readonly #time: SyslogTime;
  readonly #message = createSyslogMessage();
  readonly #observed = { low: 0, high: 0 };
  #peer = '';
  #peerBytes = Buffer.alloc(0);

  constructor(gatherer: LogGatherer, counts: ReceiveCounts, clock: WallClock) {
    this.#gatherer = gatherer;
    this.#counts = counts;
    this.#time = new SyslogTime(clock);
  }

  take(bytes: Buffer, from: number, to: number, bytesCut: number, peer: string): void {
    const counts = this.#counts;
    counts.received++;
    counts.receivedBytes += to - from;
    if (bytesCut > 0) counts.addDropped('message_tail');
    if (isAscii(bytes, from, to) || isUtf8(bytes.subarray(from, to))) this.#add(bytes, from, to, peer);
    else {
      counts.repaired++;
      const text = Buffer.from(bytes.toString('utf8', from, to));
      this.#add(text, 0, text.length, peer);
    }
  }

  #add(bytes: Buffer, from: number, to: number, peer: string): void {
    if (peer !== this.#peer) {
      this.#peer = peer;
      this.#peerBytes = Buffer.from(peer);
    }
    const nowMs = Date.now();
    const message = this.#message;
    parseSyslog(bytes, from, to, nowMs, this.#time, message);
    setUnixNano(this.#observed, Math.floor(nowMs / 1000), (nowMs % 1000) * 1_000_000);
    const { batch } = this.#gatherer;
    writeSyslogResource(batch.resource, bytes, message, this.#peerBytes);
    const writer = batch.records();
    const start = writer.position;
    const left = writeSyslogRecord(writer, bytes, message, this.#observed);
    batch.added(writer.position - start);
    if (left > 0) this.#counts.addDropped('structured_data', left);
    if (message.problem !== '') this.#counts.addMalformed(message.problem);
    this.#gatherer.added();
  }
}

function isAscii(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at]! > 0x7f) return false;
  return true;
}
