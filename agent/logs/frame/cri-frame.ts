/**
 * The log format of the Kubernetes container runtime interface (containerd, CRI-O).
 */
import type { ByteSource } from '#wire/protobuf/byte-writer.ts';
import { type Frame, type FrameReader, streamStderr, streamStdout, trimCarriageReturn } from './frame.ts';
import { TimestampParser } from './timestamp-parser.ts';

// line => time:rfc3339 ' ' ('stdout' | 'stderr') ' ' tag (':' tag)* ' ' body     first tag => 'P' partial | 'F' full
const space = 0x20;
const colon = 0x3a;
const letterP = 0x50;
const letterF = 0x46;

export class CriFrameReader implements FrameReader {
  readonly #time = new TimestampParser();

  read(chunk: ByteSource, from: number, to: number, frame: Frame): boolean {
    const { bytes } = chunk;
    const timeEnd = this.#time.parse(chunk, from, to);
    if (timeEnd === -1 || timeEnd + 9 > to) return false;
    if (bytes[timeEnd] !== space || bytes[timeEnd + 7] !== space) return false;
    const stream = readStream(bytes, timeEnd + 1);
    if (stream === 0) return false;
    const tag = bytes[timeEnd + 8];
    if (tag !== letterP && tag !== letterF) return false;
    let position = timeEnd + 9;
    if (position < to && bytes[position] === colon) position = endOfTags(bytes, position, to);
    if (position < to && bytes[position] !== space) return false;
    frame.stream = stream;
    frame.isPartial = tag === letterP;
    frame.timeLow = this.#time.low;
    frame.timeHigh = this.#time.high;
    frame.timeMs = this.#time.ms;
    frame.body = chunk;
    frame.bodyFrom = position < to ? position + 1 : to;
    frame.bodyTo = to;
    frame.attributes = undefined;
    if (!frame.isPartial) trimCarriageReturn(frame);
    return true;
  }
}

function endOfTags(bytes: Buffer, from: number, to: number): number {
  let position = from;
  while (position < to && bytes[position] !== space) position++;
  return position;
}

/** The stream that 'stdout' or 'stderr' at `from` names; 0 where neither stands there. Six bytes must be there. */
export function readStream(bytes: Buffer, from: number): number {
  // 's' 't' 'd'
  if (bytes[from] !== 0x73 || bytes[from + 1] !== 0x74 || bytes[from + 2] !== 0x64) return 0;
  // 'o' 'u' 't'
  if (bytes[from + 3] === 0x6f) {
    return bytes[from + 4] === 0x75 && bytes[from + 5] === 0x74 ? streamStdout : 0;
  }
  // 'e' 'r' 'r'
  if (bytes[from + 3] !== 0x65) return 0;
  return bytes[from + 4] === 0x72 && bytes[from + 5] === 0x72 ? streamStderr : 0;
}
