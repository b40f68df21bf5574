/** The query side in a process: the query APIs, rules and scaling signals on one port. */
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { FastifyInstance } from 'fastify';
import { registerTargetsApi } from '#agent/scrape-config/targets-api.ts';
import { closeHttpServer, createHttpServer, listen } from '#model/http-server.ts';
import { registerCardinalityApi, registerPrometheusCardinalityApi } from '#query/api/cardinality.ts';
import { registerJaegerApi } from '#query/api/jaeger.ts';
import { registerLokiApi } from '#query/api/loki.ts';
import { registerPrometheusApi } from '#query/api/prometheus.ts';
import { registerRulerConfigApi, registerRulesReadApi } from '#query/api/rules.ts';
import { registerScalingApi } from '#query/api/scaling.ts';
import { dataSourcePaths, registerStatusPage } from '#query/api/status-page.ts';
import { registerStoreOperationsApi } from '#query/api/store-operations.ts';
import { registerTempoApi } from '#query/api/tempo.ts';
import { answerUnknownPaths } from '#query/api/unknown-path.ts';
import { asInstantQuery, createPromqlEngine, type SourceWishes } from '#query/promql/engine.ts';
import { parsePromql } from '#query/promql/parser.ts';
import { startRules } from '#query/rules/rules.ts';
import { startScaling } from '#query/scaling/scaling.ts';
import { createCardinalitySource } from '#query/sql/cardinality.ts';
import { listCompactedDays } from '#query/sql/compacted-days.ts';
import { createKernelPool, type KernelPool } from '#query/sql/kernel-pool.ts';
import { createLogSource } from '#query/sql/logs.ts';
import { createPushDownProbe } from '#query/sql/pushed-reads.ts';
import { createSampleSource } from '#query/sql/samples.ts';
import { withStartTimes } from '#query/sql/start-times.ts';
import { createTraceSource } from '#query/sql/traces.ts';
import type { Store } from '#store/store.ts';
import { registerHttpReceiver } from '#wire/receive/http-receiver.ts';
import { lokiRoutes, type PushRoute, prometheusRoutes } from '#wire/receive/push-routes.ts';
import type { ScrapedTargets } from './agent-metrics.ts';
import type { CollectorPart } from './collector-part.ts';
import type { Parts } from './parts.ts';
import type { RoleContext } from './role-context.ts';
import { createSeriesAdministration } from './series-administration.ts';
import { createServerFacts } from './server-facts.ts';
import { renderBytes } from './status-line.ts';
import { createStoreOperations } from './store-operations.ts';
import { createStoreReadiness } from './store-readiness.ts';
import { targetsApi } from './targets-api.ts';

export interface QueryPart {
  readonly banner: readonly string[];
}

/** Queries under way have this long to be answered when the process stops. */
const closeGraceMs = 10_000;

/**
 * `collector` is the one in this process, if any: this port then takes remote write and Loki pushes too, as a Prometheus
 * and a Loki would. `targets` is what an agent in this process scrapes.
 */
export async function startQueryPart(
  context: RoleContext,
  store: Store,
  collector: CollectorPart | undefined,
  targets: () => ScrapedTargets | undefined,
  parts: Parts,
): Promise<QueryPart> {
  const { config, log, telemetry } = context;
  const unready = createStoreReadiness(store);
  const app = createHttpServer({ log, telemetry, unready });
  const kernels = createKernelPool();
  parts.add('query kernels', () => kernels.close());
  const languages = createLanguages(context, store, kernels);
  const externalUrl = config.api.external_url || `http://${config.api.host}:${config.api.port}`;
  const rules = await startRules({
    store,
    instantQuery: languages.instantQuery,
    validateQuery: languages.validateQuery,
    webhooks: config.rules.webhooks,
    alertmanagers: config.rules.alertmanagers,
    externalUrl,
    evaluationIntervalMsDefault: config.rules.evaluation_interval_ms,
    log,
  });
  parts.add('rules', () => rules.stop());
  const scaling = await startScaling({
    store,
    instantQuery: languages.instantQuery,
    validateQuery: languages.validateQuery,
    log,
  });
  parts.add('scaling', () => scaling.stop());

  traceRequests(app);
  answerUnknownPaths(app);
  mountApis(app, context, languages, { store, takesPushes: collector !== undefined, unready });
  mount(app, '', (scope) => registerRulerConfigApi(scope, { rules }));
  mount(app, '', (scope) => registerScalingApi(scope, { scaling }));
  mount(app, '', (scope) => registerStoreOperationsApi(scope, createStoreOperations(store, config.store)));
  for (const prefix of prometheusPrefixes) {
    mount(app, prefix, (scope) => registerRulesReadApi(scope, { rules }));
    mount(app, prefix, (scope) => registerTargetsApi(scope, targetsApi(targets, config.agent.tenant)));
    if (collector !== undefined) mountPushes(app, prefix, prometheusRoutes, context, collector);
  }
  if (collector !== undefined) mountPushes(app, '', lokiRoutes, context, collector);
  registerStatusPage(app, {
    version: context.version,
    role: collector === undefined ? 'query' : 'up',
    facts: () => statusFacts(context, collector),
  });
  const address = { host: config.api.host, port: config.api.port, name: 'the query API', flag: '--port' };
  const port = await listen(app, address);
  parts.add('query API', () => closeHttpServer(app, closeGraceMs));
  const url = `http://${config.api.host}:${port}`;
  return {
    banner: [
      `  answers   ${url}/ (status page); Grafana data sources:`,
      ...dataSourcePaths.slice(0, 3).map(([name, path]) => `            ${name.padEnd(10)} ${url}${path}`),
    ],
  };
}

/** A Prometheus client may be given the port alone, or the path under which Mimir and Loki have this API. */
const prometheusPrefixes = ['', '/prometheus'];

type Languages = ReturnType<typeof createLanguages>;

function createLanguages({ config, log }: RoleContext, store: Store, kernels: KernelPool) {
  const { series_max: seriesMax, samples_max: samplesMax } = config.query;
  const probe = createPushDownProbe(store, log, config.store.cluster !== '');
  const limits = { seriesMax, bytesMax: config.query.bytes_max };
  const samples = (tenant: string, wishes?: SourceWishes) => {
    const source = createSampleSource(store, tenant, limits, {
      probe,
      kernels,
      onStatement: wishes?.onStatement,
    });
    return withStartTimes(source, store, tenant, wishes?.usesStartTimes ?? false);
  };
  // At the start, so that what an older server cannot do is in the log before the first query.
  void probe.result();
  const logs = (tenant: string) => createLogSource(store, tenant, { samplesMax, seriesMax });
  const engine = createPromqlEngine({
    source: samples,
    limits: {
      seriesMax,
      samplesMax,
      stepsMax: config.query.steps_max,
      timeoutMs: config.query.timeout_ms,
      concurrency: config.query.concurrency,
    },
    lookbackMsDefault: config.query.lookback_ms,
    usesStartTimes: config.query.start_timestamps,
    pushDown: config.query.push_down,
  });
  return {
    engine,
    samples,
    logs,
    instantQuery: asInstantQuery(engine),
    /** Throws ParseError on what could never be evaluated. */
    validateQuery: (query: string) => void parsePromql(query),
  };
}

interface ApiFacts {
  readonly store: Store;
  readonly takesPushes: boolean;
  readonly unready: () => Promise<readonly string[]>;
}

function mountApis(
  app: FastifyInstance,
  context: RoleContext,
  languages: Languages,
  { store, takesPushes, unready }: ApiFacts,
): void {
  const { config, version } = context;
  const server = createServerFacts(context, { app, takesPushes, problems: unready });
  const admin = createSeriesAdministration(store, config);
  const now = Date.now;
  const traces = (tenant: string) => createTraceSource(store, tenant);
  const cardinality = { source: (tenant: string) => createCardinalitySource(store, tenant), now };
  mount(app, '', (scope) => registerCardinalityApi(scope, cardinality));
  for (const prefix of prometheusPrefixes) {
    mount(app, prefix, (scope) =>
      registerPrometheusApi(scope, {
        engine: languages.engine,
        source: languages.samples,
        now,
        stepsMax: config.query.steps_max,
        version,
        server,
        remoteRead: { concurrency: config.query.concurrency, samplesMax: config.query.samples_max },
        days: (tenant, abort) => listCompactedDays(store, tenant, abort),
        admin,
      }),
    );
    mount(app, prefix, (scope) => registerPrometheusCardinalityApi(scope, cardinality));
  }
  mount(app, '', (scope) =>
    registerLokiApi(scope, {
      source: languages.logs,
      now,
      limits: { entriesMax: config.query.entries_max, seriesMax: config.query.series_max },
      takesPushes,
      version,
    }),
  );
  mount(app, '/tempo', (scope) => registerTempoApi(scope, { source: traces, version }));
  mount(app, '/jaeger', (scope) => registerJaegerApi(scope, { source: traces, now }));
}

/** Each API in a scope of its own: they differ in how they read bodies and word errors. */
function mount(app: FastifyInstance, prefix: string, register: (scope: FastifyInstance) => void): void {
  app.register(
    (scope, _options, done) => {
      register(scope);
      done();
    },
    { prefix },
  );
}

function mountPushes(
  app: FastifyInstance,
  prefix: string,
  routes: readonly PushRoute[],
  { config }: RoleContext,
  collector: CollectorPart,
): void {
  mount(app, prefix, (scope) =>
    registerHttpReceiver(scope, {
      sink: collector.sink,
      bodyBytesMax: config.receive.body_bytes_max,
      inflightBytesMax: config.receive.inflight_bytes_max,
      routes,
    }),
  );
}

/** A span for each answered request, named by its route: who asks what, and how long it takes. */
function traceRequests(app: FastifyInstance): void {
  const tracer = trace.getTracer('sonde');
  app.addHook('onResponse', async (request, reply) => {
    const endTime = Date.now();
    const route = request.routeOptions.url ?? 'unknown route';
    const span = tracer.startSpan(`${request.method} ${route}`, {
      kind: SpanKind.SERVER,
      startTime: endTime - reply.elapsedTime,
      attributes: {
        'http.request.method': request.method,
        'http.route': route,
        'http.response.status_code': reply.statusCode,
      },
    });
    if (reply.statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end(endTime);
  });
}

function statusFacts(
  { config, node }: RoleContext,
  collector: CollectorPart | undefined,
): [string, string][] {
  const facts: [string, string][] = [
    ['node', node],
    ['store', config.store.kind === 'embedded' ? `embedded, ${config.store.path}` : config.store.url],
    ['retention', config.store.retention],
    ['memory', renderBytes(process.memoryUsage.rss())],
  ];
  if (collector !== undefined) {
    const { rowsStored, recordsRejected } = collector.pipeline.status();
    facts.push(
      ['OTLP/HTTP and remote write', collector.receivers.httpUrl],
      ['OTLP/gRPC', collector.receivers.grpcAddress],
      ['rows stored since the start', String(rowsStored)],
      ['records rejected since the start', String(recordsRejected)],
    );
  }
  return facts;
}
