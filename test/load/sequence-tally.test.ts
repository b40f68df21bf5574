/**
 * Goal: gaps, repeats and strangers among numbers are counted exactly, in memory of a bit a number.
 * Method: small cases by hand, then random numbers against a model of sets.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SequenceTally } from '#load/verify/sequence-tally.ts';

test('gaps are ranges, repeats are numbers', () => {
  const tally = new SequenceTally(20);
  for (const seq of [1, 2, 4, 4, 4, 9, 10, 17]) tally.add(seq, true);
  expect(tally).toMatchObject({ stored: 6, repeated: 2, repeatedFirst: [4, 4], highest: 17, unexpected: 0 });
  expect(tally.missing(17)).toEqual({
    count: 11,
    ranges: [
      [3, 3],
      [5, 8],
      [11, 16],
    ],
  });
  expect(tally.missing(2)).toEqual({ count: 0, ranges: [] });
  expect(tally.missing(20).ranges.at(-1)).toEqual([18, 20]);
});

test('a number that was never written is unexpected, and takes no memory', () => {
  const tally = new SequenceTally(5);
  for (const seq of [0, -1, 6, 2 ** 40]) tally.add(seq, true);
  expect(tally).toMatchObject({ stored: 0, unexpected: 4, unexpectedFirst: [0, -1, 6, 2 ** 40] });
  const boundless = new SequenceTally();
  boundless.add(2 ** 30 + 1, true);
  expect(boundless).toMatchObject({ stored: 0, unexpected: 1 });
});

test('an altered record counts as stored, and as altered', () => {
  const tally = new SequenceTally(3);
  tally.add(2, false);
  expect(tally).toMatchObject({ stored: 1, altered: 1, alteredFirst: [2] });
});

test('where nobody knows how many there are, the number of an altered record is not believed', () => {
  const tally = new SequenceTally();
  tally.add(2 ** 29, false);
  expect(tally).toMatchObject({ stored: 0, altered: 1, highest: 0, alteredFirst: [2 ** 29] });
});

test('so many are listed, however many there are', () => {
  const tally = new SequenceTally(1000);
  for (let seq = 2; seq <= 1000; seq += 2) for (let i = 0; i < 2; i++) tally.add(seq, false);
  expect(tally).toMatchObject({ repeated: 500, altered: 1000 });
  expect([tally.repeatedFirst.length, tally.alteredFirst.length]).toEqual([10, 10]);
  expect(tally.missing(1000)).toMatchObject({ count: 500, ranges: { length: 10 } });
});

test('it agrees with sets', () => {
  const numbers = fc.array(fc.oneof(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 200_000 })));
  fc.assert(
    fc.property(numbers, fc.integer({ min: 0, max: 300 }), (seen, last) => {
      const tally = new SequenceTally();
      for (const seq of seen) tally.add(seq, true);
      const distinct = new Set(seen);
      const below = [...distinct].filter((seq) => seq <= last).length;
      expect([tally.stored, tally.repeated]).toEqual([distinct.size, seen.length - distinct.size]);
      expect(tally.missing(last).count).toBe(last - below);
    }),
  );
});
