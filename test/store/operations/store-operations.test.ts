/**
 * Goal: an operator sees what the store holds, and a store that is broken is called broken, by name.
 * Method: the real engine; sums against count(), and rows and files that are spoilt on purpose.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate, migrations, pendingMigrations } from '#store/migrate.ts';
import { renderStatus } from '#store/operations/status-table.ts';
import { readStoreStatus } from '#store/operations/store-status.ts';
import { verifyStore } from '#store/operations/verify.ts';
import { partitionSpans } from '#store/partitions.ts';
import type { Store } from '#store/store.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-operations-'));
const bounds = { nowMs: Date.now(), retentionMs: 0, budgetBytes: 0, diskReserveBytes: 1000, cluster: '' };
let store: Store;

beforeAll(async () => {
  store = await openEmbeddedStore({ path: directory });
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const faultsOf = async (): Promise<string[]> =>
  (await verifyStore(store)).faults.map(({ table, check, fault }) => `${table} ${check}: ${fault}`);

test('a store that was never migrated has version 0, and asking makes no table', async () => {
  expect(await readStoreStatus(store, bounds)).toMatchObject({
    schemaVersion: 0,
    tables: [],
    daysLeft: 'unknown',
  });
  expect(await pendingMigrations(store)).toEqual(migrations);
  expect(await store.rows('SHOW TABLES')).toEqual([]);
  await migrate(store);
  expect(await pendingMigrations(store)).toEqual([]);
});

test('every table that has partitions ages', async () => {
  const rows = await store.rows<{ name: string }>(
    `SELECT name FROM system.tables WHERE database = currentDatabase() AND partition_key != '' ORDER BY name`,
  );
  expect(rows.map(({ name }) => name)).toEqual(Object.keys(partitionSpans).toSorted());
});

test('the status has what the tables have', async () => {
  await store.exec(
    `INSERT INTO logs (tenant, ts, body) SELECT 'a', toDateTime64('2026-11-01 00:00:00', 9, 'UTC') + number * 3600, 'x' FROM numbers(49)`,
  );
  const status = await readStoreStatus(store, { ...bounds, nowMs: Date.now() + 7_200_000 });
  const logs = status.tables.find(({ table }) => table === 'logs');
  expect(logs).toMatchObject({
    rows: 49,
    parts: 3,
    oldestPartition: '2026-11-01',
    newestPartition: '2026-11-03',
    dedupWindow: 10000,
  });
  const [row] = await store.rows<{ bytes: string }>(
    `SELECT sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND table = 'logs'`,
  );
  expect(logs?.diskBytes).toBe(Number(row?.bytes));
  expect(logs?.bytesPerRow).toBeCloseTo(Number(row?.bytes) / 49);
  expect(status.diskFreeBytes).toBeGreaterThan(0);
  expect(status.daysLeft).toBeGreaterThan(0);
  expect(status.engineVersion).toMatch(/^\d+\.\d+/);
  expect(renderStatus(status)).toMatch(/^logs +49 .*2026-11-01 +2026-11-03 +10000$/m);
});

test('the engine writes no logs of its own', async () => {
  expect(
    await store.rows(`SELECT name FROM system.tables WHERE database = 'system' AND engine LIKE '%MergeTree'`),
  ).toEqual([]);
});

test('a store that is well has no faults', async () => {
  await store.exec(
    `INSERT INTO series (tenant, metric, id, labels, t_min, t_max) VALUES ('a', 'up', 1, map('job', 'x'), 5, 6)`,
  );
  await store.exec(`INSERT INTO samples_head (tenant, metric, id, ts, v) VALUES ('a', 'up', 1, 5, 1)`);
  await store.exec(
    `INSERT INTO samples_chunk (tenant, metric, bucket, id, ts, v) VALUES ('a', 'up', 0, 1, [5, 6], [1, 2])`,
  );
  const { tables, faults } = await verifyStore(store);
  expect(faults).toEqual([]);
  expect(tables.find(({ table }) => table === 'logs')).toEqual({ table: 'logs', rows: 49, partCount: 3 });
});

test('rows that contradict each other are named', async () => {
  await store.exec(`INSERT INTO samples_head (tenant, metric, id, ts, v) VALUES ('a', 'lost', 7, 5, 1)`);
  await store.exec(
    `INSERT INTO samples_chunk (tenant, metric, bucket, id, ts, v) VALUES
      ('a', 'up', 7200, 1, [8, 9], [1, 2]), ('a', 'up', 14400, 1, ['1970-01-01 04:00:01'], [1, 2]), ('a', 'up', 21600, 1, [], [])`,
  );
  expect(await faultsOf()).toEqual([
    'samples_chunk chunks: the chunk of series 1 (up, tenant a) at 1970-01-01 04:00:00: its times and values differ in number',
    'samples_chunk chunks: the chunk of series 1 (up, tenant a) at 1970-01-01 02:00:00: it has times outside of its two hours',
    'samples_chunk chunks: the chunk of series 1 (up, tenant a) at 1970-01-01 06:00:00: it is empty',
    'samples_head series: 1 rows of series 7 (lost, tenant a): no such series',
  ]);
  await store.exec('TRUNCATE TABLE samples_head');
  await store.exec('TRUNCATE TABLE samples_chunk');
  await store.exec('TRUNCATE TABLE label_values');
  expect(await faultsOf()).toEqual(['label_values labels: the metric up (tenant a) has no values']);
  await store.exec('TRUNCATE TABLE series');
});

test('a column that is gone, a table that is gone and a step that was not taken are named', async () => {
  await store.exec('ALTER TABLE metric_metadata DROP COLUMN unit');
  await store.exec('DROP TABLE alert_states');
  await store.exec('TRUNCATE TABLE schema_migrations');
  const faults = await faultsOf();
  expect(faults).toContain('metric_metadata schema: the column unit LowCardinality(String) is missing');
  expect(faults).toContain('alert_states schema: the table is missing');
  expect(faults).toContain('schema_migrations schema: version 4 (rules) is not applied');
});

test('a file that was spoilt is found, with its part', async () => {
  const [part] = await store.rows<{ path: string; name: string }>(
    `SELECT path, name FROM system.parts WHERE active AND table = 'logs' ORDER BY name LIMIT 1`,
  );
  const path = part?.path ?? '';
  const file = join(path, readdirSync(path).find((name) => name.endsWith('.bin')) ?? '');
  const bytes = readFileSync(file);
  bytes[bytes.length - 3]! ^= 0xff;
  writeFileSync(file, bytes);
  expect((await faultsOf()).filter((fault) => fault.startsWith('logs parts:'))).toEqual([
    expect.stringMatching(new RegExp(`^logs parts: part ${part?.name}: .*[Cc]hecksum`)),
  ]);
});
