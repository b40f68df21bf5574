/**
 * Goal: lines of StatsD and DogStatsD are the series that Prometheus's statsd_exporter makes of them, and bounded.
 * Method: tables of lines against the decoded remote write requests; a model of counters and gauges by fast-check.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeRemoteWrite2 } from '#test/support/naive/prometheus-proto.ts';
import {
  StatsdAggregator,
  type StatsdAggregatorOptions,
  type StatsdRequest,
} from '#wire/statsd/statsd-aggregator.ts';
import { createStatsdLine, parseDecimal, parseStatsdLine } from '#wire/statsd/statsd-line.ts';

const defaults: StatsdAggregatorOptions = {
  seriesMax: 1000,
  staleMs: 60_000,
  buckets: [0.1, 1],
  setMembersMax: 3,
  requestBytesMax: 1_000_000,
  labels: {},
};

interface Series {
  readonly labelsRefs: number[];
  readonly samples: { readonly value?: number; readonly timestamp: string | number }[];
  readonly metadata?: { readonly type?: number };
}

/** 'name{a="b"} value' of each sample, stale markers as 'stale', sorted. */
function render(requests: readonly StatsdRequest[]): string[] {
  return requests
    .flatMap(({ bytes }) => {
      const { symbols, timeseries } = decodeRemoteWrite2(bytes) as unknown as {
        symbols: string[];
        timeseries: Series[];
      };
      return timeseries.map(({ labelsRefs, samples }) => {
        const texts = labelsRefs.map((ref) => symbols[ref]!);
        let name = '';
        const labels: string[] = [];
        for (let i = 0; i < texts.length; i += 2) {
          if (texts[i] === '__name__') name = texts[i + 1]!;
          else labels.push(`${texts[i]}="${texts[i + 1]}"`);
        }
        const value = samples[0]!.value ?? 0;
        return `${name}{${labels.join()}} ${Number.isNaN(value) ? 'stale' : value}`;
      });
    })
    .sort();
}

function make(options: Partial<StatsdAggregatorOptions> = {}) {
  const aggregator = new StatsdAggregator({ ...defaults, ...options });
  const add = (text: string, nowMs = 0): string => {
    const bytes = Buffer.from(`9${text}9|#x`);
    return aggregator.add(bytes, 1, bytes.length - 4, nowMs);
  };
  return { aggregator, add, series: (nowMs = 0) => render(aggregator.render(nowMs)) };
}

test.each([
  ['a counter', ['a:1|c', 'a:2.5|c'], ['a{} 3.5']],
  ['a sampled counter', ['a:1|c|@0.1'], ['a{} 10']],
  ['several values in a line', ['a:1:2:3|c'], ['a{} 6']],
  ['a gauge', ['g:5|g', 'g:7|g'], ['g{} 7']],
  ['a gauge with signs', ['g:5|g', 'g:+2|g', 'g:-10|g'], ['g{} -3']],
  ['a gauge that begins with a sign', ['g:-2|g'], ['g{} -2']],
  ['a set', ['s:a|s', 's:b|s', 's:a|s'], ['s{} 2']],
  [
    'a timer in seconds',
    ['t:50|ms', 't:500|ms', 't:5000|ms'],
    ['t_bucket{le="+Inf"} 3', 't_bucket{le="0.1"} 1', 't_bucket{le="1"} 2', 't_count{} 3', 't_sum{} 5.55'],
  ],
  [
    'a sampled histogram',
    ['h:1|h|@0.5'],
    ['h_bucket{le="+Inf"} 2', 'h_bucket{le="0.1"} 0', 'h_bucket{le="1"} 2', 'h_count{} 2', 'h_sum{} 2'],
  ],
  [
    'a distribution',
    ['d:2|d'],
    ['d_bucket{le="+Inf"} 1', 'd_bucket{le="0.1"} 0', 'd_bucket{le="1"} 0', 'd_count{} 1', 'd_sum{} 2'],
  ],
  ['tags', ['a:1|c|#env:prod,b:x:y,flag,empty:'], ['a{b="x:y",empty="true",env="prod",flag="true"} 1']],
  ['tags in another order are the same series', ['a:1|c|#x:1,y:2', 'a:1|c|#y:2,x:1'], ['a{x="1",y="2"} 2']],
  ['parts in another order, container and timestamp', ['a:1|c|#x:1|@0.5|c:abc|T1656581400'], ['a{x="1"} 2']],
  [
    'names that Prometheus has not',
    ['9.api-time:1|c|#my.tag:1,__name__:x,2nd:y,grüße:z'],
    ['_9_api_time{_2nd="y",exported_name__="x",gr__e="z",my_tag="1"} 1'],
  ],
  ['a bucket label is ours', ['h:1|h|#le:5'], expect.arrayContaining(['h_count{exported_le="5"} 1'])],
])('%s', (_, lines, expected) => {
  const { add, series } = make();
  for (const line of lines) expect(add(line)).toBe('');
  expect(series()).toEqual(expected);
});

test.each([
  ['_e{5,4}:title|text', 'event'],
  ['_sc|name|0', 'service_check'],
  ['a', 'name'],
  [':1|c', 'name'],
  ['a:1', 'value'],
  ['a:|c', 'value'],
  ['a:x|c', 'value'],
  ['a:1e999|g', 'value'],
  ['a:NaN|g', 'value'],
  ['a:1|q', 'type'],
  ['a:1|', 'type'],
  ['a:1|mx', 'type'],
  ['a:1|c|@0', 'rate'],
  ['a:1|c|@2', 'rate'],
  ['a:1|c|@x', 'rate'],
  ['a:-1|c', 'negative_counter'],
  ['s:|s', 'value'],
])('%s is left out: %s', (line, reason) => expect(make().add(line)).toBe(reason));

test('labels of the receiver, which tags replace', () => {
  const { add, series } = make({ labels: { job: 'statsd', instance: 'n1' } });
  add('a:1|c');
  add('a:1|c|#instance:other');
  expect(series()).toEqual(['a{instance="n1",job="statsd"} 1', 'a{instance="other",job="statsd"} 1']);
});

test('totals go on, sets begin anew, and a silent series ends', () => {
  const { add, series, aggregator } = make();
  add('a:1|c', 0);
  add('s:x|s', 0);
  add('h:1|h', 0);
  series(10_000);
  add('a:1|c', 10_000);
  expect(series(60_000)).toEqual(expect.arrayContaining(['a{} 2', 's{} 0', 'h_count{} 1']));
  expect(series(60_001)).toEqual(
    expect.arrayContaining(['a{} 2', 's{} stale', 'h_count{} stale', 'h_bucket{le="0.1"} stale']),
  );
  expect(aggregator.seriesCount).toBe(1);
  expect(series(60_002)).toEqual(['a{} 2']);
  add('h:1|h', 60_003);
  expect(series(60_003)).toEqual(expect.arrayContaining(['h_count{} 1']));
});

test('one name has one type', () => {
  const { add } = make();
  expect([add('a:1|c'), add('a:1|g|#x:1'), add('a:1|c|#x:1')]).toEqual(['', 'type_conflict', '']);
  expect([add('t:1|ms'), add('t:1|h'), add('t:1|h|#x:1')]).toEqual(['', 'type_conflict', '']);
});

describe('limits', () => {
  test('series over the limit are refused, and taken again when others have ended', () => {
    const { add, series, aggregator } = make({ seriesMax: 10 });
    for (let round = 0; round < 30; round++) {
      const nowMs = round * 100_000;
      const results = Array.from({ length: 12 }, (_, i) => add(`m${round}_${i}:1|c`, nowMs));
      expect(results.filter((result) => result === 'series_limit').length).toBe(2);
      expect(aggregator.seriesCount).toBe(10);
      expect(series(nowMs).length).toBe(10);
      series(nowMs + 60_001);
    }
    expect(aggregator.seriesCount).toBe(0);
  });

  test('a histogram is as many as its series', () => {
    const { add } = make({ seriesMax: 9 });
    expect([add('a:1|h'), add('b:1|h'), add('c:1|c')]).toEqual(['', 'series_limit', '']);
  });

  test('spellings of one series are bounded', () => {
    const { add } = make({ seriesMax: 3 });
    const results = Array.from({ length: 10 }, (_, i) => add(`a:1|c|#x:1${','.repeat(i)}`));
    expect(results.filter((result) => result === '').length).toBe(6);
    expect(results.at(-1)).toBe('series_limit');
  });

  test('members of a set', () => {
    const { add, series } = make();
    expect([...'abcd'].map((member) => add(`s:${member}|s`))).toEqual(['', '', '', 'set_limit']);
    expect(add('s:a|s')).toBe('');
    expect(series()).toEqual(['s{} 3']);
  });

  test('requests are cut at their size', () => {
    const { add, aggregator } = make({ requestBytesMax: 2000 });
    for (let i = 0; i < 300; i++) add(`metric_${i}:1|g`);
    const requests = aggregator.render(1);
    expect(requests.length).toBeGreaterThan(5);
    expect(requests.length).toBeLessThan(15);
    for (const { bytes } of requests) expect(bytes.length).toBeLessThan(2000);
    expect(aggregator.render(2).length).toBe(requests.length);
    expect(requests.reduce((total, { samples }) => total + samples, 0)).toBe(300);
    expect(new Set(render(requests)).size).toBe(300);
  });
});

test('numbers are what JavaScript reads', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.integer(),
        fc.float({ noNaN: true, noDefaultInfinity: true }),
      ),
      (value) => {
        for (const text of [String(value), value.toFixed(3)]) {
          const bytes = Buffer.from(`x${text}7`);
          expect(parseDecimal(bytes, 1, bytes.length - 1)).toBe(Number(text));
        }
      },
    ),
  );
});

test('whatever is counted and set, the totals are those of a model', () => {
  const tag = fc.constantFrom('', '|#a:1', '|#a:1,b:2', '|#b:2,a:1');
  const lines = fc.array(
    fc.record({ name: fc.constantFrom('x', 'y'), tag, value: fc.nat(1000), isGauge: fc.boolean() }),
  );
  fc.assert(
    fc.property(lines, fc.nat(5), (all, rendersEvery) => {
      const { add, series } = make();
      const model = new Map<string, number>();
      for (const [index, { name, tag: tags, value, isGauge }] of all.entries()) {
        const metric = `${name}_${isGauge ? 'g' : 'c'}`;
        add(`${metric}:${value}|${isGauge ? 'g' : 'c'}${tags}`);
        const labels = tags
          .slice(2)
          .split(',')
          .filter(Boolean)
          .toSorted()
          .map((text) => text.replace(/:(.)/, '="$1"'))
          .join();
        const key = `${metric}{${labels}}`;
        model.set(key, isGauge ? value : (model.get(key) ?? 0) + value);
        if (index % (rendersEvery + 1) === 0) series();
      }
      expect(series()).toEqual([...model].map(([key, value]) => `${key} ${value}`).toSorted());
    }),
  );
});

test('random lines are taken or left out with a reason', () => {
  const line = createStatsdLine();
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', ':', '|', '#', '@', '1', '-', '_', 'e', '{', 's', 'c', ',') }),
      (text) => {
        const bytes = Buffer.from(text);
        parseStatsdLine(bytes, 0, bytes.length, line);
        make().add(text);
      },
    ),
    { numRuns: 3000 },
  );
});
