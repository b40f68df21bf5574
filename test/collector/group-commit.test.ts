/**
 * Goal: a sender's request never makes another one's refused: where two do not fit into one block, both are stored, and
 * only what does not fit alone is refused.
 * Method: requests that are innocent each, and together have more colliding dictionary keys than a block may hold; the
 * real workers and the real embedded store.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDirectSink } from '#collector/direct-sink.ts';
import { insertWithMisfits } from '#collector/kafka/misfit-runs.ts';
import { createPipeline, type Pipeline, type PipelineOptions } from '#collector/pipeline.ts';
import type { RunRequest } from '#collector/run.ts';
import { RefusedError } from '#model/errors.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';
import { collidingLogs, expandingLogs } from '../support/crowding-requests.ts';

const nowMs = Date.now();
const directory = mkdtempSync(join(tmpdir(), 'sonde-group-commit-'));
let store: Store;
let pipeline: Pipeline;

const openPipeline = (group: PipelineOptions['group']): Pipeline =>
  createPipeline({
    store,
    workers: 1,
    inflightBytesMax: 64 * 1024 * 1024,
    group,
    retentionMs: 0,
    now: () => nowMs,
  });

beforeAll(async () => {
  store = await openEmbeddedStore({ path: directory });
  await migrate(store);
  pipeline = openPipeline({ rowsMax: 250_000, ageMsMax: 50 });
});
afterAll(async () => {
  await pipeline.close();
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const send = (batchId: string, bytes: Uint8Array) =>
  createDirectSink(pipeline)({ signal: 'logs', tenant: 'a', batchId, key: 'k', bytes });

async function bodies(prefix: string): Promise<string[]> {
  const rows = await store.rows<{ body: string }>(
    'SELECT body FROM logs WHERE startsWith(body, {prefix:String}) ORDER BY body',
    { params: { prefix } },
  );
  return rows.map(({ body }) => body);
}

test('pushed requests that do not fit into one block are stored in several', async () => {
  const names = ['p-0', 'p-1', 'p-2', 'p-3'];
  const answers = await Promise.all(
    names.map((name, index) => send(name, collidingLogs(index, name, nowMs))),
  );
  expect(answers.map(({ accepted }) => accepted)).toEqual([1, 1, 1, 1]);
  expect(await bodies('p-')).toEqual(names);
  expect(pipeline.status().inflightBytes).toBe(0);
});

test('a group that a request does not fit into is inserted at once', async () => {
  const patient = openPipeline({ rowsMax: 250_000, ageMsMax: 3_600_000 });
  const sink = createDirectSink(patient);
  const [first, second] = ['w-0', 'w-1'].map((name, index) => {
    const bytes = collidingLogs(index, name, nowMs);
    return sink({ signal: 'logs', tenant: 'a', batchId: name, key: 'k', bytes });
  });
  expect(await first).toMatchObject({ accepted: 1 });
  await patient.close();
  expect(await second).toMatchObject({ accepted: 1 });
  expect(await bodies('w-')).toEqual(['w-0', 'w-1']);
});

test('a pushed request that does not fit alone is refused, and what is beside it is stored', async () => {
  const before = send('e-before', collidingLogs(0, 'e-before', nowMs));
  const refused = send('e-huge', expandingLogs()).catch((error: unknown) => error);
  const after = send('e-last', collidingLogs(1, 'e-last', nowMs));
  expect(await refused).toBeInstanceOf(RefusedError);
  expect(String(await refused)).toContain('expands to more than');
  expect([(await before).accepted, (await after).accepted]).toEqual([1, 1]);
  expect(await bodies('e-')).toEqual(['e-before', 'e-last']);
});

test('requests of a Kafka run that do not fit beside the others get runs of their own', async () => {
  const request = (bytes: Uint8Array): RunRequest => ({ signal: 'logs', tenant: 'a', bytes });
  const sources = [5, 6, 7, 8].map((offset) => ({ offset }));
  // The second time is a repeat under the same tokens.
  for (let time = 0; time < 2; time++) {
    const requests = [
      request(collidingLogs(0, 'k-0', nowMs)),
      request(expandingLogs()),
      request(collidingLogs(1, 'k-1', nowMs)),
      request(collidingLogs(2, 'k-2', nowMs)),
    ];
    const outcomes = await insertWithMisfits(pipeline.insertRun, requests, sources, 't/0/5-8');
    expect(outcomes.map(({ accepted }) => accepted)).toEqual([1, 0, 1, 1]);
    expect(outcomes.map(({ decodeError }) => decodeError !== undefined)).toEqual([false, true, false, false]);
    expect(outcomes.some(({ misfit }) => misfit !== undefined)).toBe(false);
    expect(await bodies('k-')).toEqual(['k-0', 'k-1', 'k-2']);
  }
});

test('a block that grows to its limit is inserted, however few its rows and its request bytes are', async () => {
  const patient = openPipeline({ rowsMax: 250_000, ageMsMax: 3_600_000, blockBytesMax: 100_000 });
  const sink = createDirectSink(patient);
  const bytes = expandingLogs(300);
  // Nothing but the block's size closes the group: 1.2 KB that become 90,000 map entries.
  expect(await sink({ signal: 'logs', tenant: 'a', batchId: 'grown', key: 'k', bytes })).toMatchObject({
    accepted: 300,
  });
  await patient.close();
});
