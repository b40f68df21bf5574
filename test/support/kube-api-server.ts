/**
 * The part of a Kubernetes API server that watches need, over real HTTP: lists in pages, watches from a version as lines
 * of JSON that are cut anywhere, bookmarks, expired versions, and what goes wrong on demand.
 *
 * It follows "Kubernetes API Concepts": one counter of versions, a history that can be compacted, Status objects for errors.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { HttpEndpoint } from '#agent/containers/http-request.ts';

export interface StoredObject {
  kind?: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Readonly<Record<string, string>>;
    [field: string]: unknown;
  };
  spec?: Readonly<Record<string, unknown>>;
  [field: string]: unknown;
}

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';
interface KubeEvent {
  readonly type: EventType;
  readonly version: number;
  readonly object: StoredObject;
}

interface Watcher {
  readonly resource: string;
  readonly selects: (object: StoredObject) => boolean;
  readonly response: ServerResponse;
  writing: Promise<void>;
}

interface Fault {
  readonly resource: string;
  readonly verb: 'list' | 'watch';
  readonly status: number;
  readonly message: string;
  times: number;
}

const kinds: Readonly<Record<string, string>> = {
  pods: 'PodList',
  namespaces: 'NamespaceList',
  nodes: 'NodeList',
  services: 'ServiceList',
  endpoints: 'EndpointsList',
  endpointslices: 'EndpointSliceList',
  ingresses: 'IngressList',
};
const reasons: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  410: 'Expired',
  429: 'TooManyRequests',
  500: 'InternalError',
};

/** /api/v1/pods, /apis/networking.k8s.io/v1/namespaces/shop/ingresses; also behind a path as Rancher's. */
const pathPattern =
  /^(?:\/k8s\/clusters\/[^/]+)?\/(?:api\/v1|apis\/[^/]+\/v1)(?:\/namespaces\/([^/]+))?\/([a-z]+)$/;

/** A server that ends with the test. */
export async function startKubeApi(): Promise<KubeApiServer> {
  const server = await KubeApiServer.start();
  onTestFinished(() => server.close());
  return server;
}

export class KubeApiServer {
  /** Objects of one page, whatever `limit` asks for. */
  pageObjects = 500;
  /** Bytes of one write: lines arrive in pieces of this size. */
  pieceBytes = 7;
  /** An expired version is told by an ERROR event (a watch from memory) or by the status of the answer. */
  expiredBy: 'event' | 'status' = 'event';
  /** Set: requests with any other bearer token are 401. */
  token = '';
  /** Every request, oldest first: `list pods?...`. */
  readonly requests: {
    readonly verb: 'list' | 'watch';
    readonly resource: string;
    readonly path: string;
    readonly query: URLSearchParams;
    readonly authorization: string | undefined;
  }[] = [];
  readonly #server: Server;
  readonly #objects = new Map<string, Map<string, StoredObject>>();
  readonly #history: (KubeEvent & { readonly resource: string })[] = [];
  readonly #watchers = new Set<Watcher>();
  readonly #faults: Fault[] = [];
  #version = 1000;
  #compacted = 0;

  private constructor(server?: Server) {
    this.#server = server ?? createServer();
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) =>
      this.#answer(request, response),
    );
  }

  /** `server` may be one with TLS: its addresses then are https. */
  static async start(server?: Server): Promise<KubeApiServer> {
    const api = new KubeApiServer(server);
    await new Promise<void>((resolve) => api.#server.listen(0, '127.0.0.1', resolve));
    return api;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Of a server without TLS. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get endpoint(): HttpEndpoint {
    const options = {
      protocol: 'http:',
      host: '127.0.0.1',
      port: this.port,
      headers: { authorization: `Bearer ${this.token}` },
    };
    return { requestOptions: async () => options };
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  count(verb: 'list' | 'watch', resource: string): number {
    return this.requests.filter((request) => request.verb === verb && request.resource === resource).length;
  }

  /** Creates the object, or replaces the one of its name. */
  apply(object: StoredObject, resource = resourceOf(object)): void {
    const objects = this.#objectsOf(resource);
    const key = keyOf(object);
    const type = objects.has(key) ? 'MODIFIED' : 'ADDED';
    this.#version += 1;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
    objects.set(key, stored);
    this.#publish(type, resource, stored);
  }

  delete(object: StoredObject, resource = resourceOf(object)): void {
    this.#version += 1;
    this.#objectsOf(resource).delete(keyOf(object));
    this.#publish('DELETED', resource, {
      ...object,
      metadata: {
        ...object.metadata,
        resourceVersion: String(this.#version),
        deletionTimestamp: '2026-03-04T10:20:00Z',
      },
    });
  }

  /** Tells all watches how far they have come. */
  bookmark(): void {
    for (const watcher of this.#watchers) {
      const kind = kinds[watcher.resource]!.replace('List', '');
      this.#write(watcher, {
        type: 'BOOKMARK',
        object: {
          kind,
          apiVersion: 'v1',
          metadata: { resourceVersion: String(this.#version), creationTimestamp: null },
        },
      });
    }
  }

  /** Forgets the history: watches from older versions are told that they are gone. */
  compact(): void {
    this.#version += 1;
    this.#compacted = this.#version;
    this.#history.length = 0;
  }

  /** Ends the watches: cleanly as a time-out does, or as a server that dies. */
  async dropWatches(how: 'end' | 'destroy'): Promise<void> {
    for (const watcher of [...this.#watchers]) {
      this.#watchers.delete(watcher);
      await watcher.writing;
      if (how === 'end') watcher.response.end();
      else watcher.response.destroy();
    }
  }

  /** Sends all watches a line that is cut off, and breaks the connection. */
  async cutWatches(): Promise<void> {
    for (const watcher of [...this.#watchers]) {
      this.#watchers.delete(watcher);
      await watcher.writing;
      watcher.response.write('{"type":"MODIFIED","object":{"kind":"Pod","metada', () =>
        watcher.response.destroy(),
      );
    }
  }

  /** Tells all watches that their version is gone, as the server does when its memory has been left behind. */
  async expireWatches(): Promise<void> {
    for (const watcher of this.#watchers)
      this.#write(watcher, { type: 'ERROR', object: expired(0, this.#version) });
    await this.dropWatches('end');
  }

  /** Answers the next `times` requests with a Status. */
  fail(verb: 'list' | 'watch', resource: string, status: number, message: string, times = 1): void {
    this.#faults.push({ verb, resource, status, message, times });
  }

  /** Ends what `fail` has begun. */
  heal(): void {
    this.#faults.length = 0;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url!, 'http://server');
    const [, namespace, resource = ''] = pathPattern.exec(url.pathname) ?? [];
    if (kinds[resource] === undefined) {
      sendStatus(response, 404, 'the server could not find the requested resource');
      return;
    }
    const verb = url.searchParams.get('watch') === null ? 'list' : 'watch';
    const { authorization } = request.headers;
    this.requests.push({ verb, resource, path: url.pathname, query: url.searchParams, authorization });
    if (this.token !== '' && authorization !== `Bearer ${this.token}`) {
      sendStatus(response, 401, 'Unauthorized');
      return;
    }
    const fault = this.#faults.find((one) => one.verb === verb && one.resource === resource && one.times > 0);
    if (fault !== undefined) {
      fault.times -= 1;
      sendStatus(response, fault.status, fault.message);
      return;
    }
    const selects = selector(namespace, url.searchParams);
    if (verb === 'list') this.#list(resource, selects, url.searchParams, response);
    else this.#watch(resource, selects, url.searchParams, request, response);
  }

  #list(
    resource: string,
    selects: Watcher['selects'],
    query: URLSearchParams,
    response: ServerResponse,
  ): void {
    const token = query.get('continue');
    const [version, offset] =
      token === null
        ? [this.#version, 0]
        : (JSON.parse(Buffer.from(token, 'base64').toString()) as [number, number]);
    if (version < this.#compacted) {
      sendStatus(response, 410, 'The provided continue parameter is too old');
      return;
    }
    const all = [...(this.#objects.get(resource)?.values() ?? [])].filter(selects);
    const end = offset + Math.min(this.pageObjects, Number(query.get('limit') ?? 500));
    const more = end < all.length ? Buffer.from(JSON.stringify([version, end])).toString('base64') : '';
    // Objects of a list have neither kind nor apiVersion.
    const items = all.slice(offset, end).map(({ kind: _kind, apiVersion: _version, ...object }) => object);
    sendJson(response, 200, {
      kind: kinds[resource],
      apiVersion: 'v1',
      metadata: {
        resourceVersion: String(version),
        ...(more === '' ? {} : { continue: more, remainingItemCount: all.length - end }),
      },
      items,
    });
  }

  #watch(
    resource: string,
    selects: Watcher['selects'],
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const from = Number(query.get('resourceVersion'));
    const isExpired = from < this.#compacted;
    if (isExpired && this.expiredBy === 'status') {
      sendStatus(response, 410, `too old resource version: ${from} (${this.#version})`);
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json', 'transfer-encoding': 'chunked' });
    response.flushHeaders();
    const watcher: Watcher = { resource, selects, response, writing: Promise.resolve() };
    if (isExpired) {
      this.#write(watcher, { type: 'ERROR', object: expired(from, this.#version) });
      void watcher.writing.then(() => response.end());
      return;
    }
    this.#watchers.add(watcher);
    request.on('close', () => this.#watchers.delete(watcher));
    for (const event of this.#history) {
      if (event.resource === resource && event.version > from && selects(event.object))
        this.#write(watcher, event);
    }
  }

  #publish(type: EventType, resource: string, object: StoredObject): void {
    this.#history.push({ resource, type, version: this.#version, object });
    for (const watcher of this.#watchers) {
      if (watcher.resource === resource && watcher.selects(object)) this.#write(watcher, { type, object });
    }
  }

  /** A small write is a chunk of its own: lines and characters are cut wherever it ends. */
  #write(watcher: Watcher, { type, object }: { type: string; object: object }): void {
    const line = Buffer.from(`${JSON.stringify({ type, object })}\n`);
    const size = Math.max(this.pieceBytes, Math.ceil(line.length / 64));
    watcher.writing = watcher.writing.then(async () => {
      for (let at = 0; at < line.length && !watcher.response.destroyed; at += size) {
        watcher.response.write(line.subarray(at, at + size));
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
  }

  #objectsOf(resource: string): Map<string, StoredObject> {
    const objects = this.#objects.get(resource) ?? new Map<string, StoredObject>();
    this.#objects.set(resource, objects);
    return objects;
  }
}

/** Of pods, namespaces and nodes: other resources are named by the test. */
function resourceOf({ kind = '' }: StoredObject): string {
  return `${kind.toLowerCase()}s`;
}

function keyOf({ metadata }: StoredObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

function selector(namespace: string | undefined, query: URLSearchParams): Watcher['selects'] {
  const [field, value] = (query.get('fieldSelector') ?? '').split('=');
  const [label = '', text] = (query.get('labelSelector') ?? '').split('=');
  return ({ metadata, spec }) =>
    (namespace === undefined || metadata.namespace === namespace) &&
    (field !== 'spec.nodeName' || spec?.nodeName === value) &&
    (field !== 'metadata.name' || metadata.name === value) &&
    (label === '' || metadata.labels?.[label] === text);
}

function status(code: number, message: string): object {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason: reasons[code] ?? 'Unknown',
    code,
  };
}

function expired(from: number, now: number): object {
  return status(410, `too old resource version: ${from} (${now})`);
}

function sendStatus(response: ServerResponse, code: number, message: string): void {
  sendJson(response, code, status(code, message));
}

function sendJson(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
