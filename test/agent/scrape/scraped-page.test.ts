/**
 * Goal: pages become samples of the right series, and a series that is gone gets exactly one stale marker.
 * Method: pages in, requests out as text; a property compares random pages with a model that keeps sets of names.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ExpositionError } from '#agent/scrape/exposition-error.ts';
import { ScrapedPage } from '#agent/scrape/scraped-page.ts';
import { withTargetLabels } from '#agent/scrape/series-admission.ts';
import { SeriesTracker } from '#agent/scrape/series-tracker.ts';
import { sortLabels } from '#model/labels.ts';
import { renderRequest } from '#test/wire/remote-write/request-text.ts';
import { PageTarget, pageSettings } from './page-target.ts';

test('a vanished series gets one stale marker', () => {
  const target = new PageTarget();
  expect(target.scrape('a 1\nb 2\n')).toEqual(['a{} 1 @1000', 'b{} 2 @1000']);
  expect(target.scrape('a 1\n')).toEqual(['a{} 1 @2000', 'b{} stale @2000']);
  expect(target.scrape('a 1\n')).toEqual(['a{} 1 @3000']);
  expect(target.scrape('b 3\na 1\n')).toEqual(['a{} 1 @4000', 'b{} 3 @4000']);
});

test('a failed scrape ends all series once, and they come back', () => {
  const target = new PageTarget();
  target.scrape('a 1\nb 2\n');
  expect(target.scrape(undefined)).toEqual(['a{} stale @2000', 'b{} stale @2000']);
  expect(target.scrape(undefined)).toEqual([]);
  expect(target.scrape('a 1\n')).toEqual(['a{} 1 @4000']);
});

test('samples keep their time where it becomes longer, and beside others that are shorter', () => {
  const target = new PageTarget({ tracksOwnTimes: true });
  for (let time = 1000; time <= 18_000; time += 1000) {
    expect(target.scrape(`a 1\nb ${time} ${time / 1000}\n`)).toEqual([
      `a{} 1 @${time}`,
      `b{} ${time} @${time / 1000}`,
    ]);
  }
  expect(target.scrape(undefined)).toEqual(['a{} stale @19000', 'b{} stale @19000']);
});

test('a page with an error gives no samples', () => {
  const target = new PageTarget();
  target.scrape('a 1\n');
  expect(() => target.scrape('a 2\nb 1\n<html>\n')).toThrow(ExpositionError);
  expect(target.scrape('a 3\n')).toEqual(['a{} 3 @3000']);
});

test('a series with times of its own is not marked stale', () => {
  const target = new PageTarget();
  expect(target.scrape('a 1 500\nb 1\n')).toEqual(['a{} 1 @500', 'b{} 1 @1000']);
  expect(target.scrape('')).toEqual(['b{} stale @2000']);
});

test('of two samples of one series and time the first stands, whatever the order of its labels', () => {
  const target = new PageTarget();
  expect(target.scrape('a{x="1",y="2"} 1\na{y="2",x="1"} 2\na{x="1",y="2",z=""} 3\n')).toEqual([
    'a{x="1",y="2"} 1 @1000',
  ]);
  expect(target.duplicates).toBe(2);
  expect(target.scrape('a 1 10\na 2 20\na 3 20\n')).toEqual([
    'a{x="1",y="2"} stale @2000',
    'a{} 1 @10',
    'a{} 2 @20',
  ]);
  expect(target.duplicates).toBe(1);
});

test('a target that changes the order of labels and series keeps its series', () => {
  const target = new PageTarget();
  target.scrape('a{x="1",y="2"} 1\nb 1\n');
  expect(target.scrape('b 2\na{y="2",x="1"} 2\n')).toEqual(['a{x="1",y="2"} 2 @2000', 'b{} 2 @2000']);
});

test('a series whose text begins like another is not taken for it', () => {
  const target = new PageTarget();
  target.scrape('a 1\nab 1\n');
  expect(target.scrape('ab 2\na 2\n')).toEqual(['ab{} 2 @2000', 'a{} 2 @2000']);
  expect(target.scrape('a {x="1"} 3\nab{x="1"} 3\n')).toEqual([
    'ab{x="1"} 3 @3000',
    'ab{} stale @3000',
    'a{x="1"} 3 @3000',
    'a{} stale @3000',
  ]);
  expect(target.scrape('a {x="2"} 4\n')).toContain('a{x="2"} 4 @4000');
});

test('series get the metadata of their family, also when it changes', () => {
  const target = new PageTarget();
  const page = '# TYPE h histogram\n# HELP h How.\nh_bucket{le="1"} 1\nh_sum 1\nh_count 1\nother 1\n';
  const described = [
    'h_bucket{le="1.0"} 1 @1000 histogram "How."',
    'h_count{} 1 @1000 histogram "How."',
    'h_sum{} 1 @1000 histogram "How."',
    'other{} 1 @1000',
  ];
  expect(target.scrape(page)).toEqual(described);
  expect(target.scrape(page)).toEqual(described.map((line) => line.replace('@1000', '@2000')));
  const changed = page.replace('How.', 'Why.');
  expect(target.scrape(changed)).toEqual(
    described.map((line) => line.replace('@1000', '@3000').replace('How', 'Why')),
  );
  expect(target.scrape(page)[0]).toBe('h_bucket{le="1.0"} 1 @4000 histogram "How."');
});

test('in OpenMetrics a counter is named without its suffix, and units travel', () => {
  const page =
    '# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total 1\na_seconds_created 0.5\n# EOF\n';
  expect(new PageTarget().scrape(page, 'openmetrics')).toEqual([
    'a_seconds_total{} 1 @1000 since 500 counter "" seconds',
  ]);
});

test.each([
  ['a conflict', { job: 'x', a: '1' }, { job: 'api' }, { job: 'api', exported_job: 'x', a: '1' }],
  ['an empty label is none', { job: '', a: '1' }, { job: 'api' }, { job: 'api', a: '1' }],
  [
    'a conflict with the new name',
    { job: 'x', exported_job: 'y' },
    { job: 'api' },
    { job: 'api', exported_job: 'y', exported_exported_job: 'x' },
  ],
  [
    'a target label named like that',
    { job: 'x' },
    { job: 'api', exported_job: 'z' },
    { job: 'api', exported_job: 'z', exported_exported_job: 'x' },
  ],
])("target labels win, the page's are kept as exported_*: %s", (_name, exposed, own, merged) => {
  const labels = withTargetLabels(new Map(Object.entries(exposed)), sortLabels(Object.entries(own)));
  expect(labels).toEqual(sortLabels(Object.entries(merged)));
});

test('samples over the limit are counted and not kept', () => {
  const target = new PageTarget({ limits: { samples: 2 } });
  expect(target.scrape('a 1\nb 1\nc 1\n')).toHaveLength(2);
  expect(target.counts).toEqual({ samples: 3, kept: 3 });
});

test('a large page is spread over requests of bounded size, and none of its samples is lost', () => {
  const page = (from: number): string => {
    const lines = Array.from({ length: 900 }, (_, i) => `m{path="/a/long/path/${from + i}"} ${i}\n`);
    return `# TYPE m gauge\n# HELP m ${'h'.repeat(900)}\n${lines.join('')}`;
  };
  const target = new PageTarget({ requestBytesMax: 20_000 });
  for (const [from, stale] of [
    [0, 0],
    [0, 0],
    [400, 400],
    [0, 400],
  ] as const) {
    const lines = target.scrape(page(from));
    expect(new Set(lines).size).toBe(lines.length);
    expect(lines.filter((line) => line.includes('stale'))).toHaveLength(stale);
    expect(lines).toHaveLength(900 + stale);
    expect(target.requestCount).toBeGreaterThan(2);
    expect(target.requestCount).toBeLessThan(12);
  }
  expect(target.scrape(undefined)).toHaveLength(900);
});

test('no request is larger than the limit, help texts and repeated samples included', () => {
  const tracker = new SeriesTracker(10_000);
  const page = new ScrapedPage(tracker, pageSettings());
  const lines = Array.from(
    { length: 300 },
    (_, i) => `# HELP m${i} ${'h'.repeat(900)}\nm${i} 1 1\nm${i} 1 2\nm${i} 1 3\n`,
  );
  page.parse(new TextEncoder().encode(lines.join('')), 'text');
  tracker.begin(5);
  page.writeTo(tracker, 5);
  const { requests } = tracker.end();
  expect(Math.max(...requests.map(({ bytes }) => bytes.length))).toBeLessThan(10_200);
  expect(requests.flatMap(({ bytes }) => renderRequest(bytes))).toHaveLength(900);
});

test('vanished series are forgotten in the end, and live ones keep samples, metadata and stale markers', () => {
  const target = new PageTarget();
  const churn = (round: number): string =>
    `# TYPE keep gauge\nkeep 1\n${Array.from({ length: 900 }, (_, i) => `churn{id="${round}-${i}"} 1\n`).join('')}`;
  let counted = 0;
  for (let round = 0; round < 12; round++) {
    const lines = target.scrape(churn(round));
    expect(lines).toContain(`keep{} 1 @${(round + 1) * 1000} gauge ""`);
    expect(lines.filter((line) => line.includes('stale'))).toHaveLength(round === 0 ? 0 : 900);
    counted = Math.max(counted, target.tracker.seriesCount);
  }
  expect(counted).toBeLessThan(11_000);
  expect(target.tracker.seriesCount).toBeLessThan(counted);
});

test('random pages: every sample arrives, and what is missing is marked once', () => {
  const name = fc.constantFrom(
    'a',
    'ab',
    'a{x="1"}',
    'a {x="1"}',
    '{"a",x="2"}',
    'b{x="1",y="2"}',
    'b{y="2",x="1"}',
    'c',
  );
  const shown: Record<string, string> = {
    a: 'a{}',
    ab: 'ab{}',
    'a{x="1"}': 'a{x="1"}',
    'a {x="1"}': 'a{x="1"}',
    '{"a",x="2"}': 'a{x="2"}',
    'b{x="1",y="2"}': 'b{x="1",y="2"}',
    'b{y="2",x="1"}': 'b{x="1",y="2"}',
    c: 'c{}',
  };
  const page = fc.option(fc.array(fc.tuple(name, fc.integer()), { maxLength: 12 }), { nil: undefined });
  fc.assert(
    fc.property(fc.array(page, { maxLength: 12 }), (pages) => {
      const target = new PageTarget();
      let live: string[] = [];
      pages.forEach((samples, round) => {
        const time = (round + 1) * 1000;
        const expected = new Map<string, string>();
        for (const [text, value] of samples ?? []) {
          if (!expected.has(shown[text]!)) expected.set(shown[text]!, `${shown[text]} ${value} @${time}`);
        }
        const gone = live
          .filter((series) => !expected.has(series))
          .map((series) => `${series} stale @${time}`);
        const text = samples?.map(([series, value]) => `${series} ${value}\n`).join('');
        expect(target.scrape(text).sort()).toEqual([...expected.values(), ...gone].sort());
        live = [...expected.keys()];
      });
    }),
    { numRuns: 200 },
  );
});
