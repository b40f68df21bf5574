/**
 * The containers of a Docker or podman engine: listed and inspected once, then one by one as the engine's events name
 * them.
 *
 *   GET /version                                 ->  the engine's time
 *   GET /containers/json?all=1                   ->  inspect each
 *   GET /events?since=<that time>                ->  what has happened meanwhile, and from now on
 *   {"Action":"start","Actor":{"ID":"3f2a..."}}  ->  inspect 3f2a...
 *
 * When the stream of events breaks, something may have been missed (Docker remembers 256 events): all is listed again.
 */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { z } from 'zod';
import { errorMessage } from '#model/errors.ts';
import { ChangeNotifier } from '../containers/change-notifier.ts';
import type { ContainerDirectory, ContainerFacts, ContainerPlace } from '../containers/container-facts.ts';
import { getJson, HttpStatusError, streamJson } from '../containers/json-http.ts';
import { compileNameGlobs } from '../containers/label-globs.ts';
import { RetainedMap } from '../containers/retained-map.ts';
import { type RetryDelays, retryDelayMs, retryDelaysDefault } from '../containers/retry-delay.ts';
import { dockerFacts } from './docker-attributes.ts';
import { type DockerRecord, readDockerContainer } from './docker-record.ts';
import { connectEngine, type Engine, engineOptions } from './engine-access.ts';

export interface DockerDirectoryOptions {
  /** See engine-access.ts. */
  readonly address: string;
  /** False: no socket is no problem, but a host without Docker. */
  readonly isRequired: boolean;
  /** Globs (see label-globs.ts) of what becomes container.label.*. */
  readonly labels: readonly string[];
  readonly keepDeletedMs: number;
  readonly log: Logger;
  readonly retry?: RetryDelays;
  readonly random?: () => number;
  readonly now?: () => number;
  readonly changeQuietMs?: number;
  readonly sweepIntervalMs?: number;
  readonly containersMax?: number;
}

interface Entry {
  readonly facts: ContainerFacts;
  /** Equal where nothing that we use has changed. */
  readonly fingerprint: string;
}

const containersMaxDefault = 4000;
/** A host that starts many containers at once does not make its engine answer for all at once. */
const inspectionsMax = 4;
const sweepIntervalMsDefault = 10_000;
/** What changes a container's name, process or labels. `oom` and `exec_*` do not. */
const actions = ['create', 'start', 'restart', 'die', 'rename', 'update', 'destroy', 'remove'];

const listSchema = z.array(z.object({ Id: z.string() }));
const eventSchema = z.object({
  Action: z.string().optional(),
  status: z.string().optional(),
  id: z.string().optional(),
  Actor: z.object({ ID: z.string().optional() }).optional(),
});

export class DockerDirectory implements ContainerDirectory {
  readonly #options: DockerDirectoryOptions;
  readonly #isLabelKept: (name: string) => boolean;
  readonly #notifier: ChangeNotifier;
  readonly #containers: RetainedMap<Entry>;
  readonly #stop = new AbortController();
  readonly #sweepTimer: NodeJS.Timeout;
  readonly #ended: Promise<void>;
  /** Ids to inspect; a set, as a container that restarts all the time needs but the last look. */
  readonly #pending = new Set<string>();
  readonly #inFlight = new Set<string>();
  /** Of those in flight. */
  readonly #destroyed = new Set<string>();
  readonly #workers = new Set<Promise<void>>();
  #all: ReadonlyMap<string, ContainerFacts> | undefined;
  #isReady = false;
  #hasAnswered = false;
  #problem = '';
  #refused = 0;
  #skipped = 0;

  /** Starts at once. Throws ConfigError for an address that is none. */
  constructor(options: DockerDirectoryOptions) {
    this.#options = options;
    const target = engineOptions(options.address);
    this.#isLabelKept = compileNameGlobs(options.labels);
    this.#notifier = new ChangeNotifier(options.changeQuietMs);
    this.#containers = new RetainedMap(options.containersMax ?? containersMaxDefault, options.keepDeletedMs);
    this.#ended = this.#run(target);
    this.#sweepTimer = setInterval(() => this.#sweep(), options.sweepIntervalMs ?? sweepIntervalMsDefault);
    this.#sweepTimer.unref();
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Containers in memory, those that are gone among them. */
  get size(): number {
    return this.#containers.size;
  }

  find({ containerId }: ContainerPlace): ContainerFacts | undefined {
    return containerId === undefined ? undefined : this.#containers.get(containerId)?.facts;
  }

  all(): ReadonlyMap<string, ContainerFacts> {
    this.#all ??= new Map(
      [...this.#containers.values()].map(({ facts }) => [facts.attributes['container.id'] as string, facts]),
    );
    return this.#all;
  }

  onChange(listener: () => void): void {
    this.#notifier.onChange(listener);
  }

  problem(): string {
    const room =
      this.#refused === 0 ? '' : `Docker has more containers than are kept: ${this.#refused} were left out`;
    const skipped =
      this.#skipped === 0
        ? ''
        : `Docker described ${this.#skipped} containers not as expected: they were left out`;
    return [this.#problem, room, skipped].filter((text) => text !== '').join('; ');
  }

  async stop(): Promise<void> {
    clearInterval(this.#sweepTimer);
    this.#notifier.stop();
    this.#stop.abort();
    await this.#ended;
    await Promise.all(this.#workers);
  }

  async #run(target: ReturnType<typeof engineOptions>): Promise<void> {
    const { retry = retryDelaysDefault, random = Math.random } = this.#options;
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      try {
        const engine = await connectEngine(target, this.#stop.signal);
        this.#hasAnswered = true;
        await this.#list(engine);
        failures = 0;
        await this.#follow(engine);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#explain(error);
      }
      failures += 1;
      await this.#wait(retryDelayMs(retry, failures, random()));
    }
  }

  /** Resolves when the engine ends its stream of events, as it does when it is restarted. */
  async #follow(engine: Engine): Promise<void> {
    const filters = JSON.stringify({ type: ['container'], event: actions });
    const query = new URLSearchParams({ filters, since: String(engine.timeSeconds) });
    const broken = new AbortController();
    try {
      await streamJson(engine.endpoint, `/events?${query}`, {
        signal: AbortSignal.any([this.#stop.signal, broken.signal]),
        isLate: true,
        onValue: (value) => this.#take(engine, value, broken),
      });
    } catch (error) {
      throw broken.signal.aborted ? broken.signal.reason : error;
    }
  }

  async #list(engine: Engine): Promise<void> {
    const { body } = await getJson(engine.endpoint, '/containers/json?all=1', this.#stop.signal);
    const parsed = listSchema.safeParse(body);
    if (!parsed.success) throw new Error('the list of containers is not as expected');
    const ids = new Set(parsed.data.map(({ Id }) => Id));
    this.#containers.keepOnly(ids, this.#now());
    for (const id of ids) this.#pending.add(id);
    this.#refused = 0;
    this.#skipped = 0;
    await Promise.all(Array.from({ length: inspectionsMax }, () => this.#inspectPending(engine)));
    this.#problem = '';
    this.#isReady = true;
    this.#changed();
  }

  /** `broken` is aborted where a container cannot be inspected: all is listed again, so that none stays unknown. */
  #take(engine: Engine, value: unknown, broken: AbortController): void {
    const parsed = eventSchema.safeParse(value);
    const event = parsed.data;
    const id = event?.Actor?.ID ?? event?.id;
    if (id === undefined) throw new Error('the engine sent what is no event of a container');
    const action = event?.Action ?? event?.status;
    if (action === 'destroy' || action === 'remove') {
      this.#pending.delete(id);
      this.#containers.remove(id, this.#now());
      // The answer that is under way may be from before.
      if (this.#inFlight.has(id)) this.#destroyed.add(id);
      return;
    }
    this.#pending.add(id);
    this.#inspectSoon(engine, broken);
  }

  /** One more at work, where there is something to do: one slow answer does not hold up the others. */
  #inspectSoon(engine: Engine, broken: AbortController): void {
    if (this.#workers.size === inspectionsMax || this.#nextPending() === undefined) return;
    if (this.#stop.signal.aborted) return;
    const worker = this.#inspectPending(engine)
      .catch((error: unknown) => broken.abort(error))
      .finally(() => {
        this.#workers.delete(worker);
        // What came while this was ending.
        if (!broken.signal.aborted) this.#inspectSoon(engine, broken);
      });
    this.#workers.add(worker);
  }

  /** Rejects when the engine does not answer; what is pending stays so. */
  async #inspectPending(engine: Engine): Promise<void> {
    for (let id = this.#nextPending(); id !== undefined; id = this.#nextPending()) {
      this.#pending.delete(id);
      this.#inFlight.add(id);
      try {
        await this.#inspect(engine, id);
      } catch (error) {
        this.#pending.add(id);
        throw error;
      } finally {
        this.#inFlight.delete(id);
        if (this.#destroyed.delete(id)) this.#containers.remove(id, this.#now());
      }
    }
  }

  /** One at a time of each container: an older answer must not come after a newer one. */
  #nextPending(): string | undefined {
    for (const id of this.#pending) if (!this.#inFlight.has(id)) return id;
    return undefined;
  }

  async #inspect(engine: Engine, id: string): Promise<void> {
    let body: unknown;
    try {
      ({ body } = await getJson(
        engine.endpoint,
        `/containers/${encodeURIComponent(id)}/json`,
        this.#stop.signal,
      ));
    } catch (error) {
      if (!(error instanceof HttpStatusError) || error.status !== 404) throw error;
      this.#containers.remove(id, this.#now());
      return;
    }
    this.#keep(engine, body);
  }

  #keep(engine: Engine, body: unknown): void {
    let record: DockerRecord;
    try {
      record = readDockerContainer(body);
    } catch (error) {
      this.#skipped += 1;
      if (this.#skipped === 1)
        this.#options.log.warn({ reason: errorMessage(error) }, 'a container was left out');
      return;
    }
    const { id } = record;
    const facts = dockerFacts(record, engine.runtime, this.#isLabelKept);
    const fingerprint = createHash('sha256').update(JSON.stringify(facts)).digest('base64');
    const before = this.#containers.get(id);
    if (!this.#containers.set(id, { facts, fingerprint })) {
      this.#refused += 1;
    } else if (before?.fingerprint !== fingerprint) {
      const { problems } = facts.rules;
      if (problems.length > 0) {
        this.#options.log.warn(
          { container: record.name, problems },
          'a rule for the logs of a container is not understood',
        );
      }
      this.#changed();
    }
  }

  #explain(error: unknown): void {
    const { address, isRequired, log } = this.#options;
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'ENOENT' && !isRequired && !this.#hasAnswered) {
      // No engine here, or not yet: it is looked for again.
      this.#isReady = true;
      this.#problem = '';
      return;
    }
    const advice = code === 'EACCES' ? ': run the agent as root, or in the group that owns the socket' : '';
    const problem = `Docker at ${address}: ${errorMessage(error)}${advice}`;
    if (this.#problem === '') log.warn({ problem }, 'Docker does not answer as it should');
    this.#problem = problem;
  }

  #sweep(): void {
    const before = this.#containers.size;
    this.#containers.sweep(this.#now());
    if (this.#containers.size !== before) this.#all = undefined;
  }

  #changed(): void {
    this.#all = undefined;
    this.#notifier.notify();
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  async #wait(ms: number): Promise<void> {
    try {
      await delay(ms, undefined, { signal: this.#stop.signal });
    } catch {
      // Stopped: the loop sees it.
    }
  }
}
