/**
 * Goal: the embedded engine and a server give the same answers, so that no other code asks which one it has.
 * Method: one suite over a real engine. `open` gives a store on fresh data; `reopen` closes it and opens the same data.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { selectLastSamples } from '#store/last-samples.ts';
import { migrate } from '#store/migrate.ts';
import { readBlocks } from '#store/native/block-reader.ts';
import type { QueryOptions, Store } from '#store/store.ts';
import { eventually } from '#test/support/eventually.ts';
import { describeTenants } from './conformance-tenant.case.ts';
import { describeTotals } from './conformance-totals.case.ts';
import { blockOf, collect, failure, logsBlock, samplesBlock } from './engine-blocks.ts';

export interface StoreUnderTest {
  /** Name of the ClickHouse cluster; absent is one engine. */
  readonly cluster?: string;
  open(): Promise<Store>;
  /** Everything that holds the data is closed and opened again. */
  reopen(): Promise<Store>;
  close(): Promise<void>;
}

const hostileTexts = [
  "it's",
  'back\\slash',
  "\\'",
  '\\n not a newline',
  'a blank line\n\ndrop table logs\n',
  '\0nul\0',
  'tab\there\r\n',
  '{x:String}',
  "'; DROP TABLE logs; --",
  '/* */ -- #',
  '\\N',
  'NULL',
  '',
  '"`',
  '日本\u2028𝒳',
  "x'41'",
  '\b\f',
];

const tenSeconds = 'SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) =';

export function describeStore(name: string, subject: StoreUnderTest): void {
  let store: Store;

  const count = async (table: string, where = '1'): Promise<number> => {
    const [row] = await store.rows<{ n: string }>(`SELECT count() AS n FROM ${table} WHERE ${where}`);
    return Number(row?.n);
  };
  const isRunning = async (marker: string): Promise<boolean> => {
    const rows = await store.rows(
      `SELECT query FROM system.processes WHERE position(query, {marker:String}) > 0 AND position(query, 'system.processes') = 0`,
      { params: { marker } },
    );
    return rows.length > 0;
  };

  describe(name, () => {
    beforeAll(async () => {
      store = await subject.open();
      await migrate(store, { cluster: subject.cluster ?? '' });
    });
    afterAll(() => subject.close());

    test('rows arrive as objects; 64-bit integers as text, NaN and Inf as text, times as UTC text', async () => {
      const sql = `SELECT 1::UInt8 AS small, 18446744073709551615::UInt64 AS big, -1::Int64 AS negative, nan AS n, inf AS i,
        1.5 AS f, NULL AS nothing, ['a'] AS list, map('k', 'v') AS m, toDateTime64('2026-11-20 01:02:03.004', 3) AS t`;
      expect(await store.rows(sql)).toEqual([
        {
          small: 1,
          big: '18446744073709551615',
          negative: '-1',
          n: 'nan',
          i: 'inf',
          f: 1.5,
          nothing: null,
          list: ['a'],
          m: { k: 'v' },
          t: '2026-11-20 01:02:03.004',
        },
      ]);
    });

    test('a query without rows gives no rows and no blocks', async () => {
      expect(await store.rows('SELECT 1 WHERE 0')).toEqual([]);
      expect([...readBlocks(await collect(store.stream('SELECT 1 AS x WHERE 0')))]).toEqual([]);
    });

    test.each(hostileTexts)('the value %j is bound and comes back as it was', async (text) => {
      const sql = 'SELECT {x:String} AS x, {x:Nullable(String)} AS maybe, {list:Array(String)} AS list';
      const params = { x: text, list: [text, 'plain', text] };
      expect(await store.rows(sql, { params })).toEqual([
        { x: text, maybe: text, list: [text, 'plain', text] },
      ]);
    });

    test('numbers, booleans, nulls and identifiers are bound by their type', async () => {
      const sql = `SELECT {n:UInt32} AS n, {f:Float64} AS f, {b:Bool} AS b, {nothing:Nullable(String)} AS nothing,
        {ids:Array(UInt64)} AS ids, {big:UInt64} AS big FROM {table:Identifier}`;
      const params = {
        n: 4294967295,
        f: -1.5e-7,
        b: true,
        nothing: null,
        ids: [1, 2],
        big: '18446744073709551615',
        table: 'system.one',
      };
      expect(
        await store.rows(sql, { params: { ...params, table: 'one' }, settings: {} }).catch(String),
      ).toContain('one');
      expect(await store.rows(sql.replace('{table:Identifier}', 'system.one'), { params })).toEqual([
        { n: 4294967295, f: -1.5e-7, b: true, nothing: null, ids: ['1', '2'], big: '18446744073709551615' },
      ]);
    });

    test('a placeholder never takes the value of the query before', async () => {
      await store.rows('SELECT {secret:String}', { params: { secret: 'of another' } });
      const attempts = Array.from({ length: 20 }, () => failure(store.rows('SELECT {secret:String}')));
      for (const error of await Promise.all(attempts)) {
        expect(error.message).toContain('no value for its placeholder {secret}');
      }
    });

    test('settings count for their own query only', async () => {
      const sql = "SELECT getSetting('max_threads')::String AS n";
      const [before] = await store.rows<{ n: string }>(sql);
      expect(await store.rows(sql, { settings: { max_threads: 3 } })).toEqual([{ n: '3' }]);
      for (let round = 0; round < 10; round++) expect(await store.rows(sql)).toEqual([before]);
    });

    test('a block is inserted once per token, and again under another', async () => {
      const block = await samplesBlock(store, 'a', 'once', 1000);
      await store.insert(block, 'topic/0/0-9/samples_head');
      await store.insert(block, 'topic/0/0-9/samples_head');
      expect(await count('samples_head', "metric = 'once'")).toBe(1000);
      store = await subject.reopen();
      await store.insert(block, 'topic/0/0-9/samples_head');
      expect(await count('samples_head', "metric = 'once'")).toBe(1000);
      await store.insert(block, "topic/0/10-19/it's \\ other");
      expect(await count('samples_head', "metric = 'once'")).toBe(2000);
      await Promise.all(Array.from({ length: 6 }, () => store.insert(block, 'at the same time')));
      expect(await count('samples_head', "metric = 'once'")).toBe(3000);
    });

    test('a series feeds label_values', async () => {
      const block = await blockOf(
        store,
        'series',
        `SELECT 'a'::LowCardinality(String) AS tenant, 'up'::LowCardinality(String) AS metric, 7::UInt64 AS id,
          map('job', 'api', 'pod', 'p1')::Map(LowCardinality(String), String) AS labels,
          toDateTime('2026-11-20 00:00:00', 'UTC') AS t_min, toDateTime('2026-11-20 01:00:00', 'UTC') AS t_max`,
        1,
      );
      await store.insert(block, 'series-1');
      const sql =
        "SELECT name, value, min(t_min) AS t_min, max(t_max) AS t_max FROM label_values WHERE metric = 'up' GROUP BY ALL ORDER BY name";
      const times = { t_min: '2026-11-20 00:00:00', t_max: '2026-11-20 01:00:00' };
      expect(await store.rows(sql)).toEqual([
        { name: '__name__', value: 'up', ...times },
        { name: 'job', value: 'api', ...times },
        { name: 'pod', value: 'p1', ...times },
      ]);
    });

    test('the last sample of each of many series is found, in its tenant alone', async () => {
      const values = (tenant: string, minute: number, times: number) =>
        blockOf(
          store,
          'samples_head',
          `SELECT '${tenant}'::LowCardinality(String) AS tenant, concat('last_', toString(number % 3))::LowCardinality(String) AS metric,
            number + 18446744073709540000 AS id, toDateTime64('2026-11-20 01:00:00', 3, 'UTC') + ${minute * 60} AS ts,
            if(number = 7 AND ${minute} = 2, reinterpretAsFloat64(0x7ff0000000000002), number * ${times} / 8) AS v
          FROM numbers(5000)`,
          5000,
        );
      await store.insert(await values('a', 1, 1), 'last/1');
      await store.insert(await values('a', 2, 2), 'last/2');
      await store.insert(await values('b', 3, 3), 'last/3');
      const firstMs = Date.UTC(2026, 10, 20, 1);
      const idOf = (n: number) => String(18446744073709540000n + BigInt(n));
      const keys = Array.from({ length: 5001 }, (_, n) => ({ metric: `last_${n % 3}`, id: idOf(n) }));
      const found = await selectLastSamples(store, 'a', keys, firstMs);
      expect(found).toHaveLength(5000);
      const byId = new Map(found.map((sample) => [sample.id, sample]));
      expect(byId.get(idOf(7))).toEqual({ id: idOf(7), lastMs: firstMs + 120_000, value: 7 / 8, startMs: 0 });
      for (const n of [0, 1999, 2000, 4999]) {
        expect(byId.get(idOf(n))).toEqual({
          id: idOf(n),
          lastMs: firstMs + 120_000,
          value: n / 4,
          startMs: 0,
        });
      }
      expect(await selectLastSamples(store, 'a', keys, firstMs + 150_000)).toEqual([]);
    });

    test('a payload that holds SQL after a blank line changes nothing and is stored byte for byte', async () => {
      const tables = await store.rows(
        'SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name',
      );
      await store.insert(await logsBlock(store, hostileTexts), 'hostile');
      const stored = await store.rows<{ hex: string }>('SELECT lower(hex(body)) AS hex FROM logs');
      const sent = hostileTexts.map((text) => Buffer.from(text).toString('hex'));
      expect(stored.map(({ hex }) => hex).sort()).toEqual(sent.sort());
      expect(
        await store.rows('SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name'),
      ).toEqual(tables);
    });

    test('a block that is not what its sender says is refused and changes nothing', async () => {
      const good = await samplesBlock(store, 'a', 'refused', 10);
      const table = 'logs' as const;
      for (const [bad, fact] of [
        [{ ...good, rowCount: 11 }, 'it has 10 rows, not 11'],
        [{ ...good, table }, 'it has 5 columns, the table takes 16'],
        [{ ...good, parts: [new Uint8Array([0x80])] }, 'cut off'],
        [
          { ...good, parts: good.parts.map((part) => part.subarray(0, part.length - 3)) },
          'insert into samples_head failed',
        ],
      ] as const) {
        const error = await failure(store.insert(bad, 'refused'));
        expect(error.message).toContain(fact);
        expect(error.retryable).toBe(false);
      }
      expect((await failure(store.insert(good, ''))).message).toContain('token');
      expect(await count('samples_head', "metric = 'refused'")).toBe(0);
      await store.insert(good, 'refused');
      expect(await count('samples_head', "metric = 'refused'")).toBe(10);
    });

    test('a stream delivers every row once, in whole blocks', async () => {
      let sum = 0;
      let rowCount = 0;
      const sql = 'SELECT number AS n, toString(number) AS s FROM numbers({n:UInt32}) ORDER BY n';
      for await (const piece of store.stream(sql, { params: { n: 300_000 } })) {
        for (const block of readBlocks(piece)) {
          rowCount += block.rowCount;
          const column = block.columns[0]?.column;
          if (column?.kind !== 'integer64') throw new Error('not UInt64');
          for (let row = 0; row < block.rowCount; row++) sum += column.words[row * 2] ?? 0;
        }
      }
      expect({ rowCount, sum }).toEqual({ rowCount: 300_000, sum: (300_000 * 299_999) / 2 });
    });

    test('abort cancels the query in the engine and rejects with the reason', async () => {
      const abort = new AbortController();
      const running = failure(store.rows(`${tenSeconds} 7001`, { abort: abort.signal }));
      await eventually(() => isRunning('7001'));
      abort.abort(new Error('the client has gone'));
      const error = await running;
      expect(error).toMatchObject({ clickhouseCode: 394, retryable: false });
      expect((error.cause as Error).message).toBe('the client has gone');
      await eventually(async () => !(await isRunning('7001')));
      expect((await failure(store.rows('SELECT 1', { abort: abort.signal }))).clickhouseCode).toBe(394);
    });

    test('abort ends a stream that has not yet given anything, and one that is being read', async () => {
      for (const sql of [`${tenSeconds} 7002`, 'SELECT number + 7002 AS n FROM numbers(1000000000000)']) {
        const abort = new AbortController();
        const running = failure(
          (async () => {
            for await (const piece of store.stream(sql, { abort: abort.signal })) {
              expect(piece.length).toBeGreaterThan(0);
            }
          })(),
        );
        await eventually(() => isRunning('7002'));
        abort.abort();
        expect((await running).clickhouseCode).toBe(394);
        await eventually(async () => !(await isRunning('7002')));
      }
    });

    test('leaving a stream early stops it in the engine, however often', async () => {
      for (let round = 0; round < 6; round++) {
        for await (const piece of store.stream('SELECT number + 7003 AS n FROM numbers(1000000000000)')) {
          expect(piece.length).toBeGreaterThan(0);
          break;
        }
      }
      await eventually(async () => !(await isRunning('7003')));
    });

    test('a query is stopped at its timeout', async () => {
      const rows = await failure(store.rows(`${tenSeconds} 7004`, { timeoutMs: 200 }));
      expect(rows).toMatchObject({ clickhouseCode: 159, retryable: true });
      const stream = await failure(collect(store.stream(`${tenSeconds} 7004`, { timeoutMs: 200 })));
      expect(stream).toMatchObject({ clickhouseCode: 159, retryable: true });
      await eventually(async () => !(await isRunning('7004')));
    });

    test.each([
      { name: 'a syntax error', sql: 'SELEC 1', code: 62, retryable: false },
      { name: 'an unknown table', sql: 'SELECT 1 FROM nowhere', code: 60, retryable: false },
      { name: 'an unknown column', sql: 'SELECT nothing', code: 47, retryable: false },
      {
        name: 'too little memory',
        sql: 'SELECT groupArray(number) FROM numbers(10000000)',
        settings: { max_memory_usage: 10_000_000 },
        code: 241,
        retryable: true,
      },
      {
        name: 'an unknown setting',
        sql: 'SELECT 1',
        settings: { no_such_setting: 1 },
        code: 115,
        retryable: false,
      },
    ])('$name is a StoreError with its number', async ({ sql, settings, code, retryable }) => {
      const options: QueryOptions = settings === undefined ? {} : { settings };
      expect(await failure(store.rows(sql, options))).toMatchObject({ clickhouseCode: code, retryable });
      expect(await failure(collect(store.stream(sql, options)))).toMatchObject({
        clickhouseCode: code,
        retryable,
      });
    });

    test('an error in the middle of a stream is thrown, not mistaken for its end', async () => {
      const sql = 'SELECT number, throwIf(number = 500000) AS t FROM numbers(1000000)';
      const error = await failure(
        (async () => {
          for await (const piece of store.stream(sql, { settings: { max_threads: 1 } }))
            [...readBlocks(piece)];
        })(),
      );
      expect(error.clickhouseCode).toBe(395);
    });

    test('many calls at a time each get their own answer', async () => {
      const block = await samplesBlock(store, 'a', 'busy', 100);
      const rows = Array.from({ length: 40 }, async (_, index) => {
        const [row] = await store.rows<{ n: number }>('SELECT {n:UInt32} AS n, sleep(0.01)', {
          params: { n: index },
        });
        expect(row?.n).toBe(index);
      });
      const streams = Array.from({ length: 10 }, async (_, index) => {
        const bytes = await collect(
          store.stream('SELECT number FROM numbers({n:UInt32})', { params: { n: index + 1 } }),
        );
        expect([...readBlocks(bytes)].reduce((sum, { rowCount }) => sum + rowCount, 0)).toBe(index + 1);
      });
      const inserts = Array.from({ length: 8 }, (_, index) => store.insert(block, `busy-${index}`));
      await Promise.all([...rows, ...streams, ...inserts]);
      expect(await count('samples_head', "metric = 'busy'")).toBe(800);
    });

    describeTenants(() => store);

    describeTotals(() => store);

    test('close lets running calls end and refuses new ones', async () => {
      const running = store.rows('SELECT sleep(0.5) AS slept');
      await eventually(() => isRunning('slept'));
      const closed = store.close();
      expect((await failure(store.rows('SELECT 1'))).message).toBe('the store is closed');
      expect(await running).toEqual([{ slept: 0 }]);
      await closed;
      await store.close();
      store = await subject.reopen();
      await store.ping();
    });
  });
}
