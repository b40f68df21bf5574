/**
 * Goal: Loki's clients get Loki's replies, and never another tenant's lines.
 * Method: requests against the routes over one real store, replies as golden JSON; one request over a real socket.
 */
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { registerLokiApi } from '#query/api/loki.ts';
import { createLogSource } from '#query/sql/logs.ts';
import type { Store } from '#store/store.ts';
import { openTestStore, type TestStore } from '../sql/open-test-store.ts';

let opened: TestStore;
let store: Store;
let app: FastifyInstance;

beforeAll(async () => {
  opened = await openTestStore();
  store = opened.store;
  await store.exec(`
    INSERT INTO logs (tenant, ts, service, level, severity, labels, attrs, body) VALUES
    ('default', '2026-01-01 00:00:01', 'cart', 'info', 0, {'service.name':'cart','k8s.pod.name':'cart-1'}, {'user':'7'}, 'one'),
    ('default', '2026-01-01 00:00:02.000000003', 'cart', 'info', 0, {'service.name':'cart','k8s.pod.name':'cart-1'}, {'user':'7'}, 'two'),
    ('default', '2026-01-01 00:00:03', 'pay', 'error', 0, {'service.name':'pay'}, {}, 'three'),
    ('other', '2026-01-01 00:00:01', 'secret', 'info', 0, {'service.name':'secret','container.name':'c'}, {}, 'hidden')`);
  app = fastify();
  registerLokiApi(app, {
    source: (tenant) => createLogSource(store, tenant, { samplesMax: 1000, seriesMax: 100 }),
    now: () => Date.parse('2026-01-01T00:10:00Z'),
    limits: { entriesMax: 50, seriesMax: 100 },
    takesPushes: false,
    version: '1.2.3',
  });
  await app.ready();
});

afterAll(async () => {
  await app.close();
  await opened[Symbol.asyncDispose]();
});

async function get(path: string, params: Record<string, string> = {}, headers: Record<string, string> = {}) {
  const reply = await app.inject({ url: `/loki/api/v1/${path}?${new URLSearchParams(params)}`, headers });
  const isJson = String(reply.headers['content-type']).startsWith('application/json');
  return { status: reply.statusCode, body: isJson ? reply.json() : reply.body };
}

const stats = { summary: { execTime: 0 } };
const cart = { detected_level: 'info', k8s_pod_name: 'cart-1', service_name: 'cart', user: '7' };

describe('query_range for lines', () => {
  test('lines are grouped by stream, newest first, structured metadata among the labels', async () => {
    expect(await get('query_range', { query: '{service_name=~".+"}' })).toEqual({
      status: 200,
      body: {
        status: 'success',
        data: {
          resultType: 'streams',
          result: [
            {
              stream: { detected_level: 'error', service_name: 'pay' },
              values: [['1767225603000000000', 'three']],
            },
            {
              stream: cart,
              values: [
                ['1767225602000000003', 'two'],
                ['1767225601000000000', 'one'],
              ],
            },
          ],
          stats,
        },
      },
    });
  });

  test('with categorize-labels each line carries its own metadata', async () => {
    const { body } = await get(
      'query_range',
      { query: '{service_name="cart"} |= "o"', direction: 'FORWARD', limit: '1' },
      { 'x-loki-response-encoding-flags': 'categorize-labels' },
    );
    expect(body.data).toEqual({
      resultType: 'streams',
      encodingFlags: ['categorize-labels'],
      result: [
        {
          stream: { k8s_pod_name: 'cart-1', service_name: 'cart' },
          values: [
            ['1767225601000000000', 'one', { structuredMetadata: { detected_level: 'info', user: '7' } }],
          ],
        },
      ],
      stats,
    });
  });

  test.each([
    ['nanoseconds', { start: '1767225602000000003', end: '1767225603000000000' }, ['two']],
    ['seconds', { start: '1767225601', end: '1767225602' }, ['one']],
    ['fractions of seconds', { start: '1767225602.5', end: '1767225603.5' }, ['three']],
    ['RFC 3339', { start: '2026-01-01T01:00:02+01:00', end: '2026-01-01T00:00:02.000000004Z' }, ['two']],
    ['since before the end', { since: '1s', end: '1767225603' }, ['two']],
    ['the last hour', {}, ['three', 'two', 'one']],
  ])('times as %s', async (_name, times, lines) => {
    const { body } = await get('query_range', { query: '{service_name=~".+"}', ...times });
    const values = body.data.result.flatMap((stream: { values: string[][] }) => stream.values);
    expect(values.map((value: string[]) => value[1])).toEqual(lines);
  });

  test.each([
    [
      { query: '{' },
      400,
      'parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }',
    ],
    [{}, 400, 'parse error : syntax error: unexpected $end'],
    [
      { query: '{a="b"} | json' },
      400,
      'parse error at line 1, col 9: the pipeline stage "| json" is not supported yet',
    ],
    [{ limit: '0' }, 400, 'limit must be a positive value'],
    [
      { limit: '51' },
      400,
      'max entries limit per query exceeded, limit > max_entries_limit_per_query (51 > 50)',
    ],
    [{ direction: 'up' }, 400, 'invalid direction "up": it is forward or backward'],
    [{ start: '2', end: '1' }, 400, 'end timestamp must not be before or equal to start time'],
    [
      { start: 'noon' },
      400,
      'parameter start is not a time: "noon"; give unix nanoseconds, seconds or RFC 3339',
    ],
    [
      { since: 'long' },
      400,
      'parameter since is not a duration: "long"; give seconds or a duration such as 5m',
    ],
    [{ interval: '5s' }, 501, 'parameter interval is not supported yet'],
  ])('%j is answered %i', async (params, status, text) => {
    const query = Object.keys(params).length === 0 ? {} : { query: '{a="b"}' };
    expect(await get('query_range', { ...query, ...params })).toEqual({ status, body: text });
  });
});

describe('metric queries', () => {
  test('a matrix has one point per step, and none where nothing was counted', async () => {
    const { body } = await get('query_range', {
      query: 'sum by (detected_level) (count_over_time({service_name=~".+"}[2s]))',
      start: '1767225602',
      end: '1767225606',
      step: '2000ms',
    });
    expect(body.data).toEqual({
      resultType: 'matrix',
      result: [
        { metric: { detected_level: 'error' }, values: [[1767225604, '1']] },
        {
          metric: { detected_level: 'info' },
          values: [
            [1767225602, '1'],
            [1767225604, '1'],
          ],
        },
      ],
      stats,
    });
  });

  test("the health check of Grafana's Loki data source is answered 2", async () => {
    const { body } = await get('query', { query: 'vector(1)+vector(1)', time: '1767225600500000000' });
    expect(body).toEqual({
      status: 'success',
      data: { resultType: 'vector', result: [{ metric: {}, value: [1767225600.5, '2'] }], stats },
    });
  });

  test('ranges that reach before 1970 and beyond the clock count what is there', async () => {
    const query = 'sum(count_over_time({service_name=~".+"}[200y]))';
    const { body } = await get('query', { query, time: '9223372036854775807' });
    expect(body.data.result).toEqual([]);
    const now = await get('query', { query, time: '1767225603' });
    expect(now.body.data.result).toEqual([{ metric: {}, value: [1767225603, '3'] }]);
  });

  test('an instant query of numbers is a scalar', async () => {
    const { body } = await get('query', { query: '1 / 4000000', time: '1767225600' });
    expect(body.data).toEqual({ resultType: 'scalar', result: [1767225600, '0.00000025'], stats });
  });

  test.each([
    [
      'query',
      { query: '{service_name="cart"}' },
      'log queries are not supported as an instant query type, please change your query to a range query type',
    ],
    [
      'query_range',
      { query: 'vector(1)', start: '0', end: '1767225600', step: '1' },
      'exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter',
    ],
    [
      'query_range',
      { query: 'vector(1)', step: '0' },
      'zero or negative query resolution step widths are not accepted. Try a positive integer',
    ],
  ])('%s %j is refused', async (path, params, text) => {
    expect(await get(path, params)).toEqual({ status: 400, body: text });
  });
});

describe('labels and series', () => {
  const names = ['k8s_pod_name', 'service_name'];
  test.each<[string, Record<string, string>, unknown]>([
    ['labels', {}, names],
    ['label', { query: '{}' }, names],
    ['labels', { query: '{service_name="pay"}' }, ['service_name']],
    ['labels', { end: '2025-12-31T00:00:00Z' }, []],
    ['label/service_name/values', {}, ['cart', 'pay']],
    ['label/service_name/values', { query: '{k8s_pod_name=~".+"}' }, ['cart']],
    ['label/none/values', {}, []],
    ['series', { 'match[]': '{k8s_pod_name="cart-1"}' }, [{ k8s_pod_name: 'cart-1', service_name: 'cart' }]],
    ['series', {}, [{ k8s_pod_name: 'cart-1', service_name: 'cart' }, { service_name: 'pay' }]],
  ])('%s %j', async (path, params, data) => {
    expect(await get(path, params)).toEqual({ status: 200, body: { status: 'success', data } });
  });

  test('a selector with a pipeline is refused', async () => {
    const { status, body } = await get('series', { 'match[]': '{a="b"} |= "x"' });
    expect([status, body]).toEqual([
      400,
      'parse error at line 1, col 9: anything but a stream selector here is not supported yet',
    ]);
  });
});

test.each([
  ['query_range', { query: '{service_name=~".+"}' }],
  [
    'query_range',
    { query: 'count_over_time({service_name=~".+"}[1h])', start: '1767225600', end: '1767229200' },
  ],
  ['query', { query: 'sum by (service_name) (count_over_time({service_name=~".+"}[1h]))' }],
  ['labels', {}],
  ['label/service_name/values', {}],
  ['series', {}],
])('%s shows each tenant its own: %j', async (path, params) => {
  const own = JSON.stringify(await get(path, params));
  const other = JSON.stringify(await get(path, params, { 'x-scope-orgid': 'other' }));
  expect(own).not.toMatch(/secret|hidden|container_name/);
  expect(own).toMatch(/cart|k8s_pod_name/);
  expect(other).toMatch(/secret|container_name/);
  expect(other).not.toMatch(/cart|k8s_pod_name/);
});

test('a tenant name that could break out is refused', async () => {
  const { status, body } = await get('labels', {}, { 'x-scope-orgid': "x' OR '1'='1" });
  expect([status, body]).toEqual([400, expect.stringContaining('has a character that is not allowed')]);
});

test('a form is read like a URL, over a real socket', async () => {
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  const reply = await fetch(`${address}/loki/api/v1/query_range?limit=1`, {
    method: 'POST',
    body: new URLSearchParams({ query: '{service_name="pay"}', limit: '2' }),
  });
  const body = (await reply.json()) as { data: { result: unknown[] } };
  expect(body.data.result).toEqual([
    { stream: { detected_level: 'error', service_name: 'pay' }, values: [['1767225603000000000', 'three']] },
  ]);
});

test('what is not there yet is refused by name', async () => {
  expect(await get('patterns')).toEqual({ status: 501, body: '/loki/api/v1/patterns is not supported yet' });
});

test('the version is told', async () => {
  expect((await get('status/buildinfo')).body).toMatchObject({ version: '1.2.3' });
});
