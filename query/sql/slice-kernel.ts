/** Runs a kernel over a slice of series, of rows as the store has handed them over: the same in a thread and beside it. */
import { type ColumnTask, columnKernels } from '../promql/functions/column-kernels.ts';
import { withoutStale } from '../promql/sample-window.ts';
import { SampleJoin } from './sample-merge.ts';
import { type SeriesIds, SeriesRows } from './series-rows.ts';

export interface SliceTask {
  readonly ids: SeriesIds;
  /** By table: the bytes of its blocks. */
  readonly tables: readonly (readonly Uint8Array[])[];
  /** Samples count that are within startMs < t <= endMs. */
  readonly startMs: number;
  readonly endMs: number;
  readonly column: ColumnTask;
}

/** By series, in the order of the task's ids; values and present have as many places a series as there are steps. */
export interface SliceResult {
  readonly sampleCounts: Uint32Array;
  /** Samples that the windows of all steps hold. */
  readonly windowSampleCounts: Float64Array;
  readonly hasValue: Uint8Array;
  readonly values: Float64Array;
  readonly present: Uint8Array;
}

/** Gives the memory of the task's blocks back. */
export function runSlice({ ids, tables, startMs, endMs, column }: SliceTask): SliceResult {
  const seriesCount = ids.low.length;
  const { stepCount } = column;
  const kernel = columnKernels[column.kernel];
  const sampleCounts = new Uint32Array(seriesCount);
  const windowSampleCounts = new Float64Array(seriesCount);
  const hasValue = new Uint8Array(seriesCount);
  const values = new Float64Array(seriesCount * stepCount);
  const present = new Uint8Array(seriesCount * stepCount);
  const join = new SampleJoin(startMs, endMs);
  const rows = tables.map((blocks) => new SeriesRows(ids, blocks));
  for (let series = 0; series < seriesCount; series++) {
    join.reuse();
    join.beginSeries(rows, series);
    const found = join.finish();
    sampleCounts[series] = found.values.length;
    if (found.values.length === 0) continue;
    const samples = withoutStale({ labels: [], ...found });
    const own = series * stepCount;
    const ownPresent = present.subarray(own, own + stepCount);
    windowSampleCounts[series] = kernel(
      { ...column, timestamps: samples.timestamps, values: samples.values },
      values.subarray(own, own + stepCount),
      ownPresent,
    );
    hasValue[series] = Number(ownPresent.includes(1));
  }
  for (const table of rows) table.free();
  return { sampleCounts, windowSampleCounts, hasValue, values, present };
}
