/** What an agent takes from applications of its node. */
import { createForwardSink } from '#agent/forward-sink.ts';
import { startFluentReceiver } from '#agent/receive/fluent-receiver.ts';
import { renderAddress } from '#agent/receive/listen-address.ts';
import { observeReceivers, ReceiveCounts } from '#agent/receive/receive-counts.ts';
import { startStatsdReceiver } from '#agent/receive/statsd-receiver.ts';
import { startSyslogReceiver } from '#agent/receive/syslog-receiver.ts';
import { registerTargetsApi } from '#agent/scrape-config/targets-api.ts';
import type { Transport } from '#wire/envelope.ts';
import { startReceivers } from '#wire/receive/receivers.ts';
import type { ScrapedTargets } from './agent-metrics.ts';
import { batchBytesMax } from './agent-transport.ts';
import type { Parts } from './parts.ts';
import type { RoleContext } from './role-context.ts';
import { targetsApi } from './targets-api.ts';

/** What has arrived has this long to get through when the process stops. */
const drainMs = 10_000;

/** An agent without a collector in its process takes OTLP and remote write for its node and forwards them. */
export async function listenForPushes(
  context: RoleContext,
  transport: Transport,
  targets: () => ScrapedTargets | undefined,
  parts: Parts,
): Promise<string[]> {
  const { receive } = context.config;
  const receivers = await startReceivers({
    sink: createForwardSink(transport),
    host: receive.host,
    httpPort: receive.otlp_http_port,
    grpcPort: receive.otlp_grpc_port,
    bodyBytesMax: receive.body_bytes_max,
    inflightBytesMax: receive.inflight_bytes_max,
    log: context.log,
    telemetry: context.telemetry,
    moreRoutes: (scope) => registerTargetsApi(scope, targetsApi(targets)),
    unready: () => (transport.state() === 'ok' ? [] : [`the transport waits: ${transport.state()}`]),
  });
  parts.add('receivers', () => receivers.close(drainMs));
  // Pushed to these receivers: it must be flushed before they stop listening.
  parts.add('telemetry', () => context.telemetry.shutdown());
  return [
    `  receives  OTLP/HTTP and remote write on ${receivers.httpUrl}, OTLP/gRPC on ${receivers.grpcAddress}`,
  ];
}

const protocols = {
  syslog: startSyslogReceiver,
  fluent: startFluentReceiver,
  statsd: startStatsdReceiver,
} as const;

/** Syslog and its like, wherever the agent runs: each where an address is set. Returns a line of the banner for each. */
export async function listenForForeign(
  { config, log, node }: RoleContext,
  transport: Transport,
  parts: Parts,
): Promise<string[]> {
  const lines: string[] = [];
  const all: ReceiveCounts[] = [];
  for (const [protocol, start] of Object.entries(protocols)) {
    const counts = new ReceiveCounts(protocol);
    const receiver = await start(config.agent, {
      transport,
      tenant: config.agent.tenant,
      node,
      batchBytesMax: batchBytesMax(config),
      log,
      counts,
    });
    if (receiver === undefined) continue;
    parts.add(`${protocol} receiver`, () => receiver.stop(drainMs));
    all.push(counts);
    const addresses = Object.entries(receiver.addresses).map(([kind, at]) => `${kind} ${renderAddress(at)}`);
    lines.push(`  receives  ${protocol} on ${addresses.join(', ')}`);
  }
  if (all.length > 0) observeReceivers(all);
  return lines;
}
