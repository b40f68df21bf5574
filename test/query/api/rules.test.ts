/**
 * Goal: rule clients of Mimir and Prometheus can change and watch rules, and read what they did wrong.
 * Method: app.inject against the real store and rules; the query's result and the time come from the test.
 */
import fastify, { type FastifyInstance, type InjectOptions } from 'fastify';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { registerRulerConfigApi, registerRulesReadApi } from '#query/api/rules.ts';
import { ParseError } from '#query/language/parse-error.ts';
import { type Rules, startRules } from '#query/rules/rules.ts';
import { FakeClock, until } from '#test/query/rules/fake-clock.ts';
import { openTestStore, type TestStore } from '#test/query/sql/open-test-store.ts';

const silent = () => {};
let opened: TestStore;
let app: FastifyInstance;
let rules: Rules;
let clock: FakeClock;

beforeAll(async () => {
  opened = await openTestStore();
});

afterAll(async () => {
  await opened[Symbol.asyncDispose]();
});

beforeEach(async () => {
  for (const table of ['rule_groups', 'alert_states']) await opened.store.exec(`TRUNCATE TABLE ${table}`);
  clock = new FakeClock(Date.parse('2026-01-02T03:04:00Z'));
  rules = await startRules({
    store: opened.store,
    instantQuery: async () => [{ labels: [['pod', 'a']], value: 12 }],
    validateQuery: (query) => {
      if (query.includes('((')) throw new ParseError('1:3: parse error: unexpected end of input', 2, 2);
    },
    webhooks: [],
    alertmanagers: [],
    externalUrl: 'http://sonde',
    evaluationIntervalMsDefault: 60_000,
    clock,
    log: { info: silent, warn: silent, error: silent },
  });
  app = fastify({ routerOptions: { maxParamLength: 1000 } });
  await app.register((scope, _options, done) => {
    registerRulerConfigApi(scope, { rules });
    done();
  });
  for (const prefix of ['', '/prometheus']) {
    await app.register(
      (scope, _options, done) => {
        registerRulesReadApi(scope, { rules });
        done();
      },
      { prefix },
    );
  }
});

afterEach(async () => {
  await rules.stop();
  await app.close();
});

const group =
  'name: web\ninterval: 30s\nlimit: 5\nrules:\n  - alert: Down\n    expr: up == 0\n    for: 1m\n    labels:\n      code: "007"\n';
const base = '/prometheus/config/v1/rules';

async function call(
  method: 'GET' | 'POST' | 'DELETE',
  url: string,
  payload?: string,
  headers: Record<string, string> = {},
) {
  const request: InjectOptions = { method, url, headers: { 'content-type': 'application/yaml', ...headers } };
  const reply = await app.inject(payload === undefined ? request : { ...request, payload });
  return { status: reply.statusCode, type: reply.headers['content-type'], text: reply.body };
}

const changed = {
  status: 202,
  type: 'application/json; charset=utf-8',
  text: '{"status":"success","data":null,"errorType":"","error":""}',
};

test('a group is posted, read back as YAML at every level, and deleted', async () => {
  expect(await call('POST', `${base}/team`, group)).toEqual(changed);
  const stored = group.replaceAll(/^/gm, '    ').replace(/ +$/, '').replace('    name', '  - name');
  const whole = { status: 200, type: 'application/yaml', text: `team:\n${stored}` };
  expect(await call('GET', base)).toEqual(whole);
  expect(await call('GET', `${base}/team`)).toEqual(whole);
  expect(await call('GET', '/config/v1/rules/team')).toEqual(whole);
  expect(await call('GET', `${base}/team/web`)).toEqual({ ...whole, text: group });
  expect(await call('DELETE', `${base}/team/web`)).toEqual(changed);
  expect((await call('GET', `${base}/team/web`)).text).toBe('group does not exist\n');
});

test('a namespace and a group with slashes and spaces in their names', async () => {
  const name = encodeURIComponent('a/b c.yaml');
  expect((await call('POST', `${base}/${name}`, group.replace('web', '"x/y z"'))).status).toBe(202);
  expect((await call('GET', `${base}/${name}/${encodeURIComponent('x/y z')}`)).status).toBe(200);
  expect((await call('GET', base)).text).toMatch(/^a\/b c\.yaml:\n/);
});

test('posting a group again replaces it, and deleting a namespace deletes its groups only', async () => {
  await call('POST', `${base}/team`, group);
  await call('POST', `${base}/team`, group.replace('Down', 'Gone'));
  await call('POST', `${base}/other`, group);
  expect((await call('GET', `${base}/team`)).text).toContain('alert: Gone');
  expect((await call('GET', `${base}/team`)).text).not.toContain('alert: Down');
  expect((await call('DELETE', `${base}/team`)).status).toBe(202);
  expect((await call('GET', base)).text).toMatch(/^other:\n/);
});

test('tenants do not see each other’s rules', async () => {
  await call('POST', `${base}/team`, group, { 'x-scope-orgid': 'one' });
  const other = { 'x-scope-orgid': 'two' };
  expect((await call('GET', base, undefined, other)).status).toBe(404);
  expect((await call('DELETE', `${base}/team/web`, undefined, other)).status).toBe(404);
  expect((await call('GET', '/api/v1/rules', undefined, other)).text).toBe(
    '{"status":"success","data":{"groups":[]}}',
  );
  expect((await call('GET', `${base}/team/web`, undefined, { 'x-scope-orgid': 'one' })).status).toBe(200);
});

test.each([
  ['nothing is there', 'GET', base, undefined, 404, 'no rule groups found\n'],
  ['no such namespace', 'GET', `${base}/none`, undefined, 404, 'no rule groups found\n'],
  ['no such group', 'GET', `${base}/none/none`, undefined, 404, 'group does not exist\n'],
  ['no namespace to delete', 'DELETE', `${base}/none`, undefined, 404, 'no rule groups found\n'],
  ['no group to delete', 'DELETE', `${base}/none/none`, undefined, 404, 'group does not exist\n'],
  [
    'an empty body',
    'POST',
    `${base}/team`,
    '',
    400,
    'the body is empty: it must be one rule group in YAML\n',
  ],
  [
    'a body that is no group',
    'POST',
    `${base}/team`,
    'rules',
    400,
    'the body must be one rule group in YAML, with "name" and "rules"\n',
  ],
  [
    'a broken query',
    'POST',
    `${base}/team`,
    group.replace('up == 0', '(('),
    400,
    'group "web", rule 1 "Down", line 6: expr: 1:3: parse error: unexpected end of input\n',
  ],
  [
    'a recording rule',
    'POST',
    `${base}/team`,
    group.replace('alert', 'record'),
    400,
    'group "web", rule 1 "Down", line 5: recording rules are not supported yet\n',
  ],
  [
    'a body too large',
    'POST',
    `${base}/team`,
    `# ${'x'.repeat(61_440)}`,
    413,
    'a rule group may have 61440 bytes of YAML\n',
  ],
  [
    'a namespace too long',
    'POST',
    `${base}/${'x'.repeat(257)}`,
    group,
    400,
    'a namespace must have 1 to 256 characters\n',
  ],
  [
    'a control character',
    'POST',
    `${base}/a%0Ab`,
    group,
    400,
    'a namespace must not have control characters\n',
  ],
  [
    'a LogQL rule',
    'POST',
    '/loki/api/v1/rules/team',
    group,
    501,
    'LogQL rules are not supported yet; PromQL rules are at /prometheus/config/v1/rules\n',
  ],
  [
    'LogQL rules',
    'GET',
    '/api/prom/rules',
    undefined,
    501,
    'LogQL rules are not supported yet; PromQL rules are at /prometheus/config/v1/rules\n',
  ],
] as const)('refused: %s', async (_name, method, url, payload, status, text) => {
  const reply = await call(method, url, payload);
  expect({ status: reply.status, text: reply.text }).toEqual({ status, text });
});

test('a body that is not UTF-8 and a tenant that is none are refused', async () => {
  const bytes = Buffer.from([0x6e, 0xff]);
  const reply = await app.inject({ method: 'POST', url: `${base}/team`, payload: bytes });
  expect([reply.statusCode, reply.body]).toEqual([400, 'the body is not UTF-8\n']);
  const tenant = await call('GET', base, undefined, { 'x-scope-orgid': 'a/b' });
  expect(tenant.status).toBe(400);
  expect(tenant.text).toContain('X-Scope-OrgID');
  const read = await call('GET', '/api/v1/rules', undefined, { 'x-scope-orgid': 'a/b' });
  expect(JSON.parse(read.text)).toMatchObject({ status: 'error', errorType: 'bad_data' });
});

async function evaluate(): Promise<void> {
  const [runner] = rules.running('default');
  const before = runner.evaluatedAtMs;
  await clock.advance(runner.intervalMs);
  await until('the group is evaluated', () => runner.evaluatedAtMs !== before);
  await clock.advance(0);
}

test('a rule that was not evaluated yet is shown as unknown', async () => {
  await call('POST', `${base}/team`, group);
  const { text } = await call('GET', '/api/v1/rules');
  expect(JSON.parse(text)).toEqual({
    status: 'success',
    data: {
      groups: [
        {
          name: 'web',
          file: 'team',
          interval: 30,
          limit: 5,
          evaluationTime: 0,
          lastEvaluation: '0001-01-01T00:00:00Z',
          rules: [
            {
              state: 'inactive',
              name: 'Down',
              query: 'up == 0',
              duration: 60,
              keepFiringFor: 0,
              labels: { code: '007' },
              annotations: {},
              alerts: [],
              health: 'unknown',
              evaluationTime: 0,
              lastEvaluation: '0001-01-01T00:00:00Z',
              type: 'alerting',
            },
          ],
        },
      ],
    },
  });
});

test('rules and alerts show their state as Prometheus does', async () => {
  await call('POST', `${base}/team`, group);
  await evaluate();
  const pendingAt = new Date(rules.running('default')[0].evaluatedAtMs ?? 0).toISOString();
  const alert = {
    labels: { alertname: 'Down', code: '007', pod: 'a' },
    annotations: {},
    state: 'pending',
    activeAt: pendingAt,
    value: '1.2e+01',
  };
  expect(JSON.parse((await call('GET', '/prometheus/api/v1/alerts')).text)).toEqual({
    status: 'success',
    data: { alerts: [alert] },
  });
  await evaluate();
  await evaluate();
  const [shown] = JSON.parse((await call('GET', '/api/v1/rules')).text).data.groups;
  expect(shown.rules[0]).toMatchObject({
    state: 'firing',
    health: 'ok',
    alerts: [{ ...alert, state: 'firing' }],
  });
});

test.each([
  ['', ['one/A', 'one/B', 'two/A']],
  ['type=alert', ['one/A', 'one/B', 'two/A']],
  ['type=record', []],
  ['rule_name[]=A', ['one/A', 'two/A']],
  ['rule_name[]=A&rule_name[]=B&rule_group[]=one', ['one/A', 'one/B']],
  ['file[]=team', ['one/A', 'one/B', 'two/A']],
  ['file[]=other', []],
])('the filter %s leaves %j', async (query, names) => {
  await call('POST', `${base}/team`, 'name: one\nrules: [{alert: A, expr: up}, {alert: B, expr: up}]');
  await call('POST', `${base}/team`, 'name: two\nrules: [{alert: A, expr: up}]');
  const { groups } = JSON.parse((await call('GET', `/api/v1/rules?${query}`)).text).data;
  const shown = groups.flatMap((one: { name: string; rules: { name: string }[] }) =>
    one.rules.map((rule) => `${one.name}/${rule.name}`),
  );
  expect(shown).toEqual(names);
});

test('pages of groups follow one another by the token, and the last one has none', async () => {
  for (const name of ['three', 'one', 'two']) {
    await call('POST', `${base}/team`, `name: ${name}\nrules: [{alert: A, expr: up}]`);
  }
  const pages: string[][] = [];
  for (let token: string | undefined = ''; token !== undefined; ) {
    const query = new URLSearchParams({ group_limit: '2', group_next_token: token });
    const { data } = JSON.parse((await call('GET', `/api/v1/rules?${query}`)).text);
    pages.push(data.groups.map((one: { name: string }) => one.name));
    token = data.groupNextToken;
  }
  expect(pages).toEqual([['one', 'three'], ['two']]);
  expect(JSON.parse((await call('GET', '/api/v1/rules?group_limit=3')).text).data).not.toHaveProperty(
    'groupNextToken',
  );
});

test('exclude_alerts leaves the alerts out', async () => {
  await call('POST', `${base}/team`, group);
  const [shown] = JSON.parse((await call('GET', '/api/v1/rules?exclude_alerts=true')).text).data.groups;
  expect(shown.rules[0]).not.toHaveProperty('alerts');
});

test.each([
  ['type=foo', 'invalid parameter "type": not supported value "foo"'],
  ['exclude_alerts=maybe', 'invalid parameter "exclude_alerts": "maybe" is no boolean'],
  ['match[]=x', 'parameter "match[]" is not supported yet'],
  ['group_limit=some', 'invalid parameter "group_limit": "some" is not a whole number from 0 on'],
  ['group_next_token=a', 'invalid parameter "group_next_token": it needs a group_limit beside it'],
  [
    'group_limit=1&group_next_token=a',
    'invalid parameter "group_next_token": no group has "a"; were rule groups changed?',
  ],
])('the parameter %s is refused', async (query, error) => {
  const reply = await call('GET', `/api/v1/rules?${query}`);
  expect(reply.status).toBe(400);
  expect(JSON.parse(reply.text)).toEqual({ status: 'error', errorType: 'bad_data', error });
});
