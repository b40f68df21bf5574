/**
 * Goal: a rate that neither drifts nor loses a record to rounding, whatever the number of senders.
 * Method: sums over all senders at many times.
 */
import { expect, test } from 'vitest';
import { recordsDue, recordsPlanned } from '#load/pace.ts';

const total = (pace: Parameters<typeof recordsDue>[0], elapsedMs: number): number =>
  Array.from({ length: pace.senderCount }, (_, index) => recordsDue(pace, index, elapsedMs)).reduce(
    (sum, due) => sum + due,
    0,
  );

test.each([1, 3, 7, 1500])('%i senders write the rate together, at every time', (senderCount) => {
  const pace = { ratePerSecond: 997, seconds: 60, senderCount };
  for (const elapsedMs of [0, 1, 49, 50, 1000, 1003, 33_333, 59_999, 60_000]) {
    expect(total(pace, elapsedMs)).toBe(Math.floor((997 * elapsedMs) / 1000));
  }
});

test('after the end nothing more is due, and before the start nothing', () => {
  const pace = { ratePerSecond: 10, seconds: 3, senderCount: 4 };
  expect(total(pace, 1e9)).toBe(30);
  expect(total(pace, -5)).toBe(0);
  expect([0, 1, 2, 3].map((index) => recordsPlanned(pace, index))).toEqual([8, 8, 7, 7]);
});
