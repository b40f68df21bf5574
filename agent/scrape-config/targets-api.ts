/**
 * What Prometheus's HTTP API says of scraping: GET /api/v1/targets and /api/v1/scrape_pools.
 *
 *   /api/v1/targets?state=active&scrapePool=node  ->  {"status":"success","data":{"activeTargets":[...], ...}}
 *
 * Targets belong to one tenant, that of their agent: where many tenants ask, the others get empty lists.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RefusedError } from '#model/errors.ts';
import { parseTenant, tenantHeader } from '#model/tenant.ts';
import type { TargetsReport } from './targets-report.ts';

export interface TargetsApiOptions {
  /** What is known now; undefined in a process that scrapes nothing. */
  readonly report: () => TargetsReport | undefined;
  /** The only tenant that is told; undefined: whoever asks. */
  readonly tenant?: string | undefined;
}

type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

const noTargets: TargetsReport = { activeTargets: [], droppedTargets: [], droppedTargetCounts: {} };

/** Adds the routes. The caller chooses the prefix of `app`. */
export function registerTargetsApi(app: FastifyInstance, options: TargetsApiOptions): void {
  app.setErrorHandler((error, _request, reply) => {
    if (!(error instanceof RefusedError)) throw error;
    return reply.code(error.status).send({ status: 'error', errorType: 'bad_data', error: error.message });
  });
  app.get('/api/v1/targets', (request, reply) =>
    answer(reply, selected(reportFor(request, options), request.query as Query)),
  );
  app.get('/api/v1/scrape_pools', (request, reply) => {
    const pools = Object.keys(reportFor(request, options).droppedTargetCounts);
    return answer(reply, { scrapePools: pools.sort() });
  });
}

function answer(reply: FastifyReply, data: unknown): FastifyReply {
  return reply.send({ status: 'success', data });
}

/** Throws RefusedError where the tenant has no valid name. */
function reportFor(request: FastifyRequest, { report, tenant }: TargetsApiOptions): TargetsReport {
  const asking = parseTenant(request.headers[tenantHeader]);
  return (tenant === undefined || asking === tenant ? report() : undefined) ?? noTargets;
}

/** As Prometheus: without `state`, or with any, both lists are shown; with another word than active or dropped, none. */
function selected(report: TargetsReport, query: Query): TargetsReport | Record<string, unknown> {
  const state = textOf(query.state).toLowerCase();
  const pool = textOf(query.scrapePool);
  const isOfPool = ({ scrapePool }: { readonly scrapePool: string }): boolean =>
    pool === '' || scrapePool === pool;
  const isShown = (wanted: string): boolean => state === '' || state === 'any' || state === wanted;
  return {
    activeTargets: isShown('active') ? report.activeTargets.filter(isOfPool) : [],
    droppedTargets: isShown('dropped') ? report.droppedTargets.filter(isOfPool) : [],
    droppedTargetCounts: isShown('dropped') ? report.droppedTargetCounts : null,
  };
}

/** The first of several values, as Go's url.Values.Get. */
function textOf(value: string | readonly string[] | undefined): string {
  return (typeof value === 'object' ? value[0] : value) ?? '';
}
