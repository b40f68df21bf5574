/**
 * Finds a text in a range of bytes, and looks at nothing behind the range (Boyer, Moore, Horspool: a byte that does not
 * fit moves the search on by up to the length of the text).
 */

/** A text, and whether it must stand at the start or the end of what is searched. */
export interface PlacedText {
  readonly text: string;
  readonly isStart: boolean;
  readonly isEnd: boolean;
}

export class LiteralSearch {
  readonly #text: Uint8Array;
  readonly #isStart: boolean;
  readonly #isEnd: boolean;
  /** How far the search may move on when this byte stands under the last one of the text. */
  readonly #skip: Uint16Array;

  constructor({ text, isStart, isEnd }: PlacedText) {
    this.#text = Buffer.from(text);
    this.#isStart = isStart;
    this.#isEnd = isEnd;
    const length = this.#text.length;
    this.#skip = new Uint16Array(256).fill(length);
    for (let index = 0; index < length - 1; index++) this.#skip[this.#text[index]] = length - 1 - index;
  }

  /** Returns the position of the text in bytes[from, to), or -1. */
  find(bytes: Uint8Array, from: number, to: number): number {
    const last = to - this.#text.length;
    if (last < from) return -1;
    if (this.#isStart) return (!this.#isEnd || last === from) && this.#stands(bytes, from) ? from : -1;
    if (this.#isEnd) return this.#stands(bytes, last) ? last : -1;
    const text = this.#text;
    const end = text.length - 1;
    if (end < 0) return from;
    const final = text[end];
    for (let at = from; at <= last; ) {
      const byte = bytes[at + end];
      if (byte === final && this.#stands(bytes, at)) return at;
      at += this.#skip[byte];
    }
    return -1;
  }

  #stands(bytes: Uint8Array, at: number): boolean {
    const text = this.#text;
    for (let index = 0; index < text.length; index++) if (bytes[at + index] !== text[index]) return false;
    return true;
  }
}
