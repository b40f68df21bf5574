/**
 * Goal: what the README promises a newcomer: one command, a demo beside it, five questions answered, and no line lost or
 * doubled when the process is killed in the middle.
 * Method: the real commands as processes on free ports; only the demo's pace is raised.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SondeProcess, startSonde } from '#test/support/sonde-process.ts';
import { verifySequences } from '../demo/verify.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-e2e-'));
const root = join(import.meta.dirname, '../..');
const ordersPerSecond = 40;
const patience = { timeout: 40_000, interval: 250 };
const webhookBodies: string[] = [];
const webhook = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    webhookBodies.push(Buffer.concat(chunks).toString());
    response.end();
  });
});
let sonde: SondeProcess;
let demo: ChildProcess;
let demoOutput = '';

async function startUp(ports: { api: string; http: string; grpc: string }): Promise<SondeProcess> {
  return startSonde(
    [
      'up',
      '--data',
      directory,
      '--port',
      ports.api,
      '--otlp-http-port',
      ports.http,
      '--otlp-grpc-port',
      ports.grpc,
    ],
    {
      SONDE_AGENT_SCRAPE_INTERVAL_MS: '1000',
      SONDE_AGENT_HOST_INTERVAL_MS: '1000',
      SONDE_TELEMETRY_INTERVAL_MS: '1000',
      SONDE_RULES_WEBHOOKS: `[http://127.0.0.1:${(webhook.address() as AddressInfo).port}/]`,
    },
  );
}

beforeAll(async () => {
  await once(webhook.listen(0, '127.0.0.1'), 'listening');
  sonde = await startUp({ api: '0', http: '0', grpc: '0' });
  demo = spawn(
    process.execPath,
    [
      'test/demo/fleet.ts',
      '--data',
      directory,
      '--otlp',
      sonde.otlpUrl,
      '--orders-per-second',
      String(ordersPerSecond),
      '--rotate-bytes',
      '60000',
    ],
    { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  demo.stdout!.on('data', (chunk: Buffer) => {
    demoOutput += chunk.toString();
  });
});
afterAll(async () => {
  demo?.kill('SIGKILL');
  await sonde?.end('SIGKILL');
  webhook.close();
  rmSync(directory, { recursive: true, force: true });
});

const getJson = async (path: string): Promise<unknown> => {
  const response = await fetch(`${sonde.apiUrl}${path}`);
  expect(response.status, `${path}: ${await response.clone().text()}`).toBe(200);
  return response.json();
};

interface VectorAnswer {
  readonly data: {
    readonly result: readonly { readonly metric: Record<string, string>; readonly value: [number, string] }[];
  };
}

async function instant(query: string): Promise<{ metric: Record<string, string>; value: number }[]> {
  const answer = (await getJson(
    `/prometheus/api/v1/query?query=${encodeURIComponent(query)}`,
  )) as VectorAnswer;
  return answer.data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
}

interface StreamsAnswer {
  readonly data: {
    readonly result: readonly {
      readonly stream: Record<string, string>;
      readonly values: [string, string][];
    }[];
  };
}

async function newestLine(
  query: string,
): Promise<{ stream: Record<string, string>; line: string } | undefined> {
  const answer = (await getJson(
    `/loki/api/v1/query_range?limit=1&query=${encodeURIComponent(query)}`,
  )) as StreamsAnswer;
  const found = answer.data.result[0];
  return found === undefined ? undefined : { stream: found.stream, line: found.values[0]![1] };
}

test('the banner says where it listens, what it tails and scrapes, and the URLs that come next', () => {
  const output = sonde.output();
  expect(output).toMatch(
    /receives +OTLP\/HTTP and remote write on http:\/\/127\.0\.0\.1:\d+, OTLP\/gRPC on 127/,
  );
  expect(output).toMatch(/tails +\d+ files/);
  expect(output).toMatch(/scrapes +/);
  for (const [name, path] of [
    ['Prometheus', '/prometheus'],
    ['Loki', ''],
    ['Tempo', '/tempo'],
  ]) {
    expect(output).toMatch(new RegExp(`${name} +${sonde.apiUrl}${path}\\n`));
  }
});

test('question 1: orders and declined orders a second', async () => {
  await expect
    .poll(
      async () => (await instant('sum by (code) (rate(http_requests_total{job="checkout"}[10s]))')).length,
      patience,
    )
    .toBe(2);
  await expect
    .poll(async () => {
      const rates = await instant('sum by (code) (rate(http_requests_total{job="checkout"}[10s]))');
      const rate = (code: string): number => rates.find(({ metric }) => metric.code === code)?.value ?? 0;
      const total = rate('201') + rate('402');
      return total > ordersPerSecond * 0.8 && total < ordersPerSecond * 1.2 && rate('402') / total;
    }, patience)
    .toBeCloseTo(0.1, 1);
});

test('questions 2 and 3: a declined payment with its stack trace, and its trace', async () => {
  await expect
    .poll(() => newestLine('{service_name="payments"} |= "PaymentDeclined"'), patience)
    .toBeDefined();
  const { line, stream } = (await newestLine('{service_name="payments"} |= "PaymentDeclined"'))!;
  expect(line.split('\n')).toHaveLength(5);
  expect(line).toContain('Caused by: java.net.SocketTimeoutException');
  expect(stream).toMatchObject({
    service_name: 'payments',
    k8s_namespace_name: 'shop',
    k8s_container_name: 'payments',
  });
  const traceId = /trace_id=([0-9a-f]{32})/.exec(line)![1]!;
  await expect
    .poll(async () => (await fetch(`${sonde.apiUrl}/tempo/api/traces/${traceId}`)).status, patience)
    .toBe(200);
  await expect
    .poll(async () => {
      const { batches } = (await getJson(`/tempo/api/traces/${traceId}`)) as { batches: unknown[] };
      const names = [
        ...JSON.stringify(batches).matchAll(/"name":"(POST \/orders|place order|charge card)"/g),
      ];
      return names.map(([, name]) => name).sort();
    }, patience)
    .toEqual(['POST /orders', 'charge card', 'place order']);
  expect(JSON.stringify(await getJson(`/tempo/api/traces/${traceId}`))).toContain('card declined');
});

test('question 4: every target is up, the OpenMetrics one too, and the host is read', async () => {
  await expect
    .poll(async () => {
      const up = await instant('up');
      return Object.fromEntries(up.map(({ metric, value }) => [metric.job, value]));
    }, patience)
    .toMatchObject({ checkout: 1, inventory: 1 });
  await expect.poll(async () => (await instant('node_memory_MemTotal_bytes')).length, patience).toBe(1);
});

test('question 5: replicas that checkout needs', async () => {
  const put = await fetch(`${sonde.apiUrl}/sonde/api/v1/scaling/signals/checkout`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      query: 'sum(rate(http_requests_total{job="checkout"}[10s]))',
      target: { type: 'average_value', value: 10 },
      min_replicas: 1,
      max_replicas: 10,
    }),
  });
  expect(put.status, await put.text()).toBe(201);
  await expect
    .poll(async () => {
      const path = '/sonde/api/v1/scaling/signals/checkout/value?current_replicas=2';
      const response = await fetch(`${sonde.apiUrl}${path}`);
      return response.ok
        ? ((await response.json()) as { desired_replicas: number }).desired_replicas
        : undefined;
    }, patience)
    .toBe(ordersPerSecond / 10);
});

test('an alerting rule posted by API fires to a webhook', async () => {
  const post = await fetch(`${sonde.apiUrl}/prometheus/config/v1/rules/shop`, {
    method: 'POST',
    headers: { 'content-type': 'application/yaml' },
    body: `name: payments
interval: 1s
rules:
  - alert: PaymentsDeclined
    expr: sum(rate(http_requests_total{code="402"}[10s])) > 0
    labels: { severity: page }
    annotations: { summary: 'declined: {{ $value }}' }
`,
  });
  expect(post.status, await post.text()).toBe(202);
  await expect.poll(() => webhookBodies.length, patience).toBeGreaterThan(0);
  expect(JSON.parse(webhookBodies[0]!)).toMatchObject({
    status: 'firing',
    alerts: [{ labels: { alertname: 'PaymentsDeclined', severity: 'page' } }],
  });
});

test('Sonde watches itself: /metrics in the text format, readiness, and liveness', async () => {
  const metrics = await (await fetch(`${sonde.apiUrl}/metrics`)).text();
  expect(metrics).toMatch(/^sonde_store_rows_total\{.*table="logs".*\} \d+/m);
  expect(await (await fetch(`${sonde.apiUrl}/ready`)).text()).toBe('ready\n');
  expect(await (await fetch(`${sonde.apiUrl}/live`)).text()).toBe('live\n');
});

test('kill -9 in the middle, then a restart: every numbered record is there once', async () => {
  const ports = {
    api: new URL(sonde.apiUrl).port,
    http: new URL(sonde.otlpUrl).port,
    grpc: sonde.grpcAddress.split(':').at(-1)!,
  };
  for (let round = 0; round < 2; round++) {
    await sonde.end('SIGKILL');
    sonde = await startUp(ports);
  }
  demo.kill('SIGTERM');
  await once(demo, 'exit');
  const written = Object.fromEntries(
    [...demoOutput.matchAll(/(\w+)=(\d+)/g)].map(([, name, count]) => [name, count]),
  );
  expect(Number(written.web)).toBeGreaterThan(100);
  await expect
    .poll(async () => {
      const reports = await verifySequences(sonde.apiUrl);
      return Object.fromEntries(
        reports.map(({ service, records, missing, repeated }) => [
          service,
          `${records} -${missing} +${repeated}`,
        ]),
      );
    }, patience)
    .toEqual(
      Object.fromEntries(
        ['web', 'checkout', 'payments', 'inventory'].map((service) => [service, `${written[service]} -0 +0`]),
      ),
    );
});

test('a first signal drains, says what was stored, and exits 0', async () => {
  expect(await sonde.end('SIGTERM')).toBe(0);
  expect(sonde.output()).toMatch(/stopped after \d+ s: read \d+ lines .*stored \d+ records/);
});
