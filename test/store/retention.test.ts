/**
 * Goal: what is older than the retention goes, a whole partition at a time, and nothing younger goes with it.
 * Method: rows around every edge on the real engine.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import { dropExpired, partitionEndMs } from '#store/retention.ts';
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
  expect(new Date(partitionEndMs(table, partition)).toISOString()).toBe(end.replace('Z', '.000Z'));
});

test.each(['logs', 'samples_head', 'samples_5m'] as const)(
  'a name that cannot be read never ends: %s',
  (table) => {
    expect(partitionEndMs(table, 'tuple()')).toBe(Infinity);
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
