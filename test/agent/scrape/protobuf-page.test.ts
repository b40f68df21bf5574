/**
 * Goal: protobuf pages mean what Prometheus' protobuf parser reads in them; anything else is an error that names the family.
 * Method: pages from protobufjs with the published schema, and bytes by hand; the requests as text.
 */
import { expect, test } from 'vitest';
import { ExpositionError } from '#agent/scrape/exposition-error.ts';
import { bySeries } from '#test/wire/remote-write/request-text.ts';
import { clientTypes, encodePage } from '../../support/naive/client-metrics-proto.ts';
import { PageTarget, type PageTargetOptions } from './page-target.ts';

const label = (name: string, value: string): object => ({ name, value });
const at = (seconds: number, nanos = 0): object => ({ seconds, nanos });

function scrape(families: readonly object[], options: PageTargetOptions = {}, isPacked = false): string[] {
  return new PageTarget(options).scrape(encodePage(families, isPacked), 'protobuf');
}

test('the bytes of a gauge, by hand', () => {
  const page = Buffer.from(
    // length, name "up", type gauge, metric { label { job=a } gauge { 1.5 } timestamp 500 }
    '23 0a027570 1801 221b 0a08 0a036a6f62 120161 1209 09000000000000f83f 30f403'.replaceAll(' ', ''),
    'hex',
  );
  page[0] = page.length - 1;
  page[8] = page.length - 9;
  expect(new PageTarget().scrape(page, 'protobuf')).toEqual(['up{job="a"} 1.5 @500 gauge ""']);
});

test('counters, gauges, untyped and summaries', () => {
  const families = [
    {
      name: 'a_total',
      help: 'All.',
      type: clientTypes.counter,
      metric: [
        {
          label: [label('x', 'é')],
          counter: {
            value: 5,
            createdTimestamp: at(0, 250_000_000),
            exemplar: { label: [label('trace_id', 't')], value: 2, timestamp: at(0, 900_000_000) },
          },
        },
        { counter: { value: 6 } },
      ],
    },
    { name: 'g.seconds', type: clientTypes.gauge, unit: 'seconds', metric: [{ gauge: { value: -1 } }] },
    { name: 'u', type: clientTypes.untyped, metric: [{ untyped: { value: 1 }, timestampMs: 700 }] },
    {
      name: 's',
      type: clientTypes.summary,
      metric: [
        {
          summary: {
            sampleCount: 3,
            sampleSum: 9,
            quantile: [
              { quantile: 0.5, value: 2 },
              { quantile: 1, value: Number.NaN },
            ],
          },
        },
      ],
    },
  ];
  expect(scrape(families)).toEqual(
    bySeries([
      'a_total{x="é"} 5 @1000 since 250 # {trace_id="t"} 2 @900 counter "All."',
      'a_total{} 6 @1000 counter "All."',
      'g.seconds{} -1 @1000 gauge "" seconds',
      'u{} 1 @700 unknown ""',
      's_count{} 3 @1000 summary ""',
      's_sum{} 9 @1000 summary ""',
      's{quantile="0.5"} 2 @1000 summary ""',
      's{quantile="1.0"} NaN @1000 summary ""',
    ]),
  );
});

const bucket = (upperBound: number, cumulativeCount: number, exemplar?: object): object => ({
  upperBound,
  cumulativeCount,
  ...(exemplar && { exemplar }),
});
const classic = {
  sampleCount: 7,
  sampleSum: 11,
  bucket: [bucket(0.5, 2, { label: [label('t', '1')], value: 0.2, timestamp: at(1) }), bucket(1e6, 6)],
};
const native = {
  schema: 1,
  zeroThreshold: 0.25,
  zeroCount: 1,
  positiveSpan: [
    { offset: 1, length: 2 },
    { offset: 2, length: 1 },
  ],
  positiveDelta: [2, 1, -2],
  negativeSpan: [{ offset: -3, length: 1 }],
  negativeDelta: [0],
};
const family = (histogram: object, type = clientTypes.histogram): object => ({
  name: 'h',
  type,
  metric: [{ label: [label('x', 'y')], histogram }],
});
const classicLines = bySeries([
  'h_count{x="y"} 7 @1000 histogram ""',
  'h_sum{x="y"} 11 @1000 histogram ""',
  'h_bucket{le="0.5",x="y"} 2 @1000 # {t="1"} 0.2 @1000 histogram ""',
  'h_bucket{le="1e+06",x="y"} 6 @1000 histogram ""',
  'h_bucket{le="+Inf",x="y"} 7 @1000 histogram ""',
]);
const nativeText = 'h{x="y"} {count:7 sum:11 schema:1 zero:1@0.25 pos:[1:2,3 2:1] neg:[-3:0]} @1000';

test('a classic histogram has a bucket up to infinity', () => {
  expect(scrape([family(classic)])).toEqual(classicLines);
});

test.each([false, true])('a native histogram, numbers packed: %s', (isPacked) => {
  const both = family({ ...classic, ...native });
  expect(scrape([both], {}, isPacked)).toEqual([`${nativeText} # {t="1"} 0.2 @1000 histogram ""`]);
  expect(scrape([both], { isTakingNativeHistograms: false }, isPacked)).toEqual(classicLines);
  expect(scrape([both], { isTakingClassicHistograms: true }, isPacked)).toEqual([
    ...classicLines,
    `${nativeText} # {t="1"} 0.2 @1000 histogram ""`,
  ]);
});

test('a native histogram: start, exemplars of its own with a time, gauge, stale marker, and back', () => {
  const target = new PageTarget();
  const exemplars = [
    { label: [label('t', 'a')], value: 1, timestamp: at(0, 5e6) },
    { label: [label('t', 'b')], value: 2 },
    { label: [label('t', 'c')], value: 3, timestamp: at(0, 7e6) },
  ];
  const page = (more: object): Uint8Array =>
    encodePage([family({ ...native, sampleCount: 7, sampleSum: 11, ...more }, clientTypes.gaugeHistogram)]);
  const text = nativeText.replace('}} @1000', '} @1000').replace(']} @', '] gauge} @');
  expect(target.scrape(page({ exemplars, createdTimestamp: at(0, 1e8) }), 'protobuf')).toEqual([
    `${text} since 100 # {t="a"} 1 @5 # {t="c"} 3 @7 gaugehistogram ""`,
  ]);
  const more = [...exemplars, { label: [label('t', 'd')], value: 4, timestamp: at(0, 9e6) }];
  const [again] = target.scrape(page({ exemplars: more }), 'protobuf');
  expect(again).toContain(' # {t="d"} 4 @9 gauge');
  expect(again).not.toContain('{t="a"}');
  expect(target.scrape(encodePage([]), 'protobuf')).toEqual([
    'h{x="y"} stale histogram @3000 gaugehistogram ""',
  ]);
  expect(target.scrape(encodePage([]), 'protobuf')).toEqual([]);
  expect(target.scrape(page({}), 'protobuf')).toHaveLength(1);
  expect(target.scrape(undefined)).toEqual(['h{x="y"} stale histogram @6000 gaugehistogram ""']);
});

test('a float histogram', () => {
  const float = {
    sampleCountFloat: 3.5,
    sampleSum: 1,
    zeroThreshold: 0.5,
    zeroCountFloat: 0.5,
    positiveSpan: [{ offset: 0, length: 2 }],
    positiveCount: [1.5, 1.5],
  };
  expect(scrape([family(float)])).toEqual([
    'h{x="y"} {count:3.5f sum:1 schema:0 zero:0.5@0.5 pos:[0:1.5,1.5] neg:[]} @1000 histogram ""',
  ]);
});

test('schemas from -4 to 8 stay as they are, and an empty native histogram is one', () => {
  for (const schema of [-4, 0, 8]) {
    const [line] = scrape([
      family({ schema, zeroThreshold: 1e-128, sampleCount: 0, positiveSpan: [{ offset: 0, length: 0 }] }),
    ]);
    expect(line).toContain(`{count:0 sum:0 schema:${schema} zero:0@1e-128 pos:[0:] neg:[]}`);
  }
});

test('the resolution is lowered until the buckets fit, or the page fails', () => {
  const many = {
    schema: 2,
    sampleCount: 21,
    sampleSum: 0,
    positiveSpan: [{ offset: -1, length: 6 }],
    positiveDelta: [1, 1, 1, 1, 1, 1],
    zeroThreshold: 0.1,
  };
  const limited = (nativeHistogramBuckets: number): string[] =>
    scrape([family(many)], { limits: { nativeHistogramBuckets } });
  // Buckets -1 to 4 hold 1 to 6; merged: (-1 0) (1 2) (3 4), then (-1 0) (1 .. 4).
  expect(limited(6)[0]).toContain('schema:2 zero:0@0.1 pos:[-1:1,2,3,4,5,6]');
  expect(limited(4)[0]).toContain('schema:1 zero:0@0.1 pos:[0:3,7,11]');
  expect(limited(2)[0]).toContain('schema:0 zero:0@0.1 pos:[0:3,18]');
  const far = {
    ...many,
    positiveSpan: [
      { offset: 0, length: 1 },
      { offset: 1e6, length: 1 },
    ],
    positiveDelta: [1, 0],
  };
  expect(() => scrape([family(far)], { limits: { nativeHistogramBuckets: 1 } })).toThrow(
    'metric family 1: the histogram h has 2 buckets at the lowest resolution, the limit is 1',
  );
});

test.each<[string, Uint8Array, RegExp]>([
  ['bytes that are none', Buffer.from('ff'), /^metric family 1: /],
  ['a page that was cut', encodePage([family(native)]).subarray(0, 20), /^metric family 1: .*ends after/],
  ['no name', encodePage([{ type: 1 }]), /^metric family 1: a metric family has no name/],
  [
    'an unknown type',
    encodePage([{ name: 'a', type: 9 }]),
    /the metric family a has type 9, which is not defined/,
  ],
  [
    'a value of another type',
    encodePage([
      { name: 'a', type: 1 },
      { name: 'b', type: 0, metric: [{ gauge: { value: 1 } }] },
    ]),
    /^metric family 2: a metric of b has no counter value/,
  ],
  [
    'a label twice',
    encodePage([
      { name: 'a', type: 1, metric: [{ label: [label('x', '1'), label('x', '2')], gauge: { value: 1 } }] },
    ]),
    /the label x stands twice/,
  ],
  [
    'too many buckets',
    encodePage([family({ ...native, positiveDelta: new Array(70_000).fill(0) })]),
    /a histogram has more than 65536 buckets/,
  ],
])('a page is refused: %s', (_name, page, message) => {
  const target = new PageTarget();
  expect(() => target.scrape(page, 'protobuf')).toThrow(message);
  expect(() => target.scrape(page, 'protobuf')).toThrow(ExpositionError);
});

test('a re-scrape knows its series by their bytes', () => {
  let asked = 0;
  const target = new PageTarget({
    relabel: (labels) => {
      asked++;
      return labels;
    },
  });
  for (let round = 0; round < 3; round++) target.scrape(encodePage([family(classic)]), 'protobuf');
  expect(asked).toBe(5);
});
