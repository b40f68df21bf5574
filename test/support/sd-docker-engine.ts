/** A Docker Engine's API for tests of service discovery: GET /containers/json and /networks over a unix socket or TCP. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface DockerEngine {
  containers: unknown[];
  networks: unknown[];
  /** Other than 200: every request is answered so, with the engine's form of error. */
  status: number;
  /** `filters` of the last list of containers. */
  filters: unknown;
  /** `unix:///...` or `tcp://...`. */
  readonly host: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Listens on the socket, or on a free port of 127.0.0.1. */
export async function startDockerEngine(socketPath?: string): Promise<DockerEngine> {
  const server = createServer((request, response) => {
    const url = new URL((request.url ?? '/').replace(/^\/v\d+\.\d+/, ''), 'http://docker');
    response.setHeader('content-type', 'application/json');
    if (engine.status !== 200) {
      response.writeHead(engine.status).end(JSON.stringify({ message: 'the engine is not well' }));
    } else if (url.pathname === '/_ping') {
      response.setHeader('api-version', '1.45');
      response.end('OK');
    } else if (url.pathname === '/containers/json') {
      const filters = url.searchParams.get('filters');
      engine.filters = filters === null ? undefined : JSON.parse(filters);
      response.end(JSON.stringify(engine.containers));
    } else if (url.pathname === '/networks') response.end(JSON.stringify(engine.networks));
    else response.writeHead(404).end(JSON.stringify({ message: 'page not found' }));
  });
  await new Promise<void>((resolve) => {
    if (socketPath === undefined) server.listen(0, '127.0.0.1', resolve);
    else server.listen(socketPath, resolve);
  });
  const engine: DockerEngine = {
    containers: [],
    networks: [],
    status: 200,
    filters: undefined,
    host:
      socketPath === undefined
        ? `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`
        : `unix://${socketPath}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return engine;
}
