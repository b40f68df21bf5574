/** Goal: a group keeps its place within the interval, over restarts. Method: a table, and a property over random times. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextEvaluationMs, offsetMs } from '#query/rules/alignment.ts';

test.each([
  [1000, 60_000, 0, 60_000],
  [60_000, 60_000, 0, 60_000],
  [60_001, 60_000, 0, 120_000],
  [1000, 60_000, 5000, 5000],
  [6000, 60_000, 5000, 65_000],
])('at %s with interval %s and offset %s the next one is at %s', (nowMs, intervalMs, offset, next) => {
  expect(nextEvaluationMs(nowMs, intervalMs, offset)).toBe(next);
});

test('the next evaluation is within one interval and at the offset', () => {
  fc.assert(
    fc.property(
      fc.nat(2 ** 41),
      fc.integer({ min: 1000, max: 86_400_000 }),
      fc.string(),
      (nowMs, intervalMs, name) => {
        const offset = offsetMs(name, intervalMs);
        const next = nextEvaluationMs(nowMs, intervalMs, offset);
        return next >= nowMs && next < nowMs + intervalMs && (next - offset) % intervalMs === 0;
      },
    ),
  );
});

test('different groups have different offsets', () => {
  const names = Array.from({ length: 50 }, (_, index) => `default/ns/group${index}`);
  expect(new Set(names.map((name) => offsetMs(name, 60_000))).size).toBeGreaterThan(45);
});
