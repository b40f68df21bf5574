/**
 * Goal: a pending run that is repeated after the engine has forgotten its token is looked up in the table, not doubled.
 * Method: the real engine with a memory of two tokens, and the pipeline as the consumer calls it; the same with notes left
 * out (as on a cluster of shards) shows that the engine has indeed forgotten.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ConsumerCounters } from '#collector/kafka/consumer-counters.ts';
import { MessageReader } from '#collector/kafka/message-reader.ts';
import { insertOpened } from '#collector/kafka/run-insertion.ts';
import { createPipeline, type Pipeline } from '#collector/pipeline.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';
import { encodeLogsRequest } from '#test/support/naive/otlp-proto.ts';
import { createConverterPool } from '#wire/conversion/converter-pool.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-outlived-'));
const pipelines: Pipeline[] = [];
const nowMs = Date.now();
const reader = new MessageReader({
  pool: createConverterPool(),
  bodyBytesMax: 1_000_000,
  isTextTaken: false,
});
let store: Store;

beforeAll(async () => {
  store = await openEmbeddedStore({ path: directory });
  await migrate(store);
  await store.exec('ALTER TABLE logs MODIFY SETTING non_replicated_deduplication_window = 2');
});
afterAll(async () => {
  await reader.close();
  for (const pipeline of pipelines) await pipeline.close();
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

function openPipeline(hasShards: boolean): Pipeline {
  const pipeline = createPipeline({
    store,
    workers: 1,
    inflightBytesMax: 1024 * 1024,
    group: { rowsMax: 250_000, ageMsMax: 20 },
    hasShards,
    retentionMs: 0,
    now: () => nowMs,
  });
  pipelines.push(pipeline);
  return pipeline;
}

/** A run of two messages with two records each, as a repeat of it would be. */
async function insert(pipeline: Pipeline, service: string, first: number) {
  const counters = new ConsumerCounters();
  const messages = [first, first + 1].map((offset) => ({
    offset,
    timestampMs: nowMs,
    key: null,
    value: Buffer.from(
      encodeLogsRequest({
        resourceLogs: [
          {
            resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
            scopeLogs: [
              {
                logRecords: [0, 1].map((index) => ({
                  timeUnixNano: `${nowMs}000000`,
                  body: { stringValue: `${offset}.${index}` },
                })),
              },
            ],
          },
        ],
      }),
    ),
    headers: {},
  }));
  const range = { first, last: first + 1 };
  const place = { signal: 'logs', topic: service, partition: 0 } as const;
  await insertOpened(
    place,
    range,
    { messages, deadLetters: [] },
    { insertRun: pipeline.insertRun, reader, counters },
  );
  const { accepted, repeated } = counters.totals();
  return { accepted, repeated };
}

async function stored(service: string): Promise<number> {
  const [row] = await store.rows<{ n: string }>(
    "SELECT count() AS n FROM logs WHERE tenant != '' AND service = {service:String}",
    { params: { service } },
  );
  return Number(row!.n);
}

test.each([
  { name: 'is left out by the notes in the table, and counted', hasShards: false, rows: 4, repeated: 4 },
  { name: 'would be there twice without notes', hasShards: true, rows: 8, repeated: 0 },
])('a run whose token was forgotten $name', async ({ hasShards, rows, repeated }) => {
  const pipeline = openPipeline(hasShards);
  const service = `outlived-${hasShards}`;
  expect(await insert(pipeline, service, 0)).toEqual({ accepted: 4, repeated: 0 });
  // While the engine remembers, a repeat changes nothing either way.
  await insert(pipeline, service, 0);
  expect(await stored(service)).toBe(4);
  for (let other = 0; other < 4; other++) await insert(pipeline, `${service}-other`, other * 2);
  expect(await insert(pipeline, service, 0)).toEqual({ accepted: 4, repeated });
  expect(await stored(service)).toBe(rows);
});
