/**
 * Prometheus's HTTP API for reading: query, query_range, query_exemplars, labels, label values, series, metadata, format_query.
 * Envelope, status codes and texts are Prometheus's. What it has and we have not is answered 404, by name.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { errorMessage, LimitError, RefusedError } from '#model/errors.ts';
import type { LabelMatcher } from '#model/labels.ts';
import { parseTenant, tenantHeader } from '#model/tenant.ts';
import { ParseError } from '../language/parse-error.ts';
import type { PromqlEngine } from '../promql/engine.ts';
import { isLabelName } from '../promql/metric-name.ts';
import { parsePromql } from '../promql/parser.ts';
import { prettifyPromql } from '../promql/prettify.ts';
import type { QueryOutcome } from '../promql/query-result.ts';
import { QueryTimeoutError } from '../promql/query-timeout-error.ts';
import { selectorsOf } from '../promql/selectors.ts';
import type { ExemplarSource, SampleSource, TimeRange } from '../promql/source.ts';
import type { Expression } from '../promql/tree.ts';
import { checkTenant } from './check-tenant.ts';
import { clientAbort } from './client-abort.ts';
import { executionWishes } from './execution-wishes.ts';
import { failureStatus } from './failure-status.ts';
import { addMissingRoute } from './missing-route.ts';
import { formType, invalid, PrometheusParams, unescapeName } from './prometheus-params.ts';
import {
  renderExemplars,
  renderFailure,
  renderMetric,
  renderOutcome,
  renderSuccess,
} from './prometheus-reply.ts';

export interface PrometheusApiOptions {
  readonly engine: PromqlEngine;
  /** The metrics of one tenant. */
  readonly source: (tenant: string) => SampleSource & ExemplarSource;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Steps of a range query (query.steps_max): the engine's own limit. */
  readonly stepsMax: number;
  /** Sonde's version, for /status/buildinfo. */
  readonly version: string;
}

/** What a route reads: the request's parameters, its tenant, and a signal that the client is gone. */
interface Call {
  readonly params: PrometheusParams;
  readonly tenant: string;
  readonly source: SampleSource & ExemplarSource;
  readonly abort: AbortSignal;
  readonly request: FastifyRequest;
  readonly options: PrometheusApiOptions;
}

/** Exemplars in one answer: Prometheus keeps as many at most, by default. */
const exemplarsMax = 100_000;
/** Names, values or series in one answer, also without a limit in the request. */
const entriesMax = 1_000_000;
const truncatedWarning = 'results truncated due to limit';
/** Grafana chooses by this version what it may ask. */
const prometheusVersion = '3.5.0';

const pathsMissing = [
  ...['parse_query', 'targets/relabel_steps'],
  ...['scrape_pools/config', 'alertmanagers', 'status/config', 'status/flags'],
  ...['status/runtimeinfo', 'status/tsdb/blocks', 'status/walreplay', 'status/self_metrics'],
  ...['features', 'notifications', 'notifications/live', 'openapi.yaml', 'read', 'search/metric_names'],
  ...['search/label_names', 'search/label_values', 'cardinality/active_series'],
  ...['admin/tsdb/snapshot', 'admin/tsdb/delete_series', 'admin/tsdb/clean_tombstones'],
];

/** Adds the routes under /api/v1, in a scope of their own. The caller chooses the prefix of `app`. */
export function registerPrometheusApi(app: FastifyInstance, options: PrometheusApiOptions): void {
  void app.register((scope, _none, done) => {
    scope.setErrorHandler(answerFailure);
    scope.addHook('onRequest', checkTenant);
    if (!scope.hasContentTypeParser(formType)) {
      scope.addContentTypeParser(
        formType,
        { parseAs: 'string' },
        async (_request: FastifyRequest, body: unknown) => body,
      );
    }
    const route = (method: HTTPMethods[], path: string, answer: (call: Call) => Promise<string>) =>
      scope.route({
        method,
        url: `/api/v1/${path}`,
        handler: async (request, reply) => {
          const text = await answer(toCall(request, reply, options));
          return reply.type('application/json').send(text);
        },
      });
    const both: HTTPMethods[] = ['GET', 'POST'];
    route(both, 'query', answerInstant);
    route(both, 'query_range', answerRange);
    route(both, 'query_exemplars', answerExemplars);
    route(both, 'format_query', answerFormat);
    route(both, 'labels', answerLabels);
    route(['GET'], 'label/:name/values', answerLabelValues);
    route(both, 'series', answerSeries);
    route(['GET'], 'metadata', answerMetadata);
    route(['GET'], 'status/buildinfo', answerBuildInfo);
    for (const path of pathsMissing) {
      addMissingRoute(scope, `/api/v1/${path}`, `/api/v1/${path}`, 404);
    }
    done();
  });
}

function toCall(request: FastifyRequest, reply: FastifyReply, options: PrometheusApiOptions): Call {
  const tenant = parseTenant(request.headers[tenantHeader]);
  return {
    params: new PrometheusParams(request),
    tenant,
    source: options.source(tenant),
    abort: clientAbort(reply),
    request,
    options,
  };
}

async function answerInstant({ params, tenant, abort, options }: Call): Promise<string> {
  const limit = params.limit();
  const request = {
    tenant,
    query: params.text('query'),
    timeMs: params.timeMs('time', options.now()),
    timeoutMs: params.durationMs('timeout'),
    lookbackMs: params.durationMs('lookback_delta'),
    ...executionWishes(params),
    abort,
  };
  return renderLimited(await asking(() => options.engine.instant(request)), limit);
}

async function answerRange({ params, tenant, abort, options }: Call): Promise<string> {
  const limit = params.limit();
  const startMs = params.timeMs('start');
  const endMs = params.timeMs('end');
  if (endMs < startMs) throw invalid('end', 'end timestamp must not be before start time');
  const stepMs = params.requiredDurationMs('step');
  if (stepMs <= 0) {
    throw invalid(
      'step',
      'zero or negative query resolution step widths are not accepted. Try a positive integer',
    );
  }
  if (Math.floor((endMs - startMs) / stepMs) + 1 > options.stepsMax) {
    throw new RefusedError(
      `exceeded maximum resolution of ${options.stepsMax.toLocaleString('en')} points per timeseries. ` +
        'Try decreasing the query resolution (?step=XX), or raise query.steps_max',
    );
  }
  const request = {
    tenant,
    query: params.text('query'),
    startMs,
    endMs,
    stepMs,
    timeoutMs: params.durationMs('timeout'),
    lookbackMs: params.durationMs('lookback_delta'),
    ...executionWishes(params),
    abort,
  };
  return renderLimited(await asking(() => options.engine.range(request)), limit);
}

/** A mistake in the query is worded as one of the parameter. */
async function asking(ask: () => Promise<QueryOutcome>): Promise<QueryOutcome> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ParseError) throw invalid('query', error.message);
    throw error;
  }
}

function renderLimited(outcome: QueryOutcome, limit: number | undefined): string {
  const { result } = outcome;
  if (limit === undefined) return renderOutcome(outcome, []);
  if (result.type === 'vector' && result.samples.length > limit) {
    const samples = result.samples.slice(0, limit);
    return renderOutcome({ ...outcome, result: { ...result, samples } }, [truncatedWarning]);
  }
  if (result.type === 'matrix' && result.series.length > limit) {
    const series = result.series.slice(0, limit);
    return renderOutcome({ ...outcome, result: { ...result, series } }, [truncatedWarning]);
  }
  return renderOutcome(outcome, []);
}

async function answerExemplars({ params, source }: Call): Promise<string> {
  const range = params.range();
  if (range.endMs < range.startMs) {
    throw invalid('end', 'end timestamp must not be before start timestamp');
  }
  const selectors = parseQuery(params, selectorsOf);
  if (selectors.length === 0) return renderSuccess('[]');
  const lists = selectors.map(({ matchers }) => matchers);
  const found = await source.exemplars(lists, range, exemplarsMax);
  const count = found.reduce((sum, { exemplars }) => sum + exemplars.length, 0);
  return renderSuccess(
    `[${found.map(renderExemplars).join(',')}]`,
    count < exemplarsMax ? [] : [truncatedWarning],
  );
}

/** Parses the query; a mistake in it is worded as one of the parameter. */
function parseQuery<Result>(params: PrometheusParams, use: (expression: Expression) => Result): Result {
  try {
    return use(parsePromql(params.text('query')));
  } catch (error) {
    if (error instanceof ParseError) throw invalid('query', error.message);
    throw error;
  }
}

async function answerFormat({ params }: Call): Promise<string> {
  return renderSuccess(JSON.stringify(parseQuery(params, (expression) => prettifyPromql(expression))));
}

type Lists = readonly (readonly LabelMatcher[])[];

/** Asks for one entry more than the limit, to know whether something was left out. */
async function limited<Entry>(
  params: PrometheusParams,
  ask: (lists: Lists, range: TimeRange, limit: number) => Promise<Entry[]>,
): Promise<{ entries: Entry[]; warnings: string[] }> {
  const limit = Math.min(params.limit() ?? entriesMax, entriesMax);
  const entries = await ask(params.matchers(), params.range(), limit + 1);
  if (entries.length <= limit) return { entries, warnings: [] };
  return { entries: entries.slice(0, limit), warnings: [truncatedWarning] };
}

async function answerLabels({ params, source }: Call): Promise<string> {
  const { entries, warnings } = await limited(params, (lists, range, limit) =>
    source.labelNames(lists, range, limit),
  );
  return renderSuccess(JSON.stringify(entries), warnings);
}

async function answerLabelValues({ params, source, request }: Call): Promise<string> {
  const name = unescapeName((request.params as { name: string }).name);
  if (!isLabelName(name)) throw new RefusedError(`invalid label name: ${JSON.stringify(name)}`);
  const { entries, warnings } = await limited(params, (lists, range, limit) =>
    source.labelValues(name, lists, range, limit),
  );
  return renderSuccess(JSON.stringify(entries), warnings);
}

async function answerSeries({ params, source }: Call): Promise<string> {
  if (params.matchers().length === 0) throw new RefusedError('no match[] parameter provided');
  const { entries, warnings } = await limited(params, (lists, range, limit) =>
    source.series(lists, range, limit),
  );
  return renderSuccess(`[${entries.map(renderMetric).join(',')}]`, warnings);
}

async function answerMetadata({ params, source }: Call): Promise<string> {
  const limit = params.limit() ?? entriesMax;
  const metric = params.text('metric');
  // We keep one description per metric, so that limit_per_metric cuts nothing off; it is still checked.
  params.limit('limit_per_metric');
  const metadata = await source.metadata(metric === '' ? undefined : metric, Math.min(limit, entriesMax));
  const entries = metadata.map(
    ({ metric: name, type, help, unit }) =>
      `${JSON.stringify(name)}:[${JSON.stringify({ type, help, unit })}]`,
  );
  return renderSuccess(`{${entries.join(',')}}`);
}

async function answerBuildInfo({ options }: Call): Promise<string> {
  const info = {
    version: prometheusVersion,
    revision: `sonde-${options.version}`,
    branch: '',
    buildUser: '',
    buildDate: '',
    goVersion: '',
  };
  return renderSuccess(JSON.stringify(info));
}

function answerFailure(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { status, type } = classify(error);
  if (status >= 500) request.log.error({ err: error }, 'a metric request failed');
  void reply
    .status(status)
    .type('application/json')
    .send(renderFailure(type, errorMessage(error)));
}

function classify(error: unknown): { status: number; type: string } {
  if (error instanceof QueryTimeoutError) return { status: 503, type: 'timeout' };
  if (error instanceof LimitError) return { status: 422, type: 'execution' };
  const status = failureStatus(error);
  if (status === 404) return { status, type: 'not_found' };
  if (status === 422) return { status, type: 'execution' };
  if (status === 503) return { status, type: 'unavailable' };
  return { status, type: status < 500 ? 'bad_data' : 'internal' };
}
