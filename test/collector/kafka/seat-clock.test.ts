/**
 * Goal: a member never takes its seat for held when the coordinator may have given it away, whatever its clocks do.
 * Method: a table of what both clocks say after it was last heard of; the session timeout is 30 seconds.
 */
import { expect, test } from 'vitest';
import { SeatClock } from '#collector/kafka/seat-clock.ts';

test.each([
  { name: 'a moment ago', wallMs: 10, monotonicMs: 10, isHeld: true },
  { name: 'just within the timeout', wallMs: 29_999, monotonicMs: 29_999, isHeld: true },
  { name: 'longer ago than the timeout', wallMs: 30_000, monotonicMs: 30_000, isHeld: false },
  {
    name: 'long ago, and the time of day was set back',
    wallMs: -3_600_000,
    monotonicMs: 31_000,
    isHeld: false,
  },
  { name: 'long ago, and the machine slept', wallMs: 31_000, monotonicMs: 5, isHeld: false },
])('heard of $name', ({ wallMs, monotonicMs, isHeld }) => {
  let now = { wallMs: 1e12, monotonicMs: 500 };
  const clock = new SeatClock(30_000, () => now);
  expect(clock.isHeld()).toBe(false);
  clock.heard(clock.now());
  now = { wallMs: now.wallMs + wallMs, monotonicMs: now.monotonicMs + monotonicMs };
  expect(clock.isHeld()).toBe(isHeld);
});
