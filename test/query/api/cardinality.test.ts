/**
 * Goal: whoever looks for what makes their series finds it, in our words, Mimir's and Prometheus's, and only of their
 * own tenant.
 * Method: rows in the embedded store, requests by fastify's inject, replies compared whole.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { registerCardinalityApi, registerPrometheusCardinalityApi } from '#query/api/cardinality.ts';
import { createCardinalitySource } from '#query/sql/cardinality.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';

const path = mkdtempSync(join(tmpdir(), 'sonde-cardinality-'));
const now = 1_767_225_600;
const hour = 3600;
let store: Store;
let app: FastifyInstance;

beforeAll(async () => {
  store = await openEmbeddedStore({ path });
  await migrate(store);
  const series = (tenant: string, metric: string, id: number, labels: string, first: number, last: number) =>
    `('${tenant}', '${metric}', ${id}, map(${labels}), ${first}, ${last})`;
  await store.exec(`INSERT INTO series (tenant, metric, id, labels, t_min, t_max) VALUES
    ${[
      series('default', 'requests', 1, `'job', 'api', 'pod', 'a-1'`, now - hour, now),
      series('default', 'requests', 2, `'job', 'api', 'pod', 'a-2'`, now - hour, now),
      series('default', 'requests', 3, `'job', 'web', 'pod', 'w-1'`, now - hour, now),
      series('default', 'up', 4, `'job', 'api'`, now - hour, now),
      series('default', 'up', 5, `'job', 'gone'`, now - 30 * hour, now - 20 * hour),
      series('team', 'secret', 6, `'job', 'theirs'`, now - hour, now),
    ].join(', ')}`);
  // The same series once more, in a part that is not merged yet: it must not count twice.
  await store.exec('SYSTEM STOP MERGES series');
  await store.exec(
    `INSERT INTO series (tenant, metric, id, labels, t_min, t_max) VALUES ${series('default', 'requests', 1, `'job', 'api', 'pod', 'a-1'`, now, now + 10)}`,
  );
  const options = {
    source: (tenant: string) => createCardinalitySource(store, tenant),
    now: () => now * 1000,
  };
  app = fastify();
  const mount = (prefix: string, register: (scope: FastifyInstance) => void) =>
    app.register(
      (scope, _none, done) => {
        register(scope);
        done();
      },
      { prefix },
    );
  mount('', (scope) => registerCardinalityApi(scope, options));
  mount('/prometheus', (scope) => registerPrometheusCardinalityApi(scope, options));
  await app.ready();
});
afterAll(async () => {
  await app.close();
  await store.close();
  rmSync(path, { recursive: true, force: true });
});

async function get(url: string, headers: Record<string, string> = {}): Promise<unknown> {
  const reply = await app.inject({ url, headers });
  return reply.statusCode === 200 ? reply.json() : `${reply.statusCode} ${reply.body}`;
}

async function post(url: string, fields: [string, string][]): Promise<unknown> {
  const reply = await app.inject({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams(fields).toString(),
  });
  return reply.json();
}

describe('our own answer', () => {
  test('has the largest metrics, labels and pairs of the last two hours', async () => {
    expect(await get('/sonde/api/v1/cardinality')).toEqual({
      start: '2025-12-31T22:00:00.000Z',
      end: '2026-01-01T00:00:00.000Z',
      series: 4,
      label_names: 3,
      label_pairs: 7,
      metrics: [
        { name: 'requests', series: 3 },
        { name: 'up', series: 1 },
      ],
      labels: [
        { name: 'pod', values: 3 },
        { name: '__name__', values: 2 },
        { name: 'job', values: 2 },
      ],
      pairs: [
        { name: '__name__', value: 'requests', series: 3 },
        { name: 'job', value: 'api', series: 3 },
        { name: '__name__', value: 'up', series: 1 },
        { name: 'job', value: 'web', series: 1 },
        { name: 'pod', value: 'a-1', series: 1 },
        { name: 'pod', value: 'a-2', series: 1 },
        { name: 'pod', value: 'w-1', series: 1 },
      ],
    });
  });

  test('keeps to a time range, a selector and a limit', async () => {
    expect(await get(`/sonde/api/v1/cardinality?start=${now - 24 * hour}&limit=1&match[]=up`)).toMatchObject({
      series: 2,
      label_names: 2,
      label_pairs: 3,
      metrics: [{ name: 'up', series: 2 }],
      labels: [{ name: 'job', values: 2 }],
      pairs: [{ name: '__name__', value: 'up', series: 2 }],
    });
  });

  test('is of one tenant', async () => {
    const theirs = await get('/sonde/api/v1/cardinality', { 'x-scope-orgid': 'team' });
    expect(theirs).toMatchObject({ series: 1, metrics: [{ name: 'secret', series: 1 }] });
    expect(await get('/sonde/api/v1/cardinality', { 'x-scope-orgid': 'nobody' })).toMatchObject({
      series: 0,
      label_names: 0,
      label_pairs: 0,
      metrics: [],
      labels: [],
      pairs: [],
    });
  });
});

describe("Mimir's", () => {
  const api = '/prometheus/api/v1/cardinality';

  test('label_names counts the values of each label', async () => {
    const whole = {
      label_values_count_total: 7,
      label_names_count: 3,
      cardinality: [
        { label_name: 'pod', label_values_count: 3 },
        { label_name: '__name__', label_values_count: 2 },
        { label_name: 'job', label_values_count: 2 },
      ],
    };
    expect(await get(`${api}/label_names`)).toEqual(whole);
    expect(await get(`${api}/label_names?limit=1&count_method=active`)).toEqual({
      ...whole,
      cardinality: whole.cardinality.slice(0, 1),
    });
    expect(await get(`${api}/label_names?limit=0`)).toEqual({ ...whole, cardinality: [] });
    expect(await post(`${api}/label_names`, [['selector', '{job="web"}']])).toEqual({
      label_values_count_total: 3,
      label_names_count: 3,
      cardinality: [
        { label_name: '__name__', label_values_count: 1 },
        { label_name: 'job', label_values_count: 1 },
        { label_name: 'pod', label_values_count: 1 },
      ],
    });
  });

  test('label_values counts the series of each value', async () => {
    const asked: [string, string][] = [
      ['label_names[]', 'pod'],
      ['label_names[]', 'job'],
      ['label_names[]', 'none'],
      ['limit', '2'],
    ];
    const answer = {
      series_count_total: 4,
      labels: [
        {
          label_name: 'job',
          label_values_count: 2,
          series_count: 4,
          cardinality: [
            { label_value: 'api', series_count: 3 },
            { label_value: 'web', series_count: 1 },
          ],
        },
        {
          label_name: 'pod',
          label_values_count: 3,
          series_count: 3,
          cardinality: [
            { label_value: 'a-1', series_count: 1 },
            { label_value: 'a-2', series_count: 1 },
          ],
        },
      ],
    };
    expect(await post(`${api}/label_values`, asked)).toEqual(answer);
    expect(await get(`${api}/label_values?${new URLSearchParams(asked)}`)).toEqual(answer);
    expect(await get(`${api}/label_values?label_names[]=__name__&selector=up`)).toEqual({
      series_count_total: 1,
      labels: [
        {
          label_name: '__name__',
          label_values_count: 1,
          series_count: 1,
          cardinality: [{ label_value: 'up', series_count: 1 }],
        },
      ],
    });
  });
});

describe("Prometheus's TSDB status", () => {
  test('has its five lists and the head', async () => {
    expect(await get('/prometheus/api/v1/status/tsdb?limit=2')).toEqual({
      status: 'success',
      data: {
        headStats: {
          numSeries: 4,
          numLabelPairs: 7,
          chunkCount: 0,
          minTime: (now - hour) * 1000,
          maxTime: (now + 10) * 1000,
        },
        seriesCountByMetricName: [
          { name: 'requests', value: 3 },
          { name: 'up', value: 1 },
        ],
        labelValueCountByLabelName: [
          { name: 'pod', value: 3 },
          { name: '__name__', value: 2 },
        ],
        memoryInBytesByLabelName: [
          { name: '__name__', value: 26 },
          { name: 'job', value: 12 },
        ],
        seriesCountByLabelValuePair: [
          { name: '__name__=requests', value: 3 },
          { name: 'job=api', value: 3 },
        ],
      },
    });
  });

  test('of a tenant without series is empty', async () => {
    expect(await get('/prometheus/api/v1/status/tsdb', { 'x-scope-orgid': 'nobody' })).toMatchObject({
      data: { headStats: { numSeries: 0, minTime: 0, maxTime: 0 }, seriesCountByMetricName: [] },
    });
  });
});

test.each([
  [
    '/sonde/api/v1/cardinality?limit=501',
    /^400 \{"error":"invalid parameter \\"limit\\": expected a whole number/,
  ],
  ['/sonde/api/v1/cardinality?limit=-1', /^400 /],
  ['/sonde/api/v1/cardinality?match[]={', /^400 \{"error":"invalid parameter \\"match\[\]\\"/],
  ['/sonde/api/v1/cardinality?start=9&end=8', /^400 .*end timestamp must not be before start/],
  ['/prometheus/api/v1/cardinality/label_values', /^400 .*'label_names\[\]' param is required/],
  ['/prometheus/api/v1/cardinality/label_values?label_names[]=', /^400 .*invalid 'label_names' param/],
  ['/prometheus/api/v1/cardinality/label_names?count_method=guess', /^400 .*count_method/],
  ['/prometheus/api/v1/cardinality/label_names?selector={job=~".*"}', /^400 .*non-empty matcher/],
  ['/prometheus/api/v1/status/tsdb?limit=0', /^400 .*"errorType":"bad_data".*limit/],
])('%s is refused', async (url, reply) => {
  expect(await get(url)).toMatch(reply);
});
