/** What the status endpoints say of the process: facts that only who starts it knows. */
export interface ServerFacts {
  /** Milliseconds since 1970. */
  readonly startedMs: number;
  readonly hostname: string;
  /** As configured: "30d". */
  readonly retention: string;
  /** The configuration in effect as YAML, without secrets. */
  readonly configYaml: () => string;
  /** Options by their dotted names, without secrets. */
  readonly flags: () => Readonly<Record<string, string>>;
  /** The process's own metrics in Prometheus's text format. */
  readonly selfMetrics: () => Promise<string>;
  /** Base URLs of the Alertmanagers that alerts go to. */
  readonly alertmanagers: readonly string[];
  /** The functions that templates of rules have. */
  readonly templateFunctions: readonly string[];
  /** Whether remote write and OTLP are taken on this port. */
  readonly takesPushes: boolean;
  /** What keeps the process from being ready, in words. */
  readonly problems: () => readonly string[] | Promise<readonly string[]>;
}
