/**
 * Goal: the cluster's schema is today's schema, spread: the same names, columns and types, and every statement parses.
 * Method: a golden file formatted by the engine's own parser (`vitest -u` rewrites test/golden/schema-cluster.sql). No
 * cluster was at hand, so the tables are made on one engine without ON CLUSTER and without replication, with the real
 * Distributed tables over them, and compared with store/tables.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Session } from 'chdb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clusterStatements, shardingKeys } from '#store/cluster/cluster-ddl.ts';
import { migrations, schemaSql } from '#store/migrate.ts';
import { insertColumns, type TableName, tenantTables } from '#store/tables.ts';
import { tenantSettings } from '#store/tenant-filter.ts';
import { clusterArgument, onOneServer } from '#test/support/one-shard-cluster.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-cluster-'));
const cluster = 'main';
let engine: Session;
let statements: readonly string[];

beforeAll(async () => {
  engine = new Session(join(directory, 'data'), { connectionArgs: [clusterArgument(directory, cluster)] });
  await engine.queryAsync('CREATE DATABASE sonde');
  await engine.queryAsync('USE sonde');
  const settings = await rows<{ name: string }>('SELECT name FROM system.merge_tree_settings');
  statements = schemaSql(new Set(settings.map(({ name }) => name)), cluster);
});
afterAll(() => {
  engine.close();
  rmSync(directory, { recursive: true, force: true });
});

async function rows<Row>(sql: string): Promise<Row[]> {
  const result = await engine.queryAsync(sql, { format: 'JSONEachRow' });
  const text = new TextDecoder().decode(result.bytes()).trim();
  return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as Row);
}

function literal(text: string): string {
  return `unhex('${Buffer.from(text).toString('hex')}')`;
}

test('every statement parses, happens on every server, and is as its golden file says', async () => {
  const texts: string[] = [];
  for (const statement of statements) {
    const [row] = await rows<{ text: string }>(`SELECT formatQuery(${literal(statement)}) AS text`);
    expect(row?.text).toContain('ON CLUSTER main');
    texts.push(`${row?.text};\n`);
  }
  await expect(texts.join('\n')).toMatchFileSnapshot(
    join(import.meta.dirname, '../../golden/schema-cluster.sql'),
  );
});

test('nothing is left out: each table has a local one, a Distributed one and a sharding key', () => {
  const names = new Set<string>();
  for (const statement of statements) {
    const created = /^CREATE (?:TABLE|VIEW|MATERIALIZED VIEW) IF NOT EXISTS (\w+)/.exec(statement)?.[1];
    const dropped = /^DROP TABLE IF EXISTS (?:IF EMPTY )?(\w+)/.exec(statement)?.[1];
    if (created !== undefined) names.add(created);
    if (dropped !== undefined) names.delete(dropped);
  }
  const tables = [...tenantTables, 'schema_migrations'];
  expect([...names].toSorted()).toEqual(
    [
      ...tables,
      ...tables.map((name) => `${name}_local`),
      'label_values_feed',
      'otel_logs',
      'otel_traces',
      'otel_traces_trace_id_ts',
    ].toSorted(),
  );
  // Its table is made by an early migration and dropped by a later one.
  const formerly = ['landed_batches'];
  expect(Object.keys(shardingKeys).toSorted()).toEqual([...tables, ...formerly].toSorted());
});

test('on one engine the statements are those of the migrations', () => {
  const [first] = migrations[1]!.statements;
  expect(clusterStatements(first as string, '')).toEqual([first]);
});

describe('run on one engine', () => {
  beforeAll(async () => {
    for (const statement of statements) {
      await engine.queryAsync(onOneServer(statement));
    }
  });

  async function columnsOf(table: string): Promise<string[]> {
    const found = await rows<{ name: string; type: string }>(
      `SELECT name, type FROM system.columns WHERE database = 'sonde' AND table = '${table}' AND default_kind = '' ORDER BY position`,
    );
    return found.map(({ name, type }) => `${name} ${type}`);
  }

  test.each(Object.keys(insertColumns) as TableName[])(
    '%s has the columns that ingest writes',
    async (table) => {
      const columns = await columnsOf(table);
      expect(columns.map((text) => text.replace(/SimpleAggregateFunction\(\w+, (.*)\)$/, '$1'))).toEqual(
        insertColumns[table].map(([name, type]) => `${name} ${type}`),
      );
    },
  );

  test.each([...tenantTables, 'schema_migrations'])(
    '%s is Distributed over a table with its columns',
    async (table) => {
      const [row] = await rows<{ engine_full: string }>(
        `SELECT engine_full FROM system.tables WHERE database = 'sonde' AND name = '${table}'`,
      );
      expect(row?.engine_full).toBe(`Distributed('main', 'sonde', '${table}_local', ${shardingKeys[table]})`);
      expect(await columnsOf(table)).toEqual(await columnsOf(`${table}_local`));
    },
  );

  test('the view of label values is fed by local rows, where they land', async () => {
    await engine.queryAsync(
      `INSERT INTO series_local (tenant, metric, id, labels, t_min, t_max) VALUES ('a', 'up', 1, map('job', 'x'), 5, 6)`,
    );
    expect(await rows('SELECT name, value, metric FROM label_values_local ORDER BY name')).toEqual([
      { name: '__name__', value: 'up', metric: 'up' },
      { name: 'job', value: 'x', metric: 'up' },
    ]);
  });
});

test('what a shard reads is narrowed to the tenant too', () => {
  const { additional_table_filters: filters } = tenantSettings('SELECT 1', 'sonde', 'a', cluster);
  const named = [...tenantTables, 'label_values_feed'].filter((name) =>
    filters?.includes(`'sonde.${name}':`),
  );
  const local = tenantTables.filter((name) => filters?.includes(`'sonde.${name}_local':`));
  expect(named).toEqual([...tenantTables, 'label_values_feed']);
  expect(local).toEqual([...tenantTables]);
});

test.each([
  {
    sql: 'ALTER TABLE logs ADD COLUMN IF NOT EXISTS event_name String CODEC(ZSTD(1)) AFTER body',
    made: [
      "ALTER TABLE logs_local ON CLUSTER 'main' ADD COLUMN IF NOT EXISTS event_name String CODEC(ZSTD(1)) AFTER body",
      "ALTER TABLE logs ON CLUSTER 'main' ADD COLUMN IF NOT EXISTS event_name String CODEC(ZSTD(1)) AFTER body",
    ],
  },
  {
    sql: 'ALTER TABLE logs DROP COLUMN IF EXISTS flags',
    made: [
      "ALTER TABLE logs ON CLUSTER 'main' DROP COLUMN IF EXISTS flags",
      "ALTER TABLE logs_local ON CLUSTER 'main' DROP COLUMN IF EXISTS flags",
    ],
  },
  {
    sql: 'ALTER TABLE logs ADD INDEX IF NOT EXISTS level_set level TYPE set(10)',
    made: ["ALTER TABLE logs_local ON CLUSTER 'main' ADD INDEX IF NOT EXISTS level_set level TYPE set(10)"],
  },
])('a later step: $sql', ({ sql, made }) => {
  expect(clusterStatements(sql, 'main')).toEqual(made);
});

test.each([
  'DROP TABLE logs',
  'INSERT INTO logs SELECT 1',
  'CREATE TABLE IF NOT EXISTS unheard_of (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 1',
  'CREATE TABLE IF NOT EXISTS logs (a UInt8) ENGINE = Memory',
  'ALTER TABLE logs ADD COLUMN a UInt8, ADD INDEX i a TYPE minmax',
])('refuses what it would do by half: %s', (sql) => {
  expect(() => clusterStatements(sql, 'main')).toThrow('BUG: ');
});
