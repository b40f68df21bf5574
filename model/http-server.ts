/** The HTTP servers of every role: the same timeouts, health routes and error texts. */
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { ConfigError, errorMessage } from './errors.ts';
import type { Telemetry } from './telemetry.ts';

/** A client that has not sent its whole request by then is cut off. */
const requestTimeoutMs = 120_000;
/** Longest URL path and query: PromQL in a GET can be long, a megabyte of it is not a query. */
const headerBytesMax = 256 * 1024;
/** How often a server that is closing looks for connections that have become idle. */
const idleSweepMs = 50;

export interface HttpServerOptions {
  readonly log: FastifyBaseLogger;
  readonly telemetry: Pick<Telemetry, 'serveMetrics'>;
  /** Returns what is not ready yet, in words; empty when all is. */
  readonly unready: () => readonly string[] | Promise<readonly string[]>;
}

function refuseSchema(): never {
  throw new Error('BUG: a route has a schema: requests are validated by zod');
}

/** Without these fastify loads compilers of JSON schemas, which take memory in every process and have nothing to do. */
const noSchemas = { buildValidator: () => refuseSchema, buildSerializer: () => refuseSchema };

/** Returns a server with /metrics, /ready and /live; it does not listen yet. */
export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const app = fastify({
    loggerInstance: options.log,
    // A line per request would be noise next to the metrics; errors are still logged.
    logController: new LogController({ disableRequestLogging: true }),
    requestTimeout: requestTimeoutMs,
    http: { maxHeaderSize: headerBytesMax },
    routerOptions: { maxParamLength: 4096 },
    schemaController: { compilersFactory: noSchemas },
    forceCloseConnections: 'idle',
    return503OnClosing: true,
  });
  app.get('/live', async () => 'live\n');
  app.get('/ready', async (_request, reply) => {
    const reasons = await options.unready();
    if (reasons.length > 0) reply.code(503);
    return reasons.length > 0 ? `not ready: ${reasons.join('; ')}\n` : 'ready\n';
  });
  app.get('/metrics', (request, reply) => {
    reply.hijack();
    options.telemetry.serveMetrics(request.raw, reply.raw);
  });
  return app;
}

/** Listens, and returns the port. Throws ConfigError in a person's words where the port cannot be had. */
export async function listen(
  app: FastifyInstance,
  address: { readonly host: string; readonly port: number; readonly name: string; readonly flag: string },
): Promise<number> {
  try {
    await app.listen({ host: address.host, port: address.port });
  } catch (error) {
    throw portError(error, address);
  }
  const bound = app.server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : address.port;
}

/**
 * Stops listening and lets requests under way be answered. What is not answered (or not even received) after `graceMs`
 * is cut off: one client that hangs must not keep the process from stopping.
 */
export async function closeHttpServer(app: FastifyInstance, graceMs: number): Promise<void> {
  const cut = setTimeout(() => app.server.closeAllConnections(), graceMs);
  // Those that are idle now are closed at once; one that is kept alive after its last answer becomes idle later.
  const sweep = setInterval(() => app.server.closeIdleConnections(), idleSweepMs);
  try {
    await app.close();
  } finally {
    clearTimeout(cut);
    clearInterval(sweep);
  }
}

/** Explains why a port could not be listened on, and what to do. */
export function portError(
  error: unknown,
  address: { readonly host: string; readonly port: number; readonly name: string; readonly flag: string },
): ConfigError {
  const message = errorMessage(error);
  const where = `${address.name} cannot listen on ${address.host}:${address.port}`;
  if (message.includes('EADDRINUSE')) {
    return new ConfigError(
      `${where}: the port is in use. Stop the other process, or choose another port with ${address.flag}`,
      { cause: error },
    );
  }
  return new ConfigError(`${where}: ${message}`, { cause: error });
}
