/**
 * Follows the prometheus.yml files that an option names: their jobs come out, again whenever one of them has changed.
 *
 * A version with a mistake is not taken: the one before stays, and the mistake is told until it is mended.
 */
import { glob } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { errorMessage } from '#model/errors.ts';
import { hasChanged, type LoadedJobs, loadPrometheusFile } from './load-prometheus-file.ts';
import type { ScrapeJob } from './scrape-job.ts';

export interface ConfigFilesOptions {
  readonly globs: readonly string[];
  /** Names that jobs of files must not have. */
  readonly takenNames: readonly string[];
  readonly pollMs?: number;
  readonly log: Logger;
  readonly onJobs: (jobs: readonly ScrapeJob[]) => void;
}

export interface ConfigFiles {
  /** One line each; empty where all is well. */
  problems(): readonly string[];
  stop(): Promise<void>;
}

const pollMsDefault = 5_000;
const filesMax = 1_000;

interface KnownFile {
  readonly loaded: LoadedJobs | undefined;
  readonly fault: string;
}

/** Resolves after the first look, with onJobs called where there is a job. */
export async function followConfigFiles(options: ConfigFilesOptions): Promise<ConfigFiles> {
  const follower = new Follower(options);
  await follower.look();
  follower.run();
  return follower;
}

class Follower implements ConfigFiles {
  readonly #options: ConfigFilesOptions;
  readonly #abort = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #files = new Map<string, KnownFile>();
  #fault = '';

  constructor(options: ConfigFilesOptions) {
    this.#options = options;
  }

  problems(): readonly string[] {
    const faults = [...this.#files.values()].map(({ fault }) => fault);
    return [this.#fault, ...faults].filter((fault) => fault !== '');
  }

  run(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    const pollMs = this.#options.pollMs ?? pollMsDefault;
    while (!signal.aborted) {
      await delay(pollMs, undefined, { signal, ref: false }).catch(() => undefined); // Stopped.
      if (!signal.aborted) await this.look();
    }
  }

  /** Never rejects. */
  async look(): Promise<void> {
    const before = this.#files;
    try {
      const files = new Map<string, KnownFile>();
      const names = new Map(this.#options.takenNames.map((name) => [name, 'the agent itself']));
      for (const path of await this.#paths())
        files.set(path, await this.#readFile(path, before.get(path), names));
      this.#fault = '';
      this.#files = files;
    } catch (error) {
      this.#fault = errorMessage(error);
      return;
    }
    const isSame =
      before.size === this.#files.size &&
      [...this.#files].every(([path, { loaded }]) => before.get(path)?.loaded === loaded);
    if (isSame || this.#abort.signal.aborted) return;
    this.#options.onJobs([...this.#files.values()].flatMap(({ loaded }) => loaded?.jobs ?? []));
  }

  async #paths(): Promise<string[]> {
    const paths = new Set<string>();
    for (const pattern of this.#options.globs) {
      let isFound = false;
      for await (const path of glob(pattern)) {
        isFound = true;
        if (paths.size === filesMax)
          throw new Error(`${pattern}: more than ${filesMax} scrape configuration files`);
        paths.add(path);
      }
      // A plain path that is not there is a mistake; a pattern may match nothing yet.
      if (!isFound && !/[*?[{]/.test(pattern)) paths.add(pattern);
    }
    return [...paths].sort();
  }

  async #readFile(
    path: string,
    before: KnownFile | undefined,
    names: Map<string, string>,
  ): Promise<KnownFile> {
    const { log } = this.#options;
    let loaded = before?.loaded;
    let fault = '';
    try {
      if (loaded === undefined || before?.fault !== '' || (await hasChanged(path, loaded))) {
        const read = await loadPrometheusFile(path);
        const conflict = takenName(read, names);
        if (conflict !== undefined) throw new Error(`${path}: ${conflict}`);
        for (const note of read.notes) log.warn(note);
        log.info({ path, jobs: read.jobs.length }, 'a scrape configuration was read');
        loaded = read;
      }
    } catch (error) {
      fault = errorMessage(error);
    }
    // Another file may have taken a name meanwhile.
    const conflict = loaded && takenName(loaded, names);
    if (conflict !== undefined) {
      fault ||= `${path}: ${conflict}`;
      loaded = undefined;
    }
    if (fault !== '' && loaded !== undefined) fault += '; the version before stays in use';
    if (fault !== '' && fault !== before?.fault) {
      log.error({ path, reason: fault }, 'a scrape configuration was not taken');
    }
    for (const { name } of loaded?.jobs ?? []) names.set(name, path);
    return { loaded, fault };
  }
}

function takenName({ jobs }: LoadedJobs, names: ReadonlyMap<string, string>): string | undefined {
  const taken = jobs.find(({ name }) => names.has(name));
  return taken && `job_name "${taken.name}" is taken already, by ${names.get(taken.name)}`;
}
