/**
 * Goal: a client of Prometheus's HTTP API gets Prometheus's JSON, from the real engine to the reply.
 * Method: rows in the embedded store, requests by fastify's inject under both prefixes, replies compared as text.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { renderTime, renderValue } from '#query/api/prometheus-reply.ts';
import {
  asInstantQuery,
  createPromqlEngine,
  type PromqlEngine,
  type SourceWishes,
} from '#query/promql/engine.ts';
import { promqlLimitsDefault } from '#query/promql/query-budget.ts';
import { createSampleSource } from '#query/sql/samples.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';
import { createPrometheusApp } from './prometheus-app.ts';

let path: string;
let store: Store;
let engine: PromqlEngine;
let app: FastifyInstance;

const now = 1_767_225_660;
const start = now - 60;

beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'sonde-prometheus-'));
  store = await openEmbeddedStore({ path });
  await migrate(store);
  const last = start + 7200;
  await store.exec(`INSERT INTO series (tenant, metric, id, labels, t_min, t_max) VALUES
    ('default', 'requests_total', 1, map('job', 'api', 'code', '200'), ${start}, ${last}),
    ('default', 'requests_total', 2, map('job', 'api', 'code', '500'), ${start}, ${last}),
    ('default', 'requests_total', 3, map('job', 'web', 'code', '200'), ${start}, ${last}),
    ('team', 'requests_total', 4, map('job', 'theirs'), ${start}, ${last}),
    ('default', 'http.status', 5, map('a.b', 'c'), ${start}, ${last})`);
  for (const [id, tenant, metric, rate] of [
    [1, 'default', 'requests_total', 2],
    [2, 'default', 'requests_total', 1],
    [3, 'default', 'requests_total', 0.5],
    [4, 'team', 'requests_total', 9],
    [5, 'default', 'http.status', 0],
  ] as const) {
    await store.exec(`INSERT INTO samples_head SELECT '${tenant}', '${metric}', ${id},
      fromUnixTimestamp64Milli((${start} + 15 * number) * 1000, 'UTC'), ${rate} * 15 * number FROM numbers(5)`);
  }
  await store.exec(
    `INSERT INTO metric_metadata VALUES ('default', 'requests_total', 'counter', 'Requests "served".', '', 1)`,
  );
  await store.exec(`INSERT INTO exemplars (tenant, metric, id, ts, v, labels)
    SELECT tenant, 'requests_total', id, fromUnixTimestamp64Milli(toInt64(ts), 'UTC'), v, labels FROM VALUES(
      'tenant String, id UInt64, ts Int64, v Float64, labels Map(String, String)',
      ('default', 2, ${start * 1000 + 500}, 0.5, map('trace_id', 'abc')),
      ('default', 2, ${start * 1000 + 500}, 0.5, map('trace_id', 'abc')),
      ('default', 2, ${start * 1000}, inf, map()),
      ('default', 1, ${start * 1000}, 7, map('trace_id', 'def')),
      ('default', 3, ${(start + 600) * 1000}, 8, map('trace_id', 'late')),
      ('team', 4, ${start * 1000}, 9, map('trace_id', 'theirs')))`);
  const source = (tenant: string, wishes?: SourceWishes) =>
    createSampleSource(store, tenant, promqlLimitsDefault, { onStatement: wishes?.onStatement });
  engine = createPromqlEngine({
    source,
    limits: { ...promqlLimitsDefault, seriesMax: 7 },
    lookbackMsDefault: 300_000,
  });
  app = createPrometheusApp({ store, engine, source, nowMs: now * 1000 });
  await app.ready();
});

afterAll(async () => {
  await app?.close();
  await store?.close();
  await rm(path, { recursive: true, force: true });
});

async function get(url: string, headers: Record<string, string> = {}): Promise<string> {
  const reply = await app.inject({ url, headers });
  expect(reply.headers['content-type']).toMatch(/^application\/json/);
  return `${reply.statusCode} ${reply.body}`;
}

async function post(url: string, fields: Record<string, string>): Promise<string> {
  const reply = await app.inject({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams(fields).toString(),
  });
  return `${reply.statusCode} ${reply.body}`;
}

const query = (fields: Record<string, string>) => new URLSearchParams(fields).toString();

test('rows in the store become a matrix of rates by job', async () => {
  const fields = {
    query: 'sum by (job) (rate(requests_total[1m]))',
    start: String(now - 15),
    end: String(now),
    step: '15s',
  };
  const expected =
    '200 {"status":"success","data":{"resultType":"matrix","result":[' +
    `{"metric":{"job":"api"},"values":[[${now - 15},"2.25"],[${now},"2.9999999999999996"]]},` +
    `{"metric":{"job":"web"},"values":[[${now - 15},"0.375"],[${now},"0.49999999999999994"]]}]}}`;
  expect(await get(`/api/v1/query_range?${query(fields)}`)).toBe(expected);
  expect(await post('/prometheus/api/v1/query_range', fields)).toBe(expected);
});

test.each([
  { query: '1+1', body: `{"resultType":"scalar","result":[${now},"2"]}` },
  { query: '"a\\"b"', body: `{"resultType":"string","result":[${now},"a\\"b"]}` },
  {
    query: 'count(requests_total)',
    body: `{"resultType":"vector","result":[{"metric":{},"value":[${now},"3"]}]}`,
  },
  {
    query: 'requests_total{job="web"}[20s]',
    body: `{"resultType":"matrix","result":[{"metric":{"__name__":"requests_total","code":"200","job":"web"},"values":[[${now - 15},"22.5"],[${now},"30"]]}]}`,
  },
  { query: 'nothing', body: '{"resultType":"vector","result":[]}' },
  {
    query: '{"http.status", "a.b"="c"} / 0',
    body: `{"resultType":"vector","result":[{"metric":{"a.b":"c"},"value":[${now},"NaN"]}]}`,
  },
])('an instant query of $query answers at the time of the request', async ({ query: text, body }) => {
  expect(await get(`/api/v1/query?${query({ query: text })}`)).toBe(
    `200 {"status":"success","data":${body}}`,
  );
});

describe('a mistake is answered with its place and what to do', () => {
  test.each([
    {
      url: '/api/v1/query?query=sum(',
      status: 400,
      type: 'bad_data',
      error: 'invalid parameter "query": 1:5: parse error: unclosed left parenthesis',
    },
    {
      url: '/api/v1/query?query=a&time=soon',
      status: 400,
      type: 'bad_data',
      error:
        'invalid parameter "time": invalid time value for \'time\': cannot parse "soon" to a valid timestamp',
    },
    {
      url: '/api/v1/query?query=nope(a)',
      status: 400,
      type: 'bad_data',
      error: 'invalid parameter "query": 1:1: parse error: unknown function with name "nope"',
    },
    {
      url: '/api/v1/query?query=a&limit=-1',
      status: 400,
      type: 'bad_data',
      error: 'invalid parameter "limit": limit must be non-negative',
    },
    {
      url: '/api/v1/query_range?query=a&start=2&end=1&step=1',
      status: 400,
      type: 'bad_data',
      error: 'invalid parameter "end": end timestamp must not be before start time',
    },
    {
      url: '/api/v1/query_range?query=a&start=1&end=2&step=0',
      status: 400,
      type: 'bad_data',
      error:
        'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
    },
    {
      url: '/api/v1/query_range?query=a&start=1&end=2&step=x',
      status: 400,
      type: 'bad_data',
      error: 'invalid parameter "step": cannot parse "x" to a valid duration',
    },
    {
      url: '/api/v1/query_range?query=a&start=0&end=11001&step=1',
      status: 400,
      type: 'bad_data',
      error:
        'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    },
    {
      url: '/api/v1/query_range?query=a[5m]&start=1&end=2&step=1',
      status: 400,
      type: 'bad_data',
      error:
        'invalid parameter "query": invalid expression type "range vector" for range query, must be Scalar or instant Vector',
    },
    {
      url: `/api/v1/query?${query({ query: 'requests_total + on (job) requests_total' })}`,
      status: 422,
      type: 'execution',
      error:
        'found duplicate series for the match group {job="api"} on the right hand-side of the operation: [{__name__="requests_total", code="500", job="api"}, {__name__="requests_total", code="200", job="api"}];many-to-many matching not allowed: matching labels must be unique on one side',
    },
    {
      url: `/api/v1/query?${query({ query: 'requests_total or requests_total offset 1s or requests_total offset 2s' })}`,
      status: 422,
      type: 'execution',
      error: 'the query reads more than 7 series (raise it with query.series_max)',
    },
    { url: '/api/v1/series', status: 400, type: 'bad_data', error: 'no match[] parameter provided' },
    {
      url: '/api/v1/series?match[]={a=~".*"}',
      status: 400,
      type: 'bad_data',
      error: 'invalid parameter "match[]": match[] must contain at least one non-empty matcher',
    },
    {
      url: '/api/v1/labels?match[]=a{',
      status: 400,
      type: 'bad_data',
      error: '1:3: parse error: unexpected end of input inside braces',
    },
    {
      url: '/api/v1/cardinality/active_series',
      status: 404,
      type: 'not_found',
      error: '/api/v1/cardinality/active_series is not supported yet',
    },
    {
      url: '/api/v1/query_exemplars?query=sum(',
      status: 400,
      type: 'bad_data',
      error: '1:5: parse error: unclosed left parenthesis',
    },
    {
      url: '/api/v1/query_exemplars?query=a&start=2&end=1',
      status: 400,
      type: 'bad_data',
      error: 'end timestamp must not be before start timestamp',
    },
  ])('$url', async ({ url, status, type, error }) => {
    expect(await get(url)).toBe(`${status} ${JSON.stringify({ status: 'error', errorType: type, error })}`);
  });

  test('a bad tenant name', async () => {
    expect(await get('/api/v1/labels', { 'x-scope-orgid': 'a/b' })).toMatch(
      /^400 .*"bad_data".*X-Scope-OrgID/,
    );
  });
});

test('exemplars of all selectors of a query come by series and time, each once, and of the tenant alone', async () => {
  const query =
    'sum(rate(requests_total{code="500"}[5m])) / count(requests_total{job="api",code!="500"}) > 1';
  const series = (code: string, ...exemplars: object[]) => ({
    seriesLabels: { __name__: 'requests_total', code, job: 'api' },
    exemplars,
  });
  const data = [
    series('200', { labels: { trace_id: 'def' }, value: '7', timestamp: start }),
    series(
      '500',
      { labels: {}, value: '+Inf', timestamp: start },
      { labels: { trace_id: 'abc' }, value: '0.5', timestamp: start + 0.5 },
    ),
  ];
  // A time has three digits where it is not whole.
  const expected = `200 ${JSON.stringify({ status: 'success', data })}`.replace('.5}', '.500}');
  const range = { start: String(start), end: String(now) };
  const parameters = new URLSearchParams({ query, ...range });
  expect(await get(`/api/v1/query_exemplars?${parameters}`)).toBe(expected);
  expect(await post('/prometheus/api/v1/query_exemplars', { query, ...range })).toBe(expected);
  const all = new URLSearchParams({ query: 'requests_total', ...range });
  expect(await get(`/api/v1/query_exemplars?${all}`)).not.toMatch(/late|theirs/);
  const late = new URLSearchParams({ query: 'requests_total', start: String(now) });
  expect(await get(`/api/v1/query_exemplars?${late}`)).toContain('late');
  const nothing = await app.inject('/api/v1/query_exemplars?query=1');
  expect([nothing.statusCode, nothing.body]).toEqual([204, '']);
});

test('a tenant sees its own series only', async () => {
  expect(await get('/api/v1/label/job/values', { 'x-scope-orgid': 'team' })).toBe(
    '200 {"status":"success","data":["theirs"]}',
  );
  expect(
    await get(`/api/v1/query?${query({ query: 'sum(requests_total)' })}`, { 'x-scope-orgid': 'nobody' }),
  ).toBe('200 {"status":"success","data":{"resultType":"vector","result":[]}}');
});

test.each([
  { url: '/api/v1/labels', data: '["__name__","a.b","code","job"]' },
  { url: '/api/v1/labels?match[]=requests_total', data: '["__name__","code","job"]' },
  { url: '/api/v1/label/job/values', data: '["api","web"]' },
  { url: '/api/v1/label/job/values?match[]=requests_total{code="500"}', data: '["api"]' },
  { url: '/api/v1/label/__name__/values', data: '["http.status","requests_total"]' },
  { url: '/api/v1/label/U__a_2e_b/values', data: '["c"]' },
  { url: '/api/v1/label/job/values?end=1000', data: '[]' },
  {
    url: '/api/v1/series?match[]={job="web"}',
    data: '[{"__name__":"requests_total","code":"200","job":"web"}]',
  },
  {
    url: '/api/v1/metadata',
    data: '{"requests_total":[{"type":"counter","unit":"","help":"Requests \\"served\\"."}]}',
  },
  { url: '/api/v1/metadata?metric=other', data: '{}' },
  { url: '/api/v1/format_query?query=sum(a)by(b)', data: '"sum by (b) (a)"' },
])('$url', async ({ url, data }) => {
  expect(await get(url)).toBe(`200 {"status":"success","data":${data}}`);
});

test('a limit cuts the answer and says so', async () => {
  expect(await get('/api/v1/labels?limit=1')).toBe(
    '200 {"status":"success","data":["__name__"],"warnings":["results truncated due to limit"]}',
  );
  expect(await get('/api/v1/query?query=requests_total&limit=1')).toMatch(
    /"warnings":\["results truncated due to limit"\]\}$/,
  );
  expect(await get('/api/v1/label/job/values?limit=2')).toBe('200 {"status":"success","data":["api","web"]}');
});

test('hints of the engine travel beside the answer', async () => {
  expect(await get(`/api/v1/query?${query({ query: 'rate({"http.status"}[1m])' })}`)).toMatch(
    /"infos":\["PromQL info: metric might not be a counter.*\(1:6\)"\]\}$/,
  );
});

test('build information names no features, so that clients take it for Prometheus itself', async () => {
  expect(await get('/api/v1/status/buildinfo')).toBe(
    '200 {"status":"success","data":{"version":"3.13.0","revision":"sonde-0.1.0","branch":"","buildUser":"","buildDate":"","goVersion":""}}',
  );
});

test('rules ask the same engine for vectors and scalars', async () => {
  const ask = asInstantQuery(engine);
  const request = { tenant: 'default', timeMs: now * 1000 };
  expect(await ask({ ...request, query: 'sum(requests_total) > 1' })).toEqual([{ labels: [], value: 210 }]);
  expect(await ask({ ...request, query: '2' })).toEqual([{ labels: [], value: 2 }]);
  await expect(ask({ ...request, query: 'a[1m]' })).rejects.toThrow('rule result is not a vector or scalar');
});

test('a query whose client is gone is given up', async () => {
  const abort = AbortSignal.abort(new Error('the client went away'));
  await expect(
    engine.instant({ tenant: 'default', query: 'requests_total', timeMs: now * 1000, abort }),
  ).rejects.toThrow('the client went away');
});

test('a query that runs out of time is a timeout', async () => {
  const slow = createPromqlEngine({
    source: () => ({ ...createSampleSource(store, 'default', promqlLimitsDefault), select: hang }),
    limits: { ...promqlLimitsDefault, timeoutMs: 20 },
    lookbackMsDefault: 300_000,
  });
  await expect(slow.instant({ tenant: 'default', query: 'a', timeMs: 0 })).rejects.toThrow(
    'query timed out in expression evaluation: it took longer than',
  );
});

/** A source that answers only to its abort signal. */
async function* hang(_request: unknown, abort?: AbortSignal): AsyncGenerator<never> {
  await new Promise((_resolve, reject) => {
    abort?.addEventListener('abort', () => reject(abort.reason));
  });
}

test.each([
  [0, '0'],
  [-0, '-0'],
  [0.000001, '0.000001'],
  [1e-7, '1e-07'],
  [1.5e-10, '1.5e-10'],
  [123456789012345680000, '123456789012345680000'],
  [1e21, '1e+21'],
  [-Infinity, '-Inf'],
  [Infinity, '+Inf'],
  [NaN, 'NaN'],
])('the value %d is written %s', (value, text) => expect(renderValue(value)).toBe(text));

test.each([
  [1_767_225_600_000, '1767225600'],
  [1005, '1.005'],
  [1500, '1.500'],
  [-1, '-0.001'],
])('the time %d is written %s', (timeMs, text) => expect(renderTime(timeMs)).toBe(text));

describe('how a query is executed', () => {
  const query = 'query=sum(requests_total)';

  test('explain=1 adds the plan and the statements to the data, and nothing else changes', async () => {
    const url = `/api/v1/query?${query}&time=${now}`;
    const plain = JSON.parse((await app.inject({ url })).body);
    const explained = JSON.parse((await app.inject({ url: `${url}&explain=1` })).body);
    const { explain, ...data } = explained.data;
    expect({ ...explained, data }).toEqual(plain);
    expect(explain).toMatchObject({
      push_down: 'exact',
      max_source_resolution: 'auto',
      plan: {
        kind: 'sum',
        expression: 'sum(requests_total)',
        children: [
          {
            kind: 'vector',
            expression: 'requests_total',
            read: { path: 'kernel', reason: 'the source answers with samples only', is_pushed_down: false },
          },
        ],
      },
    });
    expect(explain.statements.length).toBeGreaterThan(0);
    expect(explain.statements[0].sql).toMatch(/^SELECT .* FROM series WHERE metric = \{m0:String\}/);
    expect(explain.statements[0].params).toMatchObject({ m0: 'requests_total' });
  });

  test.each([
    { params: 'max_source_resolution=5m', status: 200 },
    { params: 'max_source_resolution=0s', status: 200 },
    { params: 'max_source_resolution=auto&explain=0', status: 200 },
    { params: 'max_source_resolution=2m', status: 400 },
    { params: 'explain=yes', status: 400 },
  ])('$params: $status', async ({ params, status }) => {
    for (const url of [
      `/api/v1/query?${query}&time=${now}&${params}`,
      `/api/v1/query_range?${query}&start=${start}&end=${now}&step=15&${params}`,
    ]) {
      const reply = await app.inject({ url });
      expect(reply.statusCode).toBe(status);
      if (status === 400) expect(reply.body).toContain('invalid parameter');
    }
  });
});
