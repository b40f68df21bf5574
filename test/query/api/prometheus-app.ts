/** Prometheus's API over a store, without the rest of a process: facts about the server are made up. */
import fastify, { type FastifyInstance } from 'fastify';
import type { ServerFacts } from '#query/api/prometheus/server-facts.ts';
import type { PrometheusApiOptions } from '#query/api/prometheus.ts';
import { registerPrometheusApi } from '#query/api/prometheus.ts';
import { createPromqlEngine } from '#query/promql/engine.ts';
import { promqlLimitsDefault } from '#query/promql/query-budget.ts';
import { listCompactedDays } from '#query/sql/compacted-days.ts';
import { createSampleSource } from '#query/sql/samples.ts';
import { deleteMatchingSeries } from '#query/sql/series-deletion.ts';
import { cleanDeleted } from '#store/operations/delete-series.ts';
import type { Store } from '#store/store.ts';

export interface PrometheusAppOptions extends Partial<Omit<PrometheusApiOptions, 'server' | 'now'>> {
  readonly store: Store;
  readonly nowMs: number;
  readonly server?: Partial<ServerFacts>;
}

/** Without a prefix and below /prometheus. Not listening yet. */
export function createPrometheusApp({
  store,
  nowMs,
  server,
  ...more
}: PrometheusAppOptions): FastifyInstance {
  const source = (tenant: string) => createSampleSource(store, tenant, promqlLimitsDefault);
  const options: PrometheusApiOptions = {
    engine: createPromqlEngine({ source, limits: promqlLimitsDefault, lookbackMsDefault: 300_000 }),
    source,
    now: () => nowMs,
    stepsMax: 11_000,
    version: '0.1.0',
    server: {
      startedMs: nowMs - 60_000,
      hostname: 'here',
      retention: '30d',
      configYaml: () => 'api:\n  port: 4319\n',
      flags: () => ({ 'api.port': '4319' }),
      selfMetrics: async () => '',
      alertmanagers: [],
      templateFunctions: ['humanize'],
      takesPushes: false,
      problems: () => [],
      ...server,
    },
    remoteRead: { concurrency: 2, samplesMax: 1_000_000 },
    days: (tenant, abort) => listCompactedDays(store, tenant, abort),
    admin: undefined,
    ...more,
  };
  const app = fastify();
  for (const prefix of ['', '/prometheus']) {
    app.register(
      (scope, _none, done) => {
        registerPrometheusApi(scope, options);
        done();
      },
      { prefix },
    );
  }
  return app;
}

/** The administration as a process with api.admin has it, but for backups. */
export function seriesAdministration(
  store: Store,
  nowMs: number,
): NonNullable<PrometheusApiOptions['admin']> {
  return {
    deleteSeries: (tenant, lists, range, abort) =>
      deleteMatchingSeries(store, { tenant, lists, range, nowMs, seriesMax: 1000 }, abort),
    cleanTombstones: () => cleanDeleted(store),
    snapshot: async () => 'a-snapshot',
  };
}
