/**
 * Goal: classic histograms become native ones with custom buckets where the scrape config says so (Prometheus 3,
 * convert_classic_histograms_to_nhcb). Method: pages of each format in, requests out as text.
 */
import { expect, test } from 'vitest';
import { ExpositionError } from '#agent/scrape/exposition-error.ts';
import { clientTypes, encodePage } from '#test/support/naive/client-metrics-proto.ts';
import { PageTarget, type PageTargetOptions } from './page-target.ts';

const converting = (more: PageTargetOptions = {}): PageTarget =>
  new PageTarget({ isConvertingClassicHistograms: true, ...more });

const page = (last = 4): string =>
  [
    '# TYPE h histogram',
    'h_bucket{x="1",le="0.5"} 1',
    'h_bucket{x="1",le="1"} 3',
    `h_bucket{x="1",le="+Inf"} ${last}`,
    'h_sum{x="1"} 2.5',
    `h_count{x="1"} ${last}`,
    'other 7',
    '',
  ].join('\n');
const native = (time: number, last = 4): string =>
  `h{x="1"} {count:${last} sum:2.5 schema:-53 zero:0@0 pos:[0:1,2,${last - 3}] neg:[] custom:[0.5,1]} @${time} histogram ""`;

test('a histogram is one sample, on re-scrapes too, and ends with a stale one', () => {
  const target = converting();
  expect(target.scrape(page())).toEqual([native(1000), 'other{} 7 @1000']);
  expect(target.counts).toEqual({ samples: 2, kept: 2 });
  expect(target.scrape(page(9))).toEqual([native(2000, 9), 'other{} 7 @2000']);
  expect(target.scrape('other 7\n')).toEqual([
    'h{x="1"} stale histogram @3000 histogram ""',
    'other{} 7 @3000',
  ]);
});

test('classic series stay beside it where they are always scraped', () => {
  const lines = converting({ isTakingClassicHistograms: true }).scrape(page());
  expect(lines).toEqual([
    'h_bucket{le="+Inf",x="1"} 4 @1000 histogram ""',
    'h_bucket{le="0.5",x="1"} 1 @1000 histogram ""',
    'h_bucket{le="1.0",x="1"} 3 @1000 histogram ""',
    'h_count{x="1"} 4 @1000 histogram ""',
    'h_sum{x="1"} 2.5 @1000 histogram ""',
    native(1000),
    'other{} 7 @1000',
  ]);
});

test('histograms of other labels and other types are kept apart', () => {
  const target = converting();
  const lines = target.scrape(
    '# TYPE h histogram\nh_bucket{le="+Inf",a="1"} 1\nh_count{a="1"} 1\nh_bucket{le="+Inf",a="2"} 2\n' +
      '# TYPE g gaugehistogram\ng_bucket{le="+Inf"} 5\nu_bucket{le="1"} 6\n',
  );
  expect(lines.map((line) => line.replace(/ @.*/, ''))).toEqual([
    'g_bucket{le="+Inf"} 5',
    'h{a="1"} {count:1 sum:0 schema:-53 zero:0@0 pos:[0:1] neg:[]}',
    'h{a="2"} {count:2 sum:0 schema:-53 zero:0@0 pos:[0:2] neg:[]}',
    'u_bucket{le="1"} 6',
  ]);
});

test.each([
  [
    'buckets in any order',
    'h_bucket{le="+Inf"} 3\nh_bucket{le="1"} 2\nh_count 3\n',
    'count:3 sum:0 schema:-53 zero:0@0 pos:[0:2,1] neg:[] custom:[1]',
  ],
  [
    'no bucket of +Inf',
    'h_bucket{le="1"} 2\nh_count 3\n',
    'count:3 sum:0 schema:-53 zero:0@0 pos:[0:2,1] neg:[] custom:[1]',
  ],
  ['no count', 'h_bucket{le="1"} 2\n', 'count:2 sum:0 schema:-53 zero:0@0 pos:[0:2,0] neg:[] custom:[1]'],
  ['no buckets', 'h_sum 4\nh_count 3\n', 'count:3 sum:4 schema:-53 zero:0@0 pos:[0:3] neg:[]'],
  [
    'fractions',
    'h_bucket{le="1"} 0.5\nh_count 2\n',
    'count:2f sum:0 schema:-53 zero:0@0 pos:[0:0.5,1.5] neg:[] custom:[1]',
  ],
])('%s', (_name, lines, expected) => {
  expect(converting().scrape(`# TYPE h histogram\n${lines}`)).toEqual([
    `h{} {${expected}} @1000 histogram ""`,
  ]);
});

test.each([
  ['counts that go down', 'h_bucket{le="1"} 3\nh_bucket{le="2"} 2\nh_count 3\n'],
  ['a count other than that of +Inf', 'h_bucket{le="+Inf"} 3\nh_count 4\n'],
  ['a bound that is no number', 'h_bucket{le="x"} 3\nh_count 3\n'],
  ['a negative count', 'h_bucket{le="1"} -1\nh_count 3\n'],
])('%s make no sample, and the page is good', (_name, lines) => {
  expect(converting().scrape(`# TYPE h histogram\n${lines}a 1\n`)).toEqual(['a{} 1 @1000']);
});

test('start times and exemplars with a time go with it', () => {
  const lines = converting().scrape(
    '# TYPE h histogram\nh_bucket{le="1.0"} 1 # {t="a"} 0.5 0.25\nh_bucket{le="+Inf"} 1 # {t="b"} 2\nh_count 1\nh_sum 1\n' +
      'h_created 0.5\n# TYPE c counter\nc_total 1 # {t="c"} 1 0.75\n# EOF\n',
    'openmetrics',
  );
  expect(lines).toEqual([
    'c_total{} 1 @1000 # {t="c"} 1 @750 counter ""',
    'h{} {count:1 sum:1 schema:-53 zero:0@0 pos:[0:1,0] neg:[] custom:[1]} @1000 since 500 # {t="a"} 0.5 @250 histogram ""',
  ]);
});

test('more buckets than the limit fail the page, as they cannot be merged', () => {
  const limits = { nativeHistogramBuckets: 2 };
  expect(() => converting({ limits }).scrape(page())).toThrow(ExpositionError);
  expect(converting({ limits: { nativeHistogramBuckets: 3 } }).scrape(page())).toHaveLength(2);
});

test('a page that fails leaves nothing of its histogram to the next', () => {
  const target = converting();
  expect(() => target.scrape(`${page().slice(0, page().indexOf('h_sum'))}<html>\n`)).toThrow(ExpositionError);
  expect(target.scrape('# TYPE h histogram\nh_bucket{le="1",x="1"} 1\nh_count{x="1"} 1\n')).toEqual([
    'h{x="1"} {count:1 sum:0 schema:-53 zero:0@0 pos:[0:1,0] neg:[] custom:[1]} @2000 histogram ""',
  ]);
});

test('of a protobuf page, what has no native histogram is converted', () => {
  const classic = {
    sampleCount: 7,
    sampleSum: 11,
    bucket: [
      { upperBound: 0.5, cumulativeCount: 2 },
      { upperBound: 1e6, cumulativeCount: 6 },
    ],
  };
  const histogram = {
    ...classic,
    schema: 1,
    zeroThreshold: 0.25,
    positiveSpan: [{ offset: 1, length: 1 }],
    positiveDelta: [7],
  };
  const bytes = (of: object): Uint8Array =>
    encodePage([{ name: 'h', type: clientTypes.histogram, metric: [{ histogram: of }] }], true);
  expect(converting().scrape(bytes(classic), 'protobuf')).toEqual([
    'h{} {count:7 sum:11 schema:-53 zero:0@0 pos:[0:2,4,1] neg:[] custom:[0.5,1000000]} @1000 histogram ""',
  ]);
  expect(converting().scrape(bytes(histogram), 'protobuf')[0]).toContain('schema:1');
  const both = converting({ isTakingClassicHistograms: true }).scrape(bytes(classic), 'protobuf');
  expect(both).toHaveLength(6);
});
