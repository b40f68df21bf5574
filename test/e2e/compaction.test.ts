/**
 * Goal: a process compacts by itself what was written to it, and answers the same before, while and after it does.
 * Method: remote write of old samples, a kill -9 as soon as the first window is done, and a restart.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import snappy from 'snappyjs';
import { afterAll, expect, test } from 'vitest';
import { encodeRemoteWrite2 } from '#test/support/naive/prometheus-proto.ts';
import { type SondeProcess, startSonde } from '#test/support/sonde-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-compaction-'));
let sonde: SondeProcess | undefined;

afterAll(async () => {
  await sonde?.end('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

function start(): Promise<SondeProcess> {
  const ports = ['--port', '0', '--otlp-http-port', '0', '--otlp-grpc-port', '0'];
  return startSonde(['up', '--data', directory, '--retention', '0', ...ports], {
    SONDE_AGENT_HOST_IS_READ: 'false',
    SONDE_AGENT_CONTAINERS_IS_MEASURED: 'false',
    SONDE_STORE_COMPACTION_INTERVAL: '1s',
  });
}

const minute = 60;
const begin = 1_000_000_800;
const sampleCount = 12 * 60;

/** Twelve hours of a counter at one sample a minute, in six windows; `less` makes it another request. */
async function write(apiUrl: string, less: number): Promise<void> {
  const samples = Array.from({ length: sampleCount }, (_, index) => ({
    value: index * 3 - less,
    timestamp: (begin + index * minute) * 1000,
  }));
  const bytes = encodeRemoteWrite2({
    symbols: ['', '__name__', 'orders_total', 'job', 'shop'],
    timeseries: [{ labelsRefs: [1, 2, 3, 4], samples }],
  });
  const response = await fetch(`${apiUrl}/api/v1/write`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
    body: snappy.compress(bytes) as Uint8Array<ArrayBuffer>,
  });
  expect(response.status).toBe(204);
}

async function range(apiUrl: string, query: string): Promise<unknown> {
  const end = begin + (sampleCount - 1) * minute;
  const parameters = new URLSearchParams({ query, start: `${begin}`, end: `${end}`, step: '60' });
  const response = await fetch(`${apiUrl}/api/v1/query_range?${parameters}`);
  return ((await response.json()) as { data: { result: unknown } }).data.result;
}

test('old windows are compacted by themselves, across a kill, and answers stay', async () => {
  sonde = await start();
  await write(sonde.apiUrl, 0);
  const before = await range(sonde.apiUrl, 'orders_total');
  const values = Array.from({ length: sampleCount }, (_, i) => [begin + i * minute, String(i * 3)]);
  expect(before).toEqual([{ metric: { __name__: 'orders_total', job: 'shop' }, values }]);
  await expect.poll(() => sonde!.output(), { timeout: 20_000 }).toContain('samples were compacted');
  await sonde.end('SIGKILL');

  sonde = await start();
  expect(await range(sonde.apiUrl, 'orders_total')).toEqual(before);
  // The head is empty of them once the last window is done.
  await expect
    .poll(() => sonde!.output(), { timeout: 20_000 })
    .toMatch(/2001-09-09T12:00:00.*samples were compacted/);
  expect(await range(sonde.apiUrl, 'orders_total')).toEqual(before);
  // Late samples with the times of those that are there, and lower: they lose.
  await write(sonde.apiUrl, 1);
  const lateCount = () => sonde!.output().split('"isLate":true').length - 1;
  await expect.poll(lateCount, { timeout: 20_000 }).toBeGreaterThanOrEqual(6);
  expect(await range(sonde.apiUrl, 'orders_total')).toEqual(before);
  expect(sonde.output()).not.toContain('compacting samples failed');
}, 90_000);
