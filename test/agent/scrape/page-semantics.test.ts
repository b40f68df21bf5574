/**
 * Goal: labels, limits, times, start times and exemplars of a page are treated as Prometheus treats them.
 * Method: pages in, requests out as text, over several scrapes of one target.
 */
import { expect, test } from 'vitest';
import { normalizedBound, renderBound } from '#agent/scrape/bound-label.ts';
import { type Labels, labelValue, sortLabels } from '#model/labels.ts';
import { PageTarget, type PageTargetOptions } from './page-target.ts';

const own = { instance: 'i', job: 'api' };

test.each<[string, string, string]>([
  ['the page wins', 'a{job="x"} 1\n', 'a{instance="i",job="x"} 1 @1000'],
  ['the target fills in', 'a 1\n', 'a{instance="i",job="api"} 1 @1000'],
  ["an empty label takes the target's away", 'a{instance=""} 1\n', 'a{job="api"} 1 @1000'],
])('honored labels: %s', (_name, page, line) => {
  expect(new PageTarget({ labels: own, isHonoringLabels: true }).scrape(page)).toEqual([line]);
});

const dropB = (labels: Labels): Labels | undefined =>
  labelValue(labels, '__name__') === 'b' ? undefined : labels;

test('relabeling is asked once for each series text, and what it drops is scraped and not kept', () => {
  let asked = 0;
  const target = new PageTarget({
    relabel: (labels) => {
      asked++;
      return dropB(labels);
    },
  });
  for (const time of [1000, 2000, 3000]) {
    expect(target.scrape(`a ${time}\nb 2\n`)).toEqual([`a{} ${time} @${time}`]);
    expect(target.counts).toEqual({ samples: 2, kept: 1 });
  }
  expect(asked).toBe(2);
});

test('a series that relabeling renames keeps the metadata of its family', () => {
  const target = new PageTarget({
    relabel: (labels) =>
      sortLabels(labels.map(([name, value]) => [name, name === '__name__' ? 'new' : value])),
  });
  expect(target.scrape('# TYPE old counter\n# HELP old Old.\nold 1\n')).toEqual([
    'new{} 1 @1000 counter "Old."',
  ]);
});

test('series that new settings leave out end with stale markers, the others go on', () => {
  const target = new PageTarget();
  target.scrape('a 1\nb 1\n');
  target.change({ relabel: dropB });
  expect(target.scrape('a 2\nb 2\n')).toEqual(['a{} 2 @2000', 'b{} stale @2000']);
  expect(target.scrape('a 3\nb 3\n')).toEqual(['a{} 3 @3000']);
});

test.each<[string, PageTargetOptions, string, string]>([
  ['labels', { limits: { labels: 2 } }, 'a{b="1",c="2"} 1\n', 'line 1: a has 3 labels, the limit is 2'],
  [
    'label names',
    { limits: { labelNameBytes: 8 } },
    'a{long_name="1"} 1\n',
    'line 1: a: the label name long_name has 9 bytes, the limit is 8',
  ],
  [
    'label values, in bytes',
    { limits: { labelValueBytes: 3 } },
    'x 1\na{b="éé"} 1\n',
    'line 2: a: the value of the label b has 4 bytes, the limit is 3',
  ],
  [
    'names that relabeling took away',
    { relabel: () => [['job', 'x']] },
    'a 1\n',
    'line 1: metric relabeling left a without a name (__name__)',
  ],
])('a page beyond a limit fails: %s', (_name, options, page, message) => {
  expect(() => new PageTarget(options).scrape(page)).toThrow(message);
});

test('times of the page are taken or not; tracked, they end with stale markers too', () => {
  expect(new PageTarget({ isHonoringTimestamps: false }).scrape('a 1 5\n')).toEqual(['a{} 1 @1000']);
  const target = new PageTarget({ tracksOwnTimes: true });
  expect(target.scrape('a 1 500\n')).toEqual(['a{} 1 @500']);
  expect(target.scrape('')).toEqual(['a{} stale @2000']);
});

test('samples that go back in time or are far ahead are left out and counted', () => {
  const target = new PageTarget();
  expect(target.scrape('a 1 500\na 2 400\na 3 600\nb 1 601001\n')).toEqual(['a{} 1 @500', 'a{} 3 @600']);
  expect([target.outOfOrder, target.outOfBounds]).toEqual([1, 1]);
  expect(target.scrape('a 1 550\n')).toEqual([]);
  expect(target.outOfOrder).toBe(1);
  expect(target.scrape('a 1 600\n')).toEqual(['a{} 1 @600']);
});

test('start times of OpenMetrics stand beside the samples of their metric, on re-scrapes too', () => {
  const target = new PageTarget();
  const page = (value: number): string =>
    [
      '# TYPE a counter',
      `a_total{x="1"} ${value}`,
      'a_created{x="1"} 0.1',
      `a_total{x="2"} ${value}`,
      '# TYPE h histogram',
      'h_bucket{le="1"} 1',
      'h_bucket{le="+Inf"} 1',
      'h_count 1',
      'h_sum 1',
      'h_created 0.25',
      '# TYPE g gauge',
      'g_created 7',
      '# EOF\n',
    ].join('\n');
  for (const time of [1000, 2000]) {
    expect(target.scrape(page(time), 'openmetrics').map((line) => line.replace(/ \w+ ""$/, ''))).toEqual([
      `a_total{x="1"} ${time} @${time} since 100`,
      `a_total{x="2"} ${time} @${time}`,
      `g_created{} 7 @${time}`,
      `h_bucket{le="+Inf"} 1 @${time} since 250`,
      `h_bucket{le="1.0"} 1 @${time} since 250`,
      `h_count{} 1 @${time} since 250`,
      `h_sum{} 1 @${time} since 250`,
    ]);
    expect(target.counts.samples).toBe(7);
  }
});

test('a start after the sample is not said', () => {
  const page = '# TYPE a counter\na_total 1\na_created 99\n# EOF\n';
  expect(new PageTarget().scrape(page, 'openmetrics')).toEqual(['a_total{} 1 @1000 counter ""']);
});

test('an exemplar is sent once, with the time of its sample where it has none', () => {
  const target = new PageTarget();
  const page = (exemplar: string): string => `# TYPE a counter\na_total 1 # ${exemplar}\nb 1\n# EOF\n`;
  const lines = (exemplar: string): string => target.scrape(page(exemplar), 'openmetrics')[0]!;
  expect(lines('{trace_id="x",span="é"} 2 0.5')).toBe(
    'a_total{} 1 @1000 # {span="é",trace_id="x"} 2 @500 counter ""',
  );
  expect(lines('{trace_id="x",span="é"} 2 0.5')).toBe('a_total{} 1 @2000 counter ""');
  expect(lines('{trace_id="y"} 3')).toBe('a_total{} 1 @3000 # {trace_id="y"} 3 @3000 counter ""');
  expect(lines('{trace_id="y"} 3')).toBe('a_total{} 1 @4000 counter ""');
  expect(lines(`{trace_id="${'z'.repeat(200)}"} 3`)).toBe('a_total{} 1 @5000 counter ""');
  target.tracker.begin(6000);
  expect(target.tracker.end().staleCount).toBe(2);
});

test('a page that fails in the end has sent no exemplar', () => {
  const target = new PageTarget();
  const page = 'a 1 # {t="x"} 2\n';
  expect(() => target.scrape(page, 'openmetrics')).toThrow('cut short');
  expect(target.scrape(`${page}# EOF\n`, 'openmetrics')).toEqual(['a{} 1 @2000 # {t="x"} 2 @2000']);
});

test('exemplars of many series are spread over requests, whose own symbols end with them', () => {
  const target = new PageTarget({ requestBytesMax: 2500 });
  for (let round = 0; round < 3; round++) {
    const page = Array.from({ length: 100 }, (_, i) => `a{i="${i}"} 1 # {trace_id="${round}-${i}"} 1\n`);
    const lines = target.scrape(`${page.join('')}# EOF\n`, 'openmetrics');
    expect(lines).toHaveLength(100);
    expect(lines.find((line) => line.startsWith('a{i="37"}'))).toContain(`# {trace_id="${round}-37"} 1`);
    expect(target.requestCount).toBeGreaterThan(2);
  }
});

test('a target that changes its format keeps its series', () => {
  const target = new PageTarget();
  target.scrape('a{x="1"} 1\nb 1\n');
  expect(target.scrape('a{x="1"} 2\n# EOF\n', 'openmetrics')).toEqual([
    'a{x="1"} 2 @2000',
    'b{} stale @2000',
  ]);
});

test('a family that becomes a histogram has its bounds written as such from the next page on', () => {
  const target = new PageTarget();
  const page = (type: string): string => `# TYPE h ${type}\nh_bucket{le="5"} 1\n`;
  expect(target.scrape(page('gauge'))[0]).toContain('le="5"');
  target.scrape(page('histogram'));
  expect(target.scrape(page('histogram'))).toContain('h_bucket{le="5.0"} 1 @3000 histogram ""');
});

test.each([
  ['1', '1.0'],
  ['0.50', '0.5'],
  ['1000000', '1e+06'],
  ['123456', '123456.0'],
  ['0.0001', '0.0001'],
  ['.00001', '1e-05'],
  ['1.5e-7', '1.5e-07'],
  ['inf', '+Inf'],
  ['-Inf', '-Inf'],
  ['nan', 'NaN'],
  ['-0', '-0.0'],
  ['x', 'x'],
])('the bound %s is written %s', (text, bound) => expect(normalizedBound(text)).toBe(bound));

test('a bound of many digits keeps them', () => expect(renderBound(1234567.25)).toBe('1.23456725e+06'));

test('a family that is no counter any more has no start times from the next page on', () => {
  const target = new PageTarget();
  const page = (type: string): string => `# TYPE a ${type}\na_created 0.5\n# EOF\n`;
  expect(target.scrape(page('counter'), 'openmetrics')).toEqual([]);
  target.scrape(page('gauge'), 'openmetrics');
  expect(target.scrape(page('gauge'), 'openmetrics')).toEqual(['a_created{} 0.5 @3000']);
  target.scrape(page('counter'), 'openmetrics');
  expect(target.scrape(page('counter'), 'openmetrics')).toEqual(['a_created{} stale @5000 counter ""']);
});

test('pages that fail again and again, each with other series, are forgotten', () => {
  const target = new PageTarget();
  target.scrape('a 1\n');
  for (let round = 0; round < 20; round++) {
    const series = Array.from({ length: 900 }, (_, i) => `a{id="${round}-${i}"} 1\n`);
    expect(() => target.scrape(`${series.join('')}<\n`)).toThrow('line 901');
    // A failed scrape is a run without the page.
    target.scrape(undefined);
  }
  expect(target.tracker.seriesCount).toBeLessThan(6000);
  expect(target.scrape('a 2\n')).toEqual(['a{} 2 @42000']);
});
