/**
 * Goal: a merge that a full disk has emptied costs no row, and an insert is named with what it costs.
 * Method: the real engine; a merged part is emptied by hand, file by file, as the engine was seen to leave one on a tmpfs
 * that was filled under its merges.
 */
import { mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { PartRepair } from '#store/embedded/part-repair.ts';
import { migrate } from '#store/migrate.ts';
import { verifyStore } from '#store/operations/verify.ts';
import type { Store } from '#store/store.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-part-repair-'));
let store: Store;
let repair: PartRepair;

beforeAll(async () => {
  store = await openEmbeddedStore({ path: directory });
  await migrate(store);
  repair = new PartRepair(store);
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Empties every file of the table's merged part, as the engine was seen to do. */
async function emptyMerge(table: string): Promise<string> {
  await store.exec(`OPTIMIZE TABLE ${table} FINAL`);
  const [part] = await store.rows<{ path: string; name: string }>(
    `SELECT path, name FROM system.parts WHERE active AND table = '${table}' AND level > 0`,
  );
  for (const name of readdirSync(part?.path ?? '')) {
    if (!name.endsWith('.proj')) truncateSync(join(part?.path ?? '', name));
  }
  return part?.name ?? '';
}

/** The same store as an object whose methods can be replaced. */
function storeMethods(of: Store): Store {
  return {
    ...of,
    rows: (sql, options) => of.rows(sql, options),
    stream: (sql, options) => of.stream(sql, options),
    insert: (block, token) => of.insert(block, token),
    exec: (sql, options) => of.exec(sql, options),
    ping: () => of.ping(),
    close: () => of.close(),
  };
}

test('parts that are well are left alone, whatever their columns and indexes', async () => {
  await store.exec(
    `INSERT INTO spans (tenant, ts, name, attrs, event_name) SELECT 'a', '2026-11-05 00:00:00', 'x', map('k', 'v'), ['e'] FROM numbers(10)`,
  );
  await store.exec(
    `INSERT INTO samples_chunk (tenant, metric, bucket, id, ts, v) SELECT 'b', 'm', 0, number, [1, 2], [1, 2] FROM numbers(30)`,
  );
  await store.exec(
    `INSERT INTO series (tenant, metric, id, labels) SELECT 'b', 'm', number, map('a', 'b') FROM numbers(30)`,
  );
  for (const body of ['one', 'two']) {
    await store.exec(`INSERT INTO logs (tenant, ts, body) VALUES ('a', '2026-11-01 00:00:00', '${body}')`);
  }
  await store.exec('OPTIMIZE TABLE logs FINAL');
  expect(await repair.repair()).toEqual([]);
});

test('an empty merge gives way to the parts that it was made from', async () => {
  await store.exec(`INSERT INTO logs (tenant, ts, body) VALUES ('a', '2026-11-01 00:00:00', 'three')`);
  const part = await emptyMerge('logs');
  expect((await verifyStore(store)).faults.map(({ table, check }) => `${table} ${check}`)).toEqual([
    'logs parts',
  ]);
  expect(await repair.repair()).toEqual([{ table: 'logs', parts: [part], rowsLost: 0 }]);
  expect(await store.rows('SELECT body FROM logs ORDER BY body')).toEqual([
    { body: 'one' },
    { body: 'three' },
    { body: 'two' },
  ]);
  expect((await verifyStore(store)).faults).toEqual([]);
  expect(await repair.repair()).toEqual([]);
});

test('a table that a view reads feeds it again afterwards', async () => {
  const insert = (id: number) =>
    store.exec(
      `INSERT INTO series (tenant, metric, id, labels, t_min, t_max) VALUES ('a', 'up', ${id}, map('i', '${id}'), 5, 6)`,
    );
  await insert(1);
  await insert(2);
  await emptyMerge('series');
  expect(await repair.repair()).toMatchObject([{ table: 'series', rowsLost: 0 }]);
  await insert(3);
  expect(await store.rows(`SELECT DISTINCT value FROM label_values WHERE name = 'i' ORDER BY value`)).toEqual(
    [{ value: '1' }, { value: '2' }, { value: '3' }],
  );
  expect(await store.rows(`SELECT DISTINCT id FROM series WHERE tenant = 'a' ORDER BY id`)).toEqual([
    { id: '1' },
    { id: '2' },
    { id: '3' },
  ]);
});

test('an insert that was emptied is set aside, and its rows are counted', async () => {
  await store.exec('TRUNCATE TABLE spans');
  await store.exec(`INSERT INTO spans (tenant, ts, name) VALUES ('a', '2026-11-01 00:00:00', 'kept')`);
  await store.exec(
    `INSERT INTO spans (tenant, ts, name) SELECT 'a', '2026-11-02 00:00:00', 'lost' FROM numbers(3)`,
  );
  const [part] = await store.rows<{ path: string; name: string }>(
    `SELECT path, name FROM system.parts WHERE active AND table = 'spans' AND rows = 3`,
  );
  truncateSync(join(part?.path ?? '', 'data.bin'));
  expect(await repair.repair()).toEqual([{ table: 'spans', parts: [part?.name], rowsLost: 3 }]);
  expect(await store.rows('SELECT name FROM spans')).toEqual([{ name: 'kept' }]);
});

test('a table that could not be loaded again is loaded by the next call', async () => {
  await store.exec(`INSERT INTO logs (tenant, ts, body) VALUES ('a', '2026-11-01 00:00:00', 'four')`);
  await emptyMerge('logs');
  const [{ n: before } = { n: '' }] = await store.rows<{ n: string }>('SELECT count() AS n FROM logs');
  let isAttachRefused = true;
  const refusing = new PartRepair({
    ...storeMethods(store),
    exec: (sql, options) => {
      if (!isAttachRefused || !sql.startsWith('ATTACH')) return store.exec(sql, options);
      isAttachRefused = false;
      return Promise.reject(new Error('no room'));
    },
  });
  await expect(refusing.repair()).rejects.toThrow('no room');
  await expect(store.rows('SELECT count() AS n FROM logs')).rejects.toThrow('logs');
  await refusing.repair();
  expect(await store.rows('SELECT count() AS n FROM logs')).toEqual([{ n: before }]);
});
