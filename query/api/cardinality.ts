/**
 * What makes the series: our own answer in one piece, Mimir's two, and Prometheus's TSDB status.
 *
 *   GET /sonde/api/v1/cardinality?limit=20&match[]=up&start=...&end=...
 *   GET /prometheus/api/v1/cardinality/label_names?selector={job="api"}
 *   GET /prometheus/api/v1/cardinality/label_values?label_names[]=job
 *   GET /prometheus/api/v1/status/tsdb
 *
 * Without times all of them speak of the head as the originals do: series that had samples in the last two hours.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { errorMessage, RefusedError } from '#model/errors.ts';
import { parseTenant, tenantHeader } from '#model/tenant.ts';
import { isLabelName } from '../promql/metric-name.ts';
import type { CardinalityQuery, CardinalitySource } from '../sql/cardinality.ts';
import { checkTenant } from './check-tenant.ts';
import { clientAbort } from './client-abort.ts';
import { failureStatus } from './failure-status.ts';
import { formType, invalid, PrometheusParams } from './prometheus-params.ts';
import { renderFailure, renderSuccess } from './prometheus-reply.ts';

export interface CardinalityApiOptions {
  readonly source: (tenant: string) => CardinalitySource;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

interface Call {
  readonly params: PrometheusParams;
  readonly query: CardinalityQuery;
  readonly source: CardinalitySource;
  readonly abort: AbortSignal;
}

const headMs = 2 * 3_600_000;
/** Mimir's own bounds and default. */
const entriesDefault = 20;
const entriesMax = 500;
/** Prometheus's own, of the TSDB status. */
const tsdbEntriesDefault = 10;
const tsdbEntriesMax = 10_000;
const namesMax = 100;

/** Adds /sonde/api/v1/cardinality, in a scope of its own. */
export function registerCardinalityApi(app: FastifyInstance, options: CardinalityApiOptions): void {
  app.addHook('onRequest', checkTenant);
  app.setErrorHandler((error, request, reply) => {
    void reply.code(reportedStatus(error, request)).send({ error: errorMessage(error) });
  });
  app.get('/sonde/api/v1/cardinality', async (request, reply) => {
    const { params, query, source, abort } = toCall(request, reply, options, 'match[]');
    const limit = readLimit(params, entriesDefault, entriesMax);
    const totals = await source.totals(query, abort);
    const labels = await source.labels(query, limit, abort);
    const metrics = await source.metrics(query, limit, abort);
    const pairs = await source.pairs(query, limit, abort);
    return {
      start: new Date(query.range.startMs).toISOString(),
      end: new Date(query.range.endMs).toISOString(),
      series: totals.seriesCount,
      label_names: labels.nameCount,
      label_pairs: totals.pairCount,
      metrics: metrics.map(({ name, seriesCount }) => ({ name, series: seriesCount })),
      labels: labels.labels.map(({ name, valueCount }) => ({ name, values: valueCount })),
      pairs: pairs.map(({ name, value, seriesCount }) => ({ name, value, series: seriesCount })),
    };
  });
}

/** Adds Mimir's and Prometheus's routes under /api/v1, in a scope of its own. The caller chooses the prefix. */
export function registerPrometheusCardinalityApi(app: FastifyInstance, options: CardinalityApiOptions): void {
  app.addHook('onRequest', checkTenant);
  app.setErrorHandler((error, request, reply) => {
    const status = reportedStatus(error, request);
    const type = status < 500 ? 'bad_data' : status === 503 ? 'unavailable' : 'internal';
    void reply
      .code(status)
      .type('application/json')
      .send(renderFailure(type, errorMessage(error)));
  });
  app.addContentTypeParser(
    formType,
    { parseAs: 'string' },
    async (_request: FastifyRequest, body: unknown) => body,
  );
  const route = (path: string, answer: (call: Call) => Promise<object>) =>
    app.route({
      method: ['GET', 'POST'],
      url: `/api/v1/cardinality/${path}`,
      handler: (request, reply) => answer(toCall(request, reply, options, 'selector')),
    });
  route('label_names', answerLabelNames);
  route('label_values', answerLabelValues);
  app.get('/api/v1/status/tsdb', async (request, reply) => {
    const text = await answerTsdbStatus(toCall(request, reply, options, 'match[]'));
    return reply.type('application/json').send(text);
  });
}

/** Mimir HTTP API, Label names cardinality. */
async function answerLabelNames({ params, query, source, abort }: Call): Promise<object> {
  checkCountMethod(params);
  const { labels, nameCount, valueCountTotal } = await source.labels(
    query,
    readLimit(params, entriesDefault, entriesMax),
    abort,
  );
  return {
    label_values_count_total: valueCountTotal,
    label_names_count: nameCount,
    cardinality: labels.map(({ name, valueCount }) => ({
      label_name: name,
      label_values_count: valueCount,
    })),
  };
}

/** Mimir HTTP API, Label values cardinality. */
async function answerLabelValues({ params, query, source, abort }: Call): Promise<object> {
  checkCountMethod(params);
  const names = [...new Set(params.list('label_names[]'))];
  if (names.length === 0) throw new RefusedError("'label_names[]' param is required");
  if (names.length > namesMax) throw new RefusedError(`at most ${namesMax} label_names[] can be asked for`);
  const bad = names.find((name) => !isLabelName(name));
  if (bad !== undefined) throw new RefusedError(`invalid 'label_names' param '${bad}'`);
  const labels = await source.values(names, query, readLimit(params, entriesDefault, entriesMax), abort);
  const { seriesCount } = await source.totals(query, abort);
  return {
    series_count_total: seriesCount,
    labels: labels.map((label) => ({
      label_name: label.name,
      label_values_count: label.valueCount,
      series_count: label.seriesCount,
      cardinality: label.values.map(({ value, seriesCount: series }) => ({
        label_value: value,
        series_count: series,
      })),
    })),
  };
}

/** Prometheus HTTP API, TSDB Stats. There is no head in memory: its chunks are none, its memory the labels' bytes. */
async function answerTsdbStatus({ params, query, source, abort }: Call): Promise<string> {
  const limit = readLimit(params, tsdbEntriesDefault, tsdbEntriesMax);
  if (limit === 0) throw invalid('limit', 'limit must be a positive number');
  const totals = await source.totals(query, abort);
  const metrics = await source.metrics(query, limit, abort);
  const { labels } = await source.labels(query, limit, abort);
  const bytes = await source.valueBytes(query, limit, abort);
  const pairs = await source.pairs(query, limit, abort);
  const counts = (entries: readonly { name: string; valueCount: number }[]) =>
    entries.map(({ name, valueCount }) => ({ name, value: valueCount }));
  return renderSuccess(
    JSON.stringify({
      headStats: {
        numSeries: totals.seriesCount,
        numLabelPairs: totals.pairCount,
        chunkCount: 0,
        minTime: totals.range?.startMs ?? 0,
        maxTime: totals.range?.endMs ?? 0,
      },
      seriesCountByMetricName: metrics.map(({ name, seriesCount }) => ({ name, value: seriesCount })),
      labelValueCountByLabelName: counts(labels),
      memoryInBytesByLabelName: counts(bytes),
      seriesCountByLabelValuePair: pairs.map(({ name, value, seriesCount }) => ({
        name: `${name}=${value}`,
        value: seriesCount,
      })),
    }),
  );
}

function toCall(
  request: FastifyRequest,
  reply: FastifyReply,
  options: CardinalityApiOptions,
  selector: 'match[]' | 'selector',
): Call {
  const params = new PrometheusParams(request);
  const endMs = params.timeMs('end', options.now());
  const startMs = params.timeMs('start', endMs - headMs);
  if (endMs < startMs) throw invalid('end', 'end timestamp must not be before start time');
  return {
    params,
    query: { lists: params.matchers(selector), range: { startMs, endMs } },
    source: options.source(parseTenant(request.headers[tenantHeader])),
    abort: clientAbort(reply),
  };
}

function readLimit(params: PrometheusParams, missing: number, max: number): number {
  const text = params.text('limit');
  if (text === '') return missing;
  if (!/^\d{1,9}$/.test(text) || Number(text) > max) {
    throw invalid('limit', `expected a whole number from 0 to ${max}, got ${JSON.stringify(text)}`);
  }
  return Number(text);
}

/** Ours counts in one way, which is right for both of Mimir's. */
function checkCountMethod(params: PrometheusParams): void {
  const method = params.text('count_method');
  if (!['', 'inmemory', 'active'].includes(method)) {
    throw invalid('count_method', `expected inmemory or active, got ${JSON.stringify(method)}`);
  }
}

function reportedStatus(error: unknown, request: FastifyRequest): number {
  const status = failureStatus(error);
  if (status >= 500) request.log.error({ err: error }, 'a cardinality request failed');
  return status;
}
