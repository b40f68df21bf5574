/**
 * Splits a stream into lines of JSON, however its bytes are cut. A line that outgrows its limit ends the stream with an
 * error before it is gathered: nothing that follows it could be trusted to begin at a line.
 */
import { DecodeError } from '#model/errors.ts';

const newline = 0x0a;

export class JsonLines {
  readonly #lineBytesMax: number;
  #parts: Buffer[] = [];
  #partBytes = 0;
  /** Where the line at hand begins in the stream. */
  #lineStart = 0;

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** Returns the values of the lines that this chunk completes. Throws DecodeError for a line that is no JSON or too long. */
  push(chunk: Buffer): unknown[] {
    const values: unknown[] = [];
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      const line = this.#line(chunk.subarray(start, end));
      const text = line.toString('utf8').trim();
      if (text !== '') values.push(this.#parse(text));
      this.#lineStart += line.length + 1;
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(Buffer.from(chunk.subarray(start)));
    return values;
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch {
      throw new DecodeError('a line of the stream is no JSON', this.#lineStart);
    }
  }

  #line(tail: Buffer): Buffer {
    this.#require(tail.length);
    if (this.#parts.length === 0) return tail;
    const line = Buffer.concat([...this.#parts, tail]);
    this.#parts = [];
    this.#partBytes = 0;
    return line;
  }

  #keep(part: Buffer): void {
    this.#require(part.length);
    this.#parts.push(part);
    this.#partBytes += part.length;
  }

  #require(bytes: number): void {
    if (this.#partBytes + bytes <= this.#lineBytesMax) return;
    throw new DecodeError(`a line of the stream is longer than ${this.#lineBytesMax} bytes`, this.#lineStart);
  }
}
