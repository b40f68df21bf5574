/**
 * Jaeger's query API (v1 JSON), the part that needs no search: services, their operations, a trace by id.
 *
 * Replies are {data, total, limit, offset, errors}. Jaeger's services and operations have no time range: ours are those
 * seen in the last `lookbackMs`.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { errorMessage, RefusedError } from '#model/errors.ts';
import { parseTenant, tenantHeader } from '#model/tenant.ts';
import { renderJaegerTrace } from '../traces/jaeger-json.ts';
import type { TraceSource } from '../traces/trace.ts';
import { parseTraceId } from '../traces/trace-id.ts';
import { checkTenant } from './check-tenant.ts';
import { clientAbort } from './client-abort.ts';
import { failureStatus } from './failure-status.ts';
import { addMissingRoute } from './missing-route.ts';

export interface JaegerApiOptions {
  /** The traces of one tenant. */
  readonly source: (tenant: string) => TraceSource;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Jaeger's own default for the age of services that it lists: three days. */
const lookbackMs = 72 * 3_600_000;
/** A span's clock may run ahead of ours. */
const clockSkewMs = 3_600_000;

/** Index: OTLP SpanKind. */
const kindNames = ['', 'internal', 'server', 'client', 'producer', 'consumer'];

/** Adds the routes, in a scope of their own; the caller mounts them under /jaeger. */
export function registerJaegerApi(app: FastifyInstance, options: JaegerApiOptions): void {
  void app.register((scope, _none, done) => {
    addRoutes(scope, options);
    done();
  });
}

function addRoutes(scope: FastifyInstance, options: JaegerApiOptions): void {
  scope.setErrorHandler(answerFailure);
  scope.addHook('onRequest', checkTenant);
  const sourceOf = (request: FastifyRequest) => options.source(parseTenant(request.headers[tenantHeader]));
  const range = () => [options.now() - lookbackMs, options.now() + clockSkewMs] as const;

  scope.get('/api/services', async (request) => list(await sourceOf(request).services(...range())));
  scope.get('/api/services/:service/operations', async (request) => {
    const { service } = request.params as { service: string };
    const operations = await sourceOf(request).operations(service, ...range());
    return list([...new Set(operations.map((operation) => operation.name))]);
  });
  scope.get('/api/operations', async (request) => {
    const { service, spanKind } = request.query as { service?: string; spanKind?: string };
    if (typeof service !== 'string' || service === '')
      throw new RefusedError("parameter 'service' is required");
    const operations = await sourceOf(request).operations(service, ...range());
    const named = operations.map(({ name, kind }) => ({ name, spanKind: kindNames[kind] ?? '' }));
    return list(named.filter((operation) => spanKind === undefined || operation.spanKind === spanKind));
  });
  scope.get('/api/traces/:id', async (request, reply) => {
    const { id } = request.params as { id: string };
    const trace = await sourceOf(request).trace(parseTraceId(id), clientAbort(reply));
    if (trace === undefined) throw new RefusedError('trace not found', 404);
    return envelope([renderJaegerTrace(trace)], 0);
  });
  for (const [path, what] of [
    ['/api/traces', 'searching traces'],
    ['/api/dependencies', 'the dependency graph'],
    ['/api/metrics/*', 'the API of service performance metrics'],
    ['/api/v3/*', "Jaeger's API v3"],
  ]) {
    addMissingRoute(scope, path, what);
  }
}

function list(data: readonly unknown[]) {
  return envelope(data, data.length);
}

function envelope(data: readonly unknown[] | null, total: number, errors: readonly object[] | null = null) {
  return { data, total, limit: 0, offset: 0, errors };
}

export function renderJaegerFailure(status: number, fact: string): object {
  return envelope(null, 0, [{ code: status, msg: fact }]);
}

function answerFailure(error: unknown, request: FastifyRequest, reply: FastifyReply) {
  const status = failureStatus(error);
  if (status >= 500 && status !== 501) request.log.error({ err: error }, 'a trace request failed');
  return reply.code(status).send(renderJaegerFailure(status, errorMessage(error)));
}
