/**
 * Who a container is, and how its logs are wanted: what Kubernetes or Docker say of it.
 */

/** Values by OpenTelemetry semantic conventions: `k8s.pod.name`, `container.image.name`, ... */
export type ResourceAttributes = Readonly<Record<string, string | number>>;

/** How the logs of a container are collected: by its labels (Docker, compose) or its pod's annotations. */
export interface LogRules {
  /** False: its standard streams are not collected. */
  readonly isCollected: boolean;
  /** The name that its standard streams are stored under; '' for none. */
  readonly store: string;
  /** Files inside of the container that are collected besides, each under the name of a store. */
  readonly files: readonly { readonly store: string; readonly path: string }[];
  /** 'auto' (built-in stack traces), 'off', or a regular expression that matches the first line of each record. */
  readonly multiline: string;
  /** A parser of the agent's processors to use on its lines: 'json', 'logfmt', ...; '' for none. */
  readonly parse: string;
  /** Bytes of log file a second; 0 for no limit. */
  readonly rateLimitBytes: number;
  /** Rules that could not be understood, for a person: `label: what is wrong`. */
  readonly problems: readonly string[];
}

export interface ContainerFacts {
  readonly attributes: ResourceAttributes;
  readonly rules: LogRules;
  /** Paths on the host of what is mounted in the container, '' where not known: to find `rules.files`. The longest target wins. */
  readonly mounts: readonly { readonly source: string; readonly target: string }[];
  /** The host's path of the container's own root file system; undefined where it is not known. */
  readonly rootPath: string | undefined;
}

/** What a log file's path says of its container. */
export interface ContainerPlace {
  /** 64 hex digits; undefined in Kubernetes, where paths have the pod's uid and the container's name. */
  readonly containerId?: string;
  readonly podUid?: string;
  readonly namespace?: string;
  readonly podName?: string;
  readonly containerName?: string;
  /** How often the container was started before: `<n>.log`. */
  readonly restartCount?: number;
}

/** The containers of this node, kept up to date by a watch: asking costs no call. */
export interface ContainerDirectory {
  /** Undefined: not known, or not yet. */
  find(place: ContainerPlace): ContainerFacts | undefined;
  /** All that is known, by container id: for what is not found by a path (files inside of containers, cgroups). */
  all(): ReadonlyMap<string, ContainerFacts>;
  /** Called after facts have changed; coalesced, at most a few times a second. */
  onChange(listener: () => void): void;
  /** True once the first complete answer is there. */
  readonly isReady: boolean;
  /** What is wrong now, for a person; '' where all is well. */
  problem(): string;
  stop(): Promise<void>;
}
