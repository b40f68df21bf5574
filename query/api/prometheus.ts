/**
 * Prometheus's HTTP API under /api/v1. Envelope, status codes and texts are Prometheus's; each family of endpoints has
 * its own file in prometheus/. What it has and we have not is answered 404, by name.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { errorMessage, LimitError } from '#model/errors.ts';
import { QueryTimeoutError } from '../promql/query-timeout-error.ts';
import { checkTenant } from './check-tenant.ts';
import { failureStatus } from './failure-status.ts';
import { addMissingRoute } from './missing-route.ts';
import { answerCleanTombstones, answerDeleteSeries, answerSnapshot } from './prometheus/admin.ts';
import { type Answer, type Call, type PrometheusApiOptions, toCall } from './prometheus/call.ts';
import { answerFeatures } from './prometheus/features.ts';
import {
  answerExemplars,
  answerLabels,
  answerLabelValues,
  answerMetadata,
  answerSeries,
} from './prometheus/metadata.ts';
import { addNotificationRoutes } from './prometheus/notifications.ts';
import { addOpenApiRoute } from './prometheus/openapi.ts';
import { answerFormat, answerInstant, answerParse, answerRange } from './prometheus/query.ts';
import { addRemoteReadRoute } from './prometheus/remote-read.ts';
import { addSearchRoutes } from './prometheus/search.ts';
import {
  answerAlertmanagers,
  answerBlocks,
  answerBuildInfo,
  answerConfig,
  answerFlags,
  answerRuntimeInfo,
  answerSelfMetrics,
  answerWalReplay,
} from './prometheus/status.ts';
import { formType } from './prometheus-params.ts';
import { renderFailure } from './prometheus-reply.ts';
import { sendPieces } from './reply-stream.ts';

const both: HTTPMethods[] = ['GET', 'POST'];
const changing: HTTPMethods[] = ['POST', 'PUT'];

const routes: readonly (readonly [HTTPMethods[], string, (call: Call) => Promise<Answer>])[] = [
  [both, 'query', answerInstant],
  [both, 'query_range', answerRange],
  [both, 'query_exemplars', answerExemplars],
  [both, 'format_query', answerFormat],
  [both, 'parse_query', answerParse],
  [both, 'labels', answerLabels],
  [['GET'], 'label/:name/values', answerLabelValues],
  [both, 'series', answerSeries],
  [['GET'], 'metadata', answerMetadata],
  [['GET'], 'alertmanagers', answerAlertmanagers],
  [['GET'], 'features', answerFeatures],
  [['GET'], 'status/buildinfo', answerBuildInfo],
  [['GET'], 'status/config', answerConfig],
  [['GET'], 'status/flags', answerFlags],
  [['GET'], 'status/runtimeinfo', answerRuntimeInfo],
  [['GET'], 'status/tsdb/blocks', answerBlocks],
  [['GET'], 'status/walreplay', answerWalReplay],
  [['GET'], 'status/self_metrics', answerSelfMetrics],
  [changing, 'admin/tsdb/delete_series', answerDeleteSeries],
  [changing, 'admin/tsdb/clean_tombstones', answerCleanTombstones],
  [changing, 'admin/tsdb/snapshot', answerSnapshot],
];

/** What a Prometheus answers and this process does not, with the reason where it is not just to come. */
const pathsMissing: Readonly<Record<string, string>> = {
  'targets/relabel_steps': 'is not supported yet',
  'scrape_pools/config': 'is not supported yet: what is configured is in status/config',
  'cardinality/active_series': 'is not supported yet',
  query_cost: "is not supported: Sonde's limits are query.series_max and query.samples_max",
  query_range_cost: "is not supported: Sonde's limits are query.series_max and query.samples_max",
};

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
    for (const [method, path, answer] of routes) {
      scope.route({
        method,
        url: `/api/v1/${path}`,
        handler: async (request, reply) => {
          const pieces = await answer(toCall(request, reply, options));
          if (pieces === undefined) return reply.code(204).send();
          return sendPieces(request, reply, 'application/json', pieces);
        },
      });
    }
    addSearchRoutes(scope, options);
    addRemoteReadRoute(scope, options);
    addNotificationRoutes(scope, options);
    addOpenApiRoute(scope);
    for (const [path, fact] of Object.entries(pathsMissing)) {
      addMissingRoute(scope, `/api/v1/${path}`, `/api/v1/${path}`, 404, fact);
    }
    done();
  });
}

export type { PrometheusApiOptions } from './prometheus/call.ts';

function answerFailure(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { status, type } = classifyFailure(error);
  if (status >= 500) request.log.error({ err: error }, 'a metric request failed');
  void reply
    .status(status)
    .type('application/json')
    .send(renderFailure(type, errorMessage(error)));
}

function classifyFailure(error: unknown): { status: number; type: string } {
  if (error instanceof QueryTimeoutError) return { status: 503, type: 'timeout' };
  if (error instanceof LimitError) return { status: 422, type: 'execution' };
  const status = failureStatus(error);
  if (status === 404) return { status, type: 'not_found' };
  if (status === 422) return { status, type: 'execution' };
  if (status === 499) return { status, type: 'canceled' };
  if (status === 503) return { status, type: 'unavailable' };
  return { status, type: status < 500 ? 'bad_data' : 'internal' };
}
