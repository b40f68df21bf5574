/**
 * Goal: PromQL's source reads from the real engine what was written, each sample once, and only the tenant's own.
 * Method: the embedded engine with the real tables; rows in head and chunks by SQL, reads through the source.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LabelMatcher } from '#model/labels.ts';
import { parseSelector } from '#query/promql/parser.ts';
import type { SampleSource } from '#query/promql/source.ts';
import { boundBytesMax } from '#query/sql/bound-text.ts';
import { createSampleSource } from '#query/sql/samples.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';
import { shortLabels } from '../../support/short-labels.ts';

let path: string;
let store: Store;
let source: SampleSource;

/** The first id has its highest bit set: 64 bits must be compared without a sign. */
const ids = { a: '18446744073709551615', b: '4294967296', c: '7', other: '9' };
const dayStart = 1_767_225_600;
const at = (seconds: number) => `fromUnixTimestamp64Milli(${(dayStart + seconds) * 1000}, 'UTC')`;

beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'sonde-samples-'));
  store = await openEmbeddedStore({ path });
  await migrate(store);
  await store.exec(`INSERT INTO series (tenant, metric, id, labels, t_min, t_max) VALUES
    ('t1', 'up', ${ids.a}, map('job', 'a', 'path', '/x=y'), ${dayStart}, ${dayStart + 7200}),
    ('t1', 'up', ${ids.b}, map('job', 'b'), ${dayStart}, ${dayStart + 7200}),
    ('t1', 'other', ${ids.c}, map('job', 'a'), ${dayStart}, ${dayStart + 14400}),
    ('t2', 'up', ${ids.other}, map('job', 'secret'), ${dayStart}, ${dayStart + 7200})`);
  await store.exec(`INSERT INTO series (tenant, metric, id, labels, t_min, t_max) VALUES
    ('t1', 'up', ${ids.a}, map('job', 'a', 'path', '/x=y'), ${dayStart + 7200}, ${dayStart + 14400})`);
  await store.exec(`INSERT INTO samples_chunk SELECT 't1', 'up', toDateTime(${dayStart}), ${ids.a},
    [${at(10)}, ${at(20)}, ${at(30)}], [1., 2., 3.]`);
  // The compaction has written the chunk above and not dropped these rows yet; 20 s was sent twice.
  await store.exec(`INSERT INTO samples_head SELECT 't1', 'up', ${ids.a}, ${at(20)}, 2.5`);
  await store.exec(`INSERT INTO samples_head SELECT 't1', 'up', ${ids.a}, ${at(30)}, 3`);
  await store.exec(`INSERT INTO samples_head SELECT 't1', 'up', ${ids.a}, ${at(7210)},
    reinterpretAsFloat64(toUInt64(9218868437227405314))`);
  await store.exec(`INSERT INTO samples_head SELECT 't1', 'up', ${ids.b}, ${at(15)}, 15`);
  await store.exec(`INSERT INTO samples_head SELECT 't1', 'other', ${ids.c}, ${at(15)}, 7`);
  await store.exec(`INSERT INTO samples_head SELECT 't2', 'up', ${ids.other}, ${at(15)}, 666`);
  await store.exec(
    `INSERT INTO metric_metadata VALUES ('t1', 'up', 'gauge', 'old', '', 1), ('t1', 'up', 'gauge', 'Is it up?', '', 2)`,
  );
  source = createSampleSource(store, 't1', { seriesMax: 100 });
});

afterAll(async () => {
  await store?.close();
  await rm(path, { recursive: true, force: true });
});

const range = { startMs: dayStart * 1000, endMs: (dayStart + 14_400) * 1000 };

function matchers(selector: string): readonly LabelMatcher[] {
  return parseSelector(selector).matchers;
}

async function read(selector: string, startSeconds: number, endSeconds: number): Promise<string[]> {
  const lines: string[] = [];
  const startMs = (dayStart + startSeconds) * 1000;
  const endMs = (dayStart + endSeconds) * 1000;
  for await (const { labels, timestamps, values } of source.select({
    matchers: matchers(selector),
    startMs,
    endMs,
  })) {
    const samples = Array.from(timestamps, (time, i) => `${time / 1000 - dayStart}:${values[i]}`);
    lines.push(`${shortLabels(labels)} ${samples.join(' ')}`);
  }
  return lines.sort();
}

const upA = 'up{job="a", path="/x=y"}';

test.each([
  {
    name: 'chunks and recent rows are one series, each time once, the larger value',
    selector: 'up{job="a"}',
    start: 0,
    end: 7300,
    lines: [`${upA} 10:1 20:2.5 30:3 7210:NaN`],
  },
  {
    name: 'the range is open at the left and closed at the right',
    selector: 'up{job="a"}',
    start: 10,
    end: 30,
    lines: [`${upA} 20:2.5 30:3`],
  },
  { name: 'no sample in the range, no series', selector: 'up{job="b"}', start: 15, end: 100, lines: [] },
  {
    name: 'another tenant is out of sight',
    selector: 'up',
    start: 0,
    end: 100,
    lines: [`${upA} 10:1 20:2.5 30:3`, 'up{job="b"} 15:15'],
  },
  {
    name: 'a value that holds "=" is found',
    selector: '{path="/x=y"}',
    start: 0,
    end: 15,
    lines: [`${upA} 10:1`],
  },
  {
    name: 'an absent label is empty',
    selector: 'up{path=""}',
    start: 0,
    end: 100,
    lines: ['up{job="b"} 15:15'],
  },
  {
    name: 'not equal to empty means present',
    selector: 'up{path!=""}',
    start: 0,
    end: 15,
    lines: [`${upA} 10:1`],
  },
  {
    name: 'a pattern matches the whole value',
    selector: 'up{job=~"[a-z]|nothing"}',
    start: 14,
    end: 15,
    lines: ['up{job="b"} 15:15'],
  },
  { name: 'a part of the value does not match', selector: 'up{path=~"/x"}', start: 0, end: 100, lines: [] },
  {
    name: 'a negated pattern lets absent labels pass',
    selector: 'up{path!~"/.*"}',
    start: 0,
    end: 100,
    lines: ['up{job="b"} 15:15'],
  },
  {
    name: 'the metric may be a pattern',
    selector: '{__name__=~"up|other",job="a"}',
    start: 14,
    end: 20,
    lines: ['other{job="a"} 15:7', `${upA} 20:2.5`],
  },
  {
    name: 'quotes and backslashes are data',
    selector: `up{job="' OR 1=1 -- \\\\"}`,
    start: 0,
    end: 100,
    lines: [],
  },
])('$name', async ({ selector, start, end, lines }) => {
  expect(await read(selector, start, end)).toEqual(lines);
});

test('a stale marker keeps its bits', async () => {
  for await (const { values } of source.select({
    matchers: matchers('up{job="a"}'),
    startMs: (dayStart + 100) * 1000,
    endMs: range.endMs,
  })) {
    expect(new BigUint64Array(values.slice().buffer)).toEqual(new BigUint64Array([0x7ff0000000000002n]));
  }
});

test('more series than the limit are refused with the option that raises it', async () => {
  const narrow = createSampleSource(store, 't1', { seriesMax: 1 });
  const all = async () => {
    for await (const _ of narrow.select({ matchers: matchers('up'), ...range }));
  };
  await expect(all()).rejects.toThrow(
    'a selector matches more than 1 series (raise it with query.series_max)',
  );
});

test('as much text as the engine reads in one statement is answered, and more is refused', async () => {
  const most = '\\\\'.repeat(boundBytesMax / 2 - 100);
  expect(await read(`up{a!="${most}", job="a"}`, 0, 60)).not.toEqual([]);
  await expect(read(`up{a!="${most}${'x'.repeat(300)}", job="a"}`, 0, 60)).rejects.toThrow(
    `bytes in a statement, more than ${boundBytesMax}: shorten them`,
  );
});

test('series of many metrics with long names are found without naming them', async () => {
  const name = `concat('${'n'.repeat(200)}', toString(number))`;
  await store.exec(`INSERT INTO series (tenant, metric, id, labels, t_min, t_max)
    SELECT 't3', ${name}, number + 1, map('job', 'long'), ${dayStart}, ${dayStart + 60} FROM numbers(900)`);
  await store.exec(
    `INSERT INTO samples_head SELECT 't3', ${name}, number + 1, ${at(15)}, 1 FROM numbers(900)`,
  );
  let count = 0;
  const request = { matchers: matchers('{job="long"}'), startMs: range.startMs, endMs: range.endMs };
  for await (const _series of createSampleSource(store, 't3', { seriesMax: 1000 }).select(request)) count++;
  expect(count).toBe(900);
});

test('a pattern that only RE2 refuses is a bad request', async () => {
  const bad = [{ name: 'job', op: '=~', value: 'x(?=y)' }] as const;
  const all = async () => {
    for await (const _ of source.select({ matchers: bad, ...range }));
  };
  await expect(all()).rejects.toMatchObject({ code: 'SONDE_REFUSED', status: 400 });
});

test('label names and values come from the small table, or with matchers from the series', async () => {
  expect(await source.labelNames([], range, 10)).toEqual(['__name__', 'job', 'path']);
  expect(await source.labelNames([matchers('other')], range, 10)).toEqual(['__name__', 'job']);
  expect(await source.labelValues('job', [], range, 10)).toEqual(['a', 'b']);
  expect(await source.labelValues('job', [matchers('other')], range, 10)).toEqual(['a']);
  expect(await source.labelValues('__name__', [matchers('{job="b"}')], range, 10)).toEqual(['up']);
  expect(await source.labelValues('path', [matchers('{job=~"a|b"}')], range, 10)).toEqual(['/x=y']);
  expect(await source.labelValues('job', [], range, 1)).toEqual(['a']);
  expect(await source.labelNames([], { startMs: 0, endMs: 1000 }, 10)).toEqual([]);
});

test('series are listed once, sorted, for any of several selectors', async () => {
  const lists = [matchers('up'), matchers('{job="a"}')];
  const series = await source.series(lists, range, 10);
  expect(series.map(shortLabels)).toEqual(['other{job="a"}', upA, 'up{job="b"}']);
  expect(await source.series(lists, range, 2)).toHaveLength(2);
});

test('metadata is the newest of each metric', async () => {
  expect(await source.metadata(undefined, 10)).toEqual([
    { metric: 'up', type: 'gauge', help: 'Is it up?', unit: '' },
  ]);
  expect(await source.metadata('nothing', 10)).toEqual([]);
});
