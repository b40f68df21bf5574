/** Bounds of histogram buckets, to the last bit. */
import { describe, expect, test } from 'vitest';
import { exponentialBound } from '#query/promql/histogram/exponential-bounds.ts';

describe('bounds of exponential buckets', () => {
  // As Prometheus's server and its clients print them; powers of two to the last bit where the schema is coarse.
  test.each([
    [-4, 1, 65_536],
    [-4, 64, Number.MAX_VALUE],
    [-1, -1, 0.25],
    [-1, 1, 4],
    [-1, 512, Number.MAX_VALUE],
    [-1, 513, Infinity],
    [0, -1, 0.5],
    [0, 0, 1],
    [0, 1024, Number.MAX_VALUE],
    [0, 1025, Infinity],
    [1, -1, 0.7071067811865475],
    [1, 1, Math.SQRT2 - Number.EPSILON],
    [2, -1, 0.8408964152537144],
    [2, 1, 1.189207115002721],
    [2, 4096, Number.MAX_VALUE],
    [2, 4097, Infinity],
    [3, -5, 0.6484197773255048],
    [3, 1, 1.0905077326652577],
    [3, 4, Math.SQRT2 - Number.EPSILON],
    [3, 5, 1.5422108254079407],
    [8, -1, 0.9972960560854698],
    [0, -1074, Number.MIN_VALUE],
    [0, -1075, 0],
  ])('schema %d, bucket %d ends at %d', (schema, index, bound) => {
    expect(exponentialBound(schema, index)).toBe(bound);
  });

  test('a coarser schema has every second bound of a finer one', () => {
    for (let schema = -3; schema <= 8; schema++) {
      for (let index = -40; index <= 40; index++) {
        expect(exponentialBound(schema, 2 * index)).toBe(exponentialBound(schema - 1, index));
      }
    }
  });

  test('bounds ascend from the smallest normal double to infinity', () => {
    const unsorted: string[] = [];
    for (let schema = -4; schema <= 8; schema++) {
      let before = 0;
      for (let index = Math.ceil(-1022 * 2 ** schema); before < Infinity; index++) {
        const bound = exponentialBound(schema, index);
        if (bound <= before) unsorted.push(`schema ${schema}, bucket ${index}`);
        before = bound;
      }
    }
    expect(unsorted).toEqual([]);
  });
});
