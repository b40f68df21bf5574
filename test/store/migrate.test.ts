/**
 * Goal: the schema is what ingest writes and what the golden files say, however often and from wherever it is applied.
 * Method: the real engine's own description of its tables. `vitest -u` rewrites test/golden/schema.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigError } from '#model/errors.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate, migrations } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';
import { insertColumns, type TableName, tenantTables } from '#store/tables.ts';
import { labelValuesView } from '#store/tenant-filter.ts';

const otelViews = ['otel_logs', 'otel_traces', 'otel_traces_trace_id_ts'];
const directory = mkdtempSync(join(tmpdir(), 'sonde-migrate-'));
let store: Store;
let applied: readonly number[];

beforeAll(async () => {
  store = await openEmbeddedStore({ path: directory });
  applied = await migrate(store);
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

async function columnsOf(table: string): Promise<[string, string][]> {
  const rows = await store.rows<{ name: string; type: string }>(
    `SELECT name, type FROM system.columns
    WHERE database = currentDatabase() AND table = {table:String} AND default_kind = '' ORDER BY position`,
    { params: { table } },
  );
  return rows.map(({ name, type }) => [name, type]);
}

test('versions count up from 1 without gaps', () => {
  expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, index) => index + 1));
});

test('a fresh store gets every version, a migrated one none', async () => {
  expect(applied).toEqual(migrations.map(({ version }) => version));
  expect(await migrate(store)).toEqual([]);
  const rows = await store.rows<{ version: number; name: string }>(
    'SELECT version, name FROM schema_migrations ORDER BY version',
  );
  expect(rows).toEqual(migrations.map(({ version, name }) => ({ version, name })));
});

test('a crash before a version was recorded repeats its statements without harm', async () => {
  await store.exec("INSERT INTO metric_metadata (tenant, metric, type) VALUES ('a', 'kept', 'gauge')");
  await store.exec('TRUNCATE TABLE schema_migrations');
  expect(await migrate(store)).toEqual(migrations.map(({ version }) => version));
  expect(await store.rows('SELECT metric FROM metric_metadata')).toEqual([{ metric: 'kept' }]);
});

test('a store that a newer program made is refused', async () => {
  await expect(migrate(store, { steps: migrations.slice(0, 3) })).rejects.toThrow(ConfigError);
  await expect(migrate(store, { steps: migrations.slice(0, 3) })).rejects.toThrow(
    `the store's schema is version ${migrations.length}, this program knows up to 3: run a newer sonde on it`,
  );
});

describe('tables', () => {
  test.each(Object.keys(insertColumns) as TableName[])(
    '%s has the columns that ingest writes',
    async (table) => {
      const columns = (await columnsOf(table)).map(([name, type]) => [
        name,
        type.replace(/^SimpleAggregateFunction\(\w+, (.*)\)$/, '$1'),
      ]);
      expect(columns).toEqual(insertColumns[table].map(([name, type]) => [name, type]));
    },
  );

  test('every table with a tenant is in the tenant filter, and begins its key with it', async () => {
    const rows = await store.rows<{ table: string }>(
      `SELECT DISTINCT table FROM system.columns AS c INNER JOIN system.tables AS t ON t.name = c.table AND t.database = c.database
      WHERE c.database = currentDatabase() AND c.name = 'tenant' AND t.engine != 'View' ORDER BY table`,
    );
    expect(rows.map(({ table }) => table)).toEqual([...tenantTables, labelValuesView].sort());
    const keys = await store.rows<{ name: string }>(
      `SELECT name FROM system.tables WHERE database = currentDatabase() AND has({tables:Array(String)}, name)
        AND NOT startsWith(primary_key, 'tenant, ')`,
      { params: { tables: tenantTables } },
    );
    expect(keys).toEqual([]);
  });

  test.each([...tenantTables, labelValuesView, 'schema_migrations', ...otelViews])(
    '%s is as its golden file says',
    async (table) => {
      const [row] = await store.rows<{ statement: string }>('SHOW CREATE TABLE {table:Identifier}', {
        params: { table },
      });
      await expect(`${row?.statement}\n`).toMatchFileSnapshot(
        join(import.meta.dirname, `../golden/schema/${table}.sql`),
      );
    },
  );

  test('every table that is written is durable and remembers tokens', async () => {
    const rows = await store.rows<{ name: string }>(
      `SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'
        AND NOT (create_table_query LIKE '%fsync_after_insert = 1, fsync_part_directory = 1%'
          AND create_table_query LIKE '%non_replicated_deduplication_window = 10000%')`,
    );
    expect(rows).toEqual([]);
  });
});

describe('OpenTelemetry views', () => {
  const map = 'Map(LowCardinality(String), String)';

  test('otel_logs has the exporter’s columns', async () => {
    expect(await columnsOf('otel_logs')).toEqual([
      ['Timestamp', "DateTime64(9, 'UTC')"],
      ['TimestampTime', "DateTime('UTC')"],
      ['TraceId', 'String'],
      ['SpanId', 'String'],
      ['TraceFlags', 'UInt8'],
      ['SeverityText', 'LowCardinality(String)'],
      ['SeverityNumber', 'UInt8'],
      ['ServiceName', 'LowCardinality(String)'],
      ['Body', 'String'],
      ['ResourceSchemaUrl', 'LowCardinality(String)'],
      ['ResourceAttributes', map],
      ['ScopeSchemaUrl', 'LowCardinality(String)'],
      ['ScopeName', 'String'],
      ['ScopeVersion', 'LowCardinality(String)'],
      ['ScopeAttributes', map],
      ['LogAttributes', map],
      ['EventName', 'String'],
      ['Tenant', 'LowCardinality(String)'],
    ]);
  });

  test('otel_traces_trace_id_ts has the exporter’s columns', async () => {
    expect(await columnsOf('otel_traces_trace_id_ts')).toEqual([
      ['TraceId', 'String'],
      ['Start', "DateTime('UTC')"],
      ['End', "DateTime('UTC')"],
      ['Tenant', 'LowCardinality(String)'],
    ]);
  });

  test('otel_traces has the exporter’s columns', async () => {
    expect(await columnsOf('otel_traces')).toEqual([
      ['Timestamp', "DateTime64(9, 'UTC')"],
      ['TraceId', 'String'],
      ['SpanId', 'String'],
      ['ParentSpanId', 'String'],
      ['TraceState', 'String'],
      ['SpanName', 'LowCardinality(String)'],
      ['SpanKind', 'LowCardinality(String)'],
      ['ServiceName', 'LowCardinality(String)'],
      ['ResourceAttributes', map],
      ['ScopeName', 'String'],
      ['ScopeVersion', 'String'],
      ['SpanAttributes', map],
      ['Duration', 'UInt64'],
      ['StatusCode', 'LowCardinality(String)'],
      ['StatusMessage', 'String'],
      ['Events.Timestamp', "Array(DateTime64(9, 'UTC'))"],
      ['Events.Name', 'Array(LowCardinality(String))'],
      ['Events.Attributes', `Array(${map})`],
      ['Links.TraceId', 'Array(String)'],
      ['Links.SpanId', 'Array(String)'],
      ['Links.TraceState', 'Array(String)'],
      ['Links.Attributes', `Array(${map})`],
      ['Tenant', 'LowCardinality(String)'],
    ]);
  });

  test('ids are hex, no id is empty, and numbers have the exporter’s words', async () => {
    await store.exec(
      `INSERT INTO spans (tenant, trace_id, span_id, kind, status, service, link_trace_id, labels)
      SELECT 'a', unhex('000102030405060708090a0b0c0d0eff'), unhex('00000000000000ab'), number, number, 's',
        [unhex('000102030405060708090a0b0c0d0eff')], map('k', 'v') FROM numbers(7)`,
    );
    const rows = await store.rows(
      `SELECT TraceId, SpanId, ParentSpanId, SpanKind, StatusCode, \`Links.TraceId\` AS links, ResourceAttributes AS res
      FROM otel_traces ORDER BY Timestamp LIMIT 3`,
    );
    const same = {
      TraceId: '000102030405060708090a0b0c0d0eff',
      SpanId: '00000000000000ab',
      ParentSpanId: '',
      links: ['000102030405060708090a0b0c0d0eff'],
      res: { k: 'v' },
    };
    expect(rows).toEqual([
      { ...same, SpanKind: 'Unspecified', StatusCode: 'Unset' },
      { ...same, SpanKind: 'Internal', StatusCode: 'Ok' },
      { ...same, SpanKind: 'Server', StatusCode: 'Error' },
    ]);
    expect(await store.rows("SELECT SpanKind FROM otel_traces WHERE SpanKind = 'Consumer'")).toHaveLength(1);
  });
});
