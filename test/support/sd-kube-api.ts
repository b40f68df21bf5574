/**
 * A Kubernetes API server for tests of service discovery: lists in pages, watches with bookmarks, 410 Gone, broken connections.
 * What it sends is cut into chunks of a few bytes, so that events come split anywhere.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface StoredObject {
  metadata: { name: string; namespace?: string; resourceVersion?: string; labels?: Record<string, string> };
  spec?: { nodeName?: string; [key: string]: unknown };
  [key: string]: unknown;
}

type Change = { type: string; plural: string; version: number; object: StoredObject };

export class KubeApi {
  readonly #server = createServer((request, response) => this.#answer(request, response));
  readonly #objects = new Map<string, Map<string, StoredObject>>();
  readonly #watches = new Set<{
    plural: string;
    matches: (object: StoredObject) => boolean;
    response: ServerResponse;
  }>();
  #changes: Change[] = [];
  #version = 100;
  /** Watches from before it are answered with 410. */
  #oldestVersion = 0;
  /** `LIST /path` and `WATCH /path`, as they came. */
  readonly requests: string[] = [];
  readonly authorizations = new Set<string>();
  /** Of a page, whatever the client asks for. */
  pageSize = 2;
  /** Other than 200: lists and watches are refused so. */
  status = 200;

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this.url;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  put(plural: string, object: StoredObject): void {
    const objects = this.#objects.get(plural) ?? new Map<string, StoredObject>();
    this.#objects.set(plural, objects);
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    this.#change(objects.has(key) ? 'MODIFIED' : 'ADDED', plural, object);
    objects.set(key, object);
  }

  remove(plural: string, namespace: string, name: string): void {
    const object = this.#objects.get(plural)?.get(`${namespace}/${name}`);
    if (object === undefined) throw new Error(`no ${plural} ${namespace}/${name}`);
    this.#objects.get(plural)?.delete(`${namespace}/${name}`);
    this.#change('DELETED', plural, structuredClone(object));
  }

  /** Cuts all watches off in the middle of a line. */
  breakWatches(): void {
    for (const { response } of this.#watches) {
      response.write('{"type":"ADD');
      response.destroy();
    }
    this.#watches.clear();
  }

  /** Ends all watches as a server does when their time is over. */
  endWatches(): void {
    for (const { response } of this.#watches) response.end();
    this.#watches.clear();
  }

  bookmark(): void {
    this.#version++;
    for (const { response } of this.#watches) {
      sendInPieces(response, {
        type: 'BOOKMARK',
        object: { metadata: { resourceVersion: String(this.#version) } },
      });
    }
  }

  /** Forgets the past: watches from versions before now are Gone, in the stream (true) or as the answer's status. */
  expire(inStream: boolean): void {
    this.#version++;
    this.#oldestVersion = this.#version;
    this.#changes = [];
    if (!inStream) return;
    for (const { response } of this.#watches) {
      sendInPieces(response, {
        type: 'ERROR',
        object: { kind: 'Status', code: 410, message: 'too old resource version' },
      });
      response.end();
    }
    this.#watches.clear();
  }

  get watching(): number {
    return this.#watches.size;
  }

  #change(type: string, plural: string, object: StoredObject): void {
    this.#version++;
    object.metadata.resourceVersion = String(this.#version);
    const change = { type, plural, version: this.#version, object: structuredClone(object) };
    this.#changes.push(change);
    for (const { plural: watched, matches, response } of this.#watches) {
      if (watched === plural && matches(object)) sendInPieces(response, { type, object });
    }
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://kube');
    const isWatch = url.searchParams.get('watch') === '1';
    this.requests.push(`${isWatch ? 'WATCH' : 'LIST'} ${url.pathname}`);
    if (request.headers.authorization) this.authorizations.add(request.headers.authorization);
    response.setHeader('content-type', 'application/json');
    if (this.status !== 200) {
      const message = `${url.pathname} is forbidden`;
      response.writeHead(this.status).end(JSON.stringify({ kind: 'Status', code: this.status, message }));
    } else if (url.pathname === '/version') {
      response.end(JSON.stringify({ major: '1', minor: '33', gitVersion: 'v1.33.0' }));
    } else if (isWatch) this.#watch(url, response);
    else this.#list(url, response);
  }

  #list(url: URL, response: ServerResponse): void {
    const { plural, matches } = selection(url);
    const all = [...(this.#objects.get(plural)?.values() ?? [])].filter(matches);
    const start = Number(url.searchParams.get('continue') ?? 0);
    const isLast = start + this.pageSize >= all.length;
    response.end(
      JSON.stringify({
        metadata: {
          resourceVersion: String(this.#version),
          ...(!isLast && { continue: String(start + this.pageSize) }),
        },
        items: all.slice(start, start + this.pageSize),
      }),
    );
  }

  #watch(url: URL, response: ServerResponse): void {
    const { plural, matches } = selection(url);
    const version = Number(url.searchParams.get('resourceVersion'));
    if (version < this.#oldestVersion) {
      response
        .writeHead(410)
        .end(JSON.stringify({ kind: 'Status', code: 410, message: 'too old resource version' }));
      return;
    }
    response.flushHeaders();
    for (const change of this.#changes) {
      if (change.version > version && change.plural === plural && matches(change.object)) {
        sendInPieces(response, { type: change.type, object: change.object });
      }
    }
    this.#watches.add({ plural, matches, response });
  }
}

function selection(url: URL): { plural: string; matches: (object: StoredObject) => boolean } {
  const parts = url.pathname.split('/');
  const place = parts.indexOf('namespaces');
  const namespace = place === -1 || place === parts.length - 1 ? undefined : parts[place + 1];
  const field = /^spec\.nodeName=(.+)$/.exec(url.searchParams.get('fieldSelector') ?? '')?.[1];
  const [label, value] = (url.searchParams.get('labelSelector') ?? '').split('=');
  return {
    plural: parts.at(-1)!,
    matches: ({ metadata, spec }) =>
      (namespace === undefined || metadata.namespace === namespace) &&
      (field === undefined || spec?.nodeName === field) &&
      (!label || metadata.labels?.[label] === value),
  };
}

/** Cut so that multi-byte characters and newlines are split too. */
function sendInPieces(response: ServerResponse, event: unknown): void {
  const bytes = Buffer.from(`${JSON.stringify(event)}\n`);
  for (let start = 0; start < bytes.length; start += 7) response.write(bytes.subarray(start, start + 7));
}
