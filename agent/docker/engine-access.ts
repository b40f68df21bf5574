/**
 * Where Docker's engine listens, and in which version of its API it is asked.
 *
 *   unix:///var/run/docker.sock, /run/podman/podman.sock, tcp://127.0.0.1:2375
 */
import { ConfigError } from '#model/errors.ts';
import type { EndpointOptions, HttpEndpoint } from '../containers/http-request.ts';
import { getJson } from '../containers/json-http.ts';

/** The newest version whose answers this code was written after; engines that are newer answer in it. */
const versionMax = '1.51';
/** Docker 1.12: older engines have other events. */
const versionMin = '1.24';

/** Throws ConfigError for an address that is neither a socket's path nor a TCP address. */
export function engineOptions(address: string): EndpointOptions & { socketPath?: string } {
  if (address.startsWith('/')) return { socketPath: address };
  if (address.startsWith('unix:///')) return { socketPath: address.slice('unix://'.length) };
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || (url.protocol !== 'tcp:' && url.protocol !== 'http:') || url.hostname === '') {
    throw new ConfigError(
      `agent.docker.socket is ${JSON.stringify(address)}: give a path such as /var/run/docker.sock, or tcp://host:2375`,
    );
  }
  return { protocol: 'http:', host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: url.port || '2375' };
}

export interface Engine {
  readonly endpoint: HttpEndpoint;
  readonly runtime: 'docker' | 'podman';
  /** The engine's own time when it was asked, in whole seconds: events since then are asked for. */
  readonly timeSeconds: number;
}

/** Asks the engine for its version (Engine API, "Versioning"). Rejects as getJson does, and for an engine that is too old. */
export async function connectEngine(options: EndpointOptions, signal: AbortSignal): Promise<Engine> {
  const bare: HttpEndpoint = { requestOptions: async () => options };
  // /version is answered under no version by every engine, and says what it is besides.
  const { headers, body } = await getJson(bare, '/version', signal);
  const { ApiVersion, Components } = (body ?? {}) as { ApiVersion?: unknown; Components?: unknown };
  if (typeof ApiVersion !== 'string' || !/^\d+\.\d+$/.test(ApiVersion)) {
    throw new Error('the engine does not say its ApiVersion: is this the socket of Docker or podman?');
  }
  if (compareVersions(ApiVersion, versionMin) < 0) {
    throw new Error(`the engine's API is ${ApiVersion}, older than ${versionMin}`);
  }
  const version = compareVersions(ApiVersion, versionMax) < 0 ? ApiVersion : versionMax;
  const isPodman = JSON.stringify(Components ?? '').includes('Podman');
  return {
    endpoint: { requestOptions: async () => ({ ...options, basePath: `/v${version}` }) },
    runtime: isPodman ? 'podman' : 'docker',
    timeSeconds: Math.floor((Date.parse(headers.date ?? '') || Date.now()) / 1000),
  };
}

function compareVersions(a: string, b: string): number {
  const [majorA, minorA] = a.split('.').map(Number) as [number, number];
  const [majorB, minorB] = b.split('.').map(Number) as [number, number];
  return majorA - majorB || minorA - minorB;
}
