/**
 * Goal: a query with a tenant sees that tenant's rows and no others, however it is written.
 * Method: two tenants with the same series; each way around the filter that SQL offers.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { readBlocks } from '#store/native/block-reader.ts';
import type { Store } from '#store/store.ts';
import { collect, failure, samplesBlock } from './engine-blocks.ts';

async function count(store: Store, table: string, where: string): Promise<number> {
  const [row] = await store.rows<{ n: string }>(`SELECT count() AS n FROM ${table} WHERE ${where}`);
  return Number(row?.n);
}

/** `open` returns the store of the suite, which is open by the time the tests run. */
export function describeTenants(open: () => Store): void {
  let store: Store;

  describe('a query with a tenant', () => {
    beforeAll(async () => {
      store = open();
      await store.insert(await samplesBlock(store, 'red', 'secret', 5), 'red');
      await store.insert(await samplesBlock(store, 'blue', 'secret', 7), 'blue');
      await store.exec(
        `INSERT INTO series (tenant, metric, id, labels, t_min, t_max)
      SELECT arrayJoin(['red', 'blue']) AS tenant, 'secret', 1, map('owner', tenant), now(), now()`,
      );
      await store.exec(
        `INSERT INTO logs (tenant, ts, service, body) SELECT arrayJoin(['red', 'blue']) AS tenant, now64(9), 's', tenant`,
      );
    });

    test.each([
      "SELECT DISTINCT tenant FROM samples_head WHERE metric = 'secret'",
      "SELECT DISTINCT tenant FROM samples_head WHERE tenant = 'blue' OR 1",
      'SELECT DISTINCT s.tenant AS tenant FROM samples_head AS s',
      'SELECT DISTINCT tenant FROM (SELECT * FROM samples_head)',
      'WITH all_of_it AS (SELECT * FROM samples_head) SELECT DISTINCT tenant FROM all_of_it',
      'SELECT DISTINCT tenant FROM (SELECT tenant FROM samples_head UNION ALL SELECT tenant FROM series)',
      'SELECT DISTINCT b.tenant AS tenant FROM series AS a INNER JOIN samples_head AS b ON a.metric = b.metric',
      "SELECT 'red' AS tenant, arrayJoin((SELECT groupUniqArray(tenant) FROM samples_head)) = 'red' AS ok WHERE ok",
      'SELECT DISTINCT tenant FROM view(SELECT * FROM samples_head)',
      'SELECT DISTINCT tenant FROM samples_head PREWHERE 1',
      'SELECT DISTINCT tenant FROM series FINAL',
      'SELECT DISTINCT Tenant AS tenant FROM otel_logs',
      'SELECT DISTINCT tenant FROM label_values',
      'SELECT DISTINCT tenant FROM label_values_feed',
      'SELECT DISTINCT tenant FROM `samples_head`',
    ])('sees its own rows only: %s', async (sql) => {
      const seen = await store.rows<{ tenant: string }>(sql, { tenant: 'red' });
      expect(seen.map(({ tenant }) => tenant)).toEqual(['red']);
    });

    test.each([
      "SELECT count() AS n FROM (SELECT 'blue' AS t) WHERE t IN (SELECT tenant FROM samples_head)",
      "SELECT count() AS n FROM numbers(1) WHERE EXISTS (SELECT 1 FROM samples_head WHERE tenant = 'blue')",
      "SELECT count() AS n FROM samples_head WHERE tenant = 'blue'",
      "SELECT countIf(y.tenant = 'blue') AS n FROM (SELECT number AS id FROM numbers(9)) AS x LEFT JOIN samples_head AS y USING id",
    ])('finds nothing of another: %s', async (sql) => {
      expect(await store.rows(sql, { tenant: 'red' })).toEqual([{ n: '0' }]);
    });

    test('counts its own rows without reading them', async () => {
      const sql = "SELECT count() AS n, max(tenant) AS last FROM samples_head WHERE metric = 'secret'";
      expect(await store.rows(sql, { tenant: 'red' })).toEqual([{ n: '5', last: 'red' }]);
      expect(await store.rows(sql, { tenant: 'blue' })).toEqual([{ n: '7', last: 'blue' }]);
      expect(await store.rows(sql)).toEqual([{ n: '12', last: 'red' }]);
    });

    test('streams its own rows only', async () => {
      const sql = "SELECT id FROM samples_head WHERE metric = 'secret'";
      const blocks = [...readBlocks(await collect(store.stream(sql, { tenant: 'blue' })))];
      expect(blocks.reduce((sum, { rowCount }) => sum + rowCount, 0)).toBe(7);
    });

    test.each([
      'SELECT tenant FROM samples_head SETTINGS additional_table_filters = {}',
      'SELECT tenant FROM (SELECT tenant FROM samples_head SETTINGS additional_table_filters = {})',
      "SELECT tenant FROM merge(currentDatabase(), '^samples_head$')",
      "SELECT tenant FROM remote('127.0.0.1', currentDatabase(), 'samples_head')",
      "SELECT * FROM mergeTreeIndex(currentDatabase(), 'samples_head')",
      'SELECT query FROM system.processes',
      'SELECT query FROM `system` . processes',
      "SELECT * FROM file('/etc/hostname', 'LineAsString')",
    ])('may not use what reads past the filter: %s', async (sql) => {
      expect((await failure(store.rows(sql, { tenant: 'red' }))).message).toContain('must not use');
      expect((await failure(collect(store.stream(sql, { tenant: 'red' })))).message).toContain(
        'must not use',
      );
    });

    test('may not write', async () => {
      const sql = 'INSERT INTO logs (tenant) SELECT tenant FROM logs';
      await failure(store.rows(sql, { tenant: 'red' }));
      expect(await count(store, 'logs', "tenant = 'red'")).toBe(1);
    });

    test('overrides no filter by a setting of its own', async () => {
      const sql = "SELECT uniq(tenant) AS n FROM samples_head WHERE metric = 'secret'";
      const settings = { additional_table_filters: '{}' };
      expect(await store.rows(sql, { tenant: 'red', settings })).toEqual([{ n: '1' }]);
    });

    test('whose name is hostile matches that name only', async () => {
      const tenant = "x' OR '1'='1";
      const sql = 'SELECT count() AS n FROM samples_head';
      expect(await store.rows(sql, { tenant })).toEqual([{ n: '0' }]);
      expect(await store.rows(sql, { tenant: "') OR (1=1" })).toEqual([{ n: '0' }]);
    });

    test('reads by the primary key', async () => {
      const plan = await store.rows<{ explain: string }>(
        'EXPLAIN indexes = 1 SELECT max(v) FROM samples_head',
        {
          tenant: 'red',
        },
      );
      const text = plan.map(({ explain }) => explain).join('\n');
      expect(text).toMatch(/PrimaryKey\s+Keys:\s+tenant\s+Condition: \(tenant in \['red', 'red'\]\)/);
    });

    test('leaves the next query of the session whole', async () => {
      for (let round = 0; round < 10; round++) {
        expect(await count(store, 'samples_head', "metric = 'secret'")).toBe(12);
      }
    });
  });
}
