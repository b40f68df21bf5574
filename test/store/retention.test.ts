/**
 * Goal: what is older than the retention or above the budget goes, oldest first, a whole partition at a time, and nothing
 * younger goes with it.
 * Method: rows around every edge on the real engine.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import { partitionRangeMs } from '#store/partitions.ts';
import { dropExpired, dropOverBudget } from '#store/retention.ts';
import type { Store } from '#store/store.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-retention-'));
const dayMs = 86_400_000;
let store: Store;

beforeAll(async () => {
  store = await openEmbeddedStore({ path: directory });
  await migrate(store);
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

test.each([
  { table: 'logs', partition: '2026-11-10', end: '2026-11-11T00:00:00Z' },
  { table: 'samples_head', partition: '2026-12-31 22:00:00', end: '2027-01-01T00:00:00Z' },
  { table: 'histograms_head', partition: '2026-12-31 22:00:00', end: '2027-01-01T00:00:00Z' },
  { table: 'exemplars', partition: '2026-11-10', end: '2026-11-11T00:00:00Z' },
  { table: 'sample_starts', partition: '2026-11-10', end: '2026-11-11T00:00:00Z' },
  { table: 'samples_5m', partition: '202612', end: '2027-01-01T00:00:00Z' },
  { table: 'samples_5m', partition: '202602', end: '2026-03-01T00:00:00Z' },
] as const)('$table $partition ends at $end', ({ table, partition, end }) => {
  expect(new Date(partitionRangeMs(table, partition).endMs).toISOString()).toBe(end.replace('Z', '.000Z'));
});

test.each(['logs', 'samples_head', 'samples_5m'] as const)(
  'a name that cannot be read never ends: %s',
  (table) => {
    expect(partitionRangeMs(table, 'tuple()')).toEqual({ startMs: -Infinity, endMs: Infinity });
  },
);

test('drops what is older and says what it was', async () => {
  await store.exec(
    `INSERT INTO logs (tenant, ts, body) SELECT 'a', toDateTime64('2026-11-08 23:59:59', 9, 'UTC') + number * 86400, 'x' FROM numbers(4)`,
  );
  await store.exec(
    `INSERT INTO samples_head (tenant, metric, ts) SELECT 'a', 'm', toDateTime64('2026-11-09 20:00:00', 3, 'UTC') + number * 3600 FROM numbers(6)`,
  );
  await store.exec(
    `INSERT INTO histograms_head (tenant, metric, ts) SELECT 'a', 'm', toDateTime64('2026-11-09 22:00:00', 3, 'UTC') + number * 7200 FROM numbers(2)`,
  );
  await store.exec(
    `INSERT INTO exemplars (tenant, metric, ts) SELECT 'a', 'm', toDateTime64('2026-11-09 23:59:59', 3, 'UTC') + number FROM numbers(2)`,
  );
  await store.exec(
    `INSERT INTO sample_starts (tenant, metric, ts) SELECT 'a', 'm', toDateTime64('2026-11-09 23:59:59', 3, 'UTC') + number FROM numbers(2)`,
  );
  await store.exec(
    "INSERT INTO rule_groups (tenant, name, updated) VALUES ('a', 'old', '2020-01-01 00:00:00')",
  );
  const nowMs = Date.parse('2026-11-11T00:00:00Z');

  expect(await dropExpired(store, { retentionMs: 0, nowMs })).toEqual([]);
  expect(await dropExpired(store, { retentionMs: 100 * dayMs, nowMs })).toEqual([]);

  const dropped = await dropExpired(store, { retentionMs: dayMs, nowMs });
  expect(dropped.map(({ table, partition, rows }) => `${table} ${partition} ${rows}`)).toEqual([
    'exemplars 2026-11-09 1',
    'histograms_head 2026-11-09 22:00:00 1',
    'logs 2026-11-08 1',
    'logs 2026-11-09 1',
    'sample_starts 2026-11-09 1',
    'samples_head 2026-11-09 20:00:00 2',
    'samples_head 2026-11-09 22:00:00 2',
  ]);
  expect(dropped.every(({ bytes }) => bytes > 0)).toBe(true);
  expect(await store.rows('SELECT toString(min(ts)) AS first, count() AS n FROM logs')).toEqual([
    { first: '2026-11-10 23:59:59.000000000', n: '2' },
  ]);
  expect(await store.rows('SELECT toString(min(ts)) AS first, count() AS n FROM samples_head')).toEqual([
    { first: '2026-11-10 00:00:00.000', n: '2' },
  ]);
  expect(await store.rows('SELECT count() AS n FROM rule_groups')).toEqual([{ n: '1' }]);
  expect(await dropExpired(store, { retentionMs: dayMs, nowMs })).toEqual([]);
});

test('each partition is reported when it is gone, also where the next one fails', async () => {
  const reported: string[] = [];
  const failing = {
    rows: store.rows.bind(store),
    exec: (...call: Parameters<Store['exec']>) =>
      reported.length === 1 ? Promise.reject(new Error('no more')) : store.exec(...call),
  } as Store;
  const nowMs = Date.parse('2026-11-10T00:00:00Z');
  const onDropped = ({ table, partition }: { table: string; partition: string }) =>
    void reported.push(`${table} ${partition}`);
  await store.exec(
    `INSERT INTO spans (tenant, ts) SELECT 'a', toDateTime64('2026-01-01 12:00:00', 9, 'UTC') + number * 86400 FROM numbers(2)`,
  );
  const dropped = dropExpired(failing, { retentionMs: 200 * dayMs, nowMs, onDropped });
  await expect(dropped).rejects.toThrow('no more');
  expect(reported).toEqual(['spans 2026-01-01']);
  await store.exec('TRUNCATE TABLE spans');
});

describe('the byte budget', () => {
  const bytesOf = async (where = '1'): Promise<number> => {
    const [row] = await store.rows<{ bytes: string }>(
      `SELECT sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND database = currentDatabase() AND ${where}`,
    );
    return Number(row?.bytes);
  };
  const partitionsLeft = async (): Promise<string[]> => {
    const rows = await store.rows<{ name: string }>(
      `SELECT concat(table, ' ', partition) AS name FROM system.parts
       WHERE active AND table IN ('logs', 'samples_head', 'samples_5m') GROUP BY name ORDER BY name`,
    );
    return rows.map(({ name }) => name);
  };

  beforeAll(async () => {
    for (const table of ['logs', 'samples_head']) await store.exec(`TRUNCATE TABLE ${table}`);
    await store.exec(
      `INSERT INTO logs (tenant, ts, body) SELECT 'a', toDateTime64('2026-11-08 12:00:00', 9, 'UTC') + number * 86400, 'x' FROM numbers(3)`,
    );
    await store.exec(
      `INSERT INTO samples_head (tenant, metric, ts) SELECT 'a', 'm', toDateTime64('2026-11-09 20:00:00', 3, 'UTC') + number * 7200 FROM numbers(3)`,
    );
    await store.exec(
      `INSERT INTO samples_5m (tenant, metric, bucket, cell) VALUES ('a', 'm', '2026-10-31', 0), ('a', 'm', '2026-11-30', 0)`,
    );
  });

  test('none, and one that is kept, drop nothing', async () => {
    expect(await dropOverBudget(store, { bytesMax: 0 })).toEqual({ dropped: [], bytesOver: 0 });
    expect(await dropOverBudget(store, { bytesMax: await bytesOf() })).toEqual({ dropped: [], bytesOver: 0 });
    expect(await partitionsLeft()).toHaveLength(8);
  });

  test('a byte too much drops the partition that ended first, in whatever table', async () => {
    const { dropped, bytesOver } = await dropOverBudget(store, { bytesMax: (await bytesOf()) - 1 });
    expect(dropped.map(({ table, partition }) => `${table} ${partition}`)).toEqual(['samples_5m 202610']);
    expect(bytesOver).toBe(0);
  });

  test('more too much drops as many as it takes, in the order of their ends', async () => {
    const old = await bytesOf(`table = 'logs' AND partition = '2026-11-08'`);
    const { dropped } = await dropOverBudget(store, { bytesMax: (await bytesOf()) - old - 1 });
    expect(dropped.map(({ table, partition }) => `${table} ${partition}`)).toEqual([
      'logs 2026-11-08',
      'samples_head 2026-11-09 20:00:00',
    ]);
  });

  test('the newest partition of a table stays, whatever the budget', async () => {
    const { dropped, bytesOver } = await dropOverBudget(store, { bytesMax: 1 });
    expect(dropped.map(({ table, partition }) => `${table} ${partition}`)).toEqual([
      'logs 2026-11-09',
      'samples_head 2026-11-09 22:00:00',
    ]);
    expect(await partitionsLeft()).toEqual([
      'logs 2026-11-10',
      'samples_5m 202611',
      'samples_head 2026-11-10 00:00:00',
    ]);
    expect(bytesOver).toBe((await bytesOf()) - 1);
    expect((await dropOverBudget(store, { bytesMax: 1 })).dropped).toEqual([]);
  });
});
