/**
 * Keeps all objects of one kind (of a namespace, of a selector) as the API server has them: a list, then a watch from its
 * resourceVersion, and a new list only where the server no longer has that version (410 Gone).
 *
 *   new ObjectWatch<V1Pod>({ path: '/api/v1/pods', fieldSelector: 'spec.nodeName=node-1', ... }).objects  ->  Map 'ns/name' -> pod
 */
import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { V1ObjectMeta } from '@kubernetes/client-node';
import { errorMessage } from '#model/errors.ts';
import type { KubeConnection } from './kube-connection.ts';
import { watchEvents } from './watch-lines.ts';

export interface KubeObject {
  readonly metadata?: V1ObjectMeta;
}

export interface ObjectWatchOptions {
  /** `/api/v1/pods`, `/api/v1/namespaces/shop/pods`, ... */
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly connection: KubeConnection;
  /** After each complete list and each event. */
  readonly onChange: () => void;
  /** The shortest wait before asking again; doubles with each failure up to a minute. */
  readonly backoffMs?: number;
}

const listLimit = 500;
const listBytesMax = 256 * 1024 * 1024;
const listTimeoutMs = 120_000;
const objectsMax = 500_000;
const pagesMax = 10_000;
const errorBytesMax = 64 * 1024;
/** The server ends a watch then; the client some time later, where the connection is dead. */
const watchSeconds = 300;
const watchGraceMs = 30_000;
const backoffMsDefault = 250;
const backoffMsMax = 60_000;

/** The version that a watch would start from is no longer there. */
class GoneError extends Error {}

export class ObjectWatch<Kind extends KubeObject> {
  readonly #options: ObjectWatchOptions;
  readonly #abort = new AbortController();
  readonly #running: Promise<void>;
  #objects = new Map<string, Kind>();
  /** Undefined: list first. */
  #version: string | undefined;
  #isListed = false;
  #problem = '';

  constructor(options: ObjectWatchOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** By `namespace/name`, or name where there is no namespace. */
  get objects(): ReadonlyMap<string, Kind> {
    return this.#objects;
  }

  /** True once the first complete list is there. */
  get isListed(): boolean {
    return this.#isListed;
  }

  problem(): string {
    return this.#problem;
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error('the discovery stops'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    let failures = 0;
    while (!signal.aborted) {
      try {
        if (this.#version === undefined) await this.#list(failures === 0);
        await this.#watch(() => {
          failures = 0;
        });
      } catch (error) {
        if (signal.aborted) return;
        failures++;
        if (error instanceof GoneError) this.#version = undefined;
        else this.#problem = `${this.#options.path}: ${errorMessage(error)}`;
      }
      const waitMs = (this.#options.backoffMs ?? backoffMsDefault) * 2 ** Math.min(failures, 16);
      await delay(Math.min(waitMs, backoffMsMax), undefined, { signal, ref: false }).catch(() => undefined); // Stopped.
    }
  }

  /** `fromCache`: any version that the server has in memory will do, which spares its database. */
  async #list(fromCache: boolean): Promise<void> {
    const objects = new Map<string, Kind>();
    let version = '';
    let next = '';
    for (let pages = 0; ; pages++) {
      if (pages === pagesMax) throw new Error(`the list has more than ${pagesMax} pages`);
      const query: Record<string, string> = { limit: String(listLimit) };
      if (next !== '') query.continue = next;
      else if (fromCache) query.resourceVersion = '0';
      const page = await this.#readList(query);
      for (const object of page.items) keep(objects, object as Kind);
      if (objects.size > objectsMax) {
        throw new Error(`more than ${objectsMax} objects: narrow them by namespaces or selectors`);
      }
      version = page.version;
      next = page.next;
      if (next === '') break;
    }
    this.#objects = objects;
    this.#version = version;
    this.#isListed = true;
    this.#options.onChange();
  }

  async #readList(
    query: Record<string, string>,
  ): Promise<{ items: unknown[]; version: string; next: string }> {
    const abort = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(listTimeoutMs)]);
    const response = await this.#open(query, abort);
    const body = JSON.parse((await readAtMost(response, listBytesMax)).toString('utf8')) as {
      items?: unknown;
      metadata?: { resourceVersion?: unknown; continue?: unknown };
    } | null;
    const version = body?.metadata?.resourceVersion;
    if (body === null || typeof version !== 'string')
      throw new Error('the answer is no list with a resourceVersion');
    const { items } = body;
    const next = body.metadata?.continue;
    return { items: Array.isArray(items) ? items : [], version, next: typeof next === 'string' ? next : '' };
  }

  /** Resolves when the server ends the watch, as it does every few minutes. */
  async #watch(onEvent: () => void): Promise<void> {
    const abort = AbortSignal.any([
      this.#abort.signal,
      AbortSignal.timeout(watchSeconds * 1000 + watchGraceMs),
    ]);
    const response = await this.#open(
      {
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: this.#version ?? '',
        timeoutSeconds: String(watchSeconds),
      },
      abort,
    );
    this.#problem = '';
    for await (const { type, object } of watchEvents(response as AsyncIterable<Buffer>)) {
      if (type === 'ERROR') {
        const { code, message } = object;
        if (code === 410) throw new GoneError(String(message));
        throw new Error(`the watch ended with ${String(code)}: ${String(message)}`);
      }
      onEvent();
      this.#take(type, object as Kind);
    }
  }

  #take(type: string, object: Kind): void {
    this.#version = object.metadata?.resourceVersion ?? this.#version;
    if (type === 'BOOKMARK') return;
    if (type === 'DELETED') this.#objects.delete(keyOf(object.metadata));
    else if (type === 'ADDED' || type === 'MODIFIED') {
      if (this.#objects.size >= objectsMax) throw new Error(`more than ${objectsMax} objects`);
      keep(this.#objects, object);
    } else throw new Error(`the watch has an event of unknown type "${type}"`);
    this.#options.onChange();
  }

  async #open(query: Record<string, string>, abort: AbortSignal): Promise<IncomingMessage> {
    const { path, labelSelector, fieldSelector, connection } = this.#options;
    const search = new URLSearchParams(query);
    if (labelSelector) search.set('labelSelector', labelSelector);
    if (fieldSelector) search.set('fieldSelector', fieldSelector);
    const response = await connection.get(`${path}?${search}`, abort);
    if (response.statusCode === 200) return response;
    const message = statusMessage((await readAtMost(response, errorBytesMax)).toString('utf8'));
    if (response.statusCode === 410) throw new GoneError(message);
    throw new Error(`the API server answered ${response.statusCode}: ${message}`);
  }
}

function keep<Kind extends KubeObject>(objects: Map<string, Kind>, object: Kind): void {
  const { metadata } = object;
  if (typeof metadata?.name !== 'string') throw new Error('an object has no metadata.name');
  // Who wrote which field is a large part of an object, and nobody asks for it.
  delete metadata.managedFields;
  objects.set(keyOf(metadata), object);
}

/** `namespace/name`, or the name of an object that is in no namespace. */
function keyOf(metadata: V1ObjectMeta | undefined): string {
  const { namespace, name = '' } = metadata ?? {};
  return namespace === undefined ? name : `${namespace}/${name}`;
}

async function readAtMost(response: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new Error(`the answer is larger than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The message of a Status object; what came where it is none. */
function statusMessage(text: string): string {
  try {
    const status: unknown = JSON.parse(text);
    if (typeof status === 'object' && status !== null && 'message' in status) return String(status.message);
  } catch {
    // No JSON: a proxy answered. Its text says most.
  }
  return text.slice(0, 200).trim();
}
