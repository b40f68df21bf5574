/**
 * The part of Docker's engine that the agent asks, over a real unix socket or TCP: version, list, inspection, and the
 * stream of events in chunks, with what has happened since a time. Answers are as Engine 28 (API 1.51) gives them, or
 * podman's compatible API, which sends no status before the first event.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface ContainerParts {
  /** 64 hex digits. */
  readonly id: string;
  readonly name: string;
  readonly image?: string;
  readonly labels?: Record<string, string> | null;
  readonly env?: readonly string[] | null;
  readonly mounts?: readonly object[];
  readonly pid?: number;
  readonly mergedDir?: string | undefined;
}

/** A running container of a compose project, whole, as `docker inspect` shows it. */
export function inspectedContainer(parts: ContainerParts): Record<string, unknown> {
  const { id, name, image = 'nginx:1.27', labels, env, mounts = [], pid = 4711 } = parts;
  const mergedDir =
    'mergedDir' in parts ? parts.mergedDir : `/var/lib/docker/overlay2/${id.slice(0, 8)}/merged`;
  return {
    Id: id,
    Created: '2026-03-04T10:11:12.123456789Z',
    Path: '/docker-entrypoint.sh',
    Args: ['nginx', '-g', 'daemon off;'],
    State: {
      Status: 'running',
      Running: true,
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      Dead: false,
      Pid: pid,
      ExitCode: 0,
      Error: '',
      StartedAt: '2026-03-04T10:11:13.123456789Z',
      FinishedAt: '0001-01-01T00:00:00Z',
    },
    Image: `sha256:${'5b0d'.padEnd(64, '0')}`,
    LogPath: `/var/lib/docker/containers/${id}/${id}-json.log`,
    Name: `/${name}`,
    RestartCount: 0,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: 'docker-default',
    ExecIDs: null,
    HostConfig: {
      Binds: null,
      LogConfig: { Type: 'json-file', Config: {} },
      NetworkMode: 'shop_default',
      RestartPolicy: { Name: 'always', MaximumRetryCount: 0 },
    },
    GraphDriver:
      mergedDir === undefined
        ? { Data: null, Name: 'overlayfs' }
        : { Data: { MergedDir: mergedDir, UpperDir: mergedDir.replace('merged', 'diff') }, Name: 'overlay2' },
    Mounts: mounts,
    Config: {
      Hostname: id.slice(0, 12),
      Env: env === undefined ? ['PATH=/usr/local/sbin:/usr/local/bin', 'DB_PASSWORD=secret'] : env,
      Cmd: ['nginx', '-g', 'daemon off;'],
      Image: image,
      Labels:
        labels === undefined
          ? {
              'com.docker.compose.config-hash': 'e3b0c44298fc1c149afbf4c8996fb924',
              'com.docker.compose.container-number': '1',
              'com.docker.compose.depends_on': '',
              'com.docker.compose.image': `sha256:${'5b0d'.padEnd(64, '0')}`,
              'com.docker.compose.oneoff': 'False',
              'com.docker.compose.project': 'shop',
              'com.docker.compose.project.config_files': '/srv/shop/compose.yaml',
              'com.docker.compose.project.working_dir': '/srv/shop',
              'com.docker.compose.service': 'web',
              'com.docker.compose.version': '2.39.1',
              maintainer: 'NGINX Docker Maintainers <docker-maint@nginx.com>',
            }
          : labels,
    },
    NetworkSettings: { Networks: { shop_default: { IPAddress: '172.19.0.2' } } },
  };
}

/** An engine that ends with the test. */
export async function startDockerEngine(path?: string): Promise<DockerEngine> {
  const engine = await DockerEngine.start(path);
  onTestFinished(() => engine.close());
  return engine;
}

export class DockerEngine {
  /** Answered to a list of containers, where it is set. */
  summaries: readonly unknown[] | undefined;
  networks: readonly unknown[] = [];
  /** Other than 200: every request is answered so, with the engine's form of error. */
  status = 200;
  apiVersion = '1.51';
  isPodman = false;
  /** Bytes of one write of the stream of events. */
  pieceBytes = 5;
  /** Runs when the next list has been answered. */
  afterList: (() => Promise<void>) | undefined;
  /** Runs before an inspection is sent that was answered before: it comes late. */
  beforeInspection: (() => Promise<void>) | undefined;
  /** The next so many inspections are 500. */
  brokenInspections = 0;
  readonly requests: string[] = [];
  readonly #server: Server;
  readonly #containers = new Map<string, Record<string, unknown>>();
  readonly #streams = new Set<ServerResponse>();
  readonly #history: { readonly timeSeconds: number; readonly line: Buffer }[] = [];

  readonly #path: string | undefined;

  private constructor(path: string | undefined) {
    this.#path = path;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  /** Listens on the socket at `path`, or on a free port of 127.0.0.1. */
  static async start(path?: string): Promise<DockerEngine> {
    const engine = new DockerEngine(path);
    await new Promise<void>((resolve) => {
      if (path === undefined) engine.#server.listen(0, '127.0.0.1', resolve);
      else engine.#server.listen(path, resolve);
    });
    return engine;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** `unix:///...` or `tcp://...`. */
  get host(): string {
    return this.#path === undefined ? `tcp://127.0.0.1:${this.port}` : `unix://${this.#path}`;
  }

  get streams(): number {
    return this.#streams.size;
  }

  count(pattern: RegExp): number {
    return this.requests.filter((path) => pattern.test(path)).length;
  }

  /** Creates or replaces a container, and says `action` of it; '' says nothing, as while nobody listens. */
  async put(parts: ContainerParts, action = 'start'): Promise<void> {
    this.#containers.set(parts.id, inspectedContainer(parts));
    if (action !== '') await this.event(action, parts.id);
  }

  async remove(id: string, isSaid = true): Promise<void> {
    this.#containers.delete(id);
    if (isSaid) await this.event(this.isPodman ? 'remove' : 'destroy', id);
  }

  async event(action: string, id: string): Promise<void> {
    const timeSeconds = Math.floor(Date.now() / 1000);
    const line = Buffer.from(
      `${JSON.stringify({
        status: action,
        id,
        from: 'nginx:1.27',
        Type: 'container',
        Action: action,
        Actor: { ID: id, Attributes: { image: 'nginx:1.27', name: 'größe' } },
        scope: 'local',
        time: timeSeconds,
        timeNano: timeSeconds * 1e9,
      })}\n`,
    );
    this.#history.push({ timeSeconds, line });
    // A stream that opens meanwhile has the line from the history.
    const streams = [...this.#streams];
    for (let at = 0; at < line.length; at += this.pieceBytes) {
      for (const stream of streams) stream.write(line.subarray(at, at + this.pieceBytes));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Breaks the streams of events, and forgets what they have said: an engine that was restarted. */
  dropStreams(): void {
    for (const stream of this.#streams) stream.destroy();
    this.#streams.clear();
    this.#history.length = 0;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push(request.url!);
    const url = new URL(request.url!, 'http://engine');
    if (url.pathname === '/version') {
      sendJson(response, 200, this.#version());
      return;
    }
    if (this.status !== 200) {
      sendJson(response, this.status, { message: 'the engine is not well' });
      return;
    }
    const [, version = this.apiVersion, path] = /^(?:\/v([\d.]+))?(\/.*)$/.exec(url.pathname)!;
    if (Number(version.split('.')[1]) > Number(this.apiVersion.split('.')[1])) {
      sendJson(response, 400, { message: `client version ${version} is too new` });
      return;
    }
    this.#route(path!, request, response);
  }

  #route(path: string, request: IncomingMessage, response: ServerResponse): void {
    const id = /^\/containers\/([^/]+)\/json$/.exec(path)?.[1];
    if (path === '/containers/json') {
      const summaries = [...this.#containers.values()].map(({ Id, Name, Image }) => ({
        Id,
        Names: [Name],
        Image,
        State: 'running',
        Status: 'Up 2 hours',
      }));
      sendJson(response, 200, this.summaries ?? summaries);
      const { afterList } = this;
      this.afterList = undefined;
      void afterList?.();
    } else if (path === '/networks') {
      sendJson(response, 200, this.networks);
    } else if (path === '/_ping') {
      response.setHeader('api-version', this.apiVersion);
      response.end('OK');
    } else if (path === '/events') {
      response.writeHead(200, { 'content-type': 'application/json' });
      if (!this.isPodman) response.flushHeaders();
      const since = Number(new URL(request.url!, 'http://engine').searchParams.get('since') ?? Infinity);
      for (const { timeSeconds, line } of this.#history) if (timeSeconds >= since) response.write(line);
      this.#streams.add(response);
      request.on('close', () => this.#streams.delete(response));
    } else if (id !== undefined && this.brokenInspections > 0) {
      this.brokenInspections -= 1;
      sendJson(response, 500, { message: 'layer does not exist' });
    } else if (id !== undefined && this.#containers.has(id)) {
      const container = this.#containers.get(id);
      const { beforeInspection } = this;
      this.beforeInspection = undefined;
      void Promise.resolve(beforeInspection?.()).then(() => sendJson(response, 200, container));
    } else {
      sendJson(response, 404, { message: id === undefined ? 'page not found' : `No such container: ${id}` });
    }
  }

  #version(): object {
    return {
      Platform: { Name: this.isPodman ? 'linux/amd64/debian-12' : 'Docker Engine - Community' },
      Components: [{ Name: this.isPodman ? 'Podman Engine' : 'Engine', Version: '28.3.3' }],
      Version: '28.3.3',
      ApiVersion: this.apiVersion,
      MinAPIVersion: '1.24',
      Os: 'linux',
      Arch: 'amd64',
    };
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
