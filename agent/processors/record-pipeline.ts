/**
 * What a processor of log records is, and how the log agent runs a resource's processors over a range of a file.
 *
 *   pipeline.begin(); for each record: pipeline.process(record) -> false: dropped; const settle = pipeline.take();
 *
 * Invariant: what process() does to a record is a function of the record, the resource and the configuration. No clock,
 * no randomness, no memory of other records: a batch that is sent again after a crash is made again from its ranges, and
 * must be the same. What is counted on the way is kept apart until the batch is settled: a range can be encoded several
 * times before it is part of a batch, and once more after a crash.
 */
import type { LogRecordFields } from '#wire/otlp/log-record.ts';
import type { LogResource } from '../logs/resource/path-resource.ts';

/** What a processor did to a record. */
export const verdictKept = 0;
export const verdictChanged = 1;
export const verdictDropped = 2;

/** One configured step, for the resources that it applies to. Must never throw, whatever the bytes are. */
export interface RecordProcessor {
  /**
   * Returns a verdict. Replaces fields of `record` where it changes them; it must not write to the bytes that they refer
   * to, and what it puts there must stay as it is until its own next call. Bodies and attributes stay valid UTF-8.
   */
  process(record: LogRecordFields): number;
  /** Forgets what was noted since the last begin(): a new range starts. */
  begin?(): void;
  /** Hands over what was noted of the range: called once the batch that has the range is settled. */
  take?(): (() => void) | undefined;
}

/** All processors of one resource. */
export interface RecordPipeline {
  /** The resource as processors leave it. */
  readonly resource: LogResource;
  /** Its encoded attributes. */
  readonly resourceBytes: Buffer;
  begin(): void;
  /** False: the record is dropped. */
  process(record: LogRecordFields): boolean;
  /** What must be called once when the range's batch is settled: it adds what was noted to the totals. */
  take(): () => void;
}
