/**
 * Goal: a log selection means in SQL what it means in LogQL, to the nanosecond, and never reaches another tenant.
 * Method: one real store with a few awkward records; a table of selections and the lines they pick.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LabelMatcher, Labels } from '#model/labels.ts';
import { ParseError } from '#query/language/parse-error.ts';
import { parseLogql } from '#query/logql/parser.ts';
import type { LogSource } from '#query/logql/source.ts';
import { createLogSource } from '#query/sql/logs.ts';
import type { Store } from '#store/store.ts';
import { openTestStore, type TestStore } from './open-test-store.ts';

const start = '1767225600000000000';
const end = '1767312000000000000';

let opened: TestStore;
let store: Store;
let source: LogSource;

beforeAll(async () => {
  opened = await openTestStore();
  store = opened.store;
  await store.exec(`
    INSERT INTO logs (tenant, ts, service, level, severity, severity_text, trace_id, span_id, labels, attrs, body) VALUES
    ('default', '2026-01-01 00:00:00.000000000', 'cart', 'info', 9, 'INFO', '', '',
      {'service.name':'cart','k8s.pod.name':'cart-1','host.name':'h'}, {'user.id':'7','1st':'x'}, '100% done'),
    ('default', '2026-01-01 00:00:00.000000001', 'cart', 'error', 17, '', unhex('0102030405060708090a0b0c0d0e0f10'),
      unhex('0102030405060708'), {'service.name':'cart','k8s.pod.name':'cart-2'}, {'service_name':'other'}, '1000 failed_'),
    ('default', '2026-01-01 05:00:00', 'pay', 'unknown', 0, '', '', '', {'service.name':'pay'}, {'host.name':'h'}, 'a\\nb \\\\ "c"'),
    ('other', '2026-01-01 00:00:00', 'secret', 'info', 9, '', '', '',
      {'service.name':'secret','k8s.namespace.name':'hidden'}, {}, '100% secret'),
    ('pushed', '2026-01-01 00:00:00', 'shop', 'warn', 0, '', '', '',
      {'service.name':'shop','app':'shop','container_name':'own','host.name':'h'}, {'app':'other'}, 'one'),
    ('pushed', '2026-01-01 00:00:01', 'shop', 'warn', 0, '', '', '',
      {'host.name':'h','container_name':'own','app':'shop','service.name':'shop'}, {}, 'two'),
    ('pushed', '2026-01-01 00:00:02', 'cart', 'warn', 0, '', '', '',
      {'service.name':'cart','app':'cart','container.name':'c','container_name':'not c','sonde.store':'access'}, {}, 'three')`);
  source = createLogSource(store, 'default', { samplesMax: 1000, seriesMax: 100 });
});

afterAll(() => opened[Symbol.asyncDispose]());

interface Bounds {
  readonly from?: string;
  readonly to?: string;
  readonly limit?: number;
  readonly direction?: 'forward' | 'backward';
}

function select(query: string, { from = start, to = end, limit = 10, direction = 'forward' }: Bounds = {}) {
  const expr = parseLogql(query);
  if (expr.kind !== 'log') throw new Error('a test asks for lines');
  const { matchers, lineFilters } = expr;
  return source.select({ matchers, lineFilters, startUnixNano: from, endUnixNano: to, limit, direction });
}

const done = '100% done';
const failed = '1000 failed_';
const quoted = 'a\nb \\ "c"';

describe('lines picked', () => {
  test.each([
    ['{service_name=~".+"}', [done, failed, quoted]],
    ['{service_name="cart"}', [done, failed]],
    ['{service_name!="cart", service_name!=""}', [quoted]],
    ['{service_name=~"c.*"}', [done, failed]],
    // Anchored at both ends.
    ['{service_name=~"ar"}', []],
    ['{k8s_pod_name!~"cart-[0-1]", service_name=~".+"}', [failed, quoted]],
    // Not a stream label: no stream has it.
    ['{host_name="h"}', []],
    ['{host_name="", service_name="pay"}', [quoted]],
    ['{service_name=~".+"} |= "100%"', [done]],
    ['{service_name=~".+"} |= "_"', [failed]],
    ['{service_name=~".+"} |= "\\\\"', [quoted]],
    ['{service_name=~".+"} |= "DONE"', []],
    ['{service_name=~".+"} |= ""', [done, failed, quoted]],
    ['{service_name=~".+"} |= "done" or "failed"', [done, failed]],
    ['{service_name=~".+"} != "done" or "failed"', [quoted]],
    ['{service_name=~".+"} |~ "\\\\d{4}"', [failed]],
    ['{service_name=~".+"} |~ "(?i)DONE"', [done]],
    // In a line . does not match a newline.
    ['{service_name=~".+"} |~ "a.b"', []],
    ['{service_name=~".+"} |~ "(?s)a.b"', [quoted]],
    ['{service_name=~".+"} !~ "done|_" |= "a"', [quoted]],
    [`{service_name="x' OR 1=1 --"}`, []],
  ])('%s', async (query, lines) => {
    expect((await select(query)).map(({ line }) => line)).toEqual(lines);
  });
});

describe('times', () => {
  const second = '1767225600000000001';
  test.each<[string, Bounds, string[]]>([
    ['the start is included, the end is not', { from: start, to: second }, [done]],
    ['a nanosecond later', { from: second, to: '1767225600000000002' }, [failed]],
    ['newest first', { direction: 'backward' }, [quoted, failed, done]],
    ['the limit keeps the newest', { direction: 'backward', limit: 2 }, [quoted, failed]],
    ['the limit keeps the oldest', { direction: 'forward', limit: 2 }, [done, failed]],
    ['before 1970 and after 2262', { from: '-1', to: '99999999999999999999' }, [done, failed, quoted]],
    ['an empty range', { from: end, to: end }, []],
  ])('%s', async (_name, bounds, lines) => {
    expect((await select('{service_name=~".+"}', bounds)).map(({ line }) => line)).toEqual(lines);
  });
});

test('a record becomes a stream and structured metadata as Loki makes them', async () => {
  const entries = await select('{service_name="cart"}');
  expect(entries.map(({ stream, structuredMetadata }) => [show(stream), show(structuredMetadata)])).toEqual([
    [
      'k8s_pod_name=cart-1 service_name=cart',
      'detected_level=info host_name=h key_1st=x severity_number=9 severity_text=INFO user_id=7',
    ],
    [
      'k8s_pod_name=cart-2 service_name=cart',
      'detected_level=error service_name_extracted=other severity_number=17 span_id=0102030405060708 ' +
        'trace_id=0102030405060708090a0b0c0d0e0f10',
    ],
  ]);
  expect(entries[0].timeUnixNano).toBe(start);
});

function show(labels: Labels): string {
  return labels.map(([name, value]) => `${name}=${value}`).join(' ');
}

const anyService: LabelMatcher = { name: 'service_name', op: '=~', value: '.+' };

test('label names, values and streams are those of the tenant only', async () => {
  expect(await source.labelNames([], start, end)).toEqual(['k8s_pod_name', 'service_name']);
  expect(await source.labelNames([{ name: 'service_name', op: '=', value: 'pay' }], start, end)).toEqual([
    'service_name',
  ]);
  expect(await source.labelNames([], end, end)).toEqual([]);
  expect(await source.labelValues('service_name', [], start, end)).toEqual(['cart', 'pay']);
  expect(await source.labelValues('k8s_namespace_name', [], start, end)).toEqual([]);
  expect(await source.labelValues('user_id', [], start, end)).toEqual([]);
  expect((await source.series([[anyService]], start, end)).map(show)).toEqual([
    'k8s_pod_name=cart-1 service_name=cart',
    'k8s_pod_name=cart-2 service_name=cart',
    'service_name=pay',
  ]);
  const picked = await source.series(
    [[{ name: 'k8s_pod_name', op: '=', value: 'cart-1' }], [{ name: 'service_name', op: '=', value: 'pay' }]],
    start,
    end,
  );
  expect(picked.map(show)).toEqual(['k8s_pod_name=cart-1 service_name=cart', 'service_name=pay']);
  const secret = createLogSource(store, 'other', { samplesMax: 1000, seriesMax: 100 });
  expect(await secret.labelValues('service_name', [], start, end)).toEqual(['secret']);
});

describe('counts', () => {
  const request = {
    matchers: [anyService],
    lineFilters: [],
    measure: 'lines' as const,
    startUnixNano: start,
    endUnixNano: '1767243600000000000',
    cellNano: '3600000000000',
  };

  test('cells are open at their start and closed at their end', async () => {
    // The first record stands exactly at the start: outside. The last one exactly at the end: inside.
    expect(await source.count({ ...request, groupBy: [] })).toEqual([
      { labels: [], cell: 0, value: 1 },
      { labels: [], cell: 4, value: 1 },
    ]);
  });

  test.each([
    ['service_name', ['service_name=cart 2', 'service_name=pay 1']],
    ['detected_level', ['detected_level=error 1', 'detected_level=info 1', 'detected_level=unknown 1']],
    ['user_id', [' 2', 'user_id=7 1']],
    // An attribute of the resource in one record, of the record in the other.
    ['host_name', [' 1', 'host_name=h 2']],
    ['key_1st', [' 2', 'key_1st=x 1']],
    ['trace_id', [' 2', 'trace_id=0102030405060708090a0b0c0d0e0f10 1']],
    ['missing', [' 3']],
  ])('by %s', async (label, expected) => {
    const counts = await source.count({
      ...request,
      groupBy: [label],
      startUnixNano: '0',
      cellNano: '2000000000000000000',
    });
    expect(counts.map(({ labels, value }) => `${show(labels)} ${value}`).sort()).toEqual(expected);
  });

  test('without groups each label set is counted, as the lines show it', async () => {
    const counts = await source.count({
      ...request,
      groupBy: undefined,
      measure: 'bytes',
      startUnixNano: '0',
    });
    const entries = await select('{service_name=~".+"}');
    expect(counts.map(({ labels, value }) => `${show(labels)} ${value}`).sort()).toEqual(
      entries
        .map((entry) => {
          const labels = [...entry.stream, ...entry.structuredMetadata].sort(([a], [b]) => (a < b ? -1 : 1));
          return `${show(labels)} ${Buffer.byteLength(entry.line)}`;
        })
        .sort(),
    );
  });

  test('more cells than the limit are an error that names it', async () => {
    const narrow = createLogSource(store, 'default', { samplesMax: 1, seriesMax: 1 });
    await expect(narrow.count({ ...request, groupBy: [] })).rejects.toThrow(
      'raise it with query.samples_max',
    );
    await expect(narrow.series([], start, end)).rejects.toThrow('raise it with query.series_max');
  });
});

test('a pattern that only the engine refuses is a ParseError', async () => {
  const matchers: LabelMatcher[] = [{ name: 'service_name', op: '=~', value: '(' }];
  await expect(source.labelValues('service_name', matchers, start, end)).rejects.toThrow(ParseError);
});

describe('resource attributes that are labels already, as a Loki push makes them', () => {
  const pushed = () => createLogSource(store, 'pushed', { samplesMax: 1000, seriesMax: 100 });
  const request = { lineFilters: [], startUnixNano: start, endUnixNano: end, limit: 10 } as const;

  test.each<[string, string[]]>([
    ['{app="shop"}', ['one', 'two']],
    ['{app=~"c.*"}', ['three']],
    ['{app!="shop", service_name=~".+"}', ['three']],
    ['{container_name="own"}', ['one', 'two']],
    // An indexed attribute wins over a label of the same name.
    ['{container_name="c"}', ['three']],
    ['{sonde_store="access"}', ['three']],
    ['{container_name="not c"}', []],
    ['{host_name="h"}', []],
  ])('%s', async (query, lines) => {
    const expr = parseLogql(query);
    const matchers = expr.kind === 'log' ? expr.matchers : [];
    const entries = await pushed().select({ ...request, matchers, direction: 'forward' });
    expect(entries.map(({ line }) => line)).toEqual(lines);
  });

  test('they are in the stream, and metadata of the same name has the suffix', async () => {
    const entries = await pushed().select({ ...request, matchers: [], direction: 'forward' });
    expect(
      entries.map(({ stream, structuredMetadata }) => `${show(stream)} | ${show(structuredMetadata)}`),
    ).toEqual([
      'app=shop container_name=own service_name=shop | app_extracted=other detected_level=warn host_name=h',
      'app=shop container_name=own service_name=shop | detected_level=warn host_name=h',
      'app=cart container_name=c service_name=cart sonde_store=access | container_name_extracted=not c detected_level=warn',
    ]);
  });

  test('names, values and streams list them, whatever order a sender has', async () => {
    expect(await pushed().labelNames([], start, end)).toEqual([
      'app',
      'container_name',
      'service_name',
      'sonde_store',
    ]);
    expect(await pushed().labelValues('app', [], start, end)).toEqual(['cart', 'shop']);
    expect(await pushed().labelValues('container_name', [], start, end)).toEqual(['c', 'own']);
    expect(await pushed().labelValues('host_name', [], start, end)).toEqual([]);
    expect((await pushed().series([], start, end)).map(show).sort()).toEqual([
      'app=cart container_name=c service_name=cart sonde_store=access',
      'app=shop container_name=own service_name=shop',
    ]);
  });

  test('counts are grouped by them', async () => {
    const counts = await pushed().count({
      matchers: [],
      lineFilters: [],
      groupBy: ['app'],
      measure: 'lines',
      startUnixNano: '0',
      endUnixNano: end,
      cellNano: '2000000000000000000',
    });
    expect(counts.map(({ labels, value }) => `${show(labels)} ${value}`).sort()).toEqual([
      'app=cart 1',
      'app=shop 2',
    ]);
  });
});
