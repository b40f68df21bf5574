/**
 * Goal: what Prometheus's API says of a server is there, in its form. Method: requests over HTTP; the OpenAPI document is
 * compared with the routes of a real process's server.
 */
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseMetricFamilies } from '#query/api/prometheus/metric-families.ts';
import { operations } from '#query/api/prometheus/operations.ts';
import { eventually } from '#test/support/eventually.ts';
import { openTestStore, type TestStore } from '../sql/open-test-store.ts';
import { createPrometheusApp } from './prometheus-app.ts';

const nowMs = 1_767_225_600_000;
const page = `# HELP http_total Requests with a \\\\ and a\\nbreak.
# TYPE http_total counter
http_total{path="/a\\"b\\\\",code="200"} 3 1767225600000
http_total 1
# HELP seconds How long.
# TYPE seconds histogram
seconds_count{a="b"} 3
seconds_sum{a="b"} 1.5
seconds_bucket{a="b",le="1"} 2
seconds_bucket{a="b",le="+Inf"} 3
# HELP odd _
# TYPE odd gauge
odd NaN
`;

let opened: TestStore;
let app: FastifyInstance;
let base = '';
let problems: string[] = [];

beforeAll(async () => {
  opened = await openTestStore();
  await opened.store.exec(`INSERT INTO samples_chunk SELECT 'default', 'm', 1767225600 + 7200 * number, number % 2,
    [fromUnixTimestamp64Milli(1767225600000, 'UTC'), fromUnixTimestamp64Milli(1767225660000, 'UTC')], [1., 2.] FROM numbers(14)`);
  app = createPrometheusApp({
    store: opened.store,
    nowMs,
    server: {
      selfMetrics: async () => page,
      problems: () => problems,
      alertmanagers: ['http://alerts:9093/', 'http://other/prefix'],
    },
  });
  base = `${await app.listen({ host: '127.0.0.1', port: 0 })}/api/v1`;
});
afterAll(async () => {
  await app?.close();
  await opened?.[Symbol.asyncDispose]();
});

async function get(path: string): Promise<unknown> {
  const reply = await fetch(`${base}/${path}`);
  expect(reply.status).toBe(200);
  const { status, data } = (await reply.json()) as { status: string; data: unknown };
  expect(status).toBe('success');
  return data;
}

test('configuration, flags and runtime', async () => {
  expect(await get('status/config')).toEqual({ yaml: 'api:\n  port: 4319\n' });
  expect(await get('status/flags')).toEqual({ 'api.port': '4319' });
  expect(await get('status/runtimeinfo')).toMatchObject({
    startTime: '2025-12-31T23:59:00.000Z',
    serverTime: '2026-01-01T00:00:00.000Z',
    hostname: 'here',
    storageRetention: '30d',
    reloadConfigSuccess: true,
    GOMAXPROCS: expect.any(Number),
  });
  expect(await get('alertmanagers')).toEqual({
    activeAlertmanagers: [
      { url: 'http://alerts:9093/api/v2/alerts' },
      { url: 'http://other/prefix/api/v2/alerts' },
    ],
    droppedAlertmanagers: [],
  });
});

test('days of compacted samples stand for blocks', async () => {
  const stats = (chunks: number) => ({ numSamples: 2 * chunks, numSeries: 2, numChunks: chunks });
  expect(await get('status/tsdb/blocks')).toEqual({
    blocks: [
      {
        ulid: '01KDVDNA000000000000000000',
        minTime: 1_767_225_600_000,
        maxTime: 1_767_312_000_000,
        stats: stats(12),
        compaction: { level: 1, sources: ['01KDVDNA000000000000000000'] },
        version: 1,
      },
      expect.objectContaining({ minTime: 1_767_312_000_000, maxTime: 1_767_326_400_000, stats: stats(2) }),
    ],
  });
});

test('own metrics are families in the JSON of protobuf', async () => {
  const families = [
    {
      name: 'http_total',
      help: 'Requests with a \\ and a\nbreak.',
      type: 'COUNTER',
      metric: [
        {
          label: [
            { name: 'path', value: '/a"b\\' },
            { name: 'code', value: '200' },
          ],
          counter: { value: 3 },
        },
        { counter: { value: 1 } },
      ],
    },
    { name: 'odd', help: '_', type: 'GAUGE', metric: [{ gauge: { value: 'NaN' } }] },
    {
      name: 'seconds',
      help: 'How long.',
      type: 'HISTOGRAM',
      metric: [
        {
          label: [{ name: 'a', value: 'b' }],
          histogram: { sampleCount: '3', sampleSum: 1.5, bucket: [{ cumulativeCount: '2', upperBound: 1 }] },
        },
      ],
    },
  ];
  expect(parseMetricFamilies(page)).toEqual(families);
  expect(await get('status/self_metrics?metric_name_pattern=odd|sec.*')).toEqual(families.slice(1));
  const bad = await fetch(`${base}/status/self_metrics?metric_name_pattern=(`);
  expect([bad.status, await bad.text()]).toEqual([
    400,
    expect.stringContaining('invalid metric_name_pattern'),
  ]);
});

test('features are those of the engine', async () => {
  expect(await get('features')).toMatchObject({
    api: { admin: false, remote_write_receiver: false, search: true, query_stats: true },
    promql: { anchored: true, fill: true, duration_expr: true, per_step_stats: false },
    promql_functions: { rate: true, info: true, ts_of_last_over_time: true },
    promql_operators: { '</': true, limit_ratio: true },
    templating_functions: { humanize: true },
  });
});

test('what is wrong is a notification for as long as it is', async () => {
  problems = ['the store does not answer: down'];
  const notice = { text: problems[0], date: '2026-01-01T00:00:00.000Z', active: true };
  expect(await get('notifications')).toEqual([notice]);
  const leave = new AbortController();
  const live = await fetch(`${base}/notifications/live`, { signal: leave.signal });
  expect(live.headers.get('content-type')).toBe('text/event-stream');
  let text = '';
  const reading = (async () => {
    for await (const chunk of live.body!) text += Buffer.from(chunk).toString();
  })().catch(() => undefined);
  await eventually(async () => text.includes('down') || undefined);
  problems = [];
  expect(await get('notifications')).toEqual([]);
  await eventually(async () => text.includes('"active":false') || undefined);
  expect(text).toBe(
    `data: ${JSON.stringify(notice)}\n\ndata: ${JSON.stringify({ ...notice, active: false })}\n\n`,
  );
  leave.abort();
  await reading;
});

test('who listens to notifications as the seventeenth is sent away, until somebody leaves', async () => {
  const leave = new AbortController();
  for (let i = 0; i < 16; i++) {
    expect((await fetch(`${base}/notifications/live`, { signal: leave.signal })).status).toBe(200);
  }
  expect((await fetch(`${base}/notifications/live`)).status).toBe(204);
  leave.abort();
  const again = new AbortController();
  await eventually(
    async () =>
      (await fetch(`${base}/notifications/live`, { signal: again.signal })).status === 200 || undefined,
  );
  again.abort();
});

/** Served beside, by what scrapes, evaluates rules, counts series and takes pushes. */
const besides = [
  ...['GET /targets', 'GET /scrape_pools', 'GET /rules', 'GET /alerts', 'GET /status/tsdb'],
  ...['POST /write', 'POST /otlp/v1/metrics'],
];

test('the OpenAPI document has every route, and nothing else', async () => {
  const routed: string[] = [];
  const other = createPrometheusApp({ store: opened.store, nowMs });
  other.addHook('onRoute', ({ url, method }) => {
    if (!url.startsWith('/api/v1/')) return;
    for (const one of [method].flat()) {
      if (one !== 'HEAD') routed.push(`${one} ${url.slice('/api/v1'.length).replace(/:(\w+)/g, '{$1}')}`);
    }
  });
  await other.ready();
  const documented = operations.flatMap(({ path, methods }) => methods.map((method) => `${method} ${path}`));
  const missing = ['targets/relabel_steps', 'scrape_pools/config', 'cardinality/active_series'];
  const answered = routed.filter(
    (route) =>
      !missing.some((path) => route.endsWith(`/${path}`)) &&
      !route.includes('/query_cost') &&
      !route.includes('/query_range_cost'),
  );
  expect(documented.sort()).toEqual([...answered, ...besides].sort());
  await other.close();
});

test('the OpenAPI document can be read and names this server', async () => {
  const reply = await fetch(`${base}/openapi.yaml`);
  expect(reply.headers.get('content-type')).toBe('application/yaml');
  const document = parse(await reply.text()) as {
    openapi: string;
    servers: { url: string }[];
    paths: Record<string, Record<string, { parameters?: { name: string }[] }>>;
  };
  expect([document.openapi, document.servers]).toEqual(['3.1.0', [{ url: base }]]);
  expect(document.paths['/query']!.get!.parameters!.map(({ name }) => name)).toContain('lookback_delta');
  expect(document.paths['/label/{name}/values']!.get!.parameters![0]).toMatchObject({
    name: 'name',
    in: 'path',
  });
});
