/**
 * Goal: which of a tool's filters on a view reach the partitions, the key and the indexes of the table beneath, so that
 * docs/store.md says what is so.
 * Method: a week of rows in seven parts, and the engine's own account of what it would read.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-otel-index-use-'));
let store: Store;
const rowCount = 200_000;
const firstDay = '2026-11-20 00:00:00';
const hour = ['2026-11-23 10:00:00', '2026-11-23 11:00:00'].map((text) => Date.parse(`${text}Z`));
const range = `Timestamp >= fromUnixTimestamp64Milli(${hour[0]}) AND Timestamp <= fromUnixTimestamp64Milli(${hour[1]})`;
let traceId = '';

beforeAll(async () => {
  store = await openEmbeddedStore({ path: directory });
  await migrate(store);
  const columns = `'default' AS tenant, toDateTime64('${firstDay}', 9, 'UTC') + number * 3 AS ts,
    concat('service-', toString(number % 10)) AS service, MD5(toString(intDiv(number, 5))) AS trace_id,
    map('user', toString(number)) AS attrs`;
  await store.exec(
    `INSERT INTO logs (tenant, ts, service, trace_id, attrs, body) SELECT ${columns}, concat('Line ', toString(number)) FROM numbers(${rowCount})`,
  );
  await store.exec(
    `INSERT INTO spans (tenant, ts, service, trace_id, attrs, duration_ns) SELECT ${columns}, number FROM numbers(${rowCount})`,
  );
  await store.exec(
    `INSERT INTO trace_index SELECT tenant, trace_id, toDateTime(min(ts)), toDateTime(max(ts)) FROM spans GROUP BY tenant, trace_id`,
  );
  const [row] = await store.rows<{ id: string }>("SELECT lower(hex(MD5('20000'))) AS id");
  traceId = row!.id;
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Plan {
  readonly Plans?: readonly Plan[];
  readonly Indexes?: readonly {
    readonly Type: string;
    readonly Name?: string;
    readonly 'Initial Granules': number;
    readonly 'Selected Granules': number;
  }[];
}

/** Returns what leaves granules out, in order: 'Min-Max', 'Partition', 'PrimaryKey', or the name of an index. */
async function narrowing(sql: string): Promise<string[]> {
  const [row] = await store.rows<{ explain: string }>(
    `SELECT explain FROM (EXPLAIN PLAN json = 1, indexes = 1 ${sql})`,
  );
  const found: string[] = [];
  const visit = ({ Plans = [], Indexes = [] }: Plan): void => {
    for (const index of Indexes) {
      if (index['Selected Granules'] < index['Initial Granules']) found.push(index.Name ?? index.Type);
    }
    for (const plan of Plans) visit(plan);
  };
  for (const { Plan: plan } of JSON.parse(row!.explain) as { Plan: Plan }[]) visit(plan);
  return found;
}

test.each([
  ['a range of time reads its days', 'otel_logs', range, ['Min-Max']],
  ['and so does one of seconds', 'otel_logs', range.replaceAll('Timestamp ', 'TimestampTime '), ['Min-Max']],
  [
    'a service uses the key',
    'otel_logs',
    `${range} AND ServiceName = 'service-3'`,
    ['Min-Max', 'PrimaryKey'],
  ],
  ['of spans too', 'otel_traces', `${range} AND ServiceName = 'service-3'`, ['Min-Max', 'PrimaryKey']],
  ['a service without a time', 'otel_logs', "ServiceName = 'service-3'", ['PrimaryKey']],
  ['another tenant', 'otel_logs', "Tenant = 'other'", ['PrimaryKey']],
  ['part of a line, in its own case', 'otel_logs', "Body LIKE '%Line 77777%'", ['body_ngrams']],
  ['part of a line, in any case', 'otel_logs', "lower(Body) LIKE lower('%line 77777%')", []],
  ['a whole word in any case', 'otel_logs', "hasToken(lower(Body), lower('77777'))", []],
  ['a duration', 'otel_traces', 'Duration > 199000', ['duration_minmax']],
  ['an attribute', 'otel_logs', "LogAttributes['user'] = '77777'", []],
])('%s', async (_name, view, where, expected) => {
  expect(await narrowing(`SELECT count() FROM ${view} WHERE ${where}`)).toEqual(expected);
});

test.each([
  ['otel_logs', "LogAttributes['user'] = '77777'"],
  ['otel_logs', "(LogAttributes['user'] = '77777' AND indexHint(mapContains(LogAttributes, 'user')))"],
  ['otel_traces', "SpanAttributes['user'] = '77777'"],
])('with a setting of the user’s an attribute of %s uses its index: %s', async (view, where) => {
  const sql = `SELECT count() FROM ${view} WHERE ${where} SETTINGS optimize_functions_to_subcolumns = 0`;
  expect(await narrowing(sql)).toEqual(['attrs_text']);
  expect(await store.rows(sql)).toEqual([{ 'count()': '1' }]);
});

test('a trace’s hex digits alone do not use the bloom filter of ids, its bytes do', async () => {
  for (const view of ['otel_logs', 'otel_traces'])
    expect(await narrowing(`SELECT count() FROM ${view} WHERE TraceId = '${traceId}'`)).toEqual([]);
  expect(await narrowing(`SELECT count() FROM spans WHERE trace_id = unhex('${traceId}')`)).toEqual([
    'trace_id_bloom',
  ]);
});

test('the view of traces’ times finds one by its digits, and its times narrow the spans', async () => {
  const times = (value: string) =>
    `(SELECT ${value} FROM otel_traces_trace_id_ts WHERE TraceId = '${traceId}')`;
  expect(await narrowing(times('min(Start)').slice(1, -1))).toEqual(['trace_id_hex']);
  const spans = `SELECT count() FROM otel_traces WHERE TraceId = '${traceId}'
    AND Timestamp >= ${times('min(Start)')} AND Timestamp <= ${times('max(End) + 1')}`;
  expect(await narrowing(spans)).toEqual(['Min-Max']);
  expect(await store.rows(spans)).toEqual([{ 'count()': '5' }]);
});
