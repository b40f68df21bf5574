/**
 * Decides whether a line belongs to the record before it, for the lines of one stream of one file in order.
 *
 * A pure rule: it looks at the lines' bytes and at the times they carry, never at a clock, so that reading the same
 * bytes again gives the same records.
 */
import { isGoFrame, LineKind, lineKind } from './line-kind.ts';
import { isPemBegin, isPemEnd, isPemLine } from './pem-line.ts';

/**
 * Decides for the lines of one stream in order. Pure: it looks at their bytes and at the times they carry, never at a clock,
 * so that reading the same bytes again gives the same records.
 */
export interface RecordJoin {
  /** Lines can join the last record. */
  readonly isOpen: boolean;
  /** When the last line was written, as Frame.timeMs; 0 where it carries no time. */
  readonly timeMs: number;
  /** True: the line bytes[from, to) continues the open record; false: it starts one. */
  take(bytes: Buffer, from: number, to: number, timeMs: number): boolean;
  /** Forgets the record: the next line starts one. */
  reset(): void;
}

/** A stack trace deeper than this is cut: it bounds what one record can gather line by line. */
export const joinLinesMax = 500;

/** Lines of one stack trace are written at once: a line that carries a later time than this is its own record. */
export const joinGapMsMax = 1000;

const Trace = { none: 0, python: 1, go: 2, pem: 3 } as const;
type Trace = (typeof Trace)[keyof typeof Trace];

export class LineJoin implements RecordJoin {
  #isOpen = false;
  #lineCount = 0;
  #timeMs = 0;
  #trace: Trace = Trace.none;
  #isAfterIndent = false;

  /** Forgets the record: the next line starts one. */
  reset(): void {
    this.#isOpen = false;
  }

  /** When the last line was written; 0 where it carries no time. */
  get timeMs(): number {
    return this.#timeMs;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Takes the line bytes[from, to), which carries `timeMs` (0: none). True: it continues the open record; false: it
   * starts a record.
   */
  take(bytes: Buffer, from: number, to: number, timeMs: number): boolean {
    const kind = lineKind(bytes, from, to);
    const isJoined =
      this.#isOpen &&
      this.#lineCount < joinLinesMax &&
      ((timeMs - this.#timeMs) | 0) <= joinGapMsMax &&
      this.#continues(kind, bytes, from, to);
    if (!isJoined) {
      this.#start(kind, timeMs);
      if (isPemBegin(bytes, from, to)) this.#trace = Trace.pem;
      return false;
    }
    this.#lineCount++;
    this.#timeMs = timeMs;
    if (kind === LineKind.traceback) this.#trace = Trace.python;
    if (isPemBegin(bytes, from, to)) this.#trace = Trace.pem;
    else if (isPemEnd(bytes, from, to)) this.#trace = Trace.none;
    if (kind !== LineKind.blank) this.#isAfterIndent = kind === LineKind.indented;
    return true;
  }

  #start(kind: LineKind, timeMs: number): void {
    this.#isOpen = true;
    this.#lineCount = 1;
    this.#timeMs = timeMs;
    this.#isAfterIndent = kind === LineKind.indented;
    this.#trace = Trace.none;
    if (kind === LineKind.traceback) this.#trace = Trace.python;
    if (kind === LineKind.panic || kind === LineKind.goroutine) this.#trace = Trace.go;
  }

  #continues(kind: LineKind, bytes: Buffer, from: number, to: number): boolean {
    const trace = this.#trace;
    if (trace === Trace.pem && isPemLine(bytes, from, to)) return true;
    switch (kind) {
      case LineKind.indented:
      case LineKind.cause:
      case LineKind.throwable:
      case LineKind.traceback:
        return true;
      case LineKind.closer:
        return this.#isAfterIndent;
      case LineKind.blank:
        return trace === Trace.python || trace === Trace.go;
      case LineKind.tracebackChain:
        return trace === Trace.python;
      case LineKind.goroutine:
        return trace === Trace.go;
      case LineKind.panic:
        return false;
      case LineKind.other:
        // The line behind the frames of a Python traceback names the exception.
        if (trace === Trace.python) return this.#isAfterIndent;
        return trace === Trace.go && isGoFrame(bytes, from, to);
      default:
        return kind satisfies never;
    }
  }
}
