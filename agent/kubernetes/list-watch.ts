/**
 * Tells of the objects of a resource of the API server, of whatever kind: lists them once, then watches them from the
 * version of the list (Kubernetes API concepts, "Efficient detection of changes").
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
import { type AnswerBounds, AnswerSizeError, type HttpEndpoint } from '../containers/http-request.ts';
import { getJson, HttpStatusError, streamJson } from '../containers/json-http.ts';
import { type RetryDelays, retryDelayMs } from '../containers/retry-delay.ts';

export interface ListWatchOptions<Kept> {
  readonly endpoint: HttpEndpoint;
  /** Such as /api/v1/pods. */
  readonly path: string;
  /** Selectors. */
  readonly query?: Readonly<Record<string, string>>;
  /** For people: `pods`. Without problemText it is also the resource of the RBAC rule that a 403 asks for. */
  readonly resource: string;
  /** What problem() says of an error of a list or a watch. */
  readonly problemText?: (error: unknown) => string;
  /** Takes what is needed of an object: the rest is garbage at once. Throws Error for what is no such object. */
  readonly pick: (object: unknown) => Kept;
  readonly onReplace: (objects: readonly Kept[]) => void;
  readonly onUpsert: (object: Kept) => void;
  readonly onRemove: (object: Kept) => void;
  /** Objects that are merely useful: their being forbidden is said once and is no lasting problem. */
  readonly isOptional?: boolean;
  readonly bounds?: ListBounds;
  readonly retry: RetryDelays;
  readonly random: () => number;
  /** Undefined: the owner tells of problem() and `skipped` itself. */
  readonly log?: Logger;
}

/** Whoever wants the same objects, as the server sends them. Its functions must not throw. */
export interface ObjectListener {
  onList(objects: readonly unknown[]): void;
  onUpsert(object: unknown): void;
  onRemove(object: unknown): void;
}

export interface ListBounds {
  /** Of one list: more is a selector that does not select. */
  readonly objectsMax: number;
  /** A server whose pages are empty and never end is given up. */
  readonly pagesMax: number;
  readonly page: AnswerBounds;
}

/** The server ends a watch after so long; agents that were started together come back apart from each other. */
const watchSecondsMin = 240;
const watchSecondsSpread = 240;
/** For the server to end the watch before we do. */
const watchGraceMs = 30_000;
/** A watch that lasted so long was a good one, even if nothing happened. */
const goodWatchMs = 30_000;
const pageObjects = 250;
const boundsDefault: ListBounds = {
  objectsMax: 20_000,
  pagesMax: 10_000,
  page: { bytesMax: 64 * 1024 * 1024, msMax: 30_000 },
};
const forbiddenRetryMs = 300_000;

const metaSchema = z.object({
  resourceVersion: z.string().default(''),
  continue: z.string().default(''),
});
const listSchema = z.object({ metadata: metaSchema, items: z.array(z.unknown()).nullish() });
const eventSchema = z.object({ type: z.string(), object: z.unknown() });
const objectSchema = z.object({ metadata: z.object({ resourceVersion: z.string().default('') }) });
const statusSchema = z.object({
  code: z.number().default(0),
  reason: z.string().default(''),
  message: z.string().default(''),
});

const gone = 410;
/** The reasons of a Status with 410, for one that has lost its code. */
const goneReasons: readonly string[] = ['Expired', 'Gone'];
const forbidden = 403;

export class ListWatch<Kept> {
  readonly #options: ListWatchOptions<Kept>;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  /** Undefined: a list is needed. */
  #version: string | undefined;
  readonly #listeners = new Set<ObjectListener>();
  /** Somebody listens since the last list began. */
  #isListWanted = false;
  /** Ends the watch under way. */
  #watching: AbortController | undefined;
  /**
   * '0' is answered from the server's memory. '' asks for the newest: after 410, as the memory might be as old again; and
   * after an answer that was too large, as the memory is not sent in pages.
   */
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

  /** Objects that were not as expected, and that nobody was told of. */
  get skipped(): number {
    return this.#skipped;
  }

  problem(): string {
    return this.#problem;
  }

  /**
   * Tells of the objects from a new list on, which is asked for at once: so nobody needs to keep what the server sent. Returns
   * what ends it.
   */
  listen(listener: ObjectListener): () => void {
    this.#listeners.add(listener);
    this.#isListWanted = true;
    this.#watching?.abort();
    return () => void this.#listeners.delete(listener);
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
        while (this.#version === undefined || this.#isListWanted) await this.#list();
        await this.#watch();
        this.#problem = '';
        // A good watch that the server ends goes on at once; one that brought nothing may be ended again.
        if (this.#isUseful) continue;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (this.#watching?.signal.aborted === true) continue;
        waitMs = this.#explain(error);
      }
      this.#failures += 1;
      await this.#wait(Math.max(waitMs, retryDelayMs(retry, this.#failures, random())));
    }
  }

  async #list(): Promise<void> {
    const { endpoint, path, query, pick, bounds = boundsDefault } = this.#options;
    const kept: Kept[] = [];
    const listened: unknown[] = [];
    this.#skipped = 0;
    // Where this list fails, the next thing is a list again: somebody may be waiting for one.
    this.#version = undefined;
    this.#isListWanted = false;
    this.#watching = undefined;
    let next = '';
    let version = '';
    let pages = 0;
    do {
      if (++pages > bounds.pagesMax) throw new Error(`the list has more than ${bounds.pagesMax} pages`);
      const parameters = new URLSearchParams({ ...query, limit: String(pageObjects) });
      if (next !== '') parameters.set('continue', next);
      else if (this.#listVersion !== '') parameters.set('resourceVersion', this.#listVersion);
      const { body } = await getJson(endpoint, `${path}?${parameters}`, this.#stop.signal, bounds.page);
      const parsed = listSchema.safeParse(body);
      if (!parsed.success) throw new Error('the answer is no list with metadata and items');
      const items = parsed.data.items ?? [];
      if (kept.length + items.length > bounds.objectsMax) {
        throw new Error(
          `there are more than ${bounds.objectsMax} objects: narrow them by namespaces or selectors`,
        );
      }
      for (const item of items) this.#take(() => kept.push(pick(item)));
      if (this.#listeners.size > 0) listened.push(...items);
      ({ continue: next, resourceVersion: version } = parsed.data.metadata);
    } while (next !== '');
    this.#options.onReplace(kept);
    // Who came meanwhile has missed the first pages.
    if (!this.#isListWanted) for (const listener of this.#listeners) listener.onList(listened);
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
    const watching = new AbortController();
    this.#watching = watching;
    this.#isUseful = false;
    try {
      await streamJson(endpoint, `${path}?${parameters}`, {
        signal: AbortSignal.any([this.#stop.signal, watching.signal]),
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
      const {
        code = 0,
        reason = '',
        message = 'the watch failed',
      } = statusSchema.safeParse(object).data ?? {};
      throw new HttpStatusError(goneReasons.includes(reason) ? gone : code, message);
    }
    this.#isUseful = true;
    if (type === 'ADDED' || type === 'MODIFIED') {
      this.#take(() => onUpsert(pick(object)));
      for (const listener of this.#listeners) listener.onUpsert(object);
    } else if (type === 'DELETED') {
      this.#take(() => onRemove(pick(object)));
      for (const listener of this.#listeners) listener.onRemove(object);
    } else if (type !== 'BOOKMARK') this.#take(() => refuseEvent(type));
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
        log?.warn({ resource, reason: errorMessage(error) }, 'an object of Kubernetes was left out');
    }
  }

  /** Notes what is wrong; returns how long to wait at least. */
  #explain(error: unknown): number {
    const { resource, problemText, isOptional, log } = this.#options;
    const status = error instanceof HttpStatusError ? error.status : 0;
    if (status === gone) {
      this.#version = undefined;
      this.#listVersion = '';
      return 0;
    }
    if (error instanceof AnswerSizeError) this.#listVersion = '';
    const reason = errorMessage(error);
    if (status !== forbidden) {
      if (this.#problem === '') log?.warn({ resource, reason }, 'Kubernetes does not answer as it should');
      this.#problem = problemText?.(error) ?? `Kubernetes ${resource}: ${reason}`;
      return error instanceof HttpStatusError ? error.retryAfterMs : 0;
    }
    const rule = missingRule(resource);
    if (!this.#hasWarnedOfRule) {
      this.#hasWarnedOfRule = true;
      log?.warn(
        { resource, reason, rule },
        'Kubernetes refuses what the agent may not read: its ClusterRole needs this rule',
      );
    }
    if (isOptional) return forbiddenRetryMs;
    const text = `Kubernetes ${resource}: ${reason}; the agent's ClusterRole needs ${rule}`;
    this.#problem = problemText?.(error) ?? text;
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

function refuseEvent(type: string): never {
  throw new Error(`the watch has an event of unknown type "${type}"`);
}

/** The RBAC rule that lets an agent read `resource` of the core group. */
export function missingRule(resource: string): string {
  return `{ apiGroups: [""], resources: ["${resource}"], verbs: ["list", "watch"] }`;
}
