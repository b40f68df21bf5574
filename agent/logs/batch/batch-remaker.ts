/**
 * Makes the bytes of a batch again from the ranges that the checkpoint names, for sending it again after a crash.
 */
import { encodeKeyValues } from '#wire/otlp/key-values.ts';
import { resourceAttributesField } from '#wire/otlp/logs-request.ts';
import { ByteWriter, byteSource, copySlackBytes } from '#wire/protobuf/byte-writer.ts';
import type { LogProcessors } from '../../processors/log-processors.ts';
import type { PendingBatch } from '../checkpoint/checkpoint.ts';
import type { FrameReaders } from '../frame/frame-readers.ts';
import { RangeEncoder } from '../frame/range-encoder.ts';
import type { LossLedger } from '../loss-ledger.ts';
import { describeAccessError } from '../tail/file-glob.ts';
import type { FileSet } from '../tail/file-set.ts';
import type { TailedFile } from '../tail/tailed-file.ts';
import type { SentBatch } from './batch-sender.ts';
import { type BatchRange, finishBatch, type ProcessedRun } from './processed-batch.ts';

interface ReadRange {
  readonly file: TailedFile;
  readonly window: Buffer;
  /** What it says is for this range alone, else it is the file's, which can change until all ranges are read. */
  readonly range: PendingBatch['ranges'][number];
}

export class BatchRemaker {
  readonly #readers: FrameReaders;
  readonly #files: FileSet;
  readonly #ledger: LossLedger;
  readonly #processors: LogProcessors | undefined;

  constructor(readers: FrameReaders, files: FileSet, ledger: LossLedger, processors?: LogProcessors) {
    this.#processors = processors;
    this.#readers = readers;
    this.#files = files;
    this.#ledger = ledger;
  }

  /**
   * Returns the batch with the very bytes that were sent before. Ranges whose file is gone are left out and counted:
   * they landed with the first sending, or never. Undefined: a file is there and cannot be read now.
   */
  async remake(pending: PendingBatch): Promise<SentBatch | undefined> {
    const windows: ReadRange[] = [];
    for (const range of pending.ranges) {
      const { fileId, from, to } = range;
      if (this.#files.isWaitingFor(fileId)) return undefined;
      const file = this.#files.get(fileId);
      try {
        const window = file === undefined ? undefined : await readRange(file, from, to);
        if (file !== undefined && window !== undefined) windows.push({ file, window, range });
      } catch (error) {
        const message = describeAccessError('cannot read the log file to send a batch again', error);
        this.#ledger.setProblems('resend', [{ path: file!.path, message }]);
        return undefined;
      }
    }
    this.#ledger.setProblems('resend', []);
    this.#countGone(pending, new Set(windows.map(({ range: { fileId, from } }) => rangeKey(fileId, from))));
    return this.#encode(pending.lineBytesMax, windows);
  }

  async #encode(lineBytesMax: number, windows: readonly ReadRange[]): Promise<SentBatch> {
    const encoder = new RangeEncoder(this.#readers, lineBytesMax);
    const records = new ByteWriter();
    const runs: ProcessedRun[] = [];
    const ranges: BatchRange[] = [];
    for (const { file, window, range } of windows) {
      const { from, resource, multiline, parse } = range;
      const rules = multiline === undefined ? file.lineRules : { ...file.lineRules, multiline };
      const runFrom = records.position;
      const rangeBytes = window.length - copySlackBytes;
      const pipeline = this.#processors?.pipelineOf(resource ?? file.resource, parse ?? file.rules.parse);
      const counts = encoder.encode(rules, byteSource(window), 0, rangeBytes, records, pipeline);
      ranges.push({ file, from, to: from + rangeBytes, records: counts.records });
      const settle = pipeline?.take();
      runs.push({
        file,
        resource: pipeline?.resourceBytes ?? resourceBytesOf(file, resource),
        pipeline,
        from: runFrom,
        to: records.position,
        settle,
      });
    }
    return finishBatch(ranges, runs, records.bytes, this.#processors);
  }

  #countGone({ batchId, ranges }: PendingBatch, found: ReadonlySet<string>): void {
    for (const { fileId, from, to } of ranges) {
      if (found.has(rangeKey(fileId, from))) continue;
      const path = this.#files.get(fileId)?.path ?? '';
      const loss = { reason: 'deleted_before_resend', path, records: 0, bytes: to - from } as const;
      this.#ledger.lose(loss, `batch ${batchId} was sent before a restart, and its file is gone since`);
    }
  }
}

function resourceBytesOf(file: TailedFile, resource: ReadRange['range']['resource']): Uint8Array {
  return resource === undefined ? file.resourceBytes : encodeKeyValues(resourceAttributesField, resource);
}

function rangeKey(fileId: number, from: number): string {
  return `${fileId}:${from}`;
}

/** The range's bytes with copySlackBytes behind them; undefined where the file no longer has them. */
async function readRange(file: TailedFile, from: number, to: number): Promise<Buffer | undefined> {
  if (!file.isOpen || file.format === undefined) return undefined;
  const bytes = Buffer.alloc(to - from + copySlackBytes);
  return (await file.read(bytes, from, to - from)) === to - from ? bytes : undefined;
}
