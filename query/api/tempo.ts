/**
 * Tempo's HTTP API: a trace by id, in Tempo's JSON or in protobuf by the Accept header, as Grafana's Tempo data source
 * asks for it. Searches (TraceQL) are refused by name until we can answer them.
 *
 * Times (`start`, `end`) are only hints to Tempo which blocks to read; we always return the whole trace.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { errorMessage, RefusedError } from '#model/errors.ts';
import { parseTenant, tenantHeader } from '#model/tenant.ts';
import { encodeTraceByIdResponse, encodeTracesData } from '../traces/otlp-protobuf.ts';
import { renderTempoResourceSpans } from '../traces/tempo-json.ts';
import type { Trace, TraceSource } from '../traces/trace.ts';
import { parseTraceId } from '../traces/trace-id.ts';
import { checkTenant } from './check-tenant.ts';
import { clientAbort } from './client-abort.ts';
import { failureStatus } from './failure-status.ts';
import { addMissingRoute } from './missing-route.ts';

export interface TempoApiOptions {
  /** The traces of one tenant. */
  readonly source: (tenant: string) => TraceSource;
  /** For /api/status/buildinfo. */
  readonly version: string;
}

const protobufType = 'application/protobuf';

const search = 'a search by TraceQL or tags (ask for a trace by its id)';
const pathsMissing = [
  ['/api/search', search],
  ['/api/search/*', search],
  ['/api/v2/search/*', search],
  ['/api/metrics/*', 'the API of TraceQL metrics'],
  ['/api/v2/traces/diff', 'comparing traces'],
  ['/api/overrides', '/api/overrides'],
  ['/api/mcp', '/api/mcp'],
] as const;

/** Adds the routes, in a scope of their own; the caller mounts them under /tempo. */
export function registerTempoApi(app: FastifyInstance, options: TempoApiOptions): void {
  void app.register((scope, _none, done) => {
    addRoutes(scope, options);
    done();
  });
}

function addRoutes(scope: FastifyInstance, options: TempoApiOptions): void {
  scope.setErrorHandler(answerFailure);
  scope.addHook('onRequest', checkTenant);
  scope.get('/api/echo', async (_request, reply) => reply.type('text/plain').send('echo'));
  scope.get('/api/status/buildinfo', async () => ({
    version: options.version,
    revision: '',
    branch: '',
    buildDate: '',
    buildUser: '',
    goVersion: '',
  }));
  scope.get('/api/traces/:id', (request, reply) =>
    answerTrace(request, reply, options, {
      encode: encodeTracesData,
      render: (trace) => ({ batches: renderTempoResourceSpans(trace) }),
    }),
  );
  scope.get('/api/v2/traces/:id', (request, reply) =>
    answerTrace(request, reply, options, {
      encode: encodeTraceByIdResponse,
      render: (trace) => ({
        trace: { resourceSpans: renderTempoResourceSpans(trace) },
        status: 'COMPLETE',
      }),
    }),
  );
  for (const [path, what] of pathsMissing) addMissingRoute(scope, path, what);
}

async function answerTrace(
  request: FastifyRequest,
  reply: FastifyReply,
  options: TempoApiOptions,
  form: { encode: (trace: Trace) => Uint8Array; render: (trace: Trace) => object },
) {
  const { id } = request.params as { id: string };
  const { q } = request.query as { q?: string | string[] };
  refuseFilter(q);
  const source = options.source(parseTenant(request.headers[tenantHeader]));
  const traceId = parseTraceId(id);
  const trace = await source.trace(traceId, clientAbort(reply));
  if (trace === undefined) throw new RefusedError(`trace ${traceId} not found`, 404);
  if (request.headers.accept?.includes(protobufType))
    return reply.type(protobufType).send(form.encode(trace));
  return reply.send(form.render(trace));
}

/** Tempo narrows the spans by a TraceQL filter in `q`; an empty one selects all. */
function refuseFilter(q: string | string[] | undefined): void {
  const filters = typeof q === 'string' ? [q] : (q ?? []);
  for (const filter of filters) {
    if (!/^\s*(\{\s*(true)?\s*\})?\s*$/.test(filter)) {
      throw new RefusedError(
        'a TraceQL filter in q is not supported yet; leave q out to get the whole trace',
        501,
      );
    }
  }
}

/** Tempo answers errors as plain text; 501 is our own, and JSON. */
function answerFailure(error: unknown, request: FastifyRequest, reply: FastifyReply) {
  const status = failureStatus(error);
  if (status >= 500 && status !== 501) request.log.error({ err: error }, 'a trace request failed');
  if (status === 501) return reply.code(status).send({ error: errorMessage(error) });
  return reply.code(status).type('text/plain; charset=utf-8').send(errorMessage(error));
}
