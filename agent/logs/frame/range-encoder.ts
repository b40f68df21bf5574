/**
 * Turns a byte range of one log file into OTLP log records: undoes the runtime's frames, joins partial lines and stack
 * traces, bounds and repairs bodies.
 *
 * Invariant: what is written is a pure function of the range's bytes, the line rules, lineBytesMax and the processors that the
 * resource has (agent/processors, which are pure as well). A batch that is sent again after a crash is made by the same
 * call on the same range, so its bytes are the same. A range therefore starts and ends with no record open: whoever
 * chooses a range's end (see group-cut.ts) decides where records end.
 */
import { isUtf8 } from 'node:buffer';
import { encodeKeyValues } from '#wire/otlp/key-values.ts';
import { type LogRecordFields, logAttributesField, writeLogRecord } from '#wire/otlp/log-record.ts';
import {
  type ByteSource,
  ByteWriter,
  byteSource,
  copyBytes,
  copySlackBytes,
} from '#wire/protobuf/byte-writer.ts';
import type { RecordPipeline } from '../../processors/record-pipeline.ts';
import { createFrame, type Frame, type LineRules, streamNone, streamStderr, streamStdout } from './frame.ts';
import type { FrameReaders } from './frame-readers.ts';

import type { RecordJoin } from './line-join.ts';
import { fillPlainFrame } from './plain-frame.ts';
import { RecordJoins } from './record-join.ts';
import { repairUtf8, utf8Boundary } from './utf8-text.ts';

/** What one or more ranges held. */
export interface EncodeCounts {
  /** Physical lines. */
  lines: number;
  records: number;
  /** Lines that do not have their file's format: shipped as they are, without a time. */
  linesMalformed: number;
  /** Lines that became a part of the record before them, and partial lines joined. */
  linesJoined: number;
  /** Cuts made because a record would exceed lineBytesMax: nothing is dropped. */
  recordsSplit: number;
  /** Records with bytes that are not UTF-8: each broken sequence became U+FFFD. */
  recordsRepaired: number;
  /** Records that processors dropped, as they were told to: not among `records`. */
  recordsDropped: number;
  /** NUL bytes skipped at the start of lines: holes that a truncated file's writer leaves. */
  nulBytesSkipped: number;
}

export function createEncodeCounts(): EncodeCounts {
  return {
    lines: 0,
    records: 0,
    linesMalformed: 0,
    linesJoined: 0,
    recordsSplit: 0,
    recordsRepaired: 0,
    recordsDropped: 0,
    nulBytesSkipped: 0,
  };
}

const lineFeed = 0x0a;

/** The record that a stream is gathering. */
class OpenRecord {
  readonly stream: number;
  join: RecordJoin;
  isOpen = false;
  /** The body so far: in the chunk as long as it is one plain line, else in `text`. */
  body: ByteSource;
  bodyFrom = 0;
  bodyTo = 0;
  readonly text = new ByteWriter();
  timeLow = 0;
  timeHigh = 0;
  attributes: Frame['attributes'];
  /** The pieces of a partial line. */
  isPartialOpen = false;
  isPartialJoined = false;
  readonly partial = new ByteWriter();
  /** The frame of the first piece: its time and attributes are the line's. */
  readonly line = createFrame();

  constructor(stream: number, join: RecordJoin) {
    this.stream = stream;
    this.join = join;
    this.body = this.text;
  }
}

export class RangeEncoder {
  readonly #readers: FrameReaders;
  readonly #lineBytesMax: number;
  readonly #frame = createFrame();
  readonly #joins = new RecordJoins();
  readonly #streams = this.#joins.of('auto').map((join, stream) => new OpenRecord(stream, join));
  readonly #record: LogRecordFields;
  /** As framed: only where there are processors. */
  readonly #original: LogRecordFields;
  #chunk: ByteSource = byteSource(Buffer.alloc(copySlackBytes));
  #isChunkUtf8 = true;
  #out = new ByteWriter();
  #counts = createEncodeCounts();
  #pipeline: RecordPipeline | undefined;

  /** `lineBytesMax`: a longer body is split into several records. */
  constructor(readers: FrameReaders, lineBytesMax: number) {
    this.#readers = readers;
    this.#lineBytesMax = lineBytesMax;
    this.#record = {
      timeLow: 0,
      timeHigh: 0,
      body: this.#chunk,
      bodyFrom: 0,
      bodyTo: 0,
      attributes: streamAttributes[streamNone],
      attributesBytes: 0,
      severityNumber: 0,
      severityText: this.#chunk,
      severityTextBytes: 0,
    };
    this.#original = { ...this.#record };
  }

  /**
   * Appends the records of chunk.bytes[from, to) to `out`, joined by the rule `multiline` (see record-join.ts). The chunk must
   * have copySlackBytes behind `to`. What `pipeline` noted of the range is its to give away afterwards (RecordPipeline.take).
   */
  encode(
    { format, multiline }: LineRules,
    chunk: ByteSource,
    from: number,
    to: number,
    out: ByteWriter,
    pipeline?: RecordPipeline,
  ): EncodeCounts {
    const joins = this.#joins.of(multiline);
    for (const open of this.#streams) open.join = joins[open.stream]!;
    this.#pipeline = pipeline;
    pipeline?.begin();
    this.#chunk = chunk;
    this.#out = out;
    this.#counts = createEncodeCounts();
    const { bytes } = chunk;
    this.#isChunkUtf8 = isUtf8(bytes.subarray(from, to));
    const reader = this.#readers.reader(format);
    const frame = this.#frame;
    let lineFrom = from;
    while (lineFrom < to) {
      const found = bytes.indexOf(lineFeed, lineFrom);
      const lineTo = found === -1 || found > to ? to : found;
      this.#counts.lines++;
      if (reader.read(chunk, lineFrom, lineTo, frame)) this.#takeFrame(frame);
      else this.#takeMalformed(lineFrom, lineTo);
      lineFrom = lineTo + 1;
    }
    for (const open of this.#streams) this.#close(open);
    return this.#counts;
  }

  #takeFrame(frame: Frame): void {
    const open = this.#streams[frame.stream];
    if (frame.isPartial || open.isPartialOpen) this.#takePiece(open, frame);
    else this.#takeLine(open, frame);
  }

  #takeMalformed(from: number, to: number): void {
    this.#counts.linesMalformed++;
    for (const open of this.#streams) this.#flush(open);
    const open = this.#streams[streamNone];
    fillPlainFrame(this.#chunk, from, to, this.#frame);
    this.#takeLine(open, this.#frame);
    this.#flush(open);
  }

  /** A partial line, or the last piece of one. Its first piece decides whether it joins the record before it. */
  #takePiece(open: OpenRecord, frame: Frame): void {
    const { line, partial } = open;
    const isFirst = !open.isPartialOpen;
    const pieceBytes = frame.bodyTo - frame.bodyFrom;
    if (isFirst) {
      open.isPartialOpen = true;
      open.isPartialJoined = open.join.take(frame.body.bytes, frame.bodyFrom, frame.bodyTo, frame.timeMs);
      partial.position = 0;
      Object.assign(line, frame);
    } else {
      this.#counts.linesJoined++;
      if (partial.position > 0 && partial.position + pieceBytes > this.#lineBytesMax) {
        this.#counts.recordsSplit++;
        this.#takePartial(open);
        this.#emit(open);
        open.isPartialJoined = false;
        partial.position = 0;
      }
    }
    partial.reserve(pieceBytes);
    copyBytes(partial, frame.body, frame.bodyFrom, frame.bodyTo);
    if (frame.isPartial) return;
    open.isPartialOpen = false;
    this.#takePartial(open);
  }

  #takePartial(open: OpenRecord): void {
    open.line.body = open.partial;
    open.line.bodyFrom = 0;
    open.line.bodyTo = open.partial.position;
    this.#addLine(open, open.line, open.isPartialJoined);
  }

  #takeLine(open: OpenRecord, line: Frame): void {
    this.#addLine(open, line, open.join.take(line.body.bytes, line.bodyFrom, line.bodyTo, line.timeMs));
  }

  #addLine(open: OpenRecord, line: Frame, isJoined: boolean): void {
    const { body, bodyFrom, bodyTo } = line;
    if (isJoined && open.isOpen) {
      const joinedBytes = open.bodyTo - open.bodyFrom + 1 + bodyTo - bodyFrom;
      if (joinedBytes <= this.#lineBytesMax) {
        this.#append(open, line);
        return;
      }
      this.#counts.recordsSplit++;
    }
    this.#emit(open);
    open.isOpen = true;
    open.timeLow = line.timeLow;
    open.timeHigh = line.timeHigh;
    open.attributes = line.attributes;
    open.body = body;
    open.bodyFrom = bodyFrom;
    open.bodyTo = bodyTo;
    // Only the chunk stands still: other bodies are overwritten by the next line.
    if (body !== this.#chunk) this.#moveToText(open);
  }

  #moveToText(open: OpenRecord): void {
    const { text, body, bodyFrom, bodyTo } = open;
    text.position = 0;
    text.reserve(bodyTo - bodyFrom);
    copyBytes(text, body, bodyFrom, bodyTo);
    open.body = text;
    open.bodyFrom = 0;
    open.bodyTo = text.position;
  }

  #append(open: OpenRecord, { body, bodyFrom, bodyTo }: Frame): void {
    this.#counts.linesJoined++;
    const { text } = open;
    if (open.body !== text) this.#moveToText(open);
    text.reserve(1 + bodyTo - bodyFrom);
    text.bytes[text.position++] = lineFeed;
    copyBytes(text, body, bodyFrom, bodyTo);
    open.bodyTo = text.position;
  }

  /** Ends the open record, and what is there of a partial line too. */
  #close(open: OpenRecord): void {
    if (open.isPartialOpen) {
      open.isPartialOpen = false;
      this.#takePartial(open);
    }
    this.#flush(open);
  }

  #flush(open: OpenRecord): void {
    this.#emit(open);
    open.join.reset();
  }

  #emit(open: OpenRecord): void {
    if (!open.isOpen) return;
    open.isOpen = false;
    const record = this.#record;
    record.timeLow = open.timeLow;
    record.timeHigh = open.timeHigh;
    const attributes = this.#attributesOf(open);
    record.attributes = attributes;
    record.attributesBytes = attributes.bytes.length - copySlackBytes;
    if (this.#pipeline !== undefined) this.#rememberOriginal(record);
    const { body, bodyTo } = open;
    let from = this.#skipNuls(open);
    if (from === bodyTo && from > open.bodyFrom) return;
    while (bodyTo - from > this.#lineBytesMax) {
      const cut = utf8Boundary(body.bytes, from, from + this.#lineBytesMax);
      this.#counts.recordsSplit++;
      this.#write(body, from, cut);
      from = cut;
    }
    this.#write(body, from, bodyTo);
  }

  /** A line without a frame may begin with a hole: skips it. Runtimes keep NULs out of their frames. */
  #skipNuls({ body, bodyFrom, bodyTo, timeLow, timeHigh }: OpenRecord): number {
    if (timeLow !== 0 || timeHigh !== 0) return bodyFrom;
    let from = bodyFrom;
    while (from < bodyTo && body.bytes[from] === 0) from++;
    this.#counts.nulBytesSkipped += from - bodyFrom;
    return from;
  }

  #write(body: ByteSource, from: number, to: number): void {
    const record = this.#record;
    record.body = body;
    record.bodyFrom = from;
    record.bodyTo = to;
    if (!this.#isChunkUtf8 && !isUtf8(body.bytes.subarray(from, to))) {
      const repaired = repairUtf8(body.bytes, from, to);
      record.body = repaired;
      record.bodyFrom = 0;
      record.bodyTo = repaired.textBytes;
      this.#counts.recordsRepaired++;
    }
    if (this.#pipeline === undefined || this.#isKept(this.#pipeline, record)) {
      writeLogRecord(this.#out, record);
      this.#counts.records++;
    } else this.#counts.recordsDropped++;
  }

  #rememberOriginal({ timeLow, timeHigh, attributes, attributesBytes }: LogRecordFields): void {
    const original = this.#original;
    original.timeLow = timeLow;
    original.timeHigh = timeHigh;
    original.attributes = attributes;
    original.attributesBytes = attributesBytes;
  }

  /** Processors replace fields of the record, which pieces of one long line share. */
  #isKept(pipeline: RecordPipeline, record: LogRecordFields): boolean {
    const { timeLow, timeHigh, attributes, attributesBytes } = this.#original;
    record.timeLow = timeLow;
    record.timeHigh = timeHigh;
    record.attributes = attributes;
    record.attributesBytes = attributesBytes;
    record.severityNumber = 0;
    record.severityTextBytes = 0;
    return pipeline.process(record);
  }

  #attributesOf({ stream, attributes }: OpenRecord): ByteSource {
    if (attributes === undefined) return streamAttributes[stream];
    return attributesSource({ ...streamNames[stream], ...attributes });
  }
}

const streamNames: Readonly<Record<string, string>>[] = [];
streamNames[streamNone] = {};
streamNames[streamStdout] = { 'log.iostream': 'stdout' };
streamNames[streamStderr] = { 'log.iostream': 'stderr' };
const streamAttributes = streamNames.map(attributesSource);

function attributesSource(attributes: Readonly<Record<string, string>>): ByteSource {
  const encoded = encodeKeyValues(logAttributesField, attributes);
  return byteSource(Buffer.concat([encoded, Buffer.alloc(copySlackBytes)]));
}
