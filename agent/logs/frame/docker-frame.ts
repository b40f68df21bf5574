/**
 * Docker's json-file log driver: one JSON object per line.
 *
 * Docker writes keys in one order and escapes few characters, so nearly all lines are read by position; any other
 * order, and lines with `attrs`, go through JSON.parse. A text without a line feed at its end goes on in the next line
 * of its stream (the driver cuts at 16 KiB).
 */
import { type ByteSource, ByteWriter, byteSource, copySlackBytes } from '#wire/protobuf/byte-writer.ts';
import { readStream } from './cri-frame.ts';
import {
  type Frame,
  type FrameReader,
  streamNone,
  streamStderr,
  streamStdout,
  trimCarriageReturn,
} from './frame.ts';
import { unescapeJson } from './json-unescape.ts';
import { TimestampParser } from './timestamp-parser.ts';

// line => '{"log":"' escaped* '","stream":"' ('stdout' | 'stderr') '","time":"' rfc3339 '"}'
const head = Buffer.from('{"log":"');
const streamKey = Buffer.from('","stream":"');
const timeKey = Buffer.from('","time":"');
const tail = Buffer.from('"}');

const quote = 0x22;
const backslash = 0x5c;
const letterN = 0x6e;
const lineFeed = 0x0a;

export class DockerFrameReader implements FrameReader {
  readonly #time = new TimestampParser();
  /** The body where it had escapes. */
  readonly #text = new ByteWriter();

  read(chunk: ByteSource, from: number, to: number, frame: Frame): boolean {
    return this.#readOrdered(chunk, from, to, frame) || this.#readAnyOrder(chunk, from, to, frame);
  }

  #readOrdered(chunk: ByteSource, from: number, to: number, frame: Frame): boolean {
    const { bytes } = chunk;
    if (!startsWith(bytes, from, to, head)) return false;
    const textEnd = this.#readText(chunk, from + head.length, to, frame);
    if (textEnd === -1 || !startsWith(bytes, textEnd, to, streamKey)) return false;
    const streamFrom = textEnd + streamKey.length;
    const timeFrom = streamFrom + 6 + timeKey.length;
    if (timeFrom >= to || !startsWith(bytes, streamFrom + 6, to, timeKey)) return false;
    const stream = readStream(bytes, streamFrom);
    if (stream === streamNone) return false;
    const timeEnd = this.#time.parse(chunk, timeFrom, to);
    if (timeEnd === -1 || timeEnd + tail.length !== to || !startsWith(bytes, timeEnd, to, tail)) return false;
    frame.stream = stream;
    frame.attributes = undefined;
    this.#fillTime(frame);
    return true;
  }

  /** Sets the frame's body from the string that starts at `from`; returns the position of its closing quote, or -1. */
  #readText(chunk: ByteSource, from: number, to: number, frame: Frame): number {
    const { bytes } = chunk;
    // Clean text: its only escape is the line feed right before the closing quote.
    const end = bytes.indexOf(quote, from);
    if (end - 2 >= from && end < to && bytes[end - 1] === letterN && bytes[end - 2] === backslash) {
      if (bytes.indexOf(backslash, from) === end - 2) {
        fillBody(frame, chunk, from, end - 2, false);
        return end;
      }
    }
    const text = this.#text;
    text.position = 0;
    const textEnd = unescapeJson(chunk, from, to, text);
    if (textEnd !== -1) this.#fillFromText(frame);
    return textEnd;
  }

  #fillFromText(frame: Frame): void {
    const text = this.#text;
    const isWhole = text.position > 0 && text.bytes[text.position - 1] === lineFeed;
    fillBody(frame, text, 0, isWhole ? text.position - 1 : text.position, !isWhole);
  }

  #fillTime(frame: Frame): void {
    frame.timeLow = this.#time.low;
    frame.timeHigh = this.#time.high;
    frame.timeMs = this.#time.ms;
  }

  #readAnyOrder({ bytes }: ByteSource, from: number, to: number, frame: Frame): boolean {
    if (bytes[from] !== head[0]) return false;
    const line = parseObject(bytes.toString('utf8', from, to));
    if (typeof line?.log !== 'string' || typeof line.time !== 'string') return false;
    if (line.stream !== 'stdout' && line.stream !== 'stderr') return false;
    const time = Buffer.from(line.time + ' '.repeat(copySlackBytes));
    if (this.#time.parse(byteSource(time), 0, time.length) === -1) return false;
    const text = this.#text;
    text.position = 0;
    text.reserve(Buffer.byteLength(line.log));
    text.position = text.bytes.write(line.log);
    this.#fillFromText(frame);
    frame.stream = line.stream === 'stdout' ? streamStdout : streamStderr;
    frame.attributes = textAttributes(line.attrs);
    this.#fillTime(frame);
    return true;
  }
}

interface DockerLine {
  readonly log?: unknown;
  readonly stream?: unknown;
  readonly time?: unknown;
  readonly attrs?: unknown;
}

function fillBody(frame: Frame, body: ByteSource, from: number, to: number, isPartial: boolean): void {
  frame.body = body;
  frame.bodyFrom = from;
  frame.bodyTo = to;
  frame.isPartial = isPartial;
  if (!isPartial) trimCarriageReturn(frame);
}

function startsWith(bytes: Buffer, from: number, to: number, prefix: Buffer): boolean {
  if (from + prefix.length > to) return false;
  for (let index = 0; index < prefix.length; index++) {
    if (bytes[from + index] !== prefix[index]) return false;
  }
  return true;
}

function parseObject(text: string): DockerLine | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    // Not JSON: the caller counts the line as malformed and ships it as it is.
    return undefined;
  }
}

function textAttributes(attrs: unknown): Readonly<Record<string, string>> | undefined {
  if (typeof attrs !== 'object' || attrs === null) return undefined;
  const texts = Object.entries(attrs).filter((pair): pair is [string, string] => typeof pair[1] === 'string');
  return texts.length > 0 ? Object.fromEntries(texts) : undefined;
}
