/**
 * Finds where a range of a log file can end without cutting a record in two.
 *
 *   'a\n\tat x\nb\n'  ->  wholeTo: the start of 'b' (a line that joins 'b' may still come), lineTo: behind 'b\n'
 *
 * A wrong answer here splits a stack trace; it never loses or repeats a byte, because the range that is chosen is what
 * gets written to the checkpoint.
 */
import type { ByteSource } from '#wire/protobuf/byte-writer.ts';
import { createFrame, type LineRules, streamNone, streamStderr, streamStdout } from './frame.ts';
import type { FrameReaders } from './frame-readers.ts';
import { joinGapMsMax, type RecordJoin } from './line-join.ts';
import { RecordJoins } from './record-join.ts';

export interface GroupCut {
  /** The last line start that no open record reaches over; `from` where there is none. */
  wholeTo: number;
  /** The last line start that starts a record of its own stream; a record of the other stream may reach over it. */
  streamTo: number;
  /** Behind the last line feed; `from` where there is none. */
  lineTo: number;
  /** A partial line waits for its next piece at lineTo. */
  isPartialOpen: boolean;
}

/** The end of a range is decided by its last lines: looking at these suffices nearly always. */
const tailBytes = 64 * 1024;

const lineFeed = 0x0a;
const otherStream: readonly number[] = [streamNone, streamStderr, streamStdout];

class StreamState {
  join: RecordJoin;
  isPartialOpen = false;
  /** False: what came before in this stream was not looked at. */
  isKnown = true;
  /** A line start of the other stream that is a cut if this stream's next line starts a record; -1: none. */
  candidate = -1;

  constructor(join: RecordJoin) {
    this.join = join;
  }

  reset(join: RecordJoin, isKnown: boolean): void {
    this.join = join;
    this.isPartialOpen = false;
    this.isKnown = isKnown;
    this.candidate = -1;
  }
}

export class GroupCutFinder {
  readonly #readers: FrameReaders;
  readonly #frame = createFrame();
  readonly #joins = new RecordJoins();
  readonly #streams = this.#joins.of('auto').map((join) => new StreamState(join));

  constructor(readers: FrameReaders) {
    this.#readers = readers;
  }

  /** Looks at chunk.bytes[from, to), where `from` is the start of a record. */
  find(rules: LineRules, chunk: ByteSource, from: number, to: number): GroupCut {
    const tailFrom = chunk.bytes.indexOf(lineFeed, Math.max(from, to - tailBytes)) + 1;
    if (tailFrom > from && tailFrom < to && to - from > tailBytes) {
      const cut = this.#scan(rules, chunk, tailFrom, to, false);
      if (cut.wholeTo > tailFrom) return cut;
    }
    return this.#scan(rules, chunk, from, to, true);
  }

  #scan(
    { format, multiline }: LineRules,
    chunk: ByteSource,
    from: number,
    to: number,
    isKnown: boolean,
  ): GroupCut {
    const joins = this.#joins.of(multiline);
    const reader = this.#readers.reader(format);
    const { bytes } = chunk;
    for (const [stream, state] of this.#streams.entries()) state.reset(joins[stream]!, isKnown);
    const cut: GroupCut = { wholeTo: from, streamTo: from, lineTo: from, isPartialOpen: false };
    let lineFrom = from;
    while (lineFrom < to) {
      const lineTo = bytes.indexOf(lineFeed, lineFrom);
      if (lineTo === -1 || lineTo >= to) break;
      if (reader.read(chunk, lineFrom, lineTo, this.#frame)) this.#takeLine(lineFrom, cut);
      else this.#takeMalformed(lineFrom, cut);
      lineFrom = lineTo + 1;
    }
    cut.lineTo = lineFrom;
    cut.isPartialOpen = this.#streams.some((stream) => stream.isPartialOpen);
    return cut;
  }

  /** A line without the format's shape is a record of its own, and ends those before it. */
  #takeMalformed(lineFrom: number, cut: GroupCut): void {
    let isPartialOpen = false;
    for (const state of this.#streams) {
      state.join.reset();
      if (state.isPartialOpen) isPartialOpen = true;
      else cut.wholeTo = Math.max(cut.wholeTo, state.candidate);
      state.candidate = -1;
    }
    if (isPartialOpen) return;
    cut.wholeTo = lineFrom;
    cut.streamTo = lineFrom;
  }

  #takeLine(lineFrom: number, cut: GroupCut): void {
    const { stream, body, bodyFrom, bodyTo, timeMs, isPartial } = this.#frame;
    const state = this.#streams[stream];
    const isPiece = state.isPartialOpen;
    const isJoined = isPiece || state.join.take(body.bytes, bodyFrom, bodyTo, timeMs);
    if (!isJoined && state.isKnown) {
      cut.wholeTo = Math.max(cut.wholeTo, state.candidate);
      this.#offerCut(stream, lineFrom, timeMs, cut);
    }
    state.candidate = -1;
    state.isKnown = true;
    state.isPartialOpen = isPartial;
  }

  /** `lineFrom` starts a record of `stream`: it is a cut as far as the other stream lets it. */
  #offerCut(stream: number, lineFrom: number, timeMs: number, cut: GroupCut): void {
    const other = this.#streams[otherStream[stream]];
    const isOtherOpen = other.join.isOpen && ((timeMs - other.join.timeMs) | 0) <= joinGapMsMax;
    if (stream === streamNone || (!other.isPartialOpen && !isOtherOpen))
      cut.wholeTo = Math.max(cut.wholeTo, lineFrom);
    else other.candidate = lineFrom;
    if (!other.isPartialOpen) cut.streamTo = lineFrom;
  }
}
