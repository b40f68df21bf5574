/**
 * Goal: the days left are what a person would reckon from the same figures.
 * Method: a store of so many days, 10 bytes a day and table, and the room it has.
 */
import { expect, test } from 'vitest';
import { estimateDaysLeft, type GrowthFacts } from '#store/operations/days-left.ts';

const dayMs = 86_400_000;
const nowMs = Date.UTC(2026, 10, 26);

/** One partition of 10 bytes for each of the last `days` days. */
function dailyPartitions(days: number): GrowthFacts['partitions'] {
  return Array.from({ length: days }, (_, at) => ({
    startMs: nowMs - (at + 1) * dayMs,
    endMs: nowMs - at * dayMs,
    bytes: 10,
  }));
}

function estimate(facts: Partial<GrowthFacts> & { readonly ageDays: number }): string {
  const { growthBytesPerDay, daysLeft } = estimateDaysLeft({
    partitions: dailyPartitions(facts.ageDays),
    otherBytes: 0,
    bornMs: nowMs - facts.ageDays * dayMs,
    nowMs,
    retentionMs: 0,
    roomBytes: 100,
    ...facts,
  });
  return `${growthBytesPerDay === null ? '?' : Math.round(growthBytesPerDay)} a day, ${daysLeft} days`;
}

test.each([
  { name: 'kept for ever', facts: { ageDays: 20 }, says: '10 a day, 10 days' },
  {
    name: 'tables that never lose anything count too',
    facts: { ageDays: 20, otherBytes: 200 },
    says: '20 a day, 5 days',
  },
  {
    name: 'retention drops as much as comes',
    facts: { ageDays: 7, retentionMs: 7 * dayMs },
    says: '10 a day, enough days',
  },
  {
    name: 'full before retention begins to drop',
    facts: { ageDays: 7, retentionMs: 30 * dayMs },
    says: '10 a day, 10 days',
  },
  { name: 'no room at all', facts: { ageDays: 7, roomBytes: 0 }, says: '10 a day, 0 days' },
  { name: 'a day old', facts: { ageDays: 1 }, says: '10 a day, 10 days' },
  { name: 'younger than an hour', facts: { ageDays: 0.01, partitions: [] }, says: '? a day, unknown days' },
  { name: 'nothing comes', facts: { ageDays: 7, partitions: [] }, says: '0 a day, unknown days' },
  { name: 'age unknown', facts: { ageDays: 7, bornMs: Number.NaN }, says: '? a day, unknown days' },
])('$name', ({ facts, says }) => expect(estimate(facts)).toBe(says));

test('a month that has begun counts by the part that has passed', () => {
  const startMs = nowMs - 25 * dayMs;
  const month = [{ startMs, endMs: startMs + 30 * dayMs, bytes: 250 }];
  expect(estimate({ ageDays: 100, partitions: month })).toBe('10 a day, 10 days');
});

test('a backfill of days before the store was made is no pace', () => {
  const old = [{ startMs: nowMs - 50 * dayMs, endMs: nowMs - 49 * dayMs, bytes: 1e9 }];
  expect(estimate({ ageDays: 10, partitions: [...dailyPartitions(10), ...old] })).toBe('10 a day, 10 days');
});

test('a partition of the day on which the store was made holds what came since', () => {
  const today = [{ startMs: nowMs - dayMs, endMs: nowMs, bytes: 10 }];
  expect(estimate({ ageDays: 0.25, partitions: today })).toBe('40 a day, 2.5 days');
});
