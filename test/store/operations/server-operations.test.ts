/**
 * Goal: status, verify and migrations say the same of a server as of the embedded engine.
 * Method: the server's store over HTTP, with the real engine behind it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrate, pendingMigrations } from '#store/migrate.ts';
import { readStoreStatus } from '#store/operations/store-status.ts';
import { verifyStore } from '#store/operations/verify.ts';
import { openServerStore } from '#store/server/server-store.ts';
import type { Store } from '#store/store.ts';
import { type ClickhouseHttp, startClickhouseHttp } from '#test/support/clickhouse-http.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-server-operations-'));
let gateway: ClickhouseHttp;
let store: Store;

beforeAll(async () => {
  gateway = await startClickhouseHttp(directory);
  store = await openServerStore({ url: gateway.url, diskFreeBytesMin: 1 });
  await migrate(store);
  await store.exec(
    `INSERT INTO logs (tenant, ts, body) SELECT 'a', toDateTime64('2026-11-01 00:00:00', 9, 'UTC') + number * 3600, 'x' FROM numbers(49)`,
  );
});
afterAll(async () => {
  await store.close();
  await gateway.close();
  rmSync(directory, { recursive: true, force: true });
});

test('the status has what the tables have', async () => {
  const status = await readStoreStatus(store, {
    nowMs: Date.now(),
    retentionMs: 0,
    budgetBytes: 0,
    diskReserveBytes: 0,
    cluster: '',
  });
  expect(status).toMatchObject({ kind: 'server', daysLeft: 'unknown', growthBytesPerDay: null });
  expect(status.tables.find(({ table }) => table === 'logs')).toMatchObject({
    rows: 49,
    parts: 3,
    oldestPartition: '2026-11-01',
    newestPartition: '2026-11-03',
    dedupWindow: 10000,
  });
});

test('a store that is well has no faults, and one that lacks a table has one', async () => {
  expect(await pendingMigrations(store)).toEqual([]);
  expect((await verifyStore(store)).faults).toEqual([]);
  await store.exec('DROP TABLE alert_states');
  expect((await verifyStore(store)).faults).toEqual([
    { table: 'alert_states', check: 'schema', fault: 'the table is missing' },
  ]);
});
