/** What an agent measures: scraped targets, its host, and the containers there. */
import type { FindContainer } from '#agent/cgroup/container-labels.ts';
import { startContainerMetrics } from '#agent/cgroup/container-metrics.ts';
import { startHostMetrics } from '#agent/host/host-metrics.ts';
import { startFileDiscovery } from '#agent/scrape/file-discovery.ts';
import { type Scraper, type ScrapeTarget, startScraper } from '#agent/scrape/scraper.ts';
import type { Transport } from '#wire/envelope.ts';
import { listedMax } from './agent-logs.ts';
import type { Parts } from './parts.ts';
import type { RoleContext } from './role-context.ts';

/** What was read and not acknowledged has this long to get through when the process stops. */
const drainMs = 10_000;

/** Fixed targets from the configuration, and those that files name for as long as they name them. */
export async function startScraping(
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

/** Reads this host, where the configuration does not forbid it. */
export function startHost({ config, log, node }: RoleContext, transport: Transport, parts: Parts): void {
  const options = config.agent;
  if (!options['host.is_read']) return;
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
export function measureContainers(
  { config, log, node }: RoleContext,
  transport: Transport,
  find: FindContainer,
  parts: Parts,
): void {
  const options = config.agent;
  if (!options['containers.is_measured']) return;
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

export function scrapeBanner(scraper: Scraper): string[] {
  const targets = scraper.status();
  if (targets.length === 0) return ['  scrapes   nothing yet: give targets with --scrape URL'];
  return [
    `  scrapes   ${targets.length} targets`,
    ...targets.slice(0, listedMax).map(({ url }) => `            ${url}`),
    ...(targets.length > listedMax ? [`            and ${targets.length - listedMax} more`] : []),
  ];
}
