/**
 * Goal: a full disk costs nothing that was acknowledged: senders are told to come again, everything else answers, and
 * storing goes on by itself when there is room, be it made by a person or by retention.
 * Method: the real command on a small tmpfs; numbered log records over OTLP/HTTP, counted in the store at the end.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import type { StoreStatus } from '#store/operations/store-status.ts';
import { encodeLogsRequest } from '#test/support/naive/otlp-proto.ts';
import { mountSmallDisk } from '#test/support/small-disk.ts';
import { type SondeProcess, startSonde } from '#test/support/sonde-process.ts';

const recordsPerRequest = 1000;
const mebibyte = 1024 ** 2;
const dayMs = 86_400_000;
const freePorts = ['--port', '0', '--otlp-http-port', '0', '--otlp-grpc-port', '0'];
const environment = {
  SONDE_AGENT_HOST_IS_READ: 'false',
  SONDE_AGENT_CONTAINERS_IS_MEASURED: 'false',
  SONDE_TELEMETRY_IS_PUSHED: 'false',
  SONDE_STORE_SWEEP_INTERVAL_MS: '200',
};
/** Storing dozens of megabytes takes its time on a busy machine. */
const timeout = 120_000;
const disk = mountSmallDisk(112);

let sonde: SondeProcess | undefined;
let requestCount = 0;
/** Numbers of the requests that were answered 200. */
const acknowledged = new Set<number>();

afterAll(async () => {
  await sonde?.end('SIGKILL');
  disk?.unmount();
});

async function start(more: Record<string, string>, args: readonly string[] = []): Promise<SondeProcess> {
  const data = ['up', '--data', disk?.path ?? '', ...freePorts, ...args];
  sonde = await startSonde(data, { ...environment, ...more });
  return sonde;
}

/** A kilobyte that no codec makes much smaller. */
function bodyOf(request: number, record: number): string {
  const noise = crypto.getRandomValues(new Uint8Array(768));
  return `request=${request} record=${record} ${Buffer.from(noise).toString('base64')}`;
}

async function send(request: number, bytes: Uint8Array): Promise<Response> {
  const response = await fetch(`${sonde?.otlpUrl}/v1/logs`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body: new Blob([new Uint8Array(bytes)]),
  });
  await response.arrayBuffer();
  if (response.status === 200) acknowledged.add(request);
  return response;
}

function makeRequest(timeMs: number): { request: number; bytes: Uint8Array } {
  const request = requestCount++;
  const logRecords = Array.from({ length: recordsPerRequest }, (_, record) => ({
    timeUnixNano: String(BigInt(timeMs) * 1_000_000n + BigInt(record)),
    body: { stringValue: bodyOf(request, record) },
  }));
  const attributes = [{ key: 'service.name', value: { stringValue: 'filler' } }];
  const bytes = encodeLogsRequest({
    resourceLogs: [{ resource: { attributes }, scopeLogs: [{ logRecords }] }],
  });
  return { request, bytes };
}

/** Sends until one is refused, and returns that one. */
async function sendUntilRefused(
  timeMs: number,
): Promise<{ request: number; bytes: Uint8Array; refusal: Response }> {
  for (let count = 0; count < 1000; count++) {
    const made = makeRequest(timeMs);
    const refusal = await send(made.request, made.bytes);
    if (refusal.status !== 200) return { ...made, refusal };
  }
  throw new Error('a thousand requests fitted');
}

/** Polled, because a query that meets a merge which the full disk has spoilt fails until the next sweep. */
async function expectOthersAnswer(): Promise<void> {
  for (const path of ['/live', '/ready', '/metrics', '/sonde/api/v1/store/status', '/loki/api/v1/labels']) {
    const answer = async (): Promise<string> => {
      const response = await fetch(`${sonde?.apiUrl}${path}`);
      return response.ok ? 'ok' : `${path} ${response.status} ${await response.text()}`;
    };
    await expect.poll(answer, { timeout: 20_000, interval: 200 }).toBe('ok');
  }
}

/** As a sender does: again after each refusal. */
async function sendUntilTaken({ request, bytes }: { request: number; bytes: Uint8Array }): Promise<void> {
  await expect
    .poll(async () => (await send(request, bytes)).status, { timeout: 60_000, interval: 200 })
    .toBe(200);
}

/** Rows of `logs`, as the running process says: each request leaves a note beside its records. */
async function storedRows(): Promise<number | undefined> {
  const response = await fetch(`${sonde?.apiUrl}/sonde/api/v1/store/status`);
  const { status } = (await response.json()) as { status: StoreStatus };
  return status.tables.find(({ table }) => table === 'logs')?.rows;
}

// Only root may mount a disk of its own: small-disk.ts says loudly where none can be.
describe.skipIf(disk === undefined)('a full disk', { timeout }, () => {
  const small = disk as NonNullable<typeof disk>;
  const nowMs = Date.now();
  const oldMs = nowMs - 5 * dayMs;

  beforeAll(async () => {
    await start({ SONDE_STORE_DISK_FREE_BYTES_MIN: String(16 * mebibyte) });
    small.fill('foreign', 48 * mebibyte);
  });

  test('below the reserve senders are told to come again, and a person who makes room is enough', async () => {
    const refused = await sendUntilRefused(oldMs);
    expect(refused.refusal.status).toBe(503);
    expect(Number(refused.refusal.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(acknowledged.size).toBeGreaterThan(2);
    expect(small.freeBytes()).toBeGreaterThan(10 * mebibyte);
    await expectOthersAnswer();

    small.remove('foreign');
    await sendUntilTaken(refused);
    expect(await storedRows()).toBe(acknowledged.size * (recordsPerRequest + 1));
  });

  test('to the last byte: refused, readable, and stopped in good order', async () => {
    small.fill('foreign');
    expect(small.freeBytes()).toBe(0);
    const { refusal } = await sendUntilRefused(nowMs);
    expect(refusal.status).toBe(503);
    await expectOthersAnswer();
    expect(await storedRows()).toBe(acknowledged.size * (recordsPerRequest + 1));
    expect(await sonde?.end('SIGTERM')).toBe(0);
  });

  test('a start on it works, and retention makes room by itself', async () => {
    await start({ SONDE_STORE_DISK_FREE_BYTES_MIN: String(mebibyte) }, ['--retention', '2d']);
    await sendUntilTaken(makeRequest(nowMs));
    await expectOthersAnswer();
    expect(sonde?.output()).toContain('partitions were dropped');
    expect(await sonde?.end('SIGTERM')).toBe(0);
  });

  test('what was acknowledged and is not expired is there, once', async () => {
    const store = await openEmbeddedStore({ path: `${small.path}/clickhouse`, diskFreeBytesMin: 0 });
    const rows = await store.rows<{ request: number; n: string; distinct: string }>(
      `SELECT toUInt32(extract(body, 'request=(\\\\d+)')) AS request, count() AS n, uniqExact(body) AS distinct
       FROM logs WHERE tenant != '' GROUP BY request ORDER BY request`,
    );
    await store.close();
    const last = Math.max(...acknowledged);
    expect(rows).toEqual([
      { request: last, n: String(recordsPerRequest), distinct: String(recordsPerRequest) },
    ]);
  });
});
