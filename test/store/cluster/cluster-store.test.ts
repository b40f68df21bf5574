/**
 * Goal: a store on a cluster's tables gives the answers of a store on one engine's: inserts land once, tenants see
 * their own, partitions age and are measured.
 * Method: the conformance suite and the operations over real Distributed tables with one shard. What several shards,
 * replicas and ON CLUSTER add was not at hand: see test/support/one-shard-cluster.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSampleSource } from '#query/sql/samples.ts';
import { migrate, migrations, pendingMigrations } from '#store/migrate.ts';
import { readStoreStatus } from '#store/operations/store-status.ts';
import { verifyStore } from '#store/operations/verify.ts';
import { dropExpired, dropOverBudget } from '#store/retention.ts';
import { openServerStore } from '#store/server/server-store.ts';
import type { Store } from '#store/store.ts';
import { type ClickhouseHttp, startClickhouseHttp } from '#test/support/clickhouse-http.ts';
import { describeStore } from '../conformance.case.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-cluster-store-'));
const cluster = 'main';
let gateway: ClickhouseHttp | undefined;
let store: Store | undefined;

async function open(): Promise<Store> {
  gateway ??= await startClickhouseHttp(join(directory, 'data'), { cluster });
  store = await openServerStore({ url: gateway.url, cluster });
  return store;
}

async function close(): Promise<void> {
  await store?.close();
  await gateway?.close();
  gateway = undefined;
}

afterAll(() => rmSync(directory, { recursive: true, force: true }));

describeStore('cluster', {
  cluster,
  open,
  reopen: async () => {
    await close();
    return open();
  },
  close,
});

describe('operations', () => {
  const dayMs = 86_400_000;
  let opened: Store;
  beforeAll(async () => {
    opened = await open();
    await migrate(opened, { cluster });
    const samples = ['samples_head', 'samples_chunk', 'sample_starts', 'histograms_head'];
    for (const table of ['logs', ...samples, 'series', 'label_values']) {
      await opened.exec(`TRUNCATE TABLE ${table}_local`);
    }
    await opened.exec(
      `INSERT INTO logs (tenant, ts, stream_id, body) SELECT 'a', toDateTime64('2026-11-01 00:00:00', 9, 'UTC') + number * 86400, number, 'x' FROM numbers(4)`,
    );
    await opened.exec(
      `INSERT INTO series (tenant, metric, id, labels, t_min, t_max) VALUES ('a', 'up', 1, map('job', 'x'), 1000, 2000)`,
    );
    await opened.exec(
      `INSERT INTO samples_head (tenant, metric, id, ts, v) VALUES ('a', 'up', 1, 1500, 7), ('a', 'up', 1, 1600, 8)`,
    );
  });
  afterAll(close);

  test('every step is applied once', async () => {
    expect(await pendingMigrations(opened)).toEqual([]);
    expect(await migrate(opened, { cluster })).toEqual([]);
    expect(await opened.rows('SELECT count() AS n FROM schema_migrations')).toEqual([
      { n: String(migrations.length) },
    ]);
  });

  test('a selector is answered from the shards, one tenant’s at a time', async () => {
    const read = async (tenant: string): Promise<string[]> => {
      const found: string[] = [];
      const source = createSampleSource(opened, tenant, { seriesMax: 10 });
      const matchers = [{ name: 'job', op: '=', value: 'x' }] as const;
      for await (const { values } of source.select({ matchers, startMs: 0, endMs: 2_000_000 })) {
        found.push(values.join(' '));
      }
      return found;
    };
    expect(await read('a')).toEqual(['7 8']);
    expect(await read('b')).toEqual([]);
  });

  test('the status is of the local tables', async () => {
    const status = await readStoreStatus(opened, {
      nowMs: Date.now(),
      retentionMs: 0,
      budgetBytes: 0,
      diskReserveBytes: 0,
      cluster,
    });
    expect(status.schemaVersion).toBe(migrations.length);
    expect(status.tables.find(({ table }) => table === 'logs_local')).toMatchObject({
      rows: 4,
      oldestPartition: '2026-11-01',
      newestPartition: '2026-11-04',
    });
  });

  test('verify reads the local parts and finds no fault', async () => {
    const { tables, faults } = await verifyStore(opened, { cluster });
    expect(faults).toEqual([]);
    expect(tables.map(({ table }) => table)).toContain('samples_chunk_local');
  });

  test('age and budget drop partitions of the local tables', async () => {
    const nowMs = Date.parse('2026-11-04T00:00:00Z');
    const old = await dropExpired(opened, { retentionMs: 2 * dayMs, nowMs, cluster });
    expect(old.map(({ table, partition }) => `${table} ${partition}`)).toEqual([
      'logs 2026-11-01',
      'samples_head 1970-01-01 00:00:00',
    ]);
    const { dropped } = await dropOverBudget(opened, { bytesMax: 1, cluster });
    expect(dropped.map(({ table, partition }) => `${table} ${partition}`)).toEqual([
      'logs 2026-11-02',
      'logs 2026-11-03',
    ]);
    expect(await opened.rows('SELECT toString(toDate(ts)) AS day FROM logs')).toEqual([
      { day: '2026-11-04' },
    ]);
  });
});
