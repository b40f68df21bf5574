/**
 * Goal: whatever format telemetry is pushed in, it is read back by the query language of its kind.
 * Method: the real command with its embedded store; one push per format, one question each.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import snappy from 'snappyjs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeLokiPush } from '#test/support/naive/loki-proto.ts';
import { type SondeProcess, startSonde } from '#test/support/sonde-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-formats-'));
const nowMs = Date.now();
const nowNano = `${nowMs}123456`;
const traceId = '5b8efff798038103d269b633813fc60c';
let sonde: SondeProcess;

beforeAll(async () => {
  const freePorts = ['--port', '0', '--otlp-http-port', '0', '--otlp-grpc-port', '0'];
  sonde = await startSonde(['up', '--data', join(directory, 'data'), ...freePorts], {
    SONDE_AGENT_HOST_IS_READ: 'false',
    SONDE_AGENT_CONTAINERS_IS_MEASURED: 'false',
  });
});
afterAll(async () => {
  await sonde?.end('SIGTERM');
  rmSync(directory, { recursive: true, force: true });
});

async function push(
  url: string,
  body: string | Uint8Array,
  headers: Record<string, string> = { 'content-type': 'application/json' },
) {
  const response = await fetch(url, { method: 'POST', headers, body: body as Uint8Array<ArrayBuffer> });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

async function ask(path: string, params: Record<string, string> = {}) {
  const response = await fetch(`${sonde.apiUrl}${path}?${new URLSearchParams(params)}`);
  expect(response.status, `${path}: ${await response.clone().text()}`).toBe(200);
  // biome-ignore lint/suspicious/noExplicitAny: each API has its own shape.
  return (await response.json()) as any;
}

/** Streams with their lines, as `{labels} lines`. */
async function askLogs(
  query: string,
): Promise<{ stream: Record<string, string>; values: [string, string][] }[]> {
  return (await ask('/loki/api/v1/query_range', { query })).data.result;
}

async function askValue(query: string): Promise<string | undefined> {
  const { data } = await ask('/prometheus/api/v1/query', { query, time: String(nowMs / 1000 + 1) });
  return data.result[0]?.value[1];
}

const resource = (service: string) => ({
  attributes: [{ key: 'service.name', value: { stringValue: service } }],
});

test('OTLP/JSON logs, traces and metrics', async () => {
  const logs = {
    resourceLogs: [
      {
        resource: resource('json-logs'),
        scopeLogs: [{ logRecords: [{ timeUnixNano: nowNano, body: { stringValue: 'as JSON' } }] }],
      },
    ],
  };
  expect(await push(`${sonde.otlpUrl}/v1/logs`, JSON.stringify(logs))).toMatchObject({
    status: 200,
    text: '{}',
  });
  const [stream] = await askLogs('{service_name="json-logs"}');
  expect(stream!.values).toEqual([[nowNano, 'as JSON']]);

  const span = { traceId, spanId: 'EEE19B7EC3C1B174', name: 'from JSON', kind: 2 };
  const traces = {
    resourceSpans: [
      {
        resource: resource('json-spans'),
        scopeSpans: [{ spans: [{ ...span, startTimeUnixNano: nowNano, endTimeUnixNano: nowNano }] }],
      },
    ],
  };
  expect((await push(`${sonde.otlpUrl}/v1/traces`, JSON.stringify(traces))).status).toBe(200);
  expect(JSON.stringify(await ask(`/tempo/api/traces/${traceId}`))).toContain('from JSON');

  const metrics = {
    resourceMetrics: [
      {
        resource: resource('json-metrics'),
        scopeMetrics: [
          {
            metrics: [
              { name: 'json_gauge', gauge: { dataPoints: [{ timeUnixNano: nowNano, asInt: '42' }] } },
            ],
          },
        ],
      },
    ],
  };
  const gzipped = gzipSync(JSON.stringify(metrics));
  const headers = { 'content-type': 'application/json; charset=utf-8', 'content-encoding': 'GZIP' };
  expect((await push(`${sonde.otlpUrl}/v1/metrics`, gzipped, headers)).status).toBe(200);
  expect(await askValue('json_gauge')).toBe('42');
});

test('Loki push: what is pushed with labels is found by them, on both ports', async () => {
  const entry = [nowNano, 'hello from Loki', { order: '7', level: 'warn' }];
  const json = { streams: [{ stream: { app: 'shop', env: 'prod', pod_name: 'shop-1' }, values: [entry] }] };
  expect(await push(`${sonde.apiUrl}/loki/api/v1/push`, JSON.stringify(json))).toMatchObject({
    status: 204,
    text: '',
  });
  const protobuf = encodeLokiPush({
    streams: [
      {
        labels: '{app="cart", container_name="cart-c", note="a \\"b\\""}',
        entries: [{ timestamp: { seconds: Math.floor(nowMs / 1000), nanos: 5 }, line: 'by protobuf' }],
      },
    ],
  });
  const headers = { 'content-type': 'application/x-protobuf' };
  expect((await push(`${sonde.otlpUrl}/loki/api/v1/push`, snappy.compress(protobuf), headers)).status).toBe(
    204,
  );

  const [shop] = await askLogs('{app="shop", env=~"pro.*"} |= "hello"');
  expect(shop!.values).toEqual([[nowNano, 'hello from Loki']]);
  expect(shop!.stream).toMatchObject({
    app: 'shop',
    env: 'prod',
    pod_name: 'shop-1',
    service_name: 'shop',
    order: '7',
    detected_level: 'warn',
  });
  for (const query of [
    '{app="cart"}',
    '{container_name="cart-c"}',
    '{note="a \\"b\\""}',
    '{service_name="cart"}',
  ]) {
    expect((await askLogs(query))[0]?.values[0]?.[1], query).toBe('by protobuf');
  }
  expect(await askLogs('{app="nobody"}')).toEqual([]);
  const names = (await ask('/loki/api/v1/labels')).data;
  expect(names).toEqual(
    expect.arrayContaining(['app', 'container_name', 'env', 'note', 'pod_name', 'service_name']),
  );
  expect((await ask('/loki/api/v1/label/app/values')).data).toEqual(['cart', 'shop']);
  expect((await ask('/loki/api/v1/series', { 'match[]': '{app="shop"}' })).data).toEqual([
    { app: 'shop', env: 'prod', pod_name: 'shop-1', service_name: 'shop' },
  ]);
  const counts = (
    await ask('/loki/api/v1/query', { query: 'sum by (app) (count_over_time({app=~".+"}[1h]))' })
  ).data;
  expect(
    counts.result.map(({ metric, value }: { metric: object; value: unknown[] }) => [metric, value[1]]),
  ).toEqual(
    expect.arrayContaining([
      [{ app: 'shop' }, '1'],
      [{ app: 'cart' }, '1'],
    ]),
  );
});

test('Loki push of a stream with bad labels stores the others and says 400 in plain text', async () => {
  const json = {
    streams: [
      { stream: { 'not a name': 'x' }, values: [[nowNano, 'lost']] },
      { stream: { app: 'half' }, values: [[nowNano, 'kept']] },
    ],
  };
  const reply = await push(`${sonde.otlpUrl}/loki/api/v1/push`, JSON.stringify(json));
  expect(reply.status).toBe(400);
  expect(reply.text).toBe('streams[0]: error parsing labels: "not a name" is not a label name\n');
  expect((await askLogs('{app="half"}'))[0]!.values[0]![1]).toBe('kept');
  const metrics = await (await fetch(`${sonde.otlpUrl}/metrics`)).text();
  expect(metrics).toMatch(/^sonde_receive_rejections_total\{.*format="loki_json",reason="labels".*\} 1$/m);
});

test('Zipkin spans', async () => {
  const span = {
    traceId: 'a2fb4a1d1a96d312',
    id: 'a2fb4a1d1a96d312',
    name: 'get /api',
    kind: 'CLIENT',
    timestamp: nowMs * 1000,
    duration: 207000,
    localEndpoint: { serviceName: 'zipkin-frontend' },
    tags: { 'http.path': '/api', error: 'no route' },
  };
  expect((await push(`${sonde.otlpUrl}/api/v2/spans`, JSON.stringify([span]))).status).toBe(202);
  const found = JSON.stringify(await ask('/tempo/api/traces/0000000000000000a2fb4a1d1a96d312'));
  for (const text of ['get /api', 'zipkin-frontend', 'no route', '/api']) expect(found).toContain(text);
});

test('Influx lines, of both versions', async () => {
  const lines = `cpu,host=a usage=0.5,cores=4i,is_up=t,note="text" ${nowNano}\nlevel,host=a value=7 ${nowNano}`;
  const reply = await push(`${sonde.otlpUrl}/api/v2/write?bucket=b&org=o`, lines, {
    'content-type': 'text/plain',
  });
  expect(reply.status).toBe(204);
  expect(reply.headers.get('x-sonde-ignored-fields')).toBe('1');
  expect(await askValue('cpu_usage{host="a"}')).toBe('0.5');
  expect(await askValue('cpu_cores')).toBe('4');
  expect(await askValue('cpu_is_up')).toBe('1');
  expect(await askValue('level{host="a"}')).toBe('7');
  const v1 = `disk used=1 ${nowMs}\nbroken line here\n`;
  const partial = await push(`${sonde.otlpUrl}/write?db=telegraf&precision=ms`, v1, {});
  expect(partial).toMatchObject({
    status: 400,
    text: `{"error":"partial write: line 2: unable to parse 'broken line here': missing field value (refused: 1)"}`,
  });
  expect(await askValue('disk_used{db="telegraf"}')).toBe('1');
});

test('text that is SQL, NULs and quotes to the engine comes back as it was sent, in every place', async () => {
  const texts = [
    'x\n\ndrop table sonde.logs\n\n',
    '\0nul\0',
    "'; DROP TABLE logs; --",
    '\\x00\\\'"{}',
    '\n\n',
  ];
  const records = texts.map((text, i) => ({
    timeUnixNano: `${nowMs}${String(i).padStart(6, '0')}`,
    body: { stringValue: text },
    severityText: text,
    attributes: [{ key: 'hostile', value: { stringValue: text } }],
  }));
  const logs = {
    resourceLogs: [
      { resource: resource('hostile'), scopeLogs: [{ scope: { name: texts[0] }, logRecords: records }] },
    ],
  };
  expect((await push(`${sonde.otlpUrl}/v1/logs`, JSON.stringify(logs))).status).toBe(200);
  const streams = await askLogs('{service_name="hostile"}');
  const lines = streams.flatMap(({ values }) => values.map(([, line]) => line));
  expect(lines.toSorted()).toEqual(texts.toSorted());
  expect(streams.map(({ stream }) => stream.hostile).toSorted()).toEqual(texts.toSorted());
  const influx = `hostile,t='\\ OR\\ 1\\=1;DROP\\ TABLE\\ logs v=1 ${nowNano}`;
  expect((await push(`${sonde.otlpUrl}/write`, influx, {})).status).toBe(204);
  expect(await askValue(`hostile_v{t="' OR 1=1;DROP TABLE logs"}`)).toBe('1');
  expect((await askLogs('{app="shop"}'))[0]?.values).toHaveLength(1);
});
