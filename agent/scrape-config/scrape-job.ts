/**
 * A scrape config with what `global` says filled in: how its targets are scraped, and where they are found.
 *
 *   { job_name: 'node', static_configs: [...] } and { scrape_interval: 30s }
 *     ->  { name: 'node', settings: { intervalMs: 30000, ... }, discoveries: [{ kind: 'static', ... }], ... }
 */
import { resolve } from 'node:path';
import { seriesRelabeler } from '#agent/relabel/relabel.ts';
import type { RelabelRule } from '#agent/relabel/relabel-rule.ts';
import type { HttpClientSettings, ScrapeProtocol, ScrapeSettings } from '#agent/scrape/scrape-settings.ts';
import { ConfigError } from '#model/errors.ts';
import { formatDuration } from './config-values.ts';
import type {
  DnsConfig,
  DockerConfig,
  FileConfig,
  HttpConfig,
  KubernetesConfig,
  StaticConfig,
} from './discovery-configs.ts';
import { httpClientSettings } from './http-client-config.ts';
import type { GlobalConfig, ScrapeConfig } from './scrape-config-schema.ts';

/** One place to look for targets. Equal ones, by their JSON, are looked at once. */
export type DiscoverySpec =
  | { readonly kind: 'static'; readonly configs: readonly StaticConfig[] }
  | { readonly kind: 'file'; readonly config: FileConfig }
  | { readonly kind: 'http'; readonly config: HttpConfig; readonly client: HttpClientSettings }
  | { readonly kind: 'dns'; readonly config: DnsConfig }
  | { readonly kind: 'docker'; readonly config: DockerConfig; readonly client: HttpClientSettings }
  | { readonly kind: 'kubernetes'; readonly config: KubernetesConfig; readonly client: HttpClientSettings };

export interface ScrapeJob {
  readonly name: string;
  readonly settings: ScrapeSettings;
  readonly metricsPath: string;
  readonly scheme: 'http' | 'https';
  readonly params: Readonly<Record<string, readonly string[]>>;
  readonly relabelRules: readonly RelabelRule[];
  /** Added to targets that do not have them. */
  readonly externalLabels: Readonly<Record<string, string>>;
  /** 0: none. */
  readonly targetLimit: number;
  readonly keptDroppedTargets: number;
  /** A timeout beyond a target's own interval is cut to it, where Prometheus refuses the target. */
  readonly isTimeoutCut?: boolean;
  readonly discoveries: readonly DiscoverySpec[];
}

export interface ScrapeDefaults {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** Prometheus's own. */
export const prometheusDefaults: ScrapeDefaults = { intervalMs: 60_000, timeoutMs: 10_000 };

const textProtocols: readonly ScrapeProtocol[] = [
  'OpenMetricsText1.0.0',
  'OpenMetricsText0.0.1',
  'PrometheusText1.0.0',
  'PrometheusText0.0.4',
];

/** `directory` is where relative paths begin. Throws ConfigError where values do not go together. */
export function scrapeJob(
  config: ScrapeConfig,
  global: GlobalConfig,
  directory: string,
  defaults: ScrapeDefaults = prometheusDefaults,
): ScrapeJob {
  const limit = (key: keyof GlobalConfig & keyof ScrapeConfig): number =>
    Number(config[key] || global[key] || 0);
  return {
    name: config.job_name,
    settings: scrapeSettings(config, global, directory, defaults),
    metricsPath: config.metrics_path,
    scheme: config.scheme,
    params: config.params ?? {},
    relabelRules: config.relabel_configs ?? [],
    externalLabels: global.external_labels ?? {},
    targetLimit: limit('target_limit'),
    keptDroppedTargets: limit('keep_dropped_targets'),
    discoveries: discoverySpecs(config, directory),
  };
}

function scrapeSettings(
  config: ScrapeConfig,
  global: GlobalConfig,
  directory: string,
  defaults: ScrapeDefaults,
): ScrapeSettings {
  const takesNative = config.scrape_native_histograms ?? global.scrape_native_histograms ?? false;
  const relabel = seriesRelabeler(config.metric_relabel_configs ?? []);
  const limit = (key: keyof GlobalConfig & keyof ScrapeConfig): number =>
    Number(config[key] || global[key] || 0);
  return {
    ...scrapeTimes(config, global, defaults),
    protocols:
      config.scrape_protocols ??
      global.scrape_protocols ??
      (takesNative ? ['PrometheusProto', ...textProtocols] : textProtocols),
    ...(config.scrape_fallback_protocol && { fallbackProtocol: config.scrape_fallback_protocol }),
    isHonoringLabels: config.honor_labels,
    isHonoringTimestamps: config.honor_timestamps,
    isTrackingTimestampsStaleness: config.track_timestamps_staleness,
    isTakingNativeHistograms: takesNative,
    isTakingClassicHistograms:
      config.always_scrape_classic_histograms ?? global.always_scrape_classic_histograms ?? false,
    isConvertingClassicHistograms:
      config.convert_classic_histograms_to_nhcb ?? global.convert_classic_histograms_to_nhcb ?? false,
    limits: {
      bodyBytes: limit('body_size_limit'),
      samples: limit('sample_limit'),
      labels: limit('label_limit'),
      labelNameBytes: limit('label_name_length_limit'),
      labelValueBytes: limit('label_value_length_limit'),
      nativeHistogramBuckets: config.native_histogram_bucket_limit,
    },
    http: httpClientSettings(config, directory),
    ...(relabel && { relabel }),
  };
}

/** A timeout that only `global` gives is cut to the interval; one of the config's own must fit (Prometheus, ScrapeConfig.Validate). */
function scrapeTimes(
  config: ScrapeConfig,
  global: GlobalConfig,
  defaults: ScrapeDefaults,
): { intervalMs: number; timeoutMs: number } {
  const globalIntervalMs = global.scrape_interval || defaults.intervalMs;
  if (global.scrape_timeout && global.scrape_timeout > globalIntervalMs) {
    throw new ConfigError(
      `global: scrape_timeout ${formatDuration(global.scrape_timeout)} is greater than scrape_interval ${formatDuration(globalIntervalMs)}`,
    );
  }
  const intervalMs = config.scrape_interval || globalIntervalMs;
  const timeoutMs =
    config.scrape_timeout || Math.min(global.scrape_timeout || defaults.timeoutMs, intervalMs);
  if (timeoutMs > intervalMs) {
    throw new ConfigError(
      `scrape_timeout ${formatDuration(timeoutMs)} is greater than scrape_interval ${formatDuration(intervalMs)}`,
    );
  }
  return { intervalMs, timeoutMs };
}

function discoverySpecs(config: ScrapeConfig, directory: string): DiscoverySpec[] {
  const specs: DiscoverySpec[] = [];
  if (config.static_configs?.length) specs.push({ kind: 'static', configs: config.static_configs });
  for (const file of config.file_sd_configs ?? []) {
    const files = file.files.map((pattern) => resolve(directory, pattern));
    specs.push({ kind: 'file', config: { ...file, files } });
  }
  for (const http of config.http_sd_configs ?? []) {
    specs.push({ kind: 'http', config: http, client: httpClientSettings(http, directory) });
  }
  for (const dns of config.dns_sd_configs ?? []) specs.push({ kind: 'dns', config: dns });
  for (const docker of config.docker_sd_configs ?? []) {
    specs.push({ kind: 'docker', config: docker, client: httpClientSettings(docker, directory) });
  }
  for (const kubernetes of config.kubernetes_sd_configs ?? []) {
    const kubeconfig = kubernetes.kubeconfig_file;
    specs.push({
      kind: 'kubernetes',
      config: { ...kubernetes, ...(kubeconfig && { kubeconfig_file: resolve(directory, kubeconfig) }) },
      client: httpClientSettings(kubernetes, directory),
    });
  }
  return specs;
}
