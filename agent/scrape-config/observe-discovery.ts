/** Discovery's own numbers as OpenTelemetry instruments, and its problems in the log. */
import { metrics, type ObservableResult } from '@opentelemetry/api';
import type { Logger } from 'pino';
import type { ScrapePoolStatus } from './scrape-pools.ts';

const problemLookMs = 5_000;
/** Texts that were logged are remembered up to this many; then all may be logged again. */
const loggedMax = 1_000;

const gauge = metrics.getMeter('sonde').createObservableGauge('sonde.scrape.pool.targets', {
  description:
    'Targets that were discovered, by scrape pool and by whether they are active, dropped or invalid.',
});

/** Observes until the returned function is called. A problem is logged when it comes, and again after it was away. */
export function observeDiscovery(
  status: () => readonly ScrapePoolStatus[],
  problems: () => readonly string[],
  log: Logger,
): () => void {
  const observe = (result: ObservableResult): void => {
    for (const { scrapePool, active, droppedCount, invalidCount } of status()) {
      result.observe(active.length, { scrape_pool: scrapePool, state: 'active' });
      result.observe(droppedCount, { scrape_pool: scrapePool, state: 'dropped' });
      result.observe(invalidCount, { scrape_pool: scrapePool, state: 'invalid' });
    }
  };
  gauge.addCallback(observe);
  let logged = new Set<string>();
  const timer = setInterval(() => {
    const now = new Set(problems().slice(0, loggedMax));
    for (const reason of now)
      if (!logged.has(reason)) log.warn({ reason }, 'discovering targets has a problem');
    logged = now;
  }, problemLookMs);
  timer.unref();
  return () => {
    gauge.removeCallback(observe);
    clearInterval(timer);
  };
}
