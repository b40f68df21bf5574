/**
 * Goal: inserts never build the indexes for searching text, merges do while the load is low, and closed days get theirs.
 * Method: the real engine; whether a part has its index is read from the size of its index files.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import { SearchIndexer } from '#store/search-indexes.ts';
import type { Store } from '#store/store.ts';
import { eventually } from '#test/support/eventually.ts';
import { logsBlock } from './engine-blocks.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-search-indexes-'));
let store: Store;
/** logsBlock writes rows of this day. */
const day = Date.parse('2026-11-20T00:00:00Z');
let nowMs = day;
let indexer: SearchIndexer;
let tokens = 0;

beforeAll(async () => {
  store = await openEmbeddedStore({ path: directory });
  await migrate(store);
  indexer = new SearchIndexer({ store, now: () => nowMs });
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const bodies = Array.from({ length: 2000 }, (_, index) => `a line to be found ${index}`);
const insert = async () => store.insert(await logsBlock(store, bodies), `token-${tokens++}`);

/** The bloom filter of trace ids is all that a part without the others has. */
async function hasIndex(): Promise<boolean> {
  const [row] = await store.rows<{ bytes: string }>(
    "SELECT sum(secondary_indices_compressed_bytes) AS bytes FROM system.parts WHERE active AND table = 'logs'",
  );
  return Number(row?.bytes) > 1000;
}

async function merge(): Promise<void> {
  await insert();
  await insert();
  await store.exec('OPTIMIZE TABLE logs FINAL');
}

/** Lets `seconds` pass in which `rows` were inserted, as the indexer sees it. */
async function tickAfter(seconds: number): Promise<void> {
  nowMs += seconds * 1000;
  await indexer.tick();
}

test('inserts leave the indexes out, and so do merges at first', async () => {
  await merge();
  expect(await hasIndex()).toBe(false);
});

test('merges build them while few rows come, and leave them out again when many do', async () => {
  await indexer.tick();
  await insert();
  await tickAfter(60);
  await merge();
  expect(await hasIndex()).toBe(true);
  // The same rows in a tenth of a second.
  await insert();
  await tickAfter(0.01);
  await merge();
  expect(await hasIndex()).toBe(false);
});

test('a day that is over is indexed once, an open one is not', async () => {
  nowMs = day + 86_400_000;
  await indexer.tick();
  await tickAfter(0.01);
  expect(await store.rows('SELECT command FROM system.mutations')).toEqual([]);
  nowMs = day + 2 * 86_400_000;
  await indexer.tick();
  await indexer.tick();
  await eventually(hasIndex);
  expect(await store.rows('SELECT table, count() AS n FROM system.mutations GROUP BY table')).toEqual([
    { table: 'logs', n: '2' },
  ]);
  const [found] = await store.rows<{ n: string }>(
    "SELECT count() AS n FROM logs WHERE body LIKE '%found 1999%'",
  );
  expect(Number(found?.n)).toBe(tokens);
});
