/**
 * Goal: Grafana's built-in data sources work against one running Sonde, and what it does not have yet is refused in the
 * words of the API that was asked.
 * Method: the real process, a little data of two tenants, then the requests that each data source sends.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import snappy from 'snappyjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeTraceRequest, encodeLogsRequest, encodeTraceRequest } from '#test/support/naive/otlp-proto.ts';
import { encodeRemoteWrite1 } from '#test/support/naive/prometheus-proto.ts';
import { type SondeProcess, startSonde } from '#test/support/sonde-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-grafana-'));
const now = Math.floor(Date.now() / 1000);
const nano = (secondsAgo: number) => `${now - secondsAgo}000000000`;
const traceId = 'a1'.repeat(16);
const unknownId = 'b2'.repeat(16);
/** Pushed one by one, so that the slow queries below have many blocks to be stopped between. */
const pushCount = 20;
const linesPerPush = 500;
let sonde: SondeProcess;

interface Ask {
  readonly method?: string;
  readonly form?: Record<string, string>;
  readonly query?: Record<string, string>;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

async function ask(path: string, { method, form, query, headers = {}, body, signal }: Ask = {}) {
  const search = query === undefined ? '' : `?${new URLSearchParams(query)}`;
  const response = await fetch(`${sonde.apiUrl}${path}${search}`, {
    method: method ?? (form === undefined ? 'GET' : 'POST'),
    headers,
    ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
    ...(body === undefined ? {} : { body }),
    ...(signal === undefined ? {} : { signal }),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  const type = response.headers.get('content-type') ?? '';
  const isJson = type.startsWith('application/json');
  return {
    status: response.status,
    type: type.split(';')[0],
    bytes,
    headers: response.headers,
    // biome-ignore lint/suspicious/noExplicitAny: replies of four APIs, checked by the tests.
    body: (isJson ? JSON.parse(bytes.toString()) : bytes.toString()) as any,
  };
}

async function push(path: string, bytes: Uint8Array, headers: Record<string, string>): Promise<void> {
  const response = await fetch(`${sonde.otlpUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', ...headers },
    body: bytes as Uint8Array<ArrayBuffer>,
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
}

const attribute = (key: string, value: string) => ({ key, value: { stringValue: value } });

/** The same bytes again would be dropped as a repeat: `first` numbers the lines. */
async function pushLines(tenant: string, service: string, first: number, count: number): Promise<void> {
  const resource = { attributes: [attribute('service.name', service)] };
  const logRecords = Array.from({ length: count }, (_, i) => ({
    timeUnixNano: BigInt(nano(30)) + BigInt(first + i),
    severityText: 'INFO',
    body: { stringValue: `${service} line ${first + i} ${'abcdefghij klmnop '.repeat(30)}` },
    attributes: [attribute('user.id', '7')],
  }));
  const request = { resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] };
  await push('/v1/logs', encodeLogsRequest(request), { 'x-scope-orgid': tenant });
}

async function pushAll(tenant: string, service: string): Promise<void> {
  const headers = { 'x-scope-orgid': tenant };
  await pushLines(tenant, service, 0, 3);
  const resource = { attributes: [attribute('service.name', service)] };
  const span = {
    traceId: Buffer.from(traceId, 'hex'),
    spanId: Buffer.from('0000000000000001', 'hex'),
    name: `${service} request`,
    kind: 2,
    startTimeUnixNano: nano(30),
    endTimeUnixNano: nano(29),
  };
  const request = { resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] };
  await push('/v1/traces', encodeTraceRequest(request), headers);
  const samples = [60, 45, 30, 15, 0].map((ago) => ({ value: 60 - ago, timestamp: (now - ago) * 1000 }));
  const labels = [
    { name: '__name__', value: `${service}_requests_total` },
    { name: 'job', value: service },
  ];
  const metadata = [{ type: 1, metricFamilyName: `${service}_requests_total`, help: 'Requests.', unit: '' }];
  const write = encodeRemoteWrite1({ timeseries: [{ labels, samples }], metadata });
  await push('/api/v1/write', snappy.compress(write) as Uint8Array, {
    ...headers,
    'content-encoding': 'snappy',
  });
}

beforeAll(async () => {
  sonde = await startSonde(
    ['up', '--data', directory, '--port', '0', '--otlp-http-port', '0', '--otlp-grpc-port', '0'],
    {
      SONDE_AGENT_HOST_IS_READ: 'false',
      SONDE_AGENT_CONTAINERS_IS_MEASURED: 'false',
      SONDE_TELEMETRY_IS_PUSHED: 'false',
    },
  );
  await pushAll('default', 'cart');
  await pushAll('other', 'secret');
});
afterAll(async () => {
  await sonde?.end('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

describe('Prometheus', () => {
  const base = '/prometheus/api/v1';
  const range = { start: String(now - 60), end: String(now) };
  const series = { __name__: 'cart_requests_total', job: 'cart' };

  test.each<[string, Ask, unknown]>([
    // Save & test, then what kind of server it is.
    ['query', { form: { query: '1+1', time: String(now) } }, { resultType: 'scalar', result: [now, '2'] }],
    [
      'query',
      { query: { query: '1+1', time: `${now}.5` } },
      { resultType: 'scalar', result: [now + 0.5, '2'] },
    ],
    [
      'query_range',
      { form: { query: 'sum(rate(cart_requests_total[1m]))', ...range, step: '60' } },
      { resultType: 'matrix', result: [{ metric: {}, values: [[now, expect.any(String)]] }] },
    ],
    [
      'query_range',
      { form: { query: '{"cart_requests_total"}', start: range.end, end: range.end, step: '15.000' } },
      { resultType: 'matrix', result: [{ metric: series, values: [[now, '60']] }] },
    ],
    ['labels', { form: range }, ['__name__', 'job']],
    ['labels', { query: { ...range, 'match[]': 'nothing' } }, []],
    ['label/__name__/values', { query: { ...range, limit: '40000' } }, ['cart_requests_total']],
    ['label/job/values', { query: { ...range, 'match[]': '{__name__=~"cart.*"}' } }, ['cart']],
    ['label/job/values', { query: { start: '0', end: '1000' } }, []],
    ['series', { form: { ...range, 'match[]': '{job="cart"}' } }, [series]],
    [
      'metadata',
      { query: { limit: '10' } },
      { cart_requests_total: [{ type: 'counter', help: 'Requests.', unit: '' }] },
    ],
    ['rules', {}, { groups: [] }],
    ['rules', { query: { type: 'alert', group_limit: '40' } }, { groups: [] }],
    ['alerts', {}, { alerts: [] }],
    ['targets', {}, { activeTargets: [], droppedTargets: [] }],
  ])('%s %j is answered', async (path, request, data) => {
    expect(await ask(`${base}/${path}`, request)).toMatchObject({
      status: 200,
      type: 'application/json',
      body: { status: 'success', data },
    });
  });

  test('buildinfo names no features: Grafana would take it for Mimir', async () => {
    const { body } = await ask(`${base}/status/buildinfo`);
    expect(body.data.version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(body.data).not.toHaveProperty('features');
  });

  test.each<[string, Ask, number, string, string | RegExp]>([
    ['query', { form: { query: 'sum(' } }, 400, 'bad_data', /parse error: unclosed left parenthesis/],
    ['query_exemplars', { form: { query: 'up{' } }, 400, 'bad_data', /parse error/],
    ['targets/relabel_steps', {}, 404, 'not_found', '/api/v1/targets/relabel_steps is not supported yet'],
    ['nonsense', {}, 404, 'not_found', /^there is no \/prometheus\/api\/v1\/nonsense: the base path/],
    ['api/v1/query', {}, 404, 'not_found', /the base path of the Prometheus API is \/prometheus$/],
    ['metadata', { form: {} }, 405, 'bad_data', /use GET, HEAD$/],
    ['query', { method: 'DELETE' }, 405, 'bad_data', /use GET, HEAD, POST$/],
  ])('%s %j is refused with %i', async (path, request, status, errorType, error) => {
    expect(await ask(`${base}/${path}`, request)).toMatchObject({
      status,
      type: 'application/json',
      body: { status: 'error', errorType, error: expect.stringMatching(error) },
    });
  });
});

describe('Loki', () => {
  const base = '/loki/api/v1';
  const times = { start: nano(60), end: nano(0) };
  const grafana = {
    'x-loki-response-encoding-flags': 'categorize-labels',
    'x-query-tags': 'Source=grafana',
  };

  test.each<[string, Ask, unknown]>([
    [
      'query',
      { query: { direction: 'backward', query: 'vector(1)+vector(1)', time: nano(0) } },
      { resultType: 'vector', result: [{ metric: {}, value: [now, '2'] }] },
    ],
    ['labels', { query: times }, ['service_name']],
    ['label/service_name/values', { query: { ...times, query: '{}' } }, ['cart']],
    ['label/service_name/values', { query: { ...times, query: '{service_name="none"}' } }, []],
    ['series', { form: { ...times, 'match[]': '{service_name="cart"}' } }, [{ service_name: 'cart' }]],
  ])('%s %j is answered', async (path, request, data) => {
    const reply = await ask(`${base}/${path}`, request);
    expect(reply).toMatchObject({ status: 200, type: 'application/json', body: { status: 'success', data } });
  });

  test('lines come newest first, with their metadata apart where Grafana asks for it', async () => {
    const { body } = await ask(`${base}/query_range`, {
      query: {
        query: '{service_name="cart"} |= ``',
        ...{ direction: 'backward', limit: '2', step: '15000ms', ...times },
      },
      headers: grafana,
    });
    expect(body.data).toMatchObject({ resultType: 'streams', encodingFlags: ['categorize-labels'] });
    const [{ stream, values }] = body.data.result;
    expect(stream).toEqual({ service_name: 'cart' });
    expect(values.map(([time]: string[]) => BigInt(time) - BigInt(nano(30)))).toEqual([2n, 1n]);
    expect(values[0][1]).toMatch(/^cart line 2 /);
    expect(values[0][2].structuredMetadata).toMatchObject({ user_id: '7', detected_level: 'info' });
  });

  test('the histogram above the lines counts by level', async () => {
    const { body } = await ask(`${base}/query_range`, {
      query: {
        query:
          'sum by (level, detected_level) (count_over_time({service_name="cart"} |= `` | drop __error__[60s]))',
        ...{ start: nano(0), end: nano(0), step: '60000ms' },
      },
      headers: grafana,
    });
    expect(body.data).toMatchObject({
      resultType: 'matrix',
      result: [{ metric: { detected_level: 'info' }, values: [[now, '3']] }],
    });
  });

  const missing = [
    ...['index/stats', 'index/volume', 'index/volume_range', 'index/shards', 'patterns', 'detected_labels'],
    ...['detected_fields', 'format_query', 'tail', 'drilldown-limits', 'delete'],
  ].map((path) => `${base}/${path}`);
  test.each([...missing, '/loki/api/v2alpha/tail', '/api/prom/query'])(
    '%s is refused by name',
    async (path) => {
      expect(await ask(path, { query: { query: '{service_name="cart"}', ...times } })).toMatchObject({
        status: 501,
        type: 'text/plain',
        body: `${path} is not supported yet`,
      });
    },
  );

  test.each<[string, Ask, number, RegExp]>([
    [
      `${base}/push`,
      { method: 'POST', body: 'x', headers: { 'content-type': 'application/x-protobuf' } },
      400,
      /^the body is not valid snappy: /,
    ],
    [`${base}/push`, {}, 405, /use POST\n$/],
    [`${base}/query_range`, { query: { query: '{a="b"} | json' } }, 400, /"\| json" is not supported yet/],
    [`${base}/query`, { query: { query: '{a="b"}' } }, 400, /please change your query to a range query/],
    [`${base}/query_range`, { query: { query: '{a="b"}', limit: '5001' } }, 400, /5001 > 5000/],
    [`${base}/rules`, {}, 501, /LogQL rules are not supported yet/],
    [`${base}/nonsense`, { query: { query: '{a="b"}' } }, 404, /^there is no \/loki\/api\/v1\/nonsense: /],
    [`${base}/labels`, { method: 'PUT' }, 405, /use GET, HEAD, POST\n$/],
  ])('%s %j is refused with %i', async (path, request, status, text) => {
    expect(await ask(path, request)).toMatchObject({
      status,
      type: 'text/plain',
      body: expect.stringMatching(text),
    });
  });
});

describe('Tempo', () => {
  const protobuf = { accept: 'application/protobuf' };

  test('the health check is answered', async () => {
    expect(await ask('/tempo/api/echo')).toMatchObject({ status: 200, type: 'text/plain', body: 'echo' });
  });

  test('a trace is protobuf in both versions', async () => {
    const first = await ask(`/tempo/api/traces/${traceId}`, { headers: protobuf });
    const second = await ask(`/tempo/api/v2/traces/${traceId}`, { headers: protobuf });
    expect([first.type, second.type]).toEqual(['application/protobuf', 'application/protobuf']);
    const [{ scopeSpans }] = decodeTraceRequest(first.bytes).resourceSpans;
    expect(scopeSpans[0].spans[0].name).toBe('cart request');
    // TraceByIDResponse: the trace as field 1, and COMPLETE, which is 0 and not sent.
    expect(second.bytes.subarray(-first.bytes.length)).toEqual(first.bytes);
  });

  test.each(['/tempo/api/v2/traces/', '/tempo/api/traces/'])(
    'an unknown trace is 404 at %s, so that Grafana goes on',
    async (path) => {
      expect(await ask(path + unknownId, { headers: protobuf })).toMatchObject({
        status: 404,
        type: 'text/plain',
        body: `trace ${unknownId} not found`,
      });
    },
  );

  test.each<[string, Ask, number, unknown]>([
    ['/api/search', { query: { q: '{}' } }, 501, { error: expect.stringMatching(/is not supported yet$/) }],
    ['/api/v2/search/tags', {}, 501, { error: expect.stringMatching(/^a search by TraceQL/) }],
    ['/api/v2/search/tag/a/values', {}, 501, { error: expect.stringMatching(/^a search by TraceQL/) }],
    ['/api/metrics/query_range', {}, 501, { error: 'the API of TraceQL metrics is not supported yet' }],
    ['/api/v2/traces/diff', { method: 'POST' }, 501, { error: 'comparing traces is not supported yet' }],
    ['/api/traces/xyz', {}, 400, expect.stringMatching(/^a trace id has 1 to 32 hexadecimal digits/)],
    ['/api/nonsense', {}, 404, 'there is no /tempo/api/nonsense: the base path of the Tempo API is /tempo\n'],
    ['/api/echo', { method: 'POST' }, 405, 'POST is not a method of /tempo/api/echo: use GET, HEAD\n'],
  ])('%s %j is refused with %i', async (path, request, status, body) => {
    expect(await ask(`/tempo${path}`, request)).toMatchObject({ status, body });
  });
});

describe('Jaeger', () => {
  test.each<[string, unknown]>([
    ['/api/services', ['cart']],
    ['/api/services/cart/operations', ['cart request']],
    ['/api/operations?service=cart', [{ name: 'cart request', spanKind: 'server' }]],
    [`/api/traces/${traceId}?start=1&end=2`, [{ traceID: traceId }]],
  ])('%s is answered', async (path, data) => {
    expect(await ask(`/jaeger${path}`)).toMatchObject({ status: 200, body: { data, errors: null } });
  });

  test.each<[string, number, string]>([
    [`/api/traces/${unknownId}`, 404, 'trace not found'],
    ['/api/traces?service=cart', 501, 'searching traces is not supported yet'],
    ['/api/dependencies', 501, 'the dependency graph is not supported yet'],
    ['/api/v3/services', 501, "Jaeger's API v3 is not supported yet"],
    ['/api/nonsense', 404, 'there is no /jaeger/api/nonsense: the base path of the Jaeger API is /jaeger'],
  ])('%s is refused with %i', async (path, status, msg) => {
    expect(await ask(`/jaeger${path}`)).toMatchObject({
      status,
      body: { data: null, errors: [{ code: status, msg }] },
    });
  });
});

describe('Sonde', () => {
  const signals = '/sonde/api/v1/scaling/signals';
  test.each<[string, Ask, number, RegExp]>([
    ['/sonde/api/v1/nonsense', {}, 404, /there are \/sonde\/api\/v1\/scaling\/signals, /],
    [`${signals}/none`, {}, 404, /there is no scaling signal "none"/],
    [`${signals}/none`, { method: 'POST' }, 405, /use DELETE, GET, HEAD, PUT$/],
  ])('%s %j is refused with %i', async (path, request, status, error) => {
    expect(await ask(path, request)).toMatchObject({ status, body: { error: expect.stringMatching(error) } });
  });

  test('a path of no API is refused as text, with a way on', async () => {
    expect(await ask('/nonsense')).toMatchObject({
      status: 404,
      type: 'text/plain',
      body: 'there is no /nonsense: the page at / lists what is here\n',
    });
  });
});

const tenantPaths = [
  '/prometheus/api/v1/query?query=%7Bjob%3D~%22.%2B%22%7D',
  `/prometheus/api/v1/query_range?query=%7Bjob%3D~%22.%2B%22%7D&start=${now}&end=${now}&step=1`,
  '/prometheus/api/v1/labels?match[]=cart_requests_total',
  '/prometheus/api/v1/label/job/values',
  '/prometheus/api/v1/series?match[]=%7Bjob%3D~%22.%2B%22%7D',
  '/prometheus/api/v1/metadata',
  '/prometheus/api/v1/rules',
  '/prometheus/api/v1/alerts',
  '/prometheus/config/v1/rules',
  '/loki/api/v1/query_range?query=%7Bservice_name%3D~%22.%2B%22%7D',
  '/loki/api/v1/query?query=count_over_time(%7Bservice_name%3D~%22.%2B%22%7D[1h])',
  '/loki/api/v1/labels',
  '/loki/api/v1/label/service_name/values',
  '/loki/api/v1/series',
  `/tempo/api/traces/${traceId}`,
  `/tempo/api/v2/traces/${traceId}`,
  '/jaeger/api/services',
  '/jaeger/api/services/cart/operations',
  '/jaeger/api/operations?service=cart',
  `/jaeger/api/traces/${traceId}`,
  '/sonde/api/v1/scaling/signals',
];

describe('tenants', () => {
  test.each(tenantPaths)('%s shows each tenant its own', async (path) => {
    const [own, other, third] = await Promise.all(
      ['default', 'other', 'third'].map((tenant) => ask(path, { headers: { 'x-scope-orgid': tenant } })),
    );
    expect(own.bytes.toString()).not.toContain('secret');
    expect(other.bytes.toString()).not.toContain('cart');
    expect(third.bytes.toString()).not.toMatch(/secret|cart/);
  });

  const noTenantPaths = ['/loki/api/v1/status/buildinfo', '/tempo/api/echo', '/tempo/api/search'];
  test.each([...tenantPaths, ...noTenantPaths, '/prometheus/api/v1/status/buildinfo'])(
    '%s refuses a name that is none',
    async (path) => {
      const reply = await ask(path, { headers: { 'x-scope-orgid': 'a/b' } });
      expect(reply.status).toBe(400);
      expect(reply.bytes.toString()).toContain('the tenant in X-Scope-OrgID has a character');
    },
  );
});

describe('queries beyond all measure', () => {
  const text = (length: number) => `x{a="${'y'.repeat(length)}"}`;
  test.each<[string, Ask, number, RegExp]>([
    ['50 KiB in a URL', { query: { query: text(50_000) } }, 200, /^/],
    ['200 KiB in a URL', { query: { query: text(200_000) } }, 400, /more than 120000: shorten them/],
    ['300 KiB in a URL', { query: { query: text(300_000) } }, 431, /Exceeded maximum allowed HTTP header/],
    ['1 MB in a form', { form: { query: text(1_000_000) } }, 400, /longer than 262144 characters/],
    ['2 MB in a form', { form: { query: text(2_000_000) } }, 413, /body is too large/],
  ])('%s', async (_name, request, status, fact) => {
    const metrics = await ask('/prometheus/api/v1/query', request);
    const logs = await ask(
      '/loki/api/v1/query_range',
      JSON.parse(JSON.stringify(request).replace('x{', '{')),
    );
    expect([metrics.status, logs.status]).toEqual([status, status]);
    expect(metrics.bytes.toString()).toMatch(fact);
    expect(logs.bytes.toString()).toMatch(fact);
  });
});

/** More at once than the store has sessions and the PromQL engine runs: together they would outlast a test's time. */
const crowd = 60;

/** Starts slow queries; `leave` closes their connections. */
function startCrowd(path: string, form: Record<string, string>) {
  const controller = new AbortController();
  let endedCount = 0;
  const ends = Array.from({ length: crowd }, () =>
    ask(path, { form, signal: controller.signal }).then(
      () => endedCount++,
      () => undefined,
    ),
  );
  return {
    endedCount: () => endedCount,
    async leave() {
      controller.abort();
      await Promise.all(ends);
    },
  };
}

// An engine looks between blocks whether it is still wanted, and such a block takes it seconds.
test('slow log queries leave /ready alone, and end when their clients go', { timeout: 120_000 }, async () => {
  for (let i = 1; i <= pushCount; i++) await pushLines('default', 'cart', i * linesPerPush, linesPerPush);
  // Such patterns make RE2 fall back to its slowest way.
  const filters = Array.from({ length: 90 }, (_, i) => `!~ "[a-p].{${300 + i}}Z"`);
  const slow = startCrowd('/loki/api/v1/query', {
    query: `sum(count_over_time({service_name="cart"} ${filters.join(' ')} [1h]))`,
  });
  // More than once: the first may be ahead of the crowd.
  for (let i = 0; i < 3; i++) expect((await ask('/ready')).body).toBe('ready\n');
  expect((await ask('/prometheus/api/v1/query?query=1')).status).toBe(200);
  expect(slow.endedCount()).toBe(0);
  await slow.leave();
  expect((await ask('/loki/api/v1/labels')).body.data).toEqual(['service_name']);
  expect(sonde.output()).not.toContain('a log request failed');
});

test('slow metric queries leave the process responsive, and end when their clients go', async () => {
  const slow = startCrowd('/prometheus/api/v1/query_range', {
    query: 'quantile_over_time(0.5, vector(time())[1d:1s])',
    ...{ start: String(now - 10_000), end: String(now), step: '1' },
  });
  expect((await ask('/ready')).body).toBe('ready\n');
  expect(slow.endedCount()).toBe(0);
  await slow.leave();
  expect((await ask('/prometheus/api/v1/query?query=1')).status).toBe(200);
  expect(sonde.output()).not.toContain('a metric request failed');
});
