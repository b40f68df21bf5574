/** Finds the samples that a step sees: columns in, places in columns out. Windows are left-open, as in Prometheus. */
import type { SeriesSamples } from './source.ts';
import type { StepGrid } from './step-series.ts';

/** The upper and lower half of the NaN that marks a series as gone (0x7ff0000000000002). */
const staleHigh = 0x7ff00000;
const staleLow = 2;
const isLittleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
/** Where the halves of a double lie among its two words. */
export const lowIndex = isLittleEndian ? 0 : 1;
export const highIndex = 1 - lowIndex;

/** A stale marker as two words in the order of memory. */
export const staleWords: readonly [number, number] = isLittleEndian
  ? [staleLow, staleHigh]
  : [staleHigh, staleLow];

/** The values' 32-bit halves: any arithmetic on a NaN would lose the marker. */
export function halves(values: Float64Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
}

/** Whether value `index` is a stale marker. */
export function isStale(words: Uint32Array, index: number): boolean {
  return words[2 * index + lowIndex] === staleLow && words[2 * index + 1 - lowIndex] === staleHigh;
}

/** The samples without stale markers; the same object where there are none. */
export function withoutStale(samples: SeriesSamples): SeriesSamples {
  const { timestamps, values } = samples;
  if (samples.mayBeStale === false) return samples;
  const words = halves(values);
  let staleCount = 0;
  for (let i = 0; i < values.length; i++) if (isStale(words, i)) staleCount++;
  if (staleCount === 0) return samples;
  const keptTimestamps = new Float64Array(values.length - staleCount);
  const keptValues = new Float64Array(values.length - staleCount);
  let kept = 0;
  for (let i = 0; i < values.length; i++) {
    if (isStale(words, i)) continue;
    keptTimestamps[kept] = timestamps[i];
    keptValues[kept++] = values[i];
  }
  const startTimes = samples.startTimes?.filter((_time, i) => !isStale(words, i));
  return {
    ...samples,
    timestamps: keptTimestamps,
    values: keptValues,
    ...(startTimes === undefined ? {} : { startTimes }),
  };
}

/** Where a selector looks at each step: the end of its window, with `offset` and `@` applied. */
export interface WindowEnds {
  readonly firstMs: number;
  /** Zero where `@` fixes the time. */
  readonly stepMs: number;
  readonly lastMs: number;
}

export function windowEnds(grid: StepGrid, offsetMs: number, fixedMs: number | undefined): WindowEnds {
  const firstMs = (fixedMs ?? grid.startMs) - offsetMs;
  const stepMs = fixedMs === undefined ? grid.stepMs : 0;
  return { firstMs, stepMs, lastMs: firstMs + stepMs * (grid.count - 1) };
}
