/**
 * Joins scrape jobs with their discoveries: jobs come in, resolved targets go to the scraper whenever one changes.
 *
 *   pools.setJobs(jobs)  ->  onTargets([{ url: 'http://a:80/metrics', labels: [...], scrapePool: 'node', ... }])
 *
 * A discovery that several jobs ask for in the same words is started once, and goes on while jobs are replaced.
 */
import type { Discovery, StartDiscovery, TargetGroup } from '#agent/discovery/target-group.ts';
import type { ResolvedTarget } from '#agent/scrape/scrape-settings.ts';
import { populateLabels, type Resolution } from './populate-labels.ts';
import type { DiscoverySpec, ScrapeJob } from './scrape-job.ts';

export interface ScrapePoolsOptions {
  readonly discoveryOf: (spec: DiscoverySpec) => StartDiscovery;
  readonly onTargets: (targets: readonly ResolvedTarget[]) => void;
  /** Changes of this time are told together. */
  readonly coalesceMs?: number;
  /** So long a replaced job keeps its targets while discoveries that are new in it have not answered. */
  readonly patienceMs?: number;
}

/** One pool as /api/v1/targets shows it. */
export interface ScrapePoolStatus {
  readonly scrapePool: string;
  readonly active: readonly ResolvedTarget[];
  /** Discovered and dropped by relabeling: all of them counted, some of them listed. */
  readonly droppedCount: number;
  readonly dropped: readonly Readonly<Record<string, string>>[];
  /** Targets that cannot be scraped: some of them are among the problems. */
  readonly invalidCount: number;
  /** What is wrong, for a person: discoveries that fail, targets that are none. */
  readonly problems: readonly string[];
}

const coalesceMsDefault = 250;
/** A discovery that is new in a replaced job has this long for its first answer. */
const patienceMsDefault = 30_000;
/** Of one pool, where keep_dropped_targets does not say. */
const droppedListedMax = 1_000;
const problemsListedMax = 10;

interface Source {
  readonly discovery: Discovery;
  groups: readonly TargetGroup[];
  isReady: boolean;
}

interface Pool {
  readonly job: ScrapeJob;
  readonly sourceKeys: readonly string[];
  /** What was made of a group; discoveries keep the object of a group that has not changed. */
  readonly resolved: WeakMap<TargetGroup, readonly Resolution[]>;
  /** Of the pool that this one replaces: valid until all discoveries have answered, or have had time enough. */
  before: ScrapePoolStatus | undefined;
  /** All of its discoveries have answered. */
  isComplete: boolean;
  status: ScrapePoolStatus;
}

export class ScrapePools {
  readonly #options: ScrapePoolsOptions;
  readonly #sources = new Map<string, Source>();
  readonly #stopping = new Set<Promise<void>>();
  #pools: Pool[] = [];
  /** Targets as they were told last. */
  #told: readonly ResolvedTarget[] | undefined;
  #timer: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: ScrapePoolsOptions) {
    this.#options = options;
  }

  /** True once every discovery has answered, and its targets were told. */
  get isReady(): boolean {
    return this.#timer === undefined && [...this.#sources.values()].every(({ isReady }) => isReady);
  }

  /** Replaces all jobs. Targets of jobs that stay go on undisturbed. */
  setJobs(jobs: readonly ScrapeJob[]): void {
    if (this.#isStopped) return;
    const wanted = new Map<string, DiscoverySpec>();
    const before = new Map(
      this.#pools.map((pool) => [pool.job.name, pool.isComplete ? pool.status : pool.before]),
    );
    this.#pools = jobs.map((job) => {
      const sourceKeys = job.discoveries.map((spec) => {
        const key = JSON.stringify(spec);
        wanted.set(key, spec);
        return key;
      });
      return {
        job,
        sourceKeys,
        resolved: new WeakMap(),
        before: before.get(job.name),
        isComplete: false,
        status: emptyStatus(job.name),
      };
    });
    for (const [key, source] of this.#sources) {
      if (wanted.has(key)) continue;
      this.#sources.delete(key);
      this.#stop(source);
    }
    for (const [key, spec] of wanted) if (!this.#sources.has(key)) this.#start(key, spec);
    this.#planUpdate();
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => this.#forgetBefore(), this.#options.patienceMs ?? patienceMsDefault);
  }

  status(): readonly ScrapePoolStatus[] {
    return this.#pools.map(({ status, sourceKeys, job }) => {
      const problems = sourceKeys.flatMap((key) => {
        const problem = this.#sources.get(key)?.discovery.problem() ?? '';
        return problem === '' ? [] : [`${job.name}: ${problem}`];
      });
      return { ...status, problems: [...problems, ...status.problems] };
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#patience);
    for (const source of this.#sources.values()) this.#stop(source);
    this.#sources.clear();
    await Promise.all(this.#stopping);
  }

  #start(key: string, spec: DiscoverySpec): void {
    let source: Source | undefined;
    let early: readonly TargetGroup[] | undefined;
    const discovery = this.#options.discoveryOf(spec)((groups) => {
      // A static discovery answers before it has returned.
      if (source === undefined) early = groups;
      else {
        source.groups = groups;
        source.isReady = true;
        this.#planUpdate();
      }
    });
    source = { discovery, groups: early ?? [], isReady: early !== undefined };
    this.#sources.set(key, source);
  }

  #stop({ discovery }: Source): void {
    const stopping: Promise<void> = discovery.stop().finally(() => this.#stopping.delete(stopping));
    this.#stopping.add(stopping);
  }

  #planUpdate(): void {
    if (this.#timer !== undefined || this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#update();
    }, this.#options.coalesceMs ?? coalesceMsDefault);
  }

  /** Discoveries that still have no answer must not keep back those that have. */
  #forgetBefore(): void {
    for (const pool of this.#pools) pool.before = undefined;
    this.#planUpdate();
  }

  #update(): void {
    for (const pool of this.#pools) {
      pool.isComplete ||= pool.sourceKeys.every((key) => this.#sources.get(key)?.isReady);
      if (pool.isComplete) pool.before = undefined;
      pool.status = pool.before ?? this.#resolvePool(pool);
    }
    const targets = this.#pools.flatMap(({ status }) => status.active);
    const known = this.#told;
    if (known?.length === targets.length && targets.every((target, index) => target === known[index])) return;
    this.#told = targets;
    this.#options.onTargets(targets);
  }

  #resolvePool({ job, sourceKeys, resolved }: Pool): ScrapePoolStatus {
    const active = new Map<string, ResolvedTarget>();
    const dropped: Readonly<Record<string, string>>[] = [];
    const invalid: string[] = [];
    let droppedCount = 0;
    const listedMax = job.keptDroppedTargets || droppedListedMax;
    for (const group of sourceKeys.flatMap((key) => this.#sources.get(key)?.groups ?? [])) {
      let resolutions = resolved.get(group);
      if (resolutions === undefined) {
        resolutions = group.targets.map((target) => populateLabels(target, group.labels, job));
        resolved.set(group, resolutions);
      }
      for (const resolution of resolutions) {
        if (resolution.kind === 'target') {
          const identity = JSON.stringify([resolution.target.url, resolution.target.labels]);
          // As in Prometheus the first of equal targets is the one that is kept.
          if (!active.has(identity)) active.set(identity, resolution.target);
        } else if (resolution.kind === 'dropped') {
          droppedCount++;
          if (dropped.length < listedMax) dropped.push(resolution.discoveredLabels);
        } else invalid.push(resolution.reason);
      }
    }
    const isOverLimit = job.targetLimit > 0 && active.size > job.targetLimit;
    return {
      scrapePool: job.name,
      active: isOverLimit ? [] : [...active.values()],
      droppedCount,
      dropped,
      invalidCount: isOverLimit ? active.size + invalid.length : invalid.length,
      problems: [
        ...(isOverLimit
          ? [`${job.name}: ${active.size} targets exceed target_limit ${job.targetLimit}: none is scraped`]
          : []),
        ...invalid.slice(0, problemsListedMax),
        ...(invalid.length > problemsListedMax ? [`${job.name}: ${invalid.length} invalid targets`] : []),
      ],
    };
  }
}

function emptyStatus(scrapePool: string): ScrapePoolStatus {
  return { scrapePool, active: [], droppedCount: 0, dropped: [], invalidCount: 0, problems: [] };
}
