/**
 * Makes one series' samples of runs from several tables: in time order, each time once, within (startMs, endMs].
 * Of samples with one time the largest value wins, as in ClickHouse's own time series functions; the compaction
 * (store/compaction/chunk-sql.ts) keeps the same one, whichever order they come in.
 */
import type { SampleRun } from './sample-block.ts';

export interface MergedSamples {
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
}

/** Undefined where nothing is left. Values are copied as they are: a NaN keeps its bits. */
export function mergeRuns(
  runs: readonly SampleRun[],
  startMs: number,
  endMs: number,
): MergedSamples | undefined {
  const only = runs.length === 1 ? trim(runs[0], startMs, endMs) : undefined;
  if (only !== undefined && isStrictlyAscending(only.timestamps)) {
    return only.timestamps.length === 0 ? undefined : only;
  }
  const joined = join(runs, startMs, endMs);
  if (joined.timestamps.length === 0) return undefined;
  return isStrictlyAscending(joined.timestamps) ? joined : sortUnique(joined);
}

function isStrictlyAscending(times: Float64Array): boolean {
  for (let i = 1; i < times.length; i++) if (times[i] <= times[i - 1]) return false;
  return true;
}

/** A part of the run's own columns; right only where its times ascend. */
function trim({ timestamps, values }: SampleRun, startMs: number, endMs: number): MergedSamples {
  let from = 0;
  let to = timestamps.length;
  while (from < to && timestamps[from] <= startMs) from++;
  while (to > from && timestamps[to - 1] > endMs) to--;
  return { timestamps: timestamps.subarray(from, to), values: values.subarray(from, to) };
}

function join(runs: readonly SampleRun[], startMs: number, endMs: number): MergedSamples {
  const isInside = (time: number) => time > startMs && time <= endMs;
  let count = 0;
  for (const { timestamps } of runs) for (const time of timestamps) if (isInside(time)) count++;
  const timestamps = new Float64Array(count);
  const values = new Float64Array(count);
  const words = wordsOf(values);
  let index = 0;
  for (const run of runs) {
    const from = wordsOf(run.values);
    for (let i = 0; i < run.timestamps.length; i++) {
      if (!isInside(run.timestamps[i])) continue;
      timestamps[index] = run.timestamps[i];
      words[2 * index] = from[2 * i];
      words[2 * index + 1] = from[2 * i + 1];
      index++;
    }
  }
  return { timestamps, values };
}

function sortUnique({ timestamps, values }: MergedSamples): MergedSamples {
  const order = Uint32Array.from(timestamps.keys());
  const sortedTimes = new Float64Array(order.length);
  const sortedValues = new Float64Array(order.length);
  const from = wordsOf(values);
  const to = wordsOf(sortedValues);
  // NaN is no larger than anything: among equal times it must come first to lose.
  order.sort(
    (a, b) => timestamps[a] - timestamps[b] || compareValues(values[a], values[b]) || compareBits(from, a, b),
  );
  let count = 0;
  for (const index of order) {
    if (count > 0 && sortedTimes[count - 1] === timestamps[index]) count--;
    sortedTimes[count] = timestamps[index];
    to[2 * count] = from[2 * index];
    to[2 * count + 1] = from[2 * index + 1];
    count++;
  }
  return { timestamps: sortedTimes.subarray(0, count), values: sortedValues.subarray(0, count) };
}

function compareValues(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(b)) - Number(Number.isNaN(a));
  return a < b ? -1 : a > b ? 1 : 0;
}

/** As signed 64-bit integers: between NaNs, and between zeros, the outcome must not depend on their order. */
function compareBits(words: Uint32Array, a: number, b: number): number {
  return (words[2 * a + 1] | 0) - (words[2 * b + 1] | 0) || words[2 * a] - words[2 * b];
}

function wordsOf(values: Float64Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
}
