/** Goal: totals of histograms are remembered while they are used, forgotten when told, and never more than the bound. */
import { expect, test } from 'vitest';
import { HistogramMemory } from '#collector/histogram-memory.ts';

const found = (memory: HistogramMemory, low: number): number[] | undefined => {
  const cells = memory.find(low, 7);
  return cells && [...cells];
};

test('the last total of a series is found, longer and shorter ones too, by both words of its key', () => {
  const memory = new HistogramMemory(1000);
  for (const cells of [[1, 2], [3], [4, 5, 6, 7], [8, 9, 10]]) {
    memory.put(1, 7, Float64Array.from(cells));
    memory.put(1, 8, Float64Array.of(99));
    expect(found(memory, 1)).toEqual(cells);
  }
  expect(found(memory, 2)).toBeUndefined();
});

test('what is used stays, what is not goes when there is no room', () => {
  const memory = new HistogramMemory(1000);
  for (let low = 0; low < 5000; low++) {
    memory.put(low, 7, Float64Array.of(low, low, low));
    memory.put(-1, 7, new Float64Array(1 + (low % 4)).fill(low));
  }
  expect(found(memory, -1)).toEqual([4999, 4999, 4999, 4999]);
  expect(found(memory, 4999)).toEqual([4999, 4999, 4999]);
  expect(found(memory, 0)).toBeUndefined();
  const kept = Array.from({ length: 5000 }, (_, low) => found(memory, low)).filter(
    (one) => one !== undefined,
  );
  expect(kept.length).toBeGreaterThan(100);
  expect(kept.length * 3).toBeLessThanOrEqual(1000);
});

test('a forgotten series is unknown, also where an older total of it is still there; so is one without a total', () => {
  const memory = new HistogramMemory(100);
  memory.put(1, 7, Float64Array.of(1));
  memory.put(2, 7, new Float64Array(50));
  memory.put(1, 7, Float64Array.of(2));
  memory.forget(1, 7);
  expect(found(memory, 1)).toBeUndefined();
  memory.put(1, 7, Float64Array.of(3));
  memory.put(1, 7, new Float64Array(0));
  expect(found(memory, 1)).toBeUndefined();
  memory.put(1, 7, Float64Array.of(4));
  expect(found(memory, 1)).toEqual([4]);
});

test('what is larger than the memory is not remembered, and does not come back as what was before', () => {
  const memory = new HistogramMemory(100);
  memory.put(1, 7, Float64Array.of(1));
  memory.put(1, 7, new Float64Array(51));
  expect(found(memory, 1)).toBeUndefined();
});
