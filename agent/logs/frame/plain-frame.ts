/**
 * A line without a frame: all of it is body. It has no time, and must not be given one here: the bytes of a batch
 * that is sent again would differ. The collector puts its arrival time.
 */
import type { ByteSource } from '#wire/protobuf/byte-writer.ts';
import { type Frame, type FrameReader, streamNone, trimCarriageReturn } from './frame.ts';

/** Fills `frame` with the bytes as they are, carriage return included. */
export function fillPlainFrame(chunk: ByteSource, from: number, to: number, frame: Frame): void {
  frame.stream = streamNone;
  frame.isPartial = false;
  frame.timeLow = 0;
  frame.timeHigh = 0;
  frame.timeMs = 0;
  frame.body = chunk;
  frame.bodyFrom = from;
  frame.bodyTo = to;
  frame.attributes = undefined;
}

export class PlainFrameReader implements FrameReader {
  read(chunk: ByteSource, from: number, to: number, frame: Frame): boolean {
    fillPlainFrame(chunk, from, to, frame);
    trimCarriageReturn(frame);
    return true;
  }
}
