/** What an agent measures: scraped targets, and its host. */
import { startHostMetrics } from '#agent/host/host-metrics.ts';
import { startFileDiscovery } from '#agent/scrape/file-discovery.ts';
import { type Scraper, startScraper } from '#agent/scrape/scraper.ts';
import { resolveSimpleTargets, type ScrapeTarget, simpleSettings } from '#agent/scrape/simple-target.ts';
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
  const settings = simpleSettings({
    intervalMs: options['scrape.interval_ms'],
    timeoutMs: options['scrape.timeout_ms'],
  });
  const scraper = startScraper({
    targets: resolveSimpleTargets(fixed, settings),
    queueBytesMax: options['scrape.queue_bytes_max'],
    hasExtraMetrics: options['scrape.extra_metrics'],
    transport,
    tenant: options.tenant,
    log,
  });
  parts.add('scraper', () => scraper.stop({ drainMs }));
  const discovery = await startFileDiscovery({
    globs: [...options['scrape.files'], demoTargets],
    log,
    onTargets: (found) => scraper.setTargets(resolveSimpleTargets([...fixed, ...found], settings)),
  });
  parts.add('target discovery', () => discovery.stop());
  return scraper;
}

/** Reads this host, where the configuration does not forbid it. */
export function startHost({ config, log, node }: RoleContext, transport: Transport, parts: Parts): void {
  const options = config.agent;
  if (!options['host.is_read']) return;
  const intervalMs = options['host.interval_ms'];
  const host = startHostMetrics({ intervalMs, transport, tenant: options.tenant, node, log });
  parts.add('host metrics', () => host.stop());
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
