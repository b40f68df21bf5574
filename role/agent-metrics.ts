/** What an agent measures: scraped targets, its host, and the containers there. */
import { accessSync, constants, existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { FindContainer } from '#agent/cgroup/container-labels.ts';
import type { NodePods } from '#agent/kubernetes/node-pods.ts';
import { startScraper } from '#agent/scrape/scraper.ts';
import { startTargetDiscovery, type TargetDiscovery } from '#agent/scrape-config/target-discovery.ts';
import type { TargetFamilies } from '#agent/scrape-config/targets-metadata.ts';
import { type TargetsReport, targetsReport } from '#agent/scrape-config/targets-report.ts';
import type { Transport } from '#wire/envelope.ts';
import { listedMax } from './agent-logs.ts';
import type { Parts } from './parts.ts';
import type { RoleContext } from './role-context.ts';

/** What was read and not acknowledged has this long to get through when the process stops. */
const drainMs = 10_000;

/** The banner waits so long for discoveries: files answer at once, a server that is down never does. */
const firstTargetsMsMax = 1000;
const firstTargetsPollMs = 20;

/** What this process scrapes. */
export interface ScrapedTargets {
  report(): TargetsReport;
  families(): Iterable<TargetFamilies>;
}

/** Targets from the configuration, and those that are discovered for as long as they are there. */
export async function startScraping(
  { config, log, node, environment }: RoleContext,
  transport: Transport,
  demoTargets: string,
  nodePods: NodePods | undefined,
  parts: Parts,
): Promise<{ readonly discovery: TargetDiscovery; readonly targets: ScrapedTargets }> {
  const options = config.agent;
  const defaults = { intervalMs: options['scrape.interval_ms'], timeoutMs: options['scrape.timeout_ms'] };
  const scraper = startScraper({
    targets: [],
    queueBytesMax: options['scrape.queue_bytes_max'],
    hasExtraMetrics: options['scrape.extra_metrics'],
    transport,
    tenant: options.tenant,
    environment,
    log,
  });
  parts.add('scraper', () => scraper.stop({ drainMs }));
  const discovery = await startTargetDiscovery({
    targets: [...options['scrape.targets'], ...options['scrape.urls'].map((url) => ({ url, job: 'scrape' }))],
    targetFiles: [...options['scrape.files'], demoTargets],
    configFiles: options['scrape.config_files'],
    configs: options['scrape.configs'],
    annotatedPodsOf: isOn(options['scrape.annotations'], isInCluster) ? node : undefined,
    labelledContainersOf: isOn(options['scrape.docker_labels'], () => !isInCluster() && hasDockerSocket())
      ? options['scrape.docker_host']
      : undefined,
    defaults: { ...defaults, timeoutMs: Math.min(defaults.timeoutMs, defaults.intervalMs) },
    environment,
    nodePods,
    log,
    onTargets: (targets) => scraper.setTargets(targets),
  });
  parts.add('target discovery', () => discovery.stop());
  const deadline = Date.now() + firstTargetsMsMax;
  while (!discovery.isReady && Date.now() < deadline) await delay(firstTargetsPollMs);
  return {
    discovery,
    targets: {
      report: () => targetsReport(discovery.status(), (target) => scraper.statusOf(target)),
      *families() {
        for (const target of discovery.status().flatMap(({ active }) => active)) {
          const families = scraper.familiesOf(target);
          if (families) yield { labels: target.labels, families };
        }
      },
    },
  };
}

function isOn(setting: 'auto' | 'on' | 'off', isWanted: () => boolean): boolean {
  return setting === 'on' || (setting === 'auto' && isWanted());
}

function isInCluster(): boolean {
  return existsSync('/var/run/secrets/kubernetes.io/serviceaccount/token');
}

function hasDockerSocket(): boolean {
  try {
    accessSync('/var/run/docker.sock', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false; // No Docker, or none that this process may ask.
  }
}

/** Reads this host, where the configuration does not forbid it. */
export async function startHost(
  { config, log, node }: RoleContext,
  transport: Transport,
  parts: Parts,
): Promise<void> {
  const options = config.agent;
  if (!options['host.is_read']) return;
  const { startHostMetrics } = await import('#agent/host/host-metrics.ts');
  const intervalMs = options['host.interval_ms'];
  const host = startHostMetrics({
    intervalMs,
    procPath: options['host.proc_path'],
    sysPath: options['host.sys_path'],
    rootPath: options['host.root_path'],
    collectorsOn: options['host.collectors_on'],
    collectorsOff: options['host.collectors_off'],
    transport,
    tenant: options.tenant,
    node,
    log,
  });
  parts.add('host metrics', () => host.stop());
}

/** Reads this node's containers, where the configuration does not forbid it. `find` says who a container is. */
export async function measureContainers(
  { config, log, node }: RoleContext,
  transport: Transport,
  find: FindContainer,
  parts: Parts,
): Promise<void> {
  const options = config.agent;
  if (!options['containers.is_measured']) return;
  const { startContainerMetrics } = await import('#agent/cgroup/container-metrics.ts');
  const containers = startContainerMetrics({
    intervalMs: options['containers.interval_ms'],
    cgroupsMax: options['containers.cgroups_max'],
    procPath: options['host.proc_path'],
    sysPath: options['host.sys_path'],
    transport,
    tenant: options.tenant,
    node,
    log,
    find,
  });
  parts.add('container metrics', () => containers.stop());
}

export function scrapeBanner(discovery: TargetDiscovery): string[] {
  const targets = discovery.status().flatMap(({ active }) => active);
  const problems = discovery.problems().map((problem) => `            ! ${problem}`);
  if (targets.length === 0) return ['  scrapes   nothing yet: give targets with --scrape URL', ...problems];
  return [
    `  scrapes   ${targets.length} targets`,
    ...targets.slice(0, listedMax).map(({ url }) => `            ${url}`),
    ...(targets.length > listedMax ? [`            and ${targets.length - listedMax} more`] : []),
    ...problems,
  ];
}
