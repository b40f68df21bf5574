/**
 * From encoded ranges to a batch's request: what processors have left of the ranges, behind the modules that work on whole
 * batches. New batches and those that are made again go the same way.
 */
import { encodeLogsRequest, type ResourceRecords } from '#wire/otlp/logs-request.ts';
import type { LogProcessors } from '../../processors/log-processors.ts';
import type { RecordPipeline } from '../../processors/record-pipeline.ts';
import type { TailedFile } from '../tail/tailed-file.ts';

/** A byte range of one file, and the number of records in it. */
export interface BatchRange {
  readonly file: TailedFile;
  readonly from: number;
  readonly to: number;
  readonly records: number;
}

/** A range as the encoder left it. */
export interface EncodedRun extends ResourceRecords {
  readonly file: TailedFile;
  readonly pipeline: RecordPipeline | undefined;
}

/** A range that is part of a batch: one for each of the batch's ranges. */
export interface ProcessedRun extends EncodedRun {
  /** Counts what the range's pipeline did. */
  readonly settle: (() => void) | undefined;
}

export interface ProcessedBatch {
  readonly ranges: readonly BatchRange[];
  readonly bytes: Uint8Array;
  readonly settle: () => void;
}

/** `runs` are those of `ranges`, in their order; ranges without records are not part of the request. */
export async function finishBatch(
  ranges: readonly BatchRange[],
  runs: readonly ProcessedRun[],
  records: Uint8Array,
  processors: LogProcessors | undefined,
): Promise<ProcessedBatch> {
  const settle = (): void => {
    for (const run of runs) run.settle?.();
  };
  const filled = runs.filter(({ from, to }) => to > from);
  const bytes = encodeLogsRequest(filled, records);
  const modules = processors?.modules;
  if (modules === undefined || filled.length === 0) return { ranges, bytes, settle };
  const places = [...runs.keys()].filter((index) => runs[index]!.to > runs[index]!.from);
  const resources = filled.map(({ file, pipeline }) => pipeline?.resource ?? file.resource);
  const staged = await modules.run(
    bytes,
    resources,
    places.map((index) => ranges[index]!.records),
  );
  const left = new Map(places.map((index, place) => [index, staged.records[place]!]));
  return {
    ranges: ranges.map((range, index) => ({ ...range, records: left.get(index) ?? 0 })),
    bytes: staged.bytes,
    settle: () => {
      settle();
      staged.settle();
    },
  };
}
