/**
 * What discovery and scraping know of all targets, in the shape of Prometheus's GET /api/v1/targets.
 *
 *   { activeTargets: [{ scrapeUrl, labels, health, ... }], droppedTargets: [...], droppedTargetCounts: { node: 3 } }
 */
import { shownUrl } from '#agent/scrape/http/target-client.ts';
import type { ResolvedTarget } from '#agent/scrape/scrape-settings.ts';
import { formatDuration } from './config-values.ts';
import type { ScrapePoolStatus } from './scrape-pools.ts';

export interface TargetHealth {
  readonly health: 'up' | 'down' | 'unknown';
  readonly lastError: string;
  /** Unix milliseconds; 0 before the first scrape. */
  readonly lastScrapeMs: number;
  readonly lastDurationSeconds: number;
}

export interface ActiveTarget {
  readonly discoveredLabels: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly scrapePool: string;
  /** Without user and password. */
  readonly scrapeUrl: string;
  readonly globalUrl: string;
  readonly lastError: string;
  readonly lastScrape: string;
  readonly lastScrapeDuration: number;
  readonly health: TargetHealth['health'];
  readonly scrapeInterval: string;
  readonly scrapeTimeout: string;
}

export interface TargetsReport {
  readonly activeTargets: readonly ActiveTarget[];
  readonly droppedTargets: readonly {
    readonly discoveredLabels: Readonly<Record<string, string>>;
    readonly scrapePool: string;
  }[];
  readonly droppedTargetCounts: Readonly<Record<string, number>>;
}

const neverScraped: TargetHealth = {
  health: 'unknown',
  lastError: '',
  lastScrapeMs: 0,
  lastDurationSeconds: 0,
};
/** As Prometheus writes the time of a scrape that has not been. */
const noTime = '0001-01-01T00:00:00Z';

/** `healthOf` is what the scraper knows of a target; undefined before its first scrape. */
export function targetsReport(
  pools: readonly ScrapePoolStatus[],
  healthOf: (target: ResolvedTarget) => TargetHealth | undefined,
): TargetsReport {
  return {
    activeTargets: pools.flatMap(({ active }) =>
      active.map((target) => {
        const url = withoutCredentials(target.url);
        const { health, lastError, lastScrapeMs, lastDurationSeconds } = healthOf(target) ?? neverScraped;
        return {
          discoveredLabels: target.discoveredLabels,
          labels: Object.fromEntries(target.labels),
          scrapePool: target.scrapePool,
          scrapeUrl: url,
          globalUrl: url,
          lastError,
          lastScrape: lastScrapeMs === 0 ? noTime : new Date(lastScrapeMs).toISOString(),
          lastScrapeDuration: lastDurationSeconds,
          health,
          scrapeInterval: formatDuration(target.settings.intervalMs),
          scrapeTimeout: formatDuration(target.settings.timeoutMs),
        };
      }),
    ),
    droppedTargets: pools.flatMap(({ dropped, scrapePool }) =>
      dropped.map((discoveredLabels) => ({ discoveredLabels, scrapePool })),
    ),
    droppedTargetCounts: Object.fromEntries(
      pools.map(({ scrapePool, droppedCount }) => [scrapePool, droppedCount]),
    ),
  };
}

/** The address as it was given where it has none: a URL would leave out a port that is its scheme's usual one. */
function withoutCredentials(url: string): string {
  const parsed = new URL(url);
  return parsed.username === '' && parsed.password === '' ? url : shownUrl(parsed);
}
