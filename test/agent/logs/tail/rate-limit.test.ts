/**
 * Goal: a file that grows too fast loses what is over its limit, and not a byte more.
 * Method: growth at given times, and the ranges that are left out.
 */
import { expect, test } from 'vitest';
import { RateLimit } from '#agent/logs/tail/rate-limit.ts';

/** All ranges that are left out from the beginning on. */
function skipped(limit: RateLimit): [number, number][] {
  const ranges: [number, number][] = [];
  for (let offset = 0; ; offset = ranges.at(-1)![1]) {
    const range = limit.next(offset);
    if (range === undefined) return ranges;
    ranges.push([range.from, range.to]);
  }
}

test('ten seconds of growth may come at once, then the rate holds', () => {
  const limit = new RateLimit(100, 0);
  limit.grow(0, 1000, 0);
  expect(limit.next(0)).toBeUndefined();
  limit.grow(1000, 1300, 1000);
  limit.grow(1300, 1400, 2000);
  expect(skipped(limit)).toEqual([[1100, 1300]]);
});

test('neighbours are one range, and a quiet file earns its burst again', () => {
  const limit = new RateLimit(100, 0);
  limit.grow(0, 1500, 0);
  limit.grow(1500, 1700, 0);
  limit.grow(1700, 2700, 60_000);
  expect(skipped(limit)).toEqual([[1000, 1700]]);
  limit.grow(2700, 2701, 60_000);
  expect(skipped(limit)).toEqual([[2700, 2701]]);
});

test('the list of ranges stays short: what lies between the last ones goes with them', () => {
  const limit = new RateLimit(1, 0);
  for (let second = 1; second <= 200; second++) limit.grow((second - 1) * 20, second * 20, second * 1000);
  const ranges = skipped(limit);
  expect(ranges).toHaveLength(64);
  expect(ranges.at(-1)![1]).toBe(4000);
});

test('a clock that stands still earns nothing', () => {
  const limit = new RateLimit(10, 1000);
  limit.grow(0, 100, 1000);
  limit.grow(100, 200, 500);
  expect(skipped(limit)).toEqual([[100, 200]]);
});
