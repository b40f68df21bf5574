/**
 * All of an agent's scrape targets: from its options, from prometheus.yml files, from annotations and labels.
 *
 *   startTargetDiscovery({ configFiles: ['/etc/prometheus/prometheus.yml'], onTargets, ... })
 *     ->  onTargets([...]) whenever a target comes, goes or changes
 */
import type { Logger } from 'pino';
import type { Environment } from '#agent/kubernetes/cluster-access.ts';
import type { NodePods } from '#agent/kubernetes/node-pods.ts';
import type { ResolvedTarget } from '#agent/scrape/scrape-settings.ts';
import { ConfigError } from '#model/errors.ts';
import { annotatedPodsJob, labelledContainersJob, targetFilesJob } from './built-in-jobs.ts';
import { followConfigFiles } from './config-files.ts';
import { type FixedTarget, fixedPool, fixedTargets } from './fixed-targets.ts';
import { observeDiscovery } from './observe-discovery.ts';
import { scrapeConfigSchema } from './scrape-config-schema.ts';
import { type ScrapeDefaults, type ScrapeJob, scrapeJob } from './scrape-job.ts';
import { type ScrapePoolStatus, ScrapePools } from './scrape-pools.ts';
import { discoveryOf } from './start-discovery.ts';

export interface TargetDiscoveryOptions {
  readonly targets: readonly FixedTarget[];
  /** Globs of file_sd files. */
  readonly targetFiles: readonly string[];
  /** Globs of files of prometheus.yml's form. */
  readonly configFiles: readonly string[];
  /** Scrape configs as they are written in Prometheus. */
  readonly configs: readonly Readonly<Record<string, unknown>>[];
  /** Annotated pods of this node are scraped; undefined: none. */
  readonly annotatedPodsOf: string | undefined;
  /** Labelled containers of this Docker Engine are scraped; undefined: none. */
  readonly labelledContainersOf: string | undefined;
  /** Of all targets but those of configFiles, which have Prometheus's. */
  readonly defaults: ScrapeDefaults;
  /** The variables of this process: they say where the API server of its cluster is. */
  readonly environment: Environment;
  /** The pods of this node, where somebody watches them already. */
  readonly nodePods?: NodePods | undefined;
  readonly configPollMs?: number;
  readonly log: Logger;
  readonly onTargets: (targets: readonly ResolvedTarget[]) => void;
}

export interface TargetDiscovery {
  /** True once all discoveries have answered for the first time, or again after a configuration has changed. */
  readonly isReady: boolean;
  status(): readonly ScrapePoolStatus[];
  /** What a person should look at, one line each. */
  problems(): readonly string[];
  stop(): Promise<void>;
}

/** Resolves after the first look at configFiles. Throws ConfigError where the options themselves are wrong. */
export async function startTargetDiscovery(options: TargetDiscoveryOptions): Promise<TargetDiscovery> {
  const { log, onTargets } = options;
  const fixed = fixedTargets(options.targets, options.defaults);
  const ownJobs = jobsOfOptions(options);
  const pools = new ScrapePools({
    discoveryOf: (spec) => discoveryOf(spec, options.environment, options.nodePods),
    onTargets: (found) => {
      log.debug({ targets: fixed.length + found.length }, 'scrape targets were found');
      onTargets([...fixed, ...found]);
    },
  });
  onTargets(fixed);
  pools.setJobs(ownJobs);
  const files = await followConfigFiles({
    globs: options.configFiles,
    takenNames: [fixedPool, ...ownJobs.map(({ name }) => name)],
    ...(options.configPollMs !== undefined && { pollMs: options.configPollMs }),
    log,
    onJobs: (jobs) => pools.setJobs([...ownJobs, ...jobs]),
  });
  const status = (): ScrapePoolStatus[] => [
    { scrapePool: fixedPool, active: fixed, droppedCount: 0, dropped: [], invalidCount: 0, problems: [] },
    ...pools.status(),
  ];
  const problems = (): string[] => [...files.problems(), ...pools.status().flatMap((pool) => pool.problems)];
  const stopObserving = observeDiscovery(status, problems, log);
  return {
    get isReady() {
      return pools.isReady;
    },
    status,
    problems,
    async stop() {
      stopObserving();
      await files.stop();
      await pools.stop();
    },
  };
}

function jobsOfOptions(options: TargetDiscoveryOptions): ScrapeJob[] {
  const { defaults } = options;
  const jobs: ScrapeJob[] = [];
  if (options.targetFiles.length > 0) jobs.push(targetFilesJob(options.targetFiles, defaults));
  if (options.annotatedPodsOf !== undefined) jobs.push(annotatedPodsJob(options.annotatedPodsOf, defaults));
  if (options.labelledContainersOf !== undefined) {
    jobs.push(labelledContainersJob(options.labelledContainersOf, defaults));
  }
  const names = new Set([fixedPool, ...jobs.map(({ name }) => name)]);
  for (const config of options.configs) {
    const job = scrapeJob(scrapeConfigSchema.parse(config), {}, process.cwd(), defaults);
    if (names.has(job.name)) {
      throw new ConfigError(`agent.scrape.configs: job_name "${job.name}" is taken already`);
    }
    names.add(job.name);
    jobs.push(job);
  }
  return jobs;
}
