/** Goal: totals are remembered while they are used, forgotten when told, and never more than the bound. */
import { expect, test } from 'vitest';
import { DeltaMemory } from '#collector/delta-memory.ts';

const found = (memory: DeltaMemory, low: number): [number, number, number] | undefined =>
  memory.find(low, 7) ? [memory.total, memory.lastMs, memory.startMs] : undefined;

test('the last total of a series is found, by both words of its key', () => {
  const memory = new DeltaMemory(4096);
  memory.put(1, 7, 2.5, 1000, 5);
  memory.put(1, 8, 99, 1000, 5);
  memory.put(1, 7, 3.5, 2000, 5);
  expect(found(memory, 1)).toEqual([3.5, 2000, 5]);
  expect(found(memory, 2)).toBeUndefined();
});

test('what is used stays, what is not goes when there is no room', () => {
  const memory = new DeltaMemory(4096);
  for (let low = 0; low < 10_000; low++) {
    memory.put(low, 7, low, 1000, 5);
    memory.put(-1, 7, low, 2000, 5);
  }
  expect(found(memory, -1)).toEqual([9999, 2000, 5]);
  expect(found(memory, 9999)).toEqual([9999, 1000, 5]);
  expect(found(memory, 0)).toBeUndefined();
  const kept = Array.from({ length: 10_000 }, (_, low) => found(memory, low)).filter(
    (one) => one !== undefined,
  );
  expect(kept.length).toBeGreaterThan(2000);
  expect(kept.length).toBeLessThanOrEqual(4096);
});

test('a forgotten series is unknown, also where an older total of it is still there', () => {
  const memory = new DeltaMemory(2048);
  memory.put(1, 7, 1, 1000, 5);
  for (let low = 10; low < 1034; low++) memory.put(low, 7, 0, 1000, 5);
  memory.put(1, 7, 2, 2000, 5);
  memory.forget(1, 7);
  expect(found(memory, 1)).toBeUndefined();
  memory.put(1, 7, 3, 3000, 5);
  expect(found(memory, 1)).toEqual([3, 3000, 5]);
});
