/**
 * Loki's HTTP API for reading: query_range, query, labels, label values, series. Success is {status, data}; an error is
 * its text alone, as Loki answers. What we do not have is refused by name.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { errorMessage, RefusedError } from '#model/errors.ts';
import { parseTenant, tenantHeader } from '#model/tenant.ts';
import { type EvaluationTimes, evaluateMetric, pointsMax } from '../logql/engine.ts';
import { logInstantMessage } from '../logql/instant.ts';
import { parseLogql, parseLogSelector } from '../logql/parser.ts';
import type { LogSource } from '../logql/source.ts';
import type { LogExpr, MetricExpr } from '../logql/tree.ts';
import { checkTenant } from './check-tenant.ts';
import { clientAbort } from './client-abort.ts';
import { failureStatus } from './failure-status.ts';
import { formType, LokiParams } from './loki-params.ts';
import {
  asksForCategories,
  encodingFlagsHeader,
  renderInstant,
  renderMatrix,
  renderStreams,
} from './loki-reply.ts';
import { addMissingRoute } from './missing-route.ts';

export interface LokiApiOptions {
  /** The logs of one tenant. */
  readonly source: (tenant: string) => LogSource;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly limits: LokiLimits;
  /** Whether somebody else answers the push API on this server. */
  readonly takesPushes: boolean;
  /** For /status/buildinfo. */
  readonly version: string;
}

export interface LokiLimits {
  /** Lines that one query may ask for (query.entries_max). */
  readonly entriesMax: number;
  /** Series that a metric query may return (query.series_max). */
  readonly seriesMax: number;
}

/** What a route reads: the request's parameters, its tenant's logs, and a signal that the client is gone. */
interface Call {
  readonly params: LokiParams;
  readonly source: LogSource;
  readonly abort: AbortSignal;
  readonly request: FastifyRequest;
  readonly options: LokiApiOptions;
}

/** Loki looks back an hour for lines and six for labels. */
const queryHours = 1n;
const labelHours = 6n;

const pathsMissing = [
  ...['index/stats', 'index/shards', 'index/volume', 'index/volume_range', 'patterns', 'detected_labels'],
  ...['detected_fields', 'detected_field/:name/values', 'format_query', 'tail', 'drilldown-limits', 'delete'],
].map((path) => `/loki/api/v1/${path}`);
/** Loki's first API, and what Grafana's streaming asks. */
const otherPathsMissing = [
  ...['query', 'label', 'label/:name/values', 'series', 'tail'].map((path) => `/api/prom/${path}`),
  '/loki/api/v2alpha/tail',
  '/otlp/v1/logs',
];

const pushPaths = ['/loki/api/v1/push', '/api/prom/push'];

/** Adds the routes under /loki/api/v1, in a scope of their own. */
export function registerLokiApi(app: FastifyInstance, options: LokiApiOptions): void {
  void app.register((scope, _none, done) => {
    addRoutes(scope, options);
    done();
  });
}

function addRoutes(scope: FastifyInstance, options: LokiApiOptions): void {
  scope.setErrorHandler(answerFailure);
  scope.addHook('onRequest', checkTenant);
  scope.addContentTypeParser(
    formType,
    { parseAs: 'string' },
    async (_request: FastifyRequest, body: unknown) => body,
  );
  const route = (path: string, answer: (call: Call) => Promise<unknown>) =>
    scope.route({
      method: ['GET', 'POST'] satisfies HTTPMethods[],
      url: `/loki/api/v1/${path}`,
      handler: async (request, reply) => ({
        status: 'success',
        data: await answer(toCall(request, reply, options)),
      }),
    });
  route('query_range', answerRange);
  route('query', answerInstant);
  route('labels', answerLabels);
  route('label', answerLabels);
  route('label/:name/values', answerLabelValues);
  route('series', answerSeries);
  scope.get('/loki/api/v1/status/buildinfo', async () => buildInfo(options.version));
  const pushesMissing = options.takesPushes ? [] : pushPaths;
  for (const path of [...pathsMissing, ...otherPathsMissing, ...pushesMissing]) {
    addMissingRoute(scope, path, path);
  }
}

function toCall(request: FastifyRequest, reply: FastifyReply, options: LokiApiOptions): Call {
  return {
    params: new LokiParams(request, options.now()),
    source: options.source(parseTenant(request.headers[tenantHeader])),
    abort: clientAbort(reply),
    request,
    options,
  };
}

async function answerRange(call: Call): Promise<object> {
  const { params, options } = call;
  const started = options.now();
  const expr = parseLogql(params.text('query'));
  const data = expr.kind === 'log' ? await selectLines(call, expr) : await evaluateRange(call, expr);
  return { ...data, stats: stats(options.now() - started) };
}

async function selectLines(
  { params, source, abort, request, options }: Call,
  expr: LogExpr,
): Promise<object> {
  params.refuse('interval');
  const { start, end } = params.range(queryHours);
  const entries = await source.select(
    {
      matchers: expr.matchers,
      lineFilters: expr.lineFilters,
      startUnixNano: String(start),
      endUnixNano: String(end),
      limit: params.limit(options.limits.entriesMax),
      direction: params.direction(),
    },
    abort,
  );
  return renderStreams(entries, asksForCategories(request.headers[encodingFlagsHeader]));
}

async function evaluateRange({ params, source, abort, options }: Call, expr: MetricExpr): Promise<object> {
  const range = params.range(queryHours);
  const stepNano = params.step(range);
  const count = (range.end - range.start) / stepNano + 1n;
  if (count > BigInt(pointsMax)) {
    throw new RefusedError(
      `exceeded maximum resolution of ${pointsMax.toLocaleString('en')} points per time series. ` +
        'Try increasing the value of the step parameter',
    );
  }
  const times: EvaluationTimes = { startUnixNano: range.start, stepNano, count: Number(count) };
  const { seriesMax } = options.limits;
  return renderMatrix(await evaluateMetric({ expr, times, source, seriesMax, abort }), times);
}

async function answerInstant({ params, source, abort, options }: Call): Promise<object> {
  const started = options.now();
  const expr = parseLogql(params.text('query'));
  if (expr.kind === 'log') throw new RefusedError(logInstantMessage);
  const startUnixNano = params.time('time');
  const times: EvaluationTimes = { startUnixNano, stepNano: 1n, count: 1 };
  const { seriesMax } = options.limits;
  const data = renderInstant(await evaluateMetric({ expr, times, source, seriesMax, abort }), startUnixNano);
  return { ...data, stats: stats(options.now() - started) };
}

async function answerLabels({ params, source }: Call): Promise<string[]> {
  const { start, end } = params.range(labelHours);
  return source.labelNames(optionalSelector(params), String(start), String(end));
}

async function answerLabelValues({ params, source, request }: Call): Promise<string[]> {
  const { name } = request.params as { name: string };
  const { start, end } = params.range(labelHours);
  return source.labelValues(name, optionalSelector(params), String(start), String(end));
}

function optionalSelector(params: LokiParams) {
  const text = params.text('query');
  // Grafana's editor sends {} where nothing is chosen yet.
  return text.replace(/\s/g, '') === '{}' || text.trim() === '' ? [] : parseLogSelector(text);
}

async function answerSeries({ params, source }: Call): Promise<object[]> {
  const { start, end } = params.range(labelHours);
  const selectors = params.all('match[]', 'match').map(parseLogSelector);
  const streams = await source.series(selectors, String(start), String(end));
  return streams.map((labels) => Object.fromEntries(labels));
}

/** Only what we measure: Loki's counters of chunks and ingesters have no meaning here. */
function stats(elapsedMs: number): object {
  return { summary: { execTime: elapsedMs / 1000 } };
}

function buildInfo(version: string): object {
  return { version, revision: '', branch: '', buildUser: '', buildDate: '', goVersion: '' };
}

function answerFailure(error: unknown, request: FastifyRequest, reply: FastifyReply) {
  const status = failureStatus(error);
  if (status >= 500 && status !== 501) request.log.error({ err: error }, 'a log request failed');
  return reply.code(status).type('text/plain; charset=utf-8').send(errorMessage(error));
}
