/**
 * Goal: with retention 0, samples of any age since 1970 are stored and answered; a second signal stops at once.
 * Method: remote write, versions 1.0 and 2.0, to the API's port as to a Prometheus.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import snappy from 'snappyjs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeRemoteWrite1, encodeRemoteWrite2 } from '#test/support/naive/prometheus-proto.ts';
import { type SondeProcess, startSonde } from '#test/support/sonde-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-backfill-'));
let sonde: SondeProcess;

beforeAll(async () => {
  sonde = await startSonde(
    [
      ...['up', '--data', directory, '--retention', '0'],
      ...['--port', '0', '--otlp-http-port', '0', '--otlp-grpc-port', '0'],
    ],
    { SONDE_AGENT_HOST_IS_READ: 'false', SONDE_AGENT_CONTAINERS_IS_MEASURED: 'false' },
  );
});
afterAll(async () => {
  await sonde?.end('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

async function write(path: string, bytes: Uint8Array): Promise<number> {
  const response = await fetch(`${sonde.apiUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
    body: snappy.compress(bytes) as Uint8Array<ArrayBuffer>,
  });
  return response.status;
}

async function range(query: string, start: number, end: number, step: number): Promise<unknown> {
  const parameters = new URLSearchParams({ query, start: `${start}`, end: `${end}`, step: `${step}` });
  const response = await fetch(`${sonde.apiUrl}/api/v1/query_range?${parameters}`);
  return ((await response.json()) as { data: { result: unknown } }).data.result;
}

test('samples from 1970 on are stored, over as many partitions as they need', async () => {
  const day = 86_400;
  const bytes = encodeRemoteWrite2({
    symbols: ['', '__name__', 'ancient', 'job', 'test'],
    timeseries: [
      {
        labelsRefs: [1, 2, 3, 4],
        samples: Array.from({ length: 300 }, (_, index) => ({ value: index, timestamp: index * day * 1000 })),
      },
    ],
  });
  expect(await write('/api/v1/write', bytes)).toBe(204);
  expect(await range('ancient', 0, 2 * day, day)).toEqual([
    {
      metric: { __name__: 'ancient', job: 'test' },
      values: [
        [0, '0'],
        [day, '1'],
        [2 * day, '2'],
      ],
    },
  ]);
  expect(await range('count_over_time(ancient[300d])', 300 * day, 300 * day, 1)).toMatchObject([
    { values: [[300 * day, '299']] },
  ]);
});

test('remote write 1.0 is taken under the other prefix, and stale markers end a series', async () => {
  const staleMarker = Buffer.from('020000000000f07f', 'hex').readDoubleLE();
  const bytes = encodeRemoteWrite1({
    timeseries: [
      {
        labels: [{ name: '__name__', value: 'short_lived' }],
        samples: [
          { value: 7, timestamp: 1_000_000 },
          { value: staleMarker, timestamp: 1_060_000 },
        ],
      },
    ],
  });
  expect(await write('/prometheus/api/v1/write', bytes)).toBe(204);
  expect(await range('short_lived', 1000, 1090, 30)).toEqual([
    {
      metric: { __name__: 'short_lived' },
      values: [
        [1000, '7'],
        [1030, '7'],
      ],
    },
  ]);
});

test('a first signal waits for a request under way, a second one exits at once', async () => {
  // Its body never comes: the drain has something to wait for until its grace is over.
  const { hostname, port } = new URL(sonde.otlpUrl);
  const stalled = connect(Number(port), hostname);
  stalled.on('error', () => undefined);
  await once(stalled, 'connect');
  stalled.write(
    'POST /v1/logs HTTP/1.1\r\nhost: sonde\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100\r\n\r\n0',
  );
  // The server reads connections in turn: once this is answered, it has the stalled request too.
  expect((await fetch(`${sonde.otlpUrl}/live`)).status).toBe(200);
  sonde.child.kill('SIGINT');
  await expect
    .poll(() => sonde.output(), { timeout: 10_000 })
    .toContain('draining; once more to stop at once');
  expect(sonde.child.exitCode).toBe(null);
  expect(await sonde.end('SIGINT')).toBe(130);
  expect(sonde.output()).not.toContain('stopped after');
  stalled.destroy();
});
