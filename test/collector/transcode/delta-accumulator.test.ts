/**
 * Goal: what labels can be made to do to the ids of series harms nobody: a histogram's total is never one of a number.
 * Method: two series, one of numbers and one of histograms, under one id; no sender makes them by chance.
 */
import { expect, test } from 'vitest';
import type { DeltaTotals } from '#collector/delta-totals.ts';
import { DeltaAccumulator } from '#collector/transcode/delta-accumulator.ts';
import { textBytes } from '#collector/transcode/resource-scope.ts';

const [low, high] = [7, 8];

const totalsOf = (isHistogram: 0 | 1): DeltaTotals => ({
  ids: Int32Array.of(low, high),
  isHistogram: Uint8Array.of(isHistogram),
  // As a place in the arena: far behind all that is there.
  totals: Float64Array.of(isHistogram === 1 ? 0 : 1e9),
  histograms: new Float64Array(0),
  lastMs: Float64Array.of(1000),
  startMs: Float64Array.of(0),
  newestMs: Float64Array.of(2000),
});

test.each([0, 1] as const)(
  'of two series under one id in a request, the first has it (%i)',
  (isHistogram) => {
    const accumulator = new DeltaAccumulator(3_600_000);
    accumulator.beginTask();
    accumulator.beginRequest('t', undefined);
    accumulator.need(low, high, textBytes('m'), 0, 2000, isHistogram === 1);
    accumulator.need(low, high, textBytes('m'), 0, 2000, isHistogram === 0);
    expect(accumulator.needs().isHistogram).toEqual(Uint8Array.of(isHistogram));
    accumulator.beginRequest('t', totalsOf(isHistogram));
    expect(accumulator.entryOf(low, high, isHistogram === 1)).toBe(0);
    expect(accumulator.entryOf(low, high, isHistogram === 0)).toBe(-1);
  },
);

test.each([0, 1] as const)(
  'of two requests in a task, the first has it, and the other knows nothing (%i)',
  (first) => {
    const accumulator = new DeltaAccumulator(3_600_000);
    const [mine, other] = [totalsOf(first), totalsOf(first === 1 ? 0 : 1)];
    accumulator.beginTask();
    accumulator.beginRequest('t', mine);
    accumulator.beginRequest('t', other);
    expect(accumulator.entryOf(low, high, first === 1)).toBe(0);
    expect(accumulator.entryOf(low, high, first === 0)).toBe(-1);
    expect(accumulator.totalsOf(mine)).toEqual(mine);
    expect(accumulator.totalsOf(other)).toMatchObject({
      totals: Float64Array.of(0),
      lastMs: Float64Array.of(-1),
    });
  },
);
