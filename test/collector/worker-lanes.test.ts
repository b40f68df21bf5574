/**
 * Goal: several transcoding threads share pushed requests and Kafka runs, and each batch is stored once.
 * Method: a pipeline of two threads on the embedded store. What a thread did shows in the CPU time it has used.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPipeline, type Pipeline } from '#collector/pipeline.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';
import { encodeLogsRequest } from '#test/support/naive/otlp-proto.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-lanes-'));
const threads: Worker[] = [];
let store: Store;
let pipeline: Pipeline;

beforeAll(async () => {
  process.on('worker', (worker) => threads.push(worker));
  store = await openEmbeddedStore({ path: directory });
  await migrate(store);
  pipeline = createPipeline({
    store,
    workers: 2,
    inflightBytesMax: 64 * 1024 * 1024,
    group: { rowsMax: 250_000, ageMsMax: 20 },
    retentionMs: 0,
    now: Date.now,
  });
});
afterAll(async () => {
  await pipeline.close();
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const recordCount = 2000;
const logs = (body: string): Uint8Array =>
  encodeLogsRequest({
    resourceLogs: [
      {
        scopeLogs: [
          {
            logRecords: Array.from({ length: recordCount }, () => ({
              timeUnixNano: `${Date.now()}000000`,
              body: { stringValue: body },
            })),
          },
        ],
      },
    ],
  });
const request = (note: string) => ({ signal: 'logs' as const, tenant: 'default', note, bytes: logs(note) });

test('runs and pushed requests that come at once are shared by the threads, and stored once', async () => {
  const atStart = await Promise.all(threads.map((thread) => thread.cpuUsage()));
  const names = Array.from({ length: 12 }, (_, index) => `batch-${index}`);
  await Promise.all(
    names.map((name, index) =>
      index % 2 === 0 ? pipeline.insertRequest(request(name)) : pipeline.insertRun([request(name)], name),
    ),
  );
  expect(
    await store.rows("SELECT body, count() AS n FROM logs WHERE tenant != '' GROUP BY body"),
  ).toHaveLength(names.length);
  expect(await store.rows("SELECT count() AS n FROM logs WHERE tenant != ''")).toEqual([
    { n: String(names.length * recordCount) },
  ]);
  expect(threads).toHaveLength(2);
  for (const [index, thread] of threads.entries()) {
    const { user } = await thread.cpuUsage(atStart[index]);
    // Microseconds: a request costs several hundred, and a thread without work next to none.
    expect(user).toBeGreaterThan(500);
  }
});

test('runs alone are shared by the threads, too', async () => {
  const atStart = await Promise.all(threads.map((thread) => thread.cpuUsage()));
  await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      pipeline.insertRun([request(`run-${index}`)], `run-token-${index}`),
    ),
  );
  for (const [index, thread] of threads.entries()) {
    const { user } = await thread.cpuUsage(atStart[index]);
    expect(user).toBeGreaterThan(500);
  }
});

test('a batch that comes twice in a run is stored once, and the second counts as repeated', async () => {
  const outcomes = await pipeline.insertRun([request('double'), request('double')], 'double-token');
  expect(outcomes.map(({ accepted, repeated }) => [accepted, repeated])).toEqual([
    [recordCount, 0],
    [recordCount, recordCount],
  ]);
  expect(await store.rows("SELECT count() AS n FROM logs WHERE body = 'double'")).toEqual([
    { n: String(recordCount) },
  ]);
});
