/**
 * Targets of the agent's own options, which have a URL, a job and labels, and all else as Prometheus has it by default.
 *
 *   { url: 'http://10.0.0.1:9100/metrics', job: 'node' }  ->  labels instance="10.0.0.1:9100", job="node"
 */

import type { ResolvedTarget, ScrapeSettings } from '#agent/scrape/scrape-settings.ts';
import { ConfigError } from '#model/errors.ts';
import { sortLabels } from '#model/labels.ts';

export interface ScrapeTarget {
  readonly url: string;
  readonly job: string;
  /** Added to each of the target's series. `instance` here replaces the host and port of the URL. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface SimpleSettings {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

const bodyBytesMax = 64 * 1024 * 1024;
const samplesMax = 1_000_000;

/** Returns what a target with nothing but a URL is scraped with. More than the interval counts as the interval. */
export function simpleSettings({ intervalMs, timeoutMs }: SimpleSettings): ScrapeSettings {
  return {
    intervalMs,
    timeoutMs: Math.min(timeoutMs, intervalMs),
    protocols: ['OpenMetricsText1.0.0', 'OpenMetricsText0.0.1', 'PrometheusText1.0.0', 'PrometheusText0.0.4'],
    // Old exporters state all sorts of types.
    fallbackProtocol: 'PrometheusText0.0.4',
    isHonoringLabels: false,
    isHonoringTimestamps: true,
    isTrackingTimestampsStaleness: false,
    isTakingNativeHistograms: false,
    isTakingClassicHistograms: false,
    isConvertingClassicHistograms: false,
    limits: {
      bodyBytes: bodyBytesMax,
      samples: samplesMax,
      labels: 0,
      labelNameBytes: 0,
      labelValueBytes: 0,
      nativeHistogramBuckets: 0,
    },
    http: { isFollowingRedirects: true },
  };
}

/** Returns the targets with `settings`. Throws ConfigError, and names the target, where a URL is not http or https. */
export function resolveSimpleTargets(
  targets: readonly ScrapeTarget[],
  settings: ScrapeSettings,
): ResolvedTarget[] {
  return targets.map(({ url, job, labels = {} }) => {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:') {
      throw new ConfigError(`a scrape target is not an http:// or https:// URL: ${JSON.stringify(url)}`);
    }
    const port = parsed.port || (parsed.protocol === 'https:' ? '443' : '80');
    // Labels that start with __ steer the discovery of a target and are not its own.
    const own = Object.entries(labels).filter(([name]) => !name.startsWith('__'));
    const instance = `${parsed.hostname}:${port}`;
    return {
      url,
      labels: sortLabels(new Map([['job', job], ['instance', instance], ...own])),
      settings,
      scrapePool: job,
      discoveredLabels: { ...labels, job, __address__: instance },
    };
  });
}
