/**
 * What a container runtime wraps around a line, undone: the body's place, its stream, its time.
 *
 *   '2026-01-02T03:04:05.000000006Z stderr F hello'  ->  stream stderr, whole, 1767323045000000006 ns, body 'hello'
 */
import { type ByteSource, byteSource } from '#wire/protobuf/byte-writer.ts';

export const lineFormats = ['cri', 'docker', 'plain'] as const;
export type LineFormat = (typeof lineFormats)[number];

/** How bytes of a file become records. */
export interface LineRules {
  readonly format: LineFormat;
  /** How lines are joined: see record-join.ts. */
  readonly multiline: string;
}

/** Streams are small numbers, so that they index arrays. `none`: the format does not say. */
export const streamNone = 0;
export const streamStdout = 1;
export const streamStderr = 2;
export const streamCount = 3;

/** One physical line. Readers fill one reused object; its body is valid until the reader's next call. */
export interface Frame {
  stream: number;
  /** The line goes on in the next frame of its stream. */
  isPartial: boolean;
  /** Unix time in ns as 32-bit halves, both 0 where the line has none. */
  timeLow: number;
  timeHigh: number;
  /** The same time in ms modulo 2^32, signed: for differences. 0 where the line has none. */
  timeMs: number;
  /** The body is body.bytes[bodyFrom, bodyTo), without line end. */
  body: ByteSource;
  bodyFrom: number;
  bodyTo: number;
  /** Attributes that the line carries beside its body; undefined for nearly all lines. */
  attributes: Readonly<Record<string, string>> | undefined;
}

export interface FrameReader {
  /**
   * Reads the line chunk.bytes[from, to), line end excluded, into `frame`. False: the line does not have the
   * format's shape, and `frame` holds nothing of worth.
   */
  read(chunk: ByteSource, from: number, to: number, frame: Frame): boolean;
}

const emptySource = byteSource(Buffer.alloc(16));

export function createFrame(): Frame {
  return {
    stream: streamNone,
    isPartial: false,
    timeLow: 0,
    timeHigh: 0,
    timeMs: 0,
    body: emptySource,
    bodyFrom: 0,
    bodyTo: 0,
    attributes: undefined,
  };
}

const carriageReturn = 0x0d;

/** Drops one '\r' before the line end: terminals and Windows programs write it, and it is no content. */
export function trimCarriageReturn(frame: Frame): void {
  if (frame.bodyTo > frame.bodyFrom && frame.body.bytes[frame.bodyTo - 1] === carriageReturn) frame.bodyTo--;
}
