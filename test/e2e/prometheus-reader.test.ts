/**
 * Goal: a real Prometheus that reads from Sonde finds there what Sonde itself answers.
 * Method: Debian's Prometheus, empty, with remote_read on our API; the same range queries to both. It asks for streamed
 * chunks; the other form of reply, samples, is decoded by protobufjs.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import snappy from 'snappyjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort, hasTool, type RunningTool, startTool } from '#test/support/debian-tool.ts';
import { eventually } from '#test/support/eventually.ts';
import { decodeReadResponse, encodeReadRequest } from '#test/support/naive/prometheus-proto.ts';
import { dataNow, dataStart, goldenData } from '../query/api/golden/golden-data.ts';
import { storeRemoteWrite } from '../query/api/golden/store-remote-write.ts';
import { createPrometheusApp } from '../query/api/prometheus-app.ts';
import { openTestStore, type TestStore } from '../query/sql/open-test-store.ts';

let opened: TestStore;
let app: FastifyInstance;
let base = '';

beforeAll(async () => {
  opened = await openTestStore();
  await storeRemoteWrite(opened.store, goldenData, dataNow * 1000);
  // Some samples are chunks already, and a series has more of them than one chunk of Prometheus holds.
  await opened.store.exec(`INSERT INTO series (tenant, metric, id, labels, t_min, t_max) VALUES
    ('default', 'long_total', 77, map('job', 'long'), ${dataStart}, ${dataStart + 7200})`);
  await opened.store.exec(`INSERT INTO samples_chunk SELECT 'default', 'long_total', ${dataStart}, 77,
    arrayMap(i -> fromUnixTimestamp64Milli(toInt64(${dataStart} + i) * 1000 + i % 3, 'UTC'), range(500)),
    arrayMap(i -> i * 1.25, range(500))`);
  app = createPrometheusApp({ store: opened.store, nowMs: dataNow * 1000 });
  base = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await app?.close();
  await opened?.[Symbol.asyncDispose]();
});

const queries = [
  'up',
  'http_requests_total',
  'long_total',
  'odd_values',
  '{__name__=~".+_total", job!=""}',
  '{job=~"api|web", code!~"5.."}',
  'sum by (job) (rate(http_requests_total[1m]))',
  'rate(long_total[30s])',
  'increase(http_requests_total{code="500"}[2m])',
  'max_over_time(long_total[1m:10s] offset 30s)',
  'count by (job) ({job!="", __name__!~"latency|sizes"})',
  'absent(up{job="none"})',
  'http_requests_total / on (job) group_left () sum by (job) (http_requests_total)',
  'topk(2, http_requests_total)',
  'quantile(0.5, http_requests_total)',
  'stddev_over_time(long_total[2m])',
  'changes(up[5m])',
  'resets(http_requests_total[5m])',
  'deriv(long_total[1m])',
  'label_replace(up, "host", "$1", "instance", "(.*):.*")',
];

describe.skipIf(!hasTool('prometheus', 'prometheus'))('Prometheus as a remote reader', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sonde-reader-'));
  let prometheus: RunningTool;
  let prometheusUrl = '';

  beforeAll(async () => {
    const port = await freePort();
    prometheusUrl = `http://127.0.0.1:${port}`;
    writeFileSync(
      join(directory, 'prometheus.yml'),
      JSON.stringify({ remote_read: [{ url: `${base}/prometheus/api/v1/read`, read_recent: true }] }),
    );
    prometheus = startTool(
      'prometheus',
      [
        `--config.file=${join(directory, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(directory, 'tsdb')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      directory,
    );
    await eventually(
      async () =>
        (await fetch(`${prometheusUrl}/-/ready`).then(
          ({ ok }) => ok,
          () => false,
        )) || undefined,
      () => prometheus.output().slice(-500),
    );
  });
  afterAll(async () => {
    await prometheus?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Debian's Prometheus is older than our arithmetic: the last digits differ, and it writes no -0. */
  const rounded = (value: string) =>
    Number.isFinite(Number(value)) ? String(Number(Number(value).toPrecision(12)) + 0) : value;

  async function ask(url: string, query: string): Promise<string[]> {
    // No step falls on a sample: before version 3, windows took the samples of both their ends.
    const range = { start: String(dataStart - 60.5), end: String(dataNow + 60), step: '17' };
    const answer = await fetch(`${url}/api/v1/query_range?${new URLSearchParams({ query, ...range })}`);
    const { data, error } = (await answer.json()) as {
      data?: { result: { metric: Record<string, string>; values: [number, string][] }[] };
      error?: string;
    };
    if (data === undefined) throw new Error(`${query}: ${error}`);
    return data.result
      .map(
        ({ metric, values }) =>
          `${JSON.stringify(Object.entries(metric).sort())} ${values.map(([time, value]) => `${time} ${rounded(value)}`)}`,
      )
      .sort();
  }

  test.each(queries)('%s', async (query) => {
    const theirs = await ask(prometheusUrl, query);
    expect(theirs.length).toBeGreaterThan(0);
    expect(theirs).toEqual(await ask(`${base}/prometheus`, query));
  });
});

interface Samples {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly (readonly [timeMs: number, value: number])[];
}

async function read(request: object): Promise<Response> {
  return fetch(`${base}/api/v1/read`, {
    method: 'POST',
    headers: { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' },
    body: Buffer.from(snappy.compress(encodeReadRequest(request as never))),
  });
}

test('a reader that does not know chunks gets samples, inclusive of both ends and sorted by labels', async () => {
  const response = await read({
    queries: [
      {
        startTimestampMs: (dataStart + 15) * 1000,
        endTimestampMs: (dataStart + 30) * 1000,
        matchers: [{ type: 0, name: '__name__', value: 'http_requests_total' }],
      },
      { startTimestampMs: 0, endTimestampMs: 1, matchers: [{ type: 2, name: 'job', value: '.+' }] },
    ],
  });
  expect([
    response.status,
    response.headers.get('content-type'),
    response.headers.get('content-encoding'),
  ]).toEqual([200, 'application/x-protobuf', 'snappy']);
  const plain = snappy.uncompress(new Uint8Array(await response.arrayBuffer()));
  const { results } = decodeReadResponse(plain) as unknown as {
    results: {
      timeseries?: {
        labels: { name: string; value: string }[];
        samples: { value: number; timestamp: string }[];
      }[];
    }[];
  };
  const found: Samples[] = results[0]!.timeseries!.map(({ labels, samples }) => ({
    labels: Object.fromEntries(labels.map(({ name, value }) => [name, value])),
    samples: samples.map(({ value, timestamp }) => [Number(timestamp) - dataStart * 1000, value]),
  }));
  const __name__ = 'http_requests_total';
  expect(found).toEqual([
    {
      labels: { __name__, code: '200', job: 'api' },
      samples: [
        [15_000, 30],
        [30_000, 60],
      ],
    },
    {
      labels: { __name__, code: '200', job: 'web' },
      samples: [
        [15_000, 7.5],
        [30_000, 15],
      ],
    },
    {
      labels: { __name__, code: '500', job: 'api' },
      samples: [
        [15_000, 1],
        [30_000, 2],
      ],
    },
  ]);
  expect(results[1]!.timeseries ?? []).toEqual([]);
});

test('native histograms are samples of their own', async () => {
  const response = await read({
    queries: [
      {
        startTimestampMs: dataStart * 1000,
        endTimestampMs: dataStart * 1000,
        matchers: [{ type: 2, name: '__name__', value: 'latency|sizes' }],
      },
    ],
  });
  const plain = snappy.uncompress(new Uint8Array(await response.arrayBuffer()));
  const { results } = decodeReadResponse(plain) as unknown as {
    results: { timeseries: { histograms: object[] }[] }[];
  };
  expect(results[0]!.timeseries.map(({ histograms }) => histograms)).toMatchObject([
    [
      {
        countFloat: 11,
        sum: 30.5,
        schema: 1,
        zeroThreshold: 0.001,
        zeroCountFloat: 2,
        positiveSpans: [{ length: 2 }, { offset: 1, length: 2 }],
        positiveCounts: [1, 2, 1, 3],
        negativeCounts: [2],
      },
    ],
    [{ countFloat: 4.5, schema: -53, positiveCounts: [1, 2, 1.5], customValues: [1, 5] }],
  ]);
});

test.each([
  { name: 'what is not snappy', body: Buffer.from('nonsense'), fact: /snappy/ },
  {
    name: 'what is no request',
    body: Buffer.from(snappy.compress(Uint8Array.of(0xff, 0xff))),
    fact: /varint/,
  },
  {
    name: 'a bad pattern',
    body: Buffer.from(
      snappy.compress(
        encodeReadRequest({ queries: [{ matchers: [{ type: 2, name: 'a', value: '(' }] }] } as never),
      ),
    ),
    fact: /missing/,
  },
  {
    name: 'a response type that we do not have',
    body: Buffer.from(snappy.compress(encodeReadRequest({ acceptedResponseTypes: [7] } as never))),
    fact: /does not support any of the requested response types/,
  },
])('$name is refused in plain text', async ({ body, fact }) => {
  const response = await fetch(`${base}/api/v1/read`, { method: 'POST', body });
  expect([response.status, response.headers.get('content-type')]).toEqual([400, 'text/plain; charset=utf-8']);
  expect(await response.text()).toMatch(fact);
});
