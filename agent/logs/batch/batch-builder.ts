/**
 * Gathers what the files have into one batch: reads, decides where each range ends, encodes, and stops at the size
 * limit. Files take turns of one window each, so that a chatty one cannot starve the others.
 */

import { resourceLogsBytes } from '#wire/otlp/logs-request.ts';
import { type ByteSource, ByteWriter, byteSource, copySlackBytes } from '#wire/protobuf/byte-writer.ts';
import type { LogProcessors } from '../../processors/log-processors.ts';
import type { FrameReaders } from '../frame/frame-readers.ts';
import { type GroupCut, GroupCutFinder } from '../frame/group-cut.ts';
import { createEncodeCounts, type EncodeCounts, RangeEncoder } from '../frame/range-encoder.ts';
import { utf8Boundary } from '../frame/utf8-text.ts';
import type { LossLedger } from '../loss-ledger.ts';
import { describeAccessError } from '../tail/file-glob.ts';
import type { SkippedRange } from '../tail/rate-limit.ts';
import type { TailedFile } from '../tail/tailed-file.ts';
import { type BatchRange, type EncodedRun, finishBatch, type ProcessedRun } from './processed-batch.ts';

/** A runtime writes the pieces of a long line at once: after this pause the rest will not come. */
const partialWaitMs = 5000;

/** After a read failed: an I/O error can be over soon, and must not spin. */
const readRetryMs = 5000;

/** Room for the frame around the longest line, so that a window always holds a whole one. */
const windowSlackBytes = 64 * 1024;

const lineFeed = 0x0a;

export interface Batch {
  readonly ranges: readonly BatchRange[];
  readonly counts: EncodeCounts;
  /** The ExportLogsServiceRequest. */
  readonly bytes: Uint8Array;
  /** Must be called once when the batch is settled: it counts what processors did. */
  readonly settle?: () => void;
}

export interface BatchLimits {
  /** A batch is at most this large, unless one record alone is larger. */
  readonly batchBytesMax: number;
  readonly lineBytesMax: number;
  /** A file that stood still for this long gets no more lines for its last record. */
  readonly joinWaitMs: number;
}

/** What a file's turn came to: it may have more, it has none now, or the batch is full. */
type Turn = 'more' | 'done' | 'full';

export class BatchBuilder {
  readonly #limits: BatchLimits;
  readonly #readers: FrameReaders;
  readonly #cutFinder: GroupCutFinder;
  readonly #encoder: RangeEncoder;
  readonly #ledger: LossLedger;
  readonly #processors: LogProcessors | undefined;
  readonly #window: ByteSource;
  readonly #windowBytes: number;
  readonly #records = new ByteWriter();
  #runs: ProcessedRun[] = [];
  #ranges: BatchRange[] = [];
  #counts = createEncodeCounts();
  #requestBytes = 0;
  /** Ranges that were dropped so far, because files grew too fast: a build may move offsets and have no batch. */
  skipCount = 0;
  /** Where the batch's last range of each file ends: the file's own offset moves only when the batch is pending. */
  #offsets = new Map<TailedFile, number>();

  constructor(readers: FrameReaders, limits: BatchLimits, ledger: LossLedger, processors?: LogProcessors) {
    this.#processors = processors;
    this.#limits = limits;
    this.#readers = readers;
    this.#cutFinder = new GroupCutFinder(readers);
    this.#encoder = new RangeEncoder(readers, limits.lineBytesMax);
    this.#ledger = ledger;
    this.#windowBytes = limits.lineBytesMax + windowSlackBytes;
    this.#window = byteSource(Buffer.alloc(this.#windowBytes + copySlackBytes));
  }

  /**
   * Reads from `files` in turns, the first one first, from their offsets on. Does not move the offsets: that must
   * happen in the moment in which the batch becomes pending. Undefined: no file has a whole record. `isDraining`: no
   * more is to come, so records that still could grow end here. Must not be called again before it returned.
   */
  async build(files: readonly TailedFile[], nowMs: number, isDraining: boolean): Promise<Batch | undefined> {
    this.#records.position = 0;
    this.#runs = [];
    this.#ranges = [];
    this.#counts = createEncodeCounts();
    this.#requestBytes = 0;
    this.#offsets.clear();
    const patience = { nowMs, joinWaitMs: isDraining ? 0 : this.#limits.joinWaitMs };
    let waiting = files;
    let isFull = false;
    while (waiting.length > 0 && !isFull) {
      const next: TailedFile[] = [];
      for (const file of waiting) {
        const turn = await this.#takeTurn(file, patience);
        isFull = turn === 'full';
        if (isFull) break;
        if (turn === 'more') next.push(file);
      }
      waiting = next;
    }
    if (this.#ranges.length === 0) return undefined;
    const processed = await finishBatch(this.#ranges, this.#runs, this.#records.bytes, this.#processors);
    return { counts: this.#counts, ...processed };
  }

  async #takeTurn(file: TailedFile, patience: Patience): Promise<Turn> {
    const isFirst = this.#ranges.length === 0;
    const room = this.#limits.batchBytesMax - this.#requestBytes;
    const limit = isFirst ? this.#windowBytes : Math.min(this.#windowBytes, room);
    if (limit <= 0) return 'full';
    const offset = this.#offset(file);
    const skipped = file.nextSkipped(offset);
    // A range of this batch may not be followed by a hole: the next batch starts behind it.
    if (skipped !== undefined && skipped.from <= offset)
      return this.#offsets.has(file) ? 'done' : await this.#skip(file, skipped, patience.nowMs);
    const end = skipped?.from ?? file.size;
    const available = end - offset;
    const length = await this.#readWindow(file, offset, Math.min(limit, available), patience.nowMs);
    if (length <= 0) return 'done';
    const isAll = length === available;
    const cut = this.#cut(file, length);
    // A smaller window than the whole one, and a record that does not end in it: the next batch looks at more.
    if (!isAll && length < this.#windowBytes && !cut?.wholeTo) return 'full';
    let to = cut === undefined ? 0 : chooseEnd(cut, file, isAll ? length : undefined, patience);
    if (to === 0 && !isAll) {
      to = utf8Boundary(this.#window.bytes, 0, length - 4);
    }
    if (skipped !== undefined && isAll) {
      // The line that the dropped range starts in goes too.
      to = cut?.wholeTo ?? 0;
      skipped.from = offset + to;
      if (to === 0) return 'more';
    } else if (isAll && to < length) deferRest(file, cut, to, patience);
    if (to === 0) return 'done';
    if (!this.#append(file, to, isFirst)) return 'full';
    return isAll && this.#offset(file) >= offset + to ? 'done' : 'more';
  }

  /** Drops what the file grew too fast by, up to the end of a line. */
  async #skip(file: TailedFile, skipped: SkippedRange, nowMs: number): Promise<Turn> {
    const { offset } = file;
    const to = await this.#skipEnd(file, skipped, nowMs);
    if (to <= offset) {
      if (to === offset) file.deferUntil(Number.POSITIVE_INFINITY);
      return 'done';
    }
    skipped.from = to;
    file.offset = to;
    this.skipCount++;
    const loss = { reason: 'rate_limited', path: file.path, records: 0, bytes: to - offset } as const;
    this.#ledger.lose(loss, `the file grows by more than ${file.rules.rateLimitBytes} bytes a second`);
    return to < file.size ? 'more' : 'done';
  }

  /** Where dropping stops for now; the file's offset: nowhere before it grows; -1: it cannot be read now. */
  async #skipEnd(file: TailedFile, skipped: SkippedRange, nowMs: number): Promise<number> {
    const from = Math.max(file.offset, skipped.to - this.#windowBytes);
    const length = await this.#readWindow(file, from, skipped.to - from, nowMs);
    if (length <= 0) return -1;
    const lastLineFeed = this.#window.bytes.lastIndexOf(lineFeed, length - 1);
    // What is behind it is the start of a line that goes on behind the range: it is read.
    if (lastLineFeed !== -1) {
      skipped.to = from + lastLineFeed + 1;
      return skipped.to;
    }
    // Within one line: its end goes too.
    const restBytes = Math.min(file.size - skipped.to, this.#windowBytes);
    const rest = restBytes <= 0 ? 0 : await this.#readWindow(file, skipped.to, restBytes, nowMs);
    if (rest < 0) return -1;
    const lineEnd = rest === 0 ? -1 : this.#window.bytes.subarray(0, rest).indexOf(lineFeed);
    skipped.to += lineEnd === -1 ? rest : lineEnd + 1;
    // Its last byte stays in the range, so that what comes of the line is dropped as well.
    return file.isFinished || lineEnd !== -1 ? skipped.to : skipped.to - 1;
  }

  #offset(file: TailedFile): number {
    return this.#offsets.get(file) ?? file.offset;
  }

  /** Returns the bytes read: fewer than asked where the file shrank, 0 or -1 where it cannot be used now. */
  async #readWindow(file: TailedFile, offset: number, length: number, nowMs: number): Promise<number> {
    const kind = `read ${file.id}`;
    try {
      const read = await file.read(this.#window.bytes, offset, length);
      this.#ledger.setProblems(kind, []);
      return read;
    } catch (error) {
      const message = describeAccessError('cannot read the log file', error);
      this.#ledger.setProblems(kind, [{ path: file.path, message }]);
      file.deferUntil(nowMs + readRetryMs);
      return 0;
    }
  }

  /** Undefined: the format cannot be told before there is a whole line. */
  #cut(file: TailedFile, length: number): GroupCut | undefined {
    if (file.format === undefined) {
      const lastLineFeed = this.#window.bytes.lastIndexOf(lineFeed, length - 1);
      const isLong = length === this.#windowBytes;
      if (lastLineFeed === -1 && !isLong && !file.isFinished) return undefined;
      file.format = this.#readers.detect(this.#window, 0, lastLineFeed === -1 ? length : lastLineFeed);
    }
    return this.#cutFinder.find(file.lineRules, this.#window, 0, length);
  }

  /** Encodes window[0, to), or less of it where a first range would be too large. False: it does not fit. */
  #append(file: TailedFile, to: number, isFirst: boolean): boolean {
    const { batchBytesMax } = this.#limits;
    const from = this.#records.position;
    let end = to;
    for (;;) {
      const pipeline = this.#processors?.pipelineOf(file.resource, file.rules.parse);
      const counts = this.#encoder.encode(file.lineRules, this.#window, 0, end, this.#records, pipeline);
      const resource = pipeline?.resourceBytes ?? file.resourceBytes;
      const run = { file, resource, pipeline, from, to: this.#records.position };
      const runBytes = resourceLogsBytes(run);
      if (this.#requestBytes + runBytes <= batchBytesMax) return this.#accept(file, end, run, counts);
      const shorter = isFirst ? this.#shorterEnd(file, end) : end;
      if (isFirst && shorter === end) return this.#accept(file, end, run, counts);
      this.#records.position = from;
      if (!isFirst) return false;
      end = shorter;
    }
  }

  #shorterEnd(file: TailedFile, end: number): number {
    const cut = this.#cutFinder.find(file.lineRules, this.#window, 0, end >>> 1);
    return cut.wholeTo || cut.streamTo || cut.lineTo || end;
  }

  #accept(file: TailedFile, end: number, run: EncodedRun, counts: EncodeCounts): true {
    const from = this.#offset(file);
    this.#offsets.set(file, from + end);
    this.#ranges.push({ file, from, to: from + end, records: counts.records });
    this.#runs.push({ ...run, settle: run.pipeline?.take() });
    if (run.to > run.from) this.#requestBytes += resourceLogsBytes(run);
    for (const name of Object.keys(counts) as (keyof EncodeCounts)[]) this.#counts[name] += counts[name];
    return true;
  }
}

/** How long an open record waits for more before it ends. */
interface Patience {
  readonly nowMs: number;
  readonly joinWaitMs: number;
}

/** How much of a window becomes a range; 0: nothing yet. `restBytes`: all that the file has, where the window holds it. */
function chooseEnd(
  cut: GroupCut,
  file: TailedFile,
  restBytes: number | undefined,
  patience: Patience,
): number {
  if (restBytes === undefined) return cut.wholeTo || cut.streamTo || cut.lineTo;
  if (file.isFinished) return restBytes;
  const quietMs = patience.nowMs - file.grewAtMs;
  if (quietMs < patience.joinWaitMs) return cut.wholeTo;
  return cut.isPartialOpen && quietMs < partialWaitMs ? cut.wholeTo : cut.lineTo;
}

/** What is left is not a whole record yet: the file is looked at again when it grows, or when its pause is long enough. */
function deferRest(file: TailedFile, cut: GroupCut | undefined, to: number, { joinWaitMs }: Patience): void {
  if (cut === undefined || cut.lineTo <= to) file.deferUntil(Number.POSITIVE_INFINITY);
  else file.deferUntil(file.grewAtMs + (cut.isPartialOpen ? partialWaitMs : joinWaitMs));
}
