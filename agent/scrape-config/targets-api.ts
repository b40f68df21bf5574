/**
 * What Prometheus's HTTP API says of scraping: GET /api/v1/targets, /api/v1/targets/metadata and /api/v1/scrape_pools.
 *
 *   /api/v1/targets?state=active&scrapePool=node  ->  {"status":"success","data":{"activeTargets":[...], ...}}
 *
 * Targets belong to one tenant, that of their agent: where many tenants ask, the others get empty lists.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RefusedError } from '#model/errors.ts';
import type { Labels } from '#model/labels.ts';
import { parseTenant, tenantHeader } from '#model/tenant.ts';
import { findMetadata, type TargetFamilies } from './targets-metadata.ts';
import type { TargetsReport } from './targets-report.ts';

export interface TargetsApiOptions {
  /** What is known now; undefined in a process that scrapes nothing. */
  readonly report: () => TargetsReport | undefined;
  /** The active targets with what they say about their metrics; undefined in a process that scrapes nothing. */
  readonly families: () => Iterable<TargetFamilies> | undefined;
  /** Parses a selector of PromQL into a test of labels. Rejects with RefusedError. */
  readonly parseSelector: (text: string) => Promise<(labels: Labels) => boolean>;
  /** The only tenant that is told; undefined: whoever asks. */
  readonly tenant?: string | undefined;
}

type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

const notFound = 'specified metadata not found';
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
  app.get('/api/v1/targets/metadata', async (request, reply) => {
    const query = request.query as Query;
    const limit = limitOf(textOf(query.limit));
    const selector = textOf(query.match_target);
    const isWanted = selector === '' ? () => true : await options.parseSelector(selector);
    const targets = (isAsking(request, options) ? options.families() : undefined) ?? [];
    const found = findMetadata(targets, isWanted, textOf(query.metric), limit);
    if (found.length > 0) return answer(reply, found);
    return reply.code(404).send({ status: 'error', errorType: 'not_found', error: notFound });
  });
  app.get('/api/v1/scrape_pools', (request, reply) => {
    const pools = Object.keys(reportFor(request, options).droppedTargetCounts);
    return answer(reply, { scrapePools: pools.sort() });
  });
}

function answer(reply: FastifyReply, data: unknown): FastifyReply {
  return reply.send({ status: 'success', data });
}

/** Throws RefusedError where the tenant has no valid name. */
function reportFor(request: FastifyRequest, options: TargetsApiOptions): TargetsReport {
  return (isAsking(request, options) ? options.report() : undefined) ?? noTargets;
}

/** Whether the targets are those of the tenant that asks. Throws RefusedError where it has no valid name. */
function isAsking(request: FastifyRequest, { tenant }: TargetsApiOptions): boolean {
  const asking = parseTenant(request.headers[tenantHeader]);
  return tenant === undefined || asking === tenant;
}

/** As Prometheus: without a limit, or with a negative one, none. */
function limitOf(text: string): number {
  if (text === '') return Number.POSITIVE_INFINITY;
  if (!/^[+-]?\d{1,15}$/.test(text)) throw new RefusedError('limit must be a number');
  return Number(text) < 0 ? Number.POSITIVE_INFINITY : Number(text);
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
