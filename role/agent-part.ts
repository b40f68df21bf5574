/** The agent in a process: its sources (files, targets, the host, pushed telemetry) and the transport they share. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { observeAgent } from '#agent/agent-metrics.ts';
import { createForwardSink } from '#agent/forward-sink.ts';
import { startHostMetrics } from '#agent/host/host-metrics.ts';
import { type LogAgentStatus, startLogAgent } from '#agent/logs/log-agent.ts';
import { startFileDiscovery } from '#agent/scrape/file-discovery.ts';
import { type Scraper, type ScrapeTarget, startScraper } from '#agent/scrape/scraper.ts';
import { createDirectTransport } from '#agent/transport/direct.ts';
import { createKafkaTransport } from '#agent/transport/kafka.ts';
import { ConfigError } from '#model/errors.ts';
import type { Transport } from '#wire/envelope.ts';
import { startReceivers } from '#wire/receive/receivers.ts';
import type { SondeConfig } from './config-tables.ts';
import type { Parts } from './parts.ts';
import type { RoleContext } from './role-context.ts';
import { renderBytes } from './status-line.ts';

export interface AgentPart {
  readonly banner: readonly string[];
  statusLine(): string;
  summary(): string;
}

/** What was read and not acknowledged has this long to get through when the process stops. */
const drainMs = 10_000;
/** The banner lists the files that are there; a file system that hangs must not keep it back. */
const firstLookMsMax = 2000;

/** `ownReceiver` is the receiver of a collector in this process; undefined makes the agent listen by itself. */
export async function startAgentPart(
  context: RoleContext,
  ownReceiver: string | undefined,
  parts: Parts,
): Promise<AgentPart> {
  const { config, log, node } = context;
  const options = config.agent;
  const statePath = options.state_path || join(config.store.path, 'agent');
  mkdirSync(statePath, { recursive: true });
  const transport = openTransport(context, ownReceiver);
  parts.add('transport', () => transport.close());
  const receives = ownReceiver === undefined ? await listenForPushes(context, transport, parts) : [];

  // `npm run demo` puts its simulated containers below the data directory.
  const demoPath = join(config.store.path, 'demo');
  const globs = [
    ...options['logs.globs'],
    ...options['logs.extra_globs'],
    join(demoPath, 'var/log/pods/*/*/*.log'),
    join(demoPath, 'var/lib/docker/containers/*/*-json.log'),
  ];
  const logs = startLogAgent({
    globs,
    transport,
    tenant: options.tenant,
    checkpointPath: join(statePath, 'checkpoint.json'),
    node,
    batchBytesMax: batchBytesMax(config),
    flushIntervalMs: options['logs.flush_interval_ms'],
    discoverIntervalMs: options['logs.discover_interval_ms'],
    log,
  });
  parts.add('log agent', () => logs.stop({ drainMs }));
  observeAgent(logs, transport);
  await Promise.race([logs.firstLook, delay(firstLookMsMax, undefined, { ref: false })]);
  const scraper = await startScraping(context, transport, join(demoPath, 'targets/*.json'), parts);
  if (options['host.is_read']) {
    const host = startHostMetrics({
      intervalMs: options['host.interval_ms'],
      transport,
      tenant: options.tenant,
      node,
      log,
    });
    parts.add('host metrics', () => host.stop());
  }
  return {
    banner: [...receives, ...tailBanner(globs, logs.status()), ...scrapeBanner(scraper)],
    statusLine() {
      const { bytesRead, lagBytes, files, lost } = logs.status();
      const lostRecords = lost.reduce((total, { records }) => total + records, 0);
      return `read ${renderBytes(bytesRead)} of ${files.length} files  lag ${renderBytes(lagBytes)}  lost ${lostRecords}`;
    },
    summary() {
      const { bytesRead, linesRead, lagBytes } = logs.status();
      return `read ${linesRead} lines (${renderBytes(bytesRead)}), ${renderBytes(lagBytes)} left for the next start`;
    },
  };
}

/** Fixed targets from the configuration, and those that files name for as long as they name them. */
async function startScraping(
  { config, log }: RoleContext,
  transport: Transport,
  demoTargets: string,
  parts: Parts,
): Promise<Scraper> {
  const options = config.agent;
  const fixed: ScrapeTarget[] = [
    ...options['scrape.targets'],
    ...options['scrape.urls'].map((url) => ({ url, job: 'scrape' })),
  ];
  const scraper = startScraper({
    targets: fixed,
    intervalMs: options['scrape.interval_ms'],
    timeoutMs: options['scrape.timeout_ms'],
    transport,
    tenant: options.tenant,
    log,
  });
  parts.add('scraper', () => scraper.stop({ drainMs }));
  const discovery = await startFileDiscovery({
    globs: [...options['scrape.files'], demoTargets],
    log,
    onTargets: (found) => scraper.setTargets([...fixed, ...found]),
  });
  parts.add('target discovery', () => discovery.stop());
  return scraper;
}

/** A Kafka message must stay below the broker's limit, and a batch is one message. */
function batchBytesMax(config: SondeConfig): number {
  const wanted = config.agent['logs.batch_bytes_max'];
  const headroom = 0.9;
  return config.transport.kind === 'kafka'
    ? Math.min(wanted, Math.floor(config.transport['kafka.message_bytes_max'] * headroom))
    : wanted;
}

/** So many names are listed; the status line and /metrics have the totals. */
const listedMax = 8;

function tailBanner(globs: readonly string[], { files, problems }: LogAgentStatus): string[] {
  return [
    `  tails     ${files.length} files now, new ones as they come:`,
    ...globs.map((glob) => `            ${glob}`),
    ...files.slice(0, listedMax).map(({ path }) => `            found ${path}`),
    ...(files.length > listedMax ? [`            and ${files.length - listedMax} more`] : []),
    ...problems.map(({ message }) => `            ! ${message}`),
  ];
}

function scrapeBanner(scraper: Scraper): string[] {
  const targets = scraper.status();
  if (targets.length === 0) return ['  scrapes   nothing yet: give targets with --scrape URL'];
  return [
    `  scrapes   ${targets.length} targets`,
    ...targets.slice(0, listedMax).map(({ url }) => `            ${url}`),
    ...(targets.length > listedMax ? [`            and ${targets.length - listedMax} more`] : []),
  ];
}

function openTransport({ config, log, node }: RoleContext, ownReceiver: string | undefined): Transport {
  const options = config.transport;
  if (options.kind === 'kafka') {
    return createKafkaTransport({
      brokers: options['kafka.brokers'],
      clientId: `sonde-agent-${node}`,
      topics: {
        logs: options['kafka.topics.logs'],
        traces: options['kafka.topics.traces'],
        metrics: options['kafka.topics.metrics'],
        remote_write: options['kafka.topics.remote_write'],
      },
      createTopics: options['kafka.create_topics']
        ? { partitions: options['kafka.partitions'], replicationFactor: options['kafka.replication_factor'] }
        : undefined,
      messageBytesMax: options['kafka.message_bytes_max'],
      log,
    });
  }
  const url = options.collector_url || ownReceiver;
  if (url === undefined) {
    throw new ConfigError(
      'transport.kind is direct, but transport.collector_url does not say where the collector is (such as http://collector:4318)',
    );
  }
  return createDirectTransport({ url, log });
}

/** An agent without a collector in its process takes OTLP and remote write for its node and forwards them. */
async function listenForPushes(context: RoleContext, transport: Transport, parts: Parts): Promise<string[]> {
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
    unready: () => (transport.state() === 'ok' ? [] : [`the transport waits: ${transport.state()}`]),
  });
  parts.add('receivers', () => receivers.close(drainMs));
  // Pushed to these receivers: it must be flushed before they stop listening.
  parts.add('telemetry', () => context.telemetry.shutdown());
  return [
    `  receives  OTLP/HTTP and remote write on ${receivers.httpUrl}, OTLP/gRPC on ${receivers.grpcAddress}`,
  ];
}
