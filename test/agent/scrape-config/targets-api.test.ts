/** Goal: whoever knows Prometheus's targets API gets here what it would give. Method: requests to its routes alone. */
import fastify from 'fastify';
import { expect, test } from 'vitest';
import { registerTargetsApi, type TargetsApiOptions } from '#agent/scrape-config/targets-api.ts';
import { targetsReport } from '#agent/scrape-config/targets-report.ts';
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

async function get(url: string, options: Partial<TargetsApiOptions> = {}, tenant?: string) {
  const app = fastify();
  registerTargetsApi(app, { report, ...options });
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
