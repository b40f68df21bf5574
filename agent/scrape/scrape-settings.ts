/**
 * How a target is scraped: what a `scrape_config` of Prometheus says, resolved and checked.
 */
import type { Labels } from '#model/labels.ts';

/** `scrape_protocols` of Prometheus, in the order in which they are asked for. */
export const scrapeProtocols = [
  'PrometheusProto',
  'OpenMetricsText1.0.0',
  'OpenMetricsText0.0.1',
  'PrometheusText1.0.0',
  'PrometheusText0.0.4',
] as const;
export type ScrapeProtocol = (typeof scrapeProtocols)[number];

/** Limits of one scrape; 0: none. A page beyond one of them fails as a whole (Prometheus, `scrape_config`). */
export interface ScrapeLimits {
  /** Of the page after decompression. */
  readonly bodyBytes: number;
  /** Samples that are left after relabeling. */
  readonly samples: number;
  readonly labels: number;
  readonly labelNameBytes: number;
  readonly labelValueBytes: number;
  /** Buckets of one native histogram: its resolution is lowered until they fit. */
  readonly nativeHistogramBuckets: number;
}

/** How a target is asked: what Prometheus calls the HTTP client configuration. Files are read again when they change. */
export interface HttpClientSettings {
  readonly basicAuth?: {
    readonly username: string;
    readonly password?: string;
    readonly passwordFile?: string;
  };
  readonly authorization?: {
    readonly type: string;
    readonly credentials?: string;
    readonly credentialsFile?: string;
  };
  readonly oauth2?: {
    readonly clientId: string;
    readonly clientSecret?: string;
    readonly clientSecretFile?: string;
    readonly scopes: readonly string[];
    readonly tokenUrl: string;
    readonly endpointParams: Readonly<Record<string, string>>;
    readonly tls?: TlsSettings;
  };
  readonly tls?: TlsSettings;
  readonly headers?: Readonly<Record<string, readonly string[]>>;
  readonly isFollowingRedirects: boolean;
  readonly proxyUrl?: string;
  /** What is asked for without the proxy, as Go's NO_PROXY has it. */
  readonly noProxy?: string;
  /** HTTP_PROXY, HTTPS_PROXY and NO_PROXY say it. */
  readonly isProxyFromEnvironment?: boolean;
}

export interface TlsSettings {
  /** PEM text, or the path of a file with it; text wins. */
  readonly ca?: string;
  readonly caFile?: string;
  readonly cert?: string;
  readonly certFile?: string;
  readonly key?: string;
  readonly keyFile?: string;
  readonly serverName?: string;
  readonly isInsecure: boolean;
  readonly minVersion?: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
}

export interface ScrapeSettings {
  readonly intervalMs: number;
  /** At most the interval. */
  readonly timeoutMs: number;
  readonly protocols: readonly ScrapeProtocol[];
  /** Asked for where the target does not state a format that is known. */
  readonly fallbackProtocol?: ScrapeProtocol;
  /** Labels of the page win over the target's (true), or are kept as exported_<name> (false). */
  readonly isHonoringLabels: boolean;
  readonly isHonoringTimestamps: boolean;
  /** Series with times of their own end with stale markers too. */
  readonly isTrackingTimestampsStaleness: boolean;
  /** Native histograms are taken from protobuf pages. */
  readonly isTakingNativeHistograms: boolean;
  /** Classic buckets are taken where the page has the native histogram too. */
  readonly isTakingClassicHistograms: boolean;
  /** Classic histograms become native ones with custom buckets. */
  readonly isConvertingClassicHistograms: boolean;
  readonly limits: ScrapeLimits;
  readonly http: HttpClientSettings;
  /**
   * metric_relabel_configs: a series' labels (the target's among them) to what is kept of them; undefined drops it.
   * Must be pure: its answers are remembered by the series' text. Absent: all series stay as they are.
   */
  readonly relabel?: (labels: Labels) => Labels | undefined;
}

/** A target after relabeling, ready to be scraped. */
export interface ResolvedTarget {
  readonly url: string;
  /** job and instance among them; none starts with `__`. Sorted. */
  readonly labels: Labels;
  readonly settings: ScrapeSettings;
  /** The name of the scrape config: with the URL and the labels it says which target this is. */
  readonly scrapePool: string;
  /** Labels before relabeling, for /targets. */
  readonly discoveredLabels: Readonly<Record<string, string>>;
}
