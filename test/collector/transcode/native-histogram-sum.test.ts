/**
 * Goal: the sum of two native histograms loses no observation, whatever their resolutions, zero buckets and sizes are.
 * Method: a table of examples, written `schema threshold:zero | index:count ... | index:count ...`, whose sums were worked
 * out by hand from OpenTelemetry's data model; then random ones, of which the counts must add up bucket by bucket.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BucketCursor, BucketWriter } from '#collector/transcode/bucket-cursor.ts';
import { HistogramArena, histogramEnd } from '#collector/transcode/histogram-cells.ts';
import { type BucketSide, NativeHistogram, nativeBucketsMax } from '#collector/transcode/native-histogram.ts';
import { canAdd, HistogramAdder } from '#collector/transcode/native-histogram-sum.ts';

function histogramOf(text: string): NativeHistogram {
  const [head, ...sides] = text.split('|');
  const [, schema, threshold, zero] = head!.trim().match(/^(\S+) (\S+):(\S+)$/)!;
  const histogram = new NativeHistogram();
  histogram.schema = Number(schema);
  histogram.zeroThreshold = Number(threshold);
  histogram.zeroCount = Number(zero);
  histogram.count = histogram.zeroCount;
  const writer = new BucketWriter();
  for (const [i, side] of [histogram.positive, histogram.negative].entries()) {
    writer.begin(side);
    for (const bucket of sides[i]?.trim().split(' ') ?? []) {
      if (bucket === '') continue;
      const [index, count] = bucket.split(':').map(Number);
      writer.push(index!, count!);
      histogram.count += count!;
    }
  }
  histogram.sum = histogram.count;
  return histogram;
}

function bucketsOf(side: BucketSide): [index: number, count: number][] {
  const cursor = new BucketCursor();
  const found: [number, number][] = [];
  cursor.begin(side);
  while (cursor.next()) found.push([cursor.index, cursor.count]);
  return found;
}

function textOf(histogram: NativeHistogram): string {
  const side = (of: BucketSide) =>
    bucketsOf(of)
      .map(([index, count]) => `${index}:${count}`)
      .join(' ');
  const { schema, zeroThreshold, zeroCount, positive, negative } = histogram;
  return `${schema} ${zeroThreshold}:${zeroCount} | ${side(positive)} | ${side(negative)}`.trim();
}

function sum(a: NativeHistogram, b: NativeHistogram): NativeHistogram | undefined {
  const count = a.count + b.count;
  if (!new HistogramAdder().add(a, b)) return undefined;
  expect([a.count, a.sum]).toEqual([count, count]);
  return a;
}

test.each([
  { name: 'nothing', a: '0 0.1:0', b: '0 0.1:0', is: '0 0.1:0 |  |' },
  { name: 'equal buckets', a: '0 0.1:1 | 1:2 | 3:4', b: '0 0.1:5 | 1:6 | 3:7', is: '0 0.1:6 | 1:8 | 3:11' },
  {
    name: 'buckets apart',
    a: '1 0.1:0 | -9:1 5:1',
    b: '1 0.1:0 | -10:1 0:1 9:1',
    is: '1 0.1:0 | -10:1 -9:1 0:1 5:1 9:1 |',
  },
  // At schema 1, buckets 1 and 2 are the halves of (1, 2].
  {
    name: 'a finer total is reduced',
    a: '1 0.1:0 | 1:1 2:1 3:1',
    b: '0 0.1:0 | 1:5',
    is: '0 0.1:0 | 1:7 2:1 |',
  },
  {
    name: 'a finer point is reduced',
    a: '-1 0.1:0 | 0:5',
    b: '0 0.1:0 | -1:1 0:1 1:1',
    is: '-1 0.1:0 | 0:7 1:1 |',
  },
  {
    name: 'buckets that a wider zero bucket covers',
    a: '0 0.1:1 | -2:2 -1:3 0:4 | -5:5 1:6',
    b: '0 0.5:7',
    is: '0 0.5:18 | 0:4 | 1:6',
  },
  {
    name: 'a threshold inside of a bucket ends with it',
    a: '0 0.1:1 | 1:2 2:3',
    b: '0 1.5:1',
    is: '0 2:4 | 2:3 |',
  },
  {
    name: 'a threshold inside of an empty bucket stays',
    a: '0 0.1:1 | 2:3',
    b: '0 1.5:1',
    is: '0 1.5:2 | 2:3 |',
  },
  {
    name: 'a bucket of the other side moves it on',
    a: '0 0.1:0 | 1:1 2:1 3:1 | 2:1',
    b: '0 1.5:1',
    is: '0 2:2 | 2:1 3:1 | 2:1',
  },
  {
    name: 'what moved it covers buckets of the point too',
    a: '0 0.1:0 | 1:1',
    b: '0 1.5:1 | 1:1 2:1',
    is: '0 2:3 | 2:1 |',
  },
  { name: 'and of the first one again', a: '0 1:0 | 3:1 5:1', b: '0 5:0 | 3:1 4:1', is: '0 8:2 | 4:1 5:1 |' },
  {
    name: 'a point with the narrower zero bucket',
    a: '0 1:9',
    b: '0 0.1:1 | -1:1 0:1 1:1',
    is: '0 1:12 | 1:1 |',
  },
])('$name', ({ a, b, is }) => {
  expect(textOf(sum(histogramOf(a), histogramOf(b))!)).toBe(is);
});

test('more buckets than there may be are merged, and no observation is lost', () => {
  const every = (step: number, first: number) =>
    `3 1e-9:0 | ${Array.from({ length: 3000 }, (_, i) => `${first + i * step}:1`).join(' ')}`;
  const total = sum(histogramOf(every(1, 1)), histogramOf(every(1, 3001)))!;
  expect([total.schema, total.positive.bucketCount, total.positive.spanCount]).toEqual([2, 3000, 1]);
  expect(bucketsOf(total.positive).every(([, count]) => count === 2)).toBe(true);
  // Far apart, each bucket is a span.
  const apart = sum(histogramOf(every(100, 1)), histogramOf(every(100, 50)))!;
  expect(apart.schema).toBeLessThan(3);
  expect(Math.max(apart.positive.bucketCount, apart.positive.spanCount)).toBeLessThanOrEqual(
    nativeBucketsMax,
  );
  expect(bucketsOf(apart.positive).reduce((all, [, count]) => all + count, 0)).toBe(6000);
});

test('buckets further apart than an offset can say are merged until they are not', () => {
  // In one histogram an index is below 2^31 on either side of 0, and so is an offset.
  const [low, high] = [-2_147_000_000, 2_147_000_000];
  const at = (schema: number, index: number, count: number) => `${schema} 1e-128:0 | ${index}:${count}`;
  expect(textOf(sum(histogramOf(at(3, low, 2)), histogramOf(at(3, high, 3)))!)).toBe(
    `2 1e-128:0 | ${low / 2}:2 ${high / 2}:3 |`,
  );
  expect(sum(histogramOf(at(-4, low, 2)), histogramOf(at(-4, high, 3)))).toBeUndefined();
});

test('what is too much in the lowest resolution is no histogram', () => {
  const every = (first: number) =>
    `-4 1e-9:0 | ${Array.from({ length: 3000 }, (_, i) => `${first + i * 100}:1`).join(' ')}`;
  expect(sum(histogramOf(every(1)), histogramOf(every(50)))).toBeUndefined();
});

test('custom bounds must be the same', () => {
  const custom = (...bounds: number[]) => {
    const histogram = histogramOf('-53 0:0 | 0:1 2:2');
    for (const bound of bounds) histogram.addCustomValue(bound);
    return histogram;
  };
  expect(canAdd(custom(1, 5), custom(1, 5))).toBe(true);
  expect(canAdd(custom(1, 5), custom(1, 6))).toBe(false);
  expect(canAdd(custom(1, 5), custom(1))).toBe(false);
  expect(canAdd(custom(1, 5), histogramOf('0 0:0'))).toBe(false);
  expect(canAdd(histogramOf('-4 0:0'), histogramOf('8 0:0'))).toBe(true);
  expect(textOf(sum(custom(1, 5), custom(1, 5))!)).toBe('-53 0:0 | 0:2 2:4 |');
});

const bucketList = fc.uniqueArray(
  fc.record({ index: fc.integer({ min: -300, max: 300 }), count: fc.integer({ min: 1, max: 9 }) }),
  {
    maxLength: 40,
    selector: ({ index }) => index,
  },
);
const anyHistogram = fc
  .record({
    schema: fc.integer({ min: -4, max: 8 }),
    threshold: fc.constantFrom(0.0001, 0.5, 0.75, 1, 1e-128),
    zero: fc.integer({ min: 0, max: 9 }),
    positive: bucketList,
    negative: bucketList,
  })
  .map(({ schema, threshold, zero, positive, negative }) => {
    const side = (buckets: typeof positive) =>
      buckets
        .toSorted((a, b) => a.index - b.index)
        .map(({ index, count }) => `${index}:${count}`)
        .join(' ');
    return `${schema} ${threshold}:${zero} | ${side(positive)} | ${side(negative)}`;
  });

test('whatever is added in whatever order: buckets add up to the count, and the result is the same', () => {
  fc.assert(
    fc.property(anyHistogram, anyHistogram, (a, b) => {
      const total = sum(histogramOf(a), histogramOf(b))!;
      const inBuckets = [total.positive, total.negative].flatMap(bucketsOf);
      expect(inBuckets.reduce((all, [, count]) => all + count, total.zeroCount)).toBe(total.count);
      expect(textOf(sum(histogramOf(b), histogramOf(a))!)).toBe(textOf(total));
    }),
    { numRuns: 300, seed: 7 },
  );
});

test('as numbers in a row and back, histograms are what they were', () => {
  const arena = new HistogramArena();
  const texts = ['-4 0.5:3', '8 1e-128:0 | -7:1 90:2 | 4:5', '-53 0:0 | 0:1 2:2'];
  const starts = texts.map((text) => {
    const start = arena.length;
    const histogram = histogramOf(text);
    if (histogram.schema === -53) histogram.addCustomValue(1.5);
    arena.append(histogram);
    return start;
  });
  const cells = arena.content();
  expect(starts.map((start) => histogramEnd(cells, start))).toEqual([...starts.slice(1), cells.length]);
  const copy = new HistogramArena();
  copy.appendCells(new Float64Array(5000));
  copy.appendCells(cells);
  for (const [i, text] of texts.entries()) {
    const into = histogramOf('3 9:9 | 1:1 | 1:1');
    copy.read(5000 + starts[i]!, into);
    expect(textOf(into)).toBe(textOf(histogramOf(text)));
    expect([...into.customValues.subarray(0, into.customCount)]).toEqual(i === 2 ? [1.5] : []);
    expect(into.sum).toBe(into.count);
  }
});
