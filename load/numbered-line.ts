/**
 * The text of a numbered log record, and reading it back: realistic lines that say who wrote them, and end with a
 * checksum of what stands before it.
 *
 *   level=info msg="order placed" run=ab12 sender=log-file-1 seq=7 ... crc=5f0e3a91
 *   {"level":"info","msg":"cart saved run=ab12 sender=log-file-1 seq=8 ","body":"...","crc":"0c1d2e3f"}
 *
 * What shape a record has depends on its number alone, so that every run has all of them.
 */
import { crc32 } from 'node:zlib';

export interface RecordName {
  readonly run: string;
  readonly sender: string;
  /** From 1. */
  readonly seq: number;
}

export interface ReadLine extends RecordName {
  /** The checksum at the end fits the text before it. */
  readonly isWhole: boolean;
}

export interface LineShape {
  /** Characters of an ordinary line; a line is never shorter than what it must say. */
  readonly lineBytes: number;
  /** Leaves stack traces out, for pipelines that do not join lines into records. */
  readonly isSingleLine: boolean;
}

/** What a run's id and a sender's name are made of: they stand in lines, labels, file names and batch ids. */
export const namePattern = /^[A-Za-z0-9._-]{1,64}$/;

/** Every how many-th record is of a shape. The numbers have no common factor: records of two shapes take the first. */
const longEvery = 53;
const stackTraceEvery = 19;
const jsonEvery = 3;
/** Over the 16 KiB at which container runtimes cut lines, and not a whole number of pieces. */
const longLineBytes = 20_000;
/** Eight hexadecimal digits. */
const checksumLength = 8;

/** Text that does not compress to nothing, and is the same in every run. */
const noise = makeNoise(1 << 16);

/** Returns the record's lines: one, or those of a stack trace. They hold no newline. */
export function numberedLines(name: RecordName, shape: LineShape): string[] {
  const head = `run=${name.run} sender=${name.sender} seq=${name.seq} `;
  const { seq } = name;
  if (seq % longEvery === 0) {
    const padding = noiseOf(seq, Math.max(longLineBytes, shape.lineBytes) - head.length);
    return [sealed(`level=debug msg="receipt" ${head}receipt=${padding}`)];
  }
  if (seq % stackTraceEvery === 0 && !shape.isSingleLine) {
    const lines = [
      `ERROR PaymentDeclinedException: card of order ${seq} was declined ${head}`,
      `\tat shop.payments.Gateway.charge(Gateway.java:${seq % 977})`,
      '\tat shop.payments.Worker.run(Worker.java:17)',
      'Caused by: java.net.SocketTimeoutException: connect timed out',
      '\t... 2 more',
    ];
    return sealed(lines.join('\n')).split('\n');
  }
  if (seq % jsonEvery === 0) {
    const text = `{"level":"info","msg":"caf\u00e9 order \u4e16 saved ${head}","body":"`;
    const inside = `${text}${noiseOf(seq, shape.lineBytes - text.length - checksumLength - 10)}"`;
    return [`${inside},"crc":"${checksum(inside)}"}`];
  }
  const text = `level=info msg="order placed" ${head}duration_ms=${seq % 211} pad=`;
  return [sealed(`${text}${noiseOf(seq, shape.lineBytes - text.length - checksumLength - 5)}`)];
}

const headPattern = /\brun=([\w.-]{1,64}) sender=([\w.-]{1,64}) seq=(\d{1,15})\b/;

/** Returns who wrote a stored record (its lines joined by newlines), or undefined where the text names nobody. */
export function readNumberedLine(text: string): ReadLine | undefined {
  const match = headPattern.exec(text);
  if (match === null) return undefined;
  const [, run, sender, seq] = match as unknown as [string, string, string, string];
  return { run, sender, seq: Number(seq), isWhole: isSealed(text) };
}

function sealed(text: string): string {
  return `${text} crc=${checksum(text)}`;
}

function isSealed(text: string): boolean {
  const isJson = text.endsWith('"}');
  const to = text.length - (isJson ? 2 : 0);
  const from = to - checksumLength;
  const mark = isJson ? ',"crc":"' : ' crc=';
  const end = from - mark.length;
  return end >= 0 && text.slice(end, from) === mark && text.slice(from, to) === checksum(text.slice(0, end));
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(checksumLength, '0');
}

/** `length` characters, other ones for each number; '' for a length below 1. */
function noiseOf(seq: number, length: number): string {
  if (length < 1) return '';
  const from = (seq * 7919) % (noise.length / 2);
  let text = noise.slice(from, from + length);
  while (text.length < length) text += noise.slice(0, length - text.length);
  return text;
}

/** A linear congruential generator (Numerical Recipes' constants) over letters and digits. */
function makeNoise(length: number): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789-/';
  const bytes = Buffer.allocUnsafe(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = alphabet.charCodeAt((state >>> 16) % alphabet.length);
  }
  return bytes.toString('latin1');
}
