/**
 * Syslog over UDP, TCP and TLS becomes OTLP logs.
 *
 *   '<34>Oct 11 22:14:15 web-1 sshd[77]: hello'  ->  resource host.name=web-1 service.name=sshd; 'hello'
 *
 * Nobody acknowledges syslog: a record is safe when the transport has it. While it has no room, streams are not read, so
 * that their senders keep what they have; datagrams are dropped.
 */
import { isUtf8 } from 'node:buffer';
import { SyslogFraming } from '#wire/syslog/stream-framing.ts';
import { createSyslogMessage } from '#wire/syslog/syslog-message.ts';
import { parseSyslog } from '#wire/syslog/syslog-parser.ts';
import { writeSyslogRecord, writeSyslogResource } from '#wire/syslog/syslog-record.ts';
import { SyslogTime } from '#wire/syslog/syslog-time.ts';
import { WallClock } from '#wire/syslog/wall-clock.ts';
import { setUnixNano } from '#wire/unix-nano.ts';
import { startDatagramServer } from './datagram-server.ts';
import { parseListenAddress } from './listen-address.ts';
import { LogGatherer } from './log-gatherer.ts';
import { Outlet } from './outlet.ts';
import type { ReceiveCounts } from './receive-counts.ts';
import { addStreams, type Receiver, type ReceiverContext, startServers } from './receiver.ts';
import type { SyslogOptions } from './syslog-options.ts';

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
  const servers = await startServers(async (starting) => {
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
      starting.add(server, 'udp');
    }
    await addStreams(starting, {
      tcp,
      tls,
      optionPrefix: 'agent.syslog',
      tlsFiles: {
        certificatePath: options['syslog.tls_certificate_path'],
        keyPath: options['syslog.tls_key_path'],
        clientAuthorityPath: options['syslog.tls_client_ca_path'],
      },
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
  });
  return {
    addresses: servers.addresses,
    async stop(drainMs) {
      await servers.stop();
      gatherer.flush();
      await outlet.stop(drainMs);
    },
  };
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
