/**
 * Keeps a copy of a resource of the API server: lists it once, then watches it from the version of the list (Kubernetes
 * API concepts, "Efficient detection of changes").
 *
 *   GET /api/v1/pods?fieldSelector=...&resourceVersion=0            ->  onReplace(all objects)
 *   GET /api/v1/pods?fieldSelector=...&watch=1&resourceVersion=41   ->  onUpsert(object), onRemove(object), ...
 *
 * A watch that ends goes on at the last version it has seen. A version that the server has forgotten (410 Gone) is a new
 * list, and until that is complete the old copy stays.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { z } from 'zod';
import { errorMessage } from '#model/errors.ts';
import { getJson, type HttpEndpoint, HttpStatusError, streamJson } from '../containers/json-http.ts';
import { type RetryDelays, retryDelayMs } from '../containers/retry-delay.ts';

export interface ListWatchOptions<Kept> {
  readonly endpoint: HttpEndpoint;
  /** Such as /api/v1/pods. */
  readonly path: string;
  /** Selectors. */
  readonly query?: Readonly<Record<string, string>>;
  /** For people: `pods`. It is also the resource of the RBAC rule that a 403 asks for. */
  readonly resource: string;
  /** Takes what is needed of an object: the rest is garbage at once. Throws Error for what is no such object. */
  readonly pick: (object: unknown) => Kept;
  readonly onReplace: (objects: readonly Kept[]) => void;
  readonly onUpsert: (object: Kept) => void;
  readonly onRemove: (object: Kept) => void;
  /** A copy that is merely useful: its being forbidden is said once and is no lasting problem. */
  readonly isOptional?: boolean;
  readonly retry: RetryDelays;
  readonly random: () => number;
  readonly log: Logger;
}

/** The server ends a watch after so long; agents that were started together come back apart from each other. */
const watchSecondsMin = 240;
const watchSecondsSpread = 240;
/** For the server to end the watch before we do. */
const watchGraceMs = 30_000;
/** A watch that lasted so long was a good one, even if nothing happened. */
const goodWatchMs = 30_000;
const pageObjects = 250;
/** Of one list: more is a selector that does not select. */
const objectsMax = 20_000;
const forbiddenRetryMs = 300_000;

const metaSchema = z.object({
  resourceVersion: z.string().default(''),
  continue: z.string().default(''),
});
const listSchema = z.object({ metadata: metaSchema, items: z.array(z.unknown()).nullish() });
const eventSchema = z.object({ type: z.string(), object: z.unknown() });
const objectSchema = z.object({ metadata: z.object({ resourceVersion: z.string().default('') }) });
const statusSchema = z.object({ code: z.number().default(0), message: z.string().default('') });

const gone = 410;
const forbidden = 403;

export class ListWatch<Kept> {
  readonly #options: ListWatchOptions<Kept>;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  /** Undefined: a list is needed. */
  #version: string | undefined;
  /** '0' is answered from the server's memory; after 410 it might be as old again, so '' asks for the newest. */
  #listVersion = '0';
  #isReady = false;
  #problem = '';
  #hasWarnedOfRule = false;
  #skipped = 0;
  /** In a row. */
  #failures = 0;
  /** The last watch brought something or lasted. */
  #isUseful = false;

  /** Starts at once. */
  constructor(options: ListWatchOptions<Kept>) {
    this.#options = options;
    this.#ended = this.#run();
  }

  /** True once a list is complete. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Objects that were not as expected, and are not in the copy. */
  get skipped(): number {
    return this.#skipped;
  }

  problem(): string {
    return this.#problem;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { retry, random } = this.#options;
    while (!this.#stop.signal.aborted) {
      let waitMs = 0;
      try {
        if (this.#version === undefined) await this.#list();
        await this.#watch();
        this.#problem = '';
        // A good watch that the server ends goes on at once; one that brought nothing may be ended again.
        if (this.#isUseful) continue;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        waitMs = this.#explain(error);
      }
      this.#failures += 1;
      await this.#wait(Math.max(waitMs, retryDelayMs(retry, this.#failures, random())));
    }
  }

  async #list(): Promise<void> {
    const { endpoint, path, query, pick } = this.#options;
    const kept: Kept[] = [];
    this.#skipped = 0;
    let next = '';
    let version = '';
    do {
      const parameters = new URLSearchParams({ ...query, limit: String(pageObjects) });
      if (next !== '') parameters.set('continue', next);
      else if (this.#listVersion !== '') parameters.set('resourceVersion', this.#listVersion);
      const { body } = await getJson(endpoint, `${path}?${parameters}`, this.#stop.signal);
      const parsed = listSchema.safeParse(body);
      if (!parsed.success) throw new Error('the answer is no list with metadata and items');
      const items = parsed.data.items ?? [];
      if (kept.length + items.length > objectsMax) throw new Error(`there are more than ${objectsMax}`);
      for (const item of items) this.#take(() => kept.push(pick(item)));
      ({ continue: next, resourceVersion: version } = parsed.data.metadata);
    } while (next !== '');
    this.#options.onReplace(kept);
    this.#version = version;
    this.#isReady = true;
    this.#problem = '';
  }

  /** Resolves when the server ends the watch. Failures are forgotten where it was of use: it brought something or lasted. */
  async #watch(): Promise<void> {
    const { endpoint, path, query, random } = this.#options;
    const seconds = Math.round(watchSecondsMin + watchSecondsSpread * random());
    const parameters = new URLSearchParams({
      ...query,
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#version!,
      timeoutSeconds: String(seconds),
    });
    const startedAt = performance.now();
    this.#isUseful = false;
    try {
      await streamJson(endpoint, `${path}?${parameters}`, {
        signal: this.#stop.signal,
        durationMsMax: seconds * 1000 + watchGraceMs,
        onOpen: () => {
          this.#problem = '';
        },
        onValue: (value) => this.#apply(value),
      });
    } finally {
      if (performance.now() - startedAt >= goodWatchMs) this.#isUseful = true;
      if (this.#isUseful) this.#failures = 0;
    }
  }

  /** Throws HttpStatusError for the event ERROR: it has the status that an answer would have had. */
  #apply(value: unknown): void {
    const parsed = eventSchema.safeParse(value);
    if (!parsed.success) throw new Error('the watch sent what is no event with type and object');
    const { type, object } = parsed.data;
    const { pick, onUpsert, onRemove } = this.#options;
    if (type === 'ERROR') {
      const status = statusSchema.safeParse(object);
      throw new HttpStatusError(status.data?.code ?? 0, status.data?.message ?? 'the watch failed');
    }
    this.#isUseful = true;
    if (type === 'ADDED' || type === 'MODIFIED') this.#take(() => onUpsert(pick(object)));
    else if (type === 'DELETED') this.#take(() => onRemove(pick(object)));
    const meta = objectSchema.safeParse(object);
    if (meta.success && meta.data.metadata.resourceVersion !== '') {
      this.#version = meta.data.metadata.resourceVersion;
    }
  }

  /** One object that is not as expected must not keep the others from being known. */
  #take(take: () => void): void {
    try {
      take();
    } catch (error) {
      this.#skipped += 1;
      const { resource, log } = this.#options;
      // The first says what is wrong; the counter says how often.
      if (this.#skipped === 1)
        log.warn({ resource, reason: errorMessage(error) }, 'an object of Kubernetes was left out');
    }
  }

  /** Notes what is wrong; returns how long to wait at least. */
  #explain(error: unknown): number {
    const { resource, isOptional, log } = this.#options;
    const status = error instanceof HttpStatusError ? error.status : 0;
    if (status === gone) {
      this.#version = undefined;
      this.#listVersion = '';
      return 0;
    }
    const reason = errorMessage(error);
    if (status !== forbidden) {
      const problem = `Kubernetes ${resource}: ${reason}`;
      if (this.#problem === '') log.warn({ resource, reason }, 'Kubernetes does not answer as it should');
      this.#problem = problem;
      return error instanceof HttpStatusError ? error.retryAfterMs : 0;
    }
    const rule = missingRule(resource);
    if (!this.#hasWarnedOfRule) {
      this.#hasWarnedOfRule = true;
      log.warn(
        { resource, reason, rule },
        'Kubernetes refuses what the agent may not read: its ClusterRole needs this rule',
      );
    }
    if (isOptional) return forbiddenRetryMs;
    this.#problem = `Kubernetes ${resource}: ${reason}; the agent's ClusterRole needs ${rule}`;
    return 0;
  }

  async #wait(ms: number): Promise<void> {
    try {
      await delay(ms, undefined, { signal: this.#stop.signal });
    } catch {
      // Stopped: the loop sees it.
    }
  }
}

/** The RBAC rule that lets an agent read `resource` of the core group. */
export function missingRule(resource: string): string {
  return `{ apiGroups: [""], resources: ["${resource}"], verbs: ["list", "watch"] }`;
}
