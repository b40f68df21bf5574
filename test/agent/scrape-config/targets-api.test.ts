/** Goal: whoever knows Prometheus's targets API gets here what it would give. Method: requests to its routes alone. */
import fastify from 'fastify';
import { expect, test } from 'vitest';
import { MetricFamilies } from '#agent/scrape/metric-families.ts';
import { registerTargetsApi, type TargetsApiOptions } from '#agent/scrape-config/targets-api.ts';
import { metadataMax, type TargetFamilies } from '#agent/scrape-config/targets-metadata.ts';
import { targetsReport } from '#agent/scrape-config/targets-report.ts';
import { RefusedError } from '#model/errors.ts';
import { type Labels, labelValue } from '#model/labels.ts';
import { simpleSettings } from '#test/agent/scrape/simple-target.ts';

const settings = simpleSettings({ intervalMs: 15_000, timeoutMs: 10_000 });
const target = (scrapePool: string) => ({
  url: `http://user:secret@${scrapePool}:80/metrics`,
  labels: [['job', scrapePool]] as const,
  scrapePool,
  discoveredLabels: { __address__: `${scrapePool}:80` },
  settings,
});
const pool = (scrapePool: string, droppedCount: number) => ({
  scrapePool,
  active: [target(scrapePool)],
  droppedCount,
  dropped: droppedCount > 0 ? [{ __address__: 'd:1' }] : [],
  invalidCount: 0,
  problems: [],
});
const report = () => targetsReport([pool('node', 0), pool('api', 3)], () => undefined);

function familiesOf(...lines: readonly ['type' | 'help' | 'unit', string, string][]): MetricFamilies {
  const known = new MetricFamilies();
  for (const [kind, name, text] of lines) known.set(kind, name, text);
  known.endPage();
  return known;
}

const families = (): TargetFamilies[] => [
  {
    labels: [['job', 'node']],
    families: familiesOf(
      ['type', 'a_total', 'counter'],
      ['help', 'a_total', 'All of a.'],
      ['type', 'b_seconds', 'gauge'],
      ['unit', 'b_seconds', 'seconds'],
    ),
  },
  { labels: [['job', 'api']], families: familiesOf(['help', 'a_total', 'Another a.']) },
];
/** The test of PromQL's selectors is the query language's own: here a selector is a job's name. */
const parseSelector = async (text: string) => {
  if (text === '{') throw new RefusedError('parse error');
  return (labels: Labels) => labelValue(labels, 'job') === text;
};

async function get(url: string, options: Partial<TargetsApiOptions> = {}, tenant?: string) {
  const app = fastify();
  registerTargetsApi(app, { report, families, parseSelector, ...options });
  const headers = tenant === undefined ? {} : { 'x-scope-orgid': tenant };
  const answer = await app.inject({ url, headers });
  return { status: answer.statusCode, body: answer.json() };
}

const poolsOf = ({ body }: { body: { data: Record<string, { scrapePool: string }[]> } }) => [
  body.data.activeTargets?.map(({ scrapePool }) => scrapePool),
  body.data.droppedTargets?.map(({ scrapePool }) => scrapePool),
  body.data.droppedTargetCounts,
];

test('targets are shown with their labels, and without the password in their URL', async () => {
  const { status, body } = await get('/api/v1/targets');
  expect(status).toBe(200);
  expect(body.status).toBe('success');
  expect(body.data.activeTargets[0]).toEqual({
    discoveredLabels: { __address__: 'node:80' },
    labels: { job: 'node' },
    scrapePool: 'node',
    scrapeUrl: 'http://node/metrics',
    globalUrl: 'http://node/metrics',
    lastError: '',
    lastScrape: '0001-01-01T00:00:00Z',
    lastScrapeDuration: 0,
    health: 'unknown',
    scrapeInterval: '15s',
    scrapeTimeout: '10s',
  });
  expect(JSON.stringify(body)).not.toContain('secret');
});

test.each([
  ['', [['node', 'api'], ['api'], { node: 0, api: 3 }]],
  ['?state=any', [['node', 'api'], ['api'], { node: 0, api: 3 }]],
  ['?state=ACTIVE', [['node', 'api'], [], null]],
  ['?state=dropped', [[], ['api'], { node: 0, api: 3 }]],
  ['?state=other', [[], [], null]],
  ['?scrapePool=node', [['node'], [], { node: 0, api: 3 }]],
  ['?state=active&scrapePool=api', [['api'], [], null]],
])('what /api/v1/targets%s shows', async (query, shown) => {
  expect(poolsOf(await get(`/api/v1/targets${query}`))).toEqual(shown);
});

test('pools are listed by name', async () => {
  expect((await get('/api/v1/scrape_pools')).body).toEqual({
    status: 'success',
    data: { scrapePools: ['api', 'node'] },
  });
});

test('a process that scrapes nothing has empty lists', async () => {
  const nothing = { report: () => undefined };
  expect(poolsOf(await get('/api/v1/targets', nothing))).toEqual([[], [], {}]);
  expect((await get('/api/v1/scrape_pools', nothing)).body.data).toEqual({ scrapePools: [] });
});

test('another tenant than the targets have is told nothing, and a bad name is refused', async () => {
  const own = { tenant: 'acme' };
  expect(poolsOf(await get('/api/v1/targets', own, 'acme'))[0]).toEqual(['node', 'api']);
  expect(poolsOf(await get('/api/v1/targets', own, 'other'))).toEqual([[], [], {}]);
  expect((await get('/api/v1/scrape_pools', own)).body.data).toEqual({ scrapePools: [] });
  expect(await get('/api/v1/targets', own, 'a/b')).toMatchObject({
    status: 400,
    body: { status: 'error', errorType: 'bad_data' },
  });
});

const nodeA = { target: { job: 'node' }, metric: 'a_total', type: 'counter', help: 'All of a.', unit: '' };
const nodeB = { target: { job: 'node' }, metric: 'b_seconds', type: 'gauge', help: '', unit: 'seconds' };
const apiA = { target: { job: 'api' }, metric: 'a_total', type: 'unknown', help: 'Another a.', unit: '' };
const unnamed = ({ metric: _metric, ...rest }: typeof nodeA) => rest;

test.each([
  ['', [nodeA, nodeB, apiA]],
  ['?match_target=api', [apiA]],
  ['?metric=a_total', [unnamed(nodeA), unnamed(apiA)]],
  ['?metric=b_seconds&match_target=node', [unnamed(nodeB)]],
  ['?limit=1', [nodeA, nodeB]],
  ['?limit=1&metric=a_total', [unnamed(nodeA)]],
  ['?limit=-1', [nodeA, nodeB, apiA]],
])('what /api/v1/targets/metadata%s shows', async (query, data) => {
  expect(await get(`/api/v1/targets/metadata${query}`)).toEqual({
    status: 200,
    body: { status: 'success', data },
  });
});

test.each([
  ['?metric=none', 404, 'not_found', 'specified metadata not found'],
  ['?metric=a', 404, 'not_found', 'specified metadata not found'],
  ['?limit=0', 404, 'not_found', 'specified metadata not found'],
  ['?limit=x', 400, 'bad_data', 'limit must be a number'],
  ['?match_target=%7B', 400, 'bad_data', 'parse error'],
])('/api/v1/targets/metadata%s answers %i', async (query, status, errorType, error) => {
  const body = { status: 'error', errorType, error };
  expect(await get(`/api/v1/targets/metadata${query}`)).toEqual({ status, body });
});

test('metadata is told to the tenant of the targets, by processes that scrape', async () => {
  const path = '/api/v1/targets/metadata';
  expect((await get(path, { families: () => undefined })).status).toBe(404);
  expect((await get(path, { tenant: 'acme' }, 'acme')).status).toBe(200);
  expect((await get(path, { tenant: 'acme' }, 'other')).status).toBe(404);
});

test('an answer that would be too large is refused, and a narrower question is answered', async () => {
  const many = familiesOf(
    ...Array.from({ length: metadataMax + 1 }, (_, index) => ['type', `m${index}`, 'gauge'] as const).map(
      ([kind, name, type]) => [kind, name, type] as ['type', string, string],
    ),
  );
  const options = { families: () => [{ labels: [], families: many }] };
  expect(await get('/api/v1/targets/metadata', options)).toMatchObject({
    status: 400,
    body: { errorType: 'bad_data', error: expect.stringContaining('ask with match_target, metric or limit') },
  });
  expect((await get('/api/v1/targets/metadata?metric=m7', options)).body.data).toHaveLength(1);
});

test('a metric that ten pages have not described is listed no longer, one that they repeat is', () => {
  const known = familiesOf(['type', 'gone', 'gauge'], ['type', 'kept', 'gauge']);
  const page = Buffer.from('# TYPE kept gauge');
  const view = new DataView(page.buffer, page.byteOffset, page.length);
  const line = { page, view, start: 0, end: page.length };
  const names = () => [...known.listed()].map(({ name }) => name);
  known.set('type', 'kept', 'gauge', line);
  known.endPage();
  for (let count = 0; count < 8; count++) {
    expect(known.knows(page, view, 0, page.length)).toBe(true);
    known.endPage();
  }
  expect(names()).toEqual(['gone', 'kept']);
  known.knows(page, view, 0, page.length);
  known.endPage();
  expect(names()).toEqual(['kept']);
  expect(known.listedAs('gone')).toBeUndefined();
  expect(known.listedAs('kept')).toMatchObject({ type: 'gauge' });
});
