/**
 * Targets that the options name by their whole URL.
 *
 *   { url: 'http://127.0.0.1:9100/metrics?x=1', job: 'node', labels: {} }
 *     ->  scraped as it is, with job=node and instance=127.0.0.1:9100
 */
import type { ResolvedTarget } from '#agent/scrape/scrape-settings.ts';
import { ConfigError } from '#model/errors.ts';
import { sortLabels } from '#model/labels.ts';
import { builtInFields } from './built-in-jobs.ts';
import { scrapeConfigSchema } from './scrape-config-schema.ts';
import { type ScrapeDefaults, scrapeJob } from './scrape-job.ts';

/** The pool's name: no scrape config can have it. */
export const fixedPool = 'targets';

export interface FixedTarget {
  readonly url: string;
  readonly job: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Throws ConfigError where a URL is not http or https. */
export function fixedTargets(targets: readonly FixedTarget[], defaults: ScrapeDefaults): ResolvedTarget[] {
  const { settings } = scrapeJob(
    scrapeConfigSchema.parse({ ...builtInFields, job_name: fixedPool }),
    {},
    '/',
    defaults,
  );
  return targets.map(({ url, job, labels }) => {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:') {
      throw new ConfigError(`a scrape target is not an http:// or https:// URL: ${JSON.stringify(url)}`);
    }
    const port = parsed.port || (parsed.protocol === 'https:' ? '443' : '80');
    const all = { instance: `${parsed.hostname}:${port}`, ...labels, job };
    return {
      url,
      labels: sortLabels(Object.entries(all)),
      settings,
      scrapePool: fixedPool,
      discoveredLabels: all,
    };
  });
}
