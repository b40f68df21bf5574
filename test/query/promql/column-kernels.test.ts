/**
 * Goal: a kernel that works on a whole series gives to the bit what the function's kernel of one window gives.
 * Method: random series of counters and gauges, with gaps, resets, NaN and infinities, over random grids; a seed repeats a run.
 */
import { expect, test } from 'vitest';
import { type ColumnKernelName, columnKernels } from '#query/promql/functions/column-kernels.ts';
import type { RangeWindow } from '#query/promql/functions/function-kinds.ts';
import { functionImplementation } from '#query/promql/functions/registry.ts';
import { Lcg } from '../../support/lcg.ts';

const seed = Number(process.env.KERNELS_SEED ?? 7);

interface Series {
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
}

function randomSeries(random: Lcg): Series {
  const count = random.int(60);
  const isCounter = random.chance(60);
  const odd = random.chance(30) ? 15 : 0;
  let time = random.int(100_000);
  let value = random.int(1000) - 200;
  const timestamps: number[] = [];
  const values: number[] = [];
  for (let i = 0; i < count; i++) {
    time += random.chance(10) ? 60_000 + random.int(600_000) : 1 + random.int(30_000);
    if (isCounter) value = random.chance(10) ? random.int(20) : value + random.int(50) / 7;
    else value = random.pick([value, -value, random.int(1_000_000) / 3 - 1e5, 0, -0, 1e308, 5e-324]);
    timestamps.push(time);
    values.push(random.chance(odd) ? random.pick([NaN, Infinity, -Infinity, -0]) : value);
  }
  return { timestamps: Float64Array.from(timestamps), values: Float64Array.from(values) };
}

function countHeld(
  timestamps: Float64Array,
  grid: { readonly firstEndMs: number; readonly stepMs: number; readonly rangeMs: number },
  stepCount: number,
): number {
  let held = 0;
  for (let step = 0; step < stepCount; step++) {
    const endMs = grid.firstEndMs + step * grid.stepMs;
    held += timestamps.filter((time) => time > endMs - grid.rangeMs && time <= endMs).length;
  }
  return held;
}

function windowByWindow(
  name: string,
  { timestamps, values }: Series,
  grid: { readonly firstEndMs: number; readonly stepMs: number; readonly rangeMs: number },
  results: Float64Array,
  present: Uint8Array,
): void {
  const implementation = functionImplementation(name);
  if (implementation?.kind !== 'range') throw new Error(`${name} is no function of a range`);
  for (let step = 0; step < results.length; step++) {
    const endMs = grid.firstEndMs + step * grid.stepMs;
    const startMs = endMs - grid.rangeMs;
    const from = timestamps.findIndex((time) => time > startMs);
    const to = timestamps.findLastIndex((time) => time <= endMs) + 1;
    if (from === -1 || from >= to) continue;
    const window: RangeWindow = {
      timestamps,
      values,
      from,
      to,
      startTimes: undefined,
      histogramTimes: new Float64Array(),
      histogramStartTimes: undefined,
      histograms: [],
      histogramFrom: 0,
      histogramTo: 0,
      metricName: 'm',
      startMs,
      endMs,
      rangeMs: grid.rangeMs,
      step,
      stepTimeMs: endMs,
      args: [],
      result: 0,
      warn: () => undefined,
      warnEach: () => undefined,
      inform: () => undefined,
    };
    if (!implementation.kernel(window)) continue;
    results[step] = window.result;
    present[step] = 1;
  }
}

test.each(Object.keys(columnKernels))('%s', (name) => {
  const random = new Lcg(seed);
  let valueCount = 0;
  for (let round = 0; round < 3000; round++) {
    const series = randomSeries(random);
    const grid = {
      firstEndMs: random.int(400_000),
      stepMs: random.chance(10) ? 0 : 1 + random.int(120_000),
      rangeMs: 1 + random.int(random.chance(50) ? 60_000 : 900_000),
    };
    const stepCount = 1 + random.int(40);
    const [expected, actual] = [new Float64Array(stepCount), new Float64Array(stepCount)];
    const [expectedAt, actualAt] = [new Uint8Array(stepCount), new Uint8Array(stepCount)];
    windowByWindow(name, series, grid, expected, expectedAt);
    const held = columnKernels[name as ColumnKernelName]({ ...series, ...grid }, actual, actualAt);
    expect(actualAt, `round ${round}`).toEqual(expectedAt);
    expect(held, `round ${round}`).toBe(countHeld(series.timestamps, grid, stepCount));
    for (let step = 0; step < stepCount; step++) {
      if (!Object.is(actual[step], expected[step])) {
        throw new Error(`round ${round}, step ${step}: ${actual[step]} instead of ${expected[step]}`);
      }
    }
    valueCount += expectedAt.filter((flag) => flag === 1).length;
  }
  expect(valueCount).toBeGreaterThan(10_000);
});
