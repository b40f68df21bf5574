/**
 * Goal: what was deleted over Prometheus's API is gone from every table and does not come back, and nothing else is.
 * Method: samples in head, closing rows, chunks and cells of the embedded engine; requests over the API; compaction
 * afterwards by the real compactor.
 */
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { compactClosed } from '#store/compaction/compactor.ts';
import { openTestStore, type TestStore } from '../sql/open-test-store.ts';
import { createPrometheusApp, seriesAdministration } from './prometheus-app.ts';

const dayStart = 1_767_225_600;
const nowMs = (dayStart + 12 * 3600) * 1000;
const quiet = { info: () => undefined, error: (fields: object) => expect(fields).toEqual({}) };

let opened: TestStore;
let app: FastifyInstance;
let tenantCount = 0;
let tenant = '';

beforeEach(async () => {
  opened ??= await openTestStore();
  tenant = `t${++tenantCount}`;
  app = createPrometheusApp({ store: opened.store, nowMs, admin: seriesAdministration(opened.store, nowMs) });
});
afterAll(async () => {
  await opened?.[Symbol.asyncDispose]();
});

/** Samples each minute from 00:00 until 06:00, compacted; then until 07:00 in the head. */
async function fill(ids: Readonly<Record<number, Readonly<Record<string, string>>>>): Promise<void> {
  const { store } = opened;
  for (const [id, labels] of Object.entries(ids)) {
    const map = Object.entries(labels)
      .map(([name, value]) => `'${name}', '${value}'`)
      .join(', ');
    await store.exec(`INSERT INTO series (tenant, metric, id, labels, t_min, t_max) VALUES
      ('${tenant}', 'm', ${id}, map(${map}), ${dayStart}, ${dayStart + 8 * 3600})`);
    await insert(Number(id), 0, 360);
  }
  await compact();
  for (const id of Object.keys(ids)) await insert(Number(id), 360, 60);
}

async function insert(id: number, firstMinute: number, count: number): Promise<void> {
  await opened.store.exec(`INSERT INTO samples_head SELECT '${tenant}', 'm', ${id},
    fromUnixTimestamp64Milli((${dayStart} + 60 * (${firstMinute} + number)) * 1000, 'UTC'), ${firstMinute} + number
    FROM numbers(${count})`);
}

async function compact(): Promise<void> {
  const options = { latenessMs: 0, nowMs: (dayStart + 6 * 3600) * 1000, log: quiet };
  await compactClosed(opened.store, options, new AbortController().signal);
}

async function request(
  method: 'GET' | 'POST' | 'PUT',
  path: string,
  params: Record<string, string>,
): Promise<string> {
  const query = new URLSearchParams(params);
  const reply = await app.inject({
    method,
    url: `/api/v1/${path}?${query}`,
    headers: { 'x-scope-orgid': tenant },
  });
  return `${reply.statusCode} ${reply.body}`;
}

/** Minutes of the day at which the series has samples. */
async function minutesOf(selector: string): Promise<number[]> {
  const time = String(dayStart + 8 * 3600);
  const [, body] =
    /^200 (.*)$/s.exec(await request('GET', 'query', { query: `${selector}[1d]`, time })) ?? [];
  const { result } = (JSON.parse(body!) as { data: { result: { values: [number, string][] }[] } }).data;
  return result.flatMap(({ values }) => values.map(([at]) => (at - dayStart) / 60));
}

const minutes = (from: number, to: number) => Array.from({ length: to - from }, (_none, i) => from + i);

async function cells(id: number): Promise<{ n: number; cell: number; vsum: number }[]> {
  const rows = await opened.store.rows<{ n: number; cell: number; vsum: number }>(
    `SELECT n, toUnixTimestamp(cell) AS cell, vsum FROM samples_5m FINAL WHERE id = ${id} ORDER BY cell`,
    { tenant },
  );
  return rows.map(({ n, cell, vsum }) => ({ n, cell: (cell - dayStart) / 60, vsum }));
}

test('a series that is deleted as a whole is not listed any more, nor its label values', async () => {
  await fill({ 1: { job: 'a' }, 2: { job: 'b', only: 'here' } });
  expect(await request('POST', 'admin/tsdb/delete_series', { 'match[]': 'm{job="b"}' })).toBe('204 ');
  expect(await minutesOf('m{job="b"}')).toEqual([]);
  expect(await minutesOf('m{job="a"}')).toEqual(minutes(0, 420));
  const success = (data: unknown) => `200 ${JSON.stringify({ status: 'success', data })}`;
  expect(await request('GET', 'series', { 'match[]': 'm' })).toBe(success([{ __name__: 'm', job: 'a' }]));
  expect(await request('GET', 'label/job/values', {})).toBe(success(['a']));
  expect(await request('GET', 'labels', {})).toBe(success(['__name__', 'job']));
  await compact();
  expect(await minutesOf('m')).toEqual(minutes(0, 420));
  expect(await cells(2)).toEqual([]);
});

test('of a range in the middle everything goes, and the rest and its cells are exact after the next compaction', async () => {
  await fill({ 3: { job: 'a' } });
  const before = await cells(3);
  const [from, to] = [63, 302];
  const range = { start: String(dayStart + from * 60), end: String(dayStart + to * 60) };
  expect(await request('PUT', 'admin/tsdb/delete_series', { 'match[]': 'm', ...range })).toBe('204 ');
  const kept = [...minutes(0, from), ...minutes(to + 1, 420)];
  expect(await minutesOf('m')).toEqual(kept);
  await compact();
  expect(await minutesOf('m')).toEqual(kept);
  const expected = before.flatMap(({ cell }) => {
    const values = minutes(cell - 4, cell + 1).filter(
      (minute) => minute >= 0 && minute < 360 && !(minute >= from && minute <= to),
    );
    return values.length === 0 ? [] : [{ n: values.length, cell, vsum: values.reduce((a, b) => a + b, 0) }];
  });
  expect(await cells(3)).toEqual(expected);
});

test('an edge on the bound of two hours belongs to the cell of both', async () => {
  await fill({ 4: { job: 'a' } });
  const range = { start: String(dayStart + 120 * 60), end: String(dayStart + 120 * 60) };
  await request('POST', 'admin/tsdb/delete_series', { 'match[]': 'm', ...range });
  await compact();
  expect(await minutesOf('m')).toEqual(minutes(0, 420).filter((minute) => minute !== 120));
  expect((await cells(4)).find(({ cell }) => cell === 120)).toEqual({
    n: 4,
    cell: 120,
    vsum: 116 + 117 + 118 + 119,
  });
});

test("rows that wait for compaction, histograms and exemplars go too, and another tenant's stay", async () => {
  const { store } = opened;
  const at = (minute: number) => `fromUnixTimestamp64Milli(${(dayStart + minute * 60) * 1000}, 'UTC')`;
  for (const owner of [tenant, `${tenant}-other`]) {
    await store.exec(`INSERT INTO series (tenant, metric, id, labels, t_min, t_max) VALUES
      ('${owner}', 'm', 5, map('job', 'a'), ${dayStart}, ${dayStart + 7200})`);
    await store.exec(`INSERT INTO samples_closing SELECT '${owner}', 'm', 5, ${at(1)}, 1`);
    await store.exec(
      `INSERT INTO exemplars (tenant, metric, id, ts, v, labels) SELECT '${owner}', 'm', 5, ${at(1)}, 1, map()`,
    );
    await store.exec(
      `INSERT INTO histograms_head VALUES ('${owner}', 'm', 5, ${at(2)}, ${at(0)}, 0, 0, 1, 1, 0, 0, [0], [1], [1], [], [], [], [])`,
    );
  }
  await request('POST', 'admin/tsdb/delete_series', { 'match[]': 'm' });
  for (const table of ['samples_closing', 'exemplars', 'histograms_head', 'series', 'label_values']) {
    const [row] = await store.rows<{ n: string; others: string }>(
      `SELECT countIf(tenant = '${tenant}') AS n, countIf(tenant = '${tenant}-other') AS others FROM ${table}`,
    );
    expect([table, Number(row!.n), Number(row!.others) > 0]).toEqual([table, 0, true]);
  }
  expect(await request('POST', 'admin/tsdb/clean_tombstones', {})).toBe('204 ');
});

test('mistakes are refused, and all of it where the API is off', async () => {
  expect(await request('POST', 'admin/tsdb/delete_series', {})).toBe(
    '400 {"status":"error","errorType":"bad_data","error":"no match[] parameter provided"}',
  );
  expect(await request('POST', 'admin/tsdb/delete_series', { 'match[]': 'm{' })).toMatch(
    /^400 .*invalid parameter \\"match\[\]\\": 1:3: parse error/,
  );
  expect(await request('POST', 'admin/tsdb/snapshot', { skip_head: 'x' })).toMatch(
    /^400 .*unable to parse boolean/,
  );
  expect(await request('POST', 'admin/tsdb/snapshot', {})).toBe(
    '200 {"status":"success","data":{"name":"a-snapshot"}}',
  );
  app = createPrometheusApp({ store: opened.store, nowMs });
  for (const path of ['delete_series?match[]=m', 'clean_tombstones', 'snapshot']) {
    const reply = await app.inject({ method: 'POST', url: `/api/v1/admin/tsdb/${path}` });
    expect([reply.statusCode, reply.json()]).toMatchObject([503, { errorType: 'unavailable' }]);
  }
});
