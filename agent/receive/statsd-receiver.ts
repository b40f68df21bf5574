/**
 * StatsD over UDP and TCP becomes remote write: lines are added up, and the totals sent at an interval.
 *
 *   'hits:1|c' 'hits:1|c'  ->  hits{instance="node-1",job="statsd"} 2
 */
import { StatsdAggregator } from '#wire/statsd/statsd-aggregator.ts';
import { startDatagramServer } from './datagram-server.ts';
import { LineFraming } from './line-framing.ts';
import { parseListenAddress } from './listen-address.ts';
import { Outlet } from './outlet.ts';
import type { ReceiveCounts } from './receive-counts.ts';
import { type Receiver, type ReceiverContext, startServers } from './receiver.ts';
import type { StatsdOptions } from './statsd-options.ts';
import { startStreamServer } from './stream-server.ts';

/** Returns undefined where no address is set. Throws ConfigError where one cannot be listened on. */
export async function startStatsdReceiver(
  options: StatsdOptions,
  context: ReceiverContext,
): Promise<Receiver | undefined> {
  const udp = parseListenAddress(options['statsd.udp_address']);
  const tcp = parseListenAddress(options['statsd.tcp_address']);
  if (udp === undefined && tcp === undefined) return undefined;
  const { counts, log, node } = context;
  const outlet = new Outlet({ ...context, inflightBytesMax: options['statsd.inflight_bytes_max'] });
  const intake = new StatsdIntake(options, context.batchBytesMax, node, outlet, counts);
  const servers = await startServers(async (starting) => {
    if (udp !== undefined) {
      const server = await startDatagramServer({
        address: udp,
        bufferBytes: options['statsd.udp_buffer_bytes'],
        // Totals take no room, however many lines come.
        dropReason: () => undefined,
        take: (bytes) => intake.takePacket(bytes),
        counts,
        log,
      });
      starting.add(server, 'udp');
    }
    if (tcp !== undefined) {
      const server = await startStreamServer({
        address: tcp,
        tls: undefined,
        connectionsMax: options['statsd.connections_max'],
        idleTimeoutMs: options['statsd.idle_timeout_ms'],
        open: () => intake.openStream(),
        // While totals wait, lines are still added up.
        outlet: undefined,
        counts,
        log,
      });
      starting.add(server, 'tcp');
    }
  });
  const timer = setInterval(() => intake.flush(), options['statsd.interval_ms']);
  return {
    addresses: servers.addresses,
    async stop(drainMs) {
      clearInterval(timer);
      await servers.stop();
      intake.flush();
      await outlet.stop(drainMs);
    },
  };
}

class StatsdIntake {
  readonly #aggregator: StatsdAggregator;
  readonly #lineBytesMax: number;
  readonly #outlet: Outlet;
  readonly #counts: ReceiveCounts;
  readonly #packets: LineFraming;

  constructor(
    options: StatsdOptions,
    requestBytesMax: number,
    node: string,
    outlet: Outlet,
    counts: ReceiveCounts,
  ) {
    this.#aggregator = new StatsdAggregator({
      seriesMax: options['statsd.series_max'],
      staleMs: options['statsd.stale_ms'],
      buckets: options['statsd.buckets'],
      setMembersMax: options['statsd.set_members_max'],
      requestBytesMax,
      // Two nodes count the same names: their totals must not be one series.
      labels: { job: 'statsd', instance: node },
    });
    this.#lineBytesMax = options['statsd.line_bytes_max'];
    this.#outlet = outlet;
    this.#counts = counts;
    this.#packets = this.openStream();
  }

  /** Most packets end without a newline. */
  takePacket(bytes: Buffer): void {
    this.#packets.push(bytes);
    this.#packets.end();
  }

  openStream(): LineFraming {
    return new LineFraming(this.#lineBytesMax, (bytes, from, to, isCut) =>
      this.#takeLine(bytes, from, to, isCut),
    );
  }

  /** Sends the state of all series, unless the last ones still wait: totals lose nothing by it. */
  flush(): void {
    if (this.#outlet.isFull) {
      this.#counts.addDropped('interval_skipped');
      return;
    }
    for (const { bytes, samples } of this.#aggregator.render(Date.now())) {
      void this.#outlet.send('remote_write', bytes, samples);
    }
  }

  #takeLine(bytes: Buffer, from: number, to: number, isCut: boolean): void {
    const counts = this.#counts;
    counts.received++;
    counts.receivedBytes += to - from;
    const loss = isCut ? 'line_too_long' : this.#aggregator.add(bytes, from, to, Date.now());
    if (loss !== '') counts.addDropped(loss);
  }
}
