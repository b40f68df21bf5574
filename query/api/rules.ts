/**
 * Rules over HTTP: Mimir's ruler API to change them (YAML in and out), Prometheus's API to watch them.
 *
 *   POST /prometheus/config/v1/rules/team   name: web\nrules: ...   ->  202 {"status":"success",...}
 *   GET  /api/v1/rules                                              ->  groups with states, health and alerts
 *
 * Register each part in its own fastify scope: the first replaces the body parser there.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { stringify } from 'yaml';
import { errorMessage, RefusedError } from '#model/errors.ts';
import { parseTenant, tenantHeader } from '#model/tenant.ts';
import { plainRuleGroup, ruleGroupBytesMax } from '../rules/rule-group.ts';
import type { RuleChange, Rules } from '../rules/rules.ts';
import type { StoredRuleGroup } from '../sql/rules.ts';
import { failureStatus } from './failure-status.ts';
import { renderFailure } from './prometheus-reply.ts';
import { pageGroups, type RulesQuery, readRulesFilter, selectGroups } from './rules-filter.ts';
import { renderAlerts, renderGroups } from './rules-reply.ts';

export interface RulesApiOptions {
  readonly rules: Rules;
}

interface RuleParams {
  readonly namespace?: string;
  readonly group?: string;
}

type RuleRequest = FastifyRequest<{ Params: RuleParams }>;

const yamlType = 'application/yaml';
/** Mimir's reply to a change. */
const accepted = { status: 'success', data: null, errorType: '', error: '' };

/** Adds the ruler's configuration API at /prometheus/config/v1/rules and /config/v1/rules. */
export function registerRulerConfigApi(app: FastifyInstance, { rules }: RulesApiOptions): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: ruleGroupBytesMax }, (_request, body, done) =>
    done(null, body),
  );
  app.setErrorHandler(replyText);
  for (const base of ['/prometheus/config/v1/rules', '/config/v1/rules']) addConfigRoutes(app, base, rules);
  // LogQL rules would be evaluated by another engine: a PromQL rule posted here must not be taken for one.
  for (const base of ['/loki/api/v1/rules', '/api/prom/rules']) {
    for (const url of [base, `${base}/*`]) {
      app.all(url, (_request, reply) =>
        reply
          .code(501)
          .type('text/plain')
          .send('LogQL rules are not supported yet; PromQL rules are at /prometheus/config/v1/rules\n'),
      );
    }
  }
}

function addConfigRoutes(app: FastifyInstance, base: string, rules: Rules): void {
  app.get(base, async (request: RuleRequest, reply) => replyGroups(reply, await find(rules, request)));
  app.get(`${base}/:namespace`, async (request: RuleRequest, reply) =>
    replyGroups(reply, await find(rules, request)),
  );
  app.get(`${base}/:namespace/:group`, async (request: RuleRequest, reply) => {
    const [group] = await find(rules, request);
    if (group === undefined) throw new RefusedError('group does not exist', 404);
    return reply.type(yamlType).send(stringify(plainRuleGroup(group.yaml)));
  });
  app.post(`${base}/:namespace`, async (request: RuleRequest, reply) => {
    await rules.put(changeOf(request), readText(request.body));
    return reply.code(202).send(accepted);
  });
  app.delete(`${base}/:namespace`, async (request: RuleRequest, reply) => {
    const count = await rules.delete(changeOf(request), undefined);
    if (count === 0) throw new RefusedError('no rule groups found', 404);
    return reply.code(202).send(accepted);
  });
  app.delete(`${base}/:namespace/:group`, async (request: RuleRequest, reply) => {
    const count = await rules.delete(changeOf(request), request.params.group);
    if (count === 0) throw new RefusedError('group does not exist', 404);
    return reply.code(202).send(accepted);
  });
}

/** Adds /api/v1/rules and /api/v1/alerts as Prometheus has them, below the scope's prefix. */
export function registerRulesReadApi(app: FastifyInstance, { rules }: RulesApiOptions): void {
  app.setErrorHandler(replyEnvelope);
  app.get('/api/v1/rules', async (request) => {
    const filter = readRulesFilter(request.query as RulesQuery);
    const { groups, nextToken } = pageGroups(selectGroups(rules.running(tenantOf(request)), filter), filter);
    return {
      status: 'success',
      data: {
        groups: renderGroups(groups, !filter.excludesAlerts),
        ...(nextToken === undefined ? {} : { groupNextToken: nextToken }),
      },
    };
  });
  app.get('/api/v1/alerts', async (request) => ({
    status: 'success',
    data: { alerts: renderAlerts(rules.running(tenantOf(request))) },
  }));
}

async function find(rules: Rules, request: RuleRequest): Promise<StoredRuleGroup[]> {
  const { namespace, group } = request.params;
  const groups = await rules.configured(tenantOf(request));
  return groups.filter(
    (one) =>
      (namespace === undefined || one.namespace === namespace) && (group === undefined || one.name === group),
  );
}

function replyGroups(reply: FastifyReply, groups: readonly StoredRuleGroup[]): FastifyReply {
  if (groups.length === 0) throw new RefusedError('no rule groups found', 404);
  const byNamespace = new Map<string, unknown[]>();
  for (const { namespace, yaml } of groups) {
    byNamespace.set(namespace, [...(byNamespace.get(namespace) ?? []), plainRuleGroup(yaml)]);
  }
  return reply.type(yamlType).send(stringify(byNamespace));
}

function changeOf(request: RuleRequest): RuleChange {
  const { namespace = '' } = request.params;
  return { tenant: tenantOf(request), namespace, author: request.ip };
}

function tenantOf(request: FastifyRequest): string {
  return parseTenant(request.headers[tenantHeader]);
}

function readText(body: unknown): string {
  if (!Buffer.isBuffer(body) || body.length === 0) {
    throw new RefusedError('the body is empty: it must be one rule group in YAML');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (error) {
    throw new RefusedError('the body is not UTF-8', 400, { cause: error });
  }
}

function replyText(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, fact } = explain(error);
  if (status >= 500) request.log.error({ err: error }, 'a rules request failed');
  return reply.code(status).type('text/plain; charset=utf-8').send(`${fact}\n`);
}

function replyEnvelope(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const status = failureStatus(error);
  if (status >= 500) request.log.error({ err: error }, 'a rules request failed');
  const errorType = status < 500 ? 'bad_data' : 'internal';
  return reply
    .code(status)
    .type('application/json')
    .send(renderFailure(errorType, errorMessage(error)));
}

function explain(error: unknown): { status: number; fact: string } {
  const status = failureStatus(error);
  if (status === 413) return { status, fact: `a rule group may have ${ruleGroupBytesMax} bytes of YAML` };
  return { status, fact: errorMessage(error) };
}
