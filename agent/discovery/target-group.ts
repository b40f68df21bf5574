/**
 * What every kind of service discovery answers with: groups of targets, each a set of labels (Prometheus,
 * "service discovery": `__address__` is where to scrape, `__meta_*` are facts for relabeling).
 */

export interface TargetGroup {
  /** Where the group comes from, unique within one discovery: a file's group, a pod, a URL's group. */
  readonly source: string;
  /** Each has `__address__`. */
  readonly targets: readonly Readonly<Record<string, string>>[];
  /** Of all targets of the group; a target's own label wins. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface Discovery {
  /** What is wrong now, for a person; '' where all is well. Targets stay as last known meanwhile. */
  problem(): string;
  stop(): Promise<void>;
}

/**
 * Starts a discovery. `onGroups` gets all groups that there are, each time that one changes, and never while the first
 * complete answer is still to come: an empty list means that there is nothing to scrape.
 */
export type StartDiscovery = (onGroups: (groups: readonly TargetGroup[]) => void) => Discovery;
