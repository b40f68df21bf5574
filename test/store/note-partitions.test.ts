/**
 * Goal: notes are written into the partitions that their rows fall into.
 * Method: how long a partition lasts, as the code has it, beside what the engine says of the migrated tables.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';
import { notePartitionMs } from '#store/tables.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-note-partitions-'));
let store: Store;

beforeAll(async () => {
  store = await openEmbeddedStore({ path: directory });
  await migrate(store);
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const partitionKeys: Readonly<Record<number, string>> = {
  86400000: 'toDate(ts)',
  7200000: 'toStartOfInterval(ts, toIntervalHour(2))',
};

test.each(Object.entries(notePartitionMs))('a partition of %s lasts %d ms', async (table, spanMs) => {
  const sql =
    'SELECT partition_key FROM system.tables WHERE database = currentDatabase() AND name = {table:String}';
  expect(await store.rows(sql, { params: { table } })).toEqual([{ partition_key: partitionKeys[spanMs] }]);
});
