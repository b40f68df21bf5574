/**
 * Lines of a byte stream, however it is cut.
 *
 *   push('a:1|c\nb'), push(':2|c\n')  ->  'a:1|c', 'b:2|c'
 *
 * It holds at most lineBytesMax; a longer line is given as its head, and said to be cut. Empty lines are none.
 */

/** bytes[from, to) is one line without its end, which must be used before the call returns. */
export type LineTaker = (bytes: Buffer, from: number, to: number, isCut: boolean) => void;

const newline = 0x0a;
const carriageReturn = 0x0d;

export class LineFraming {
  readonly #lineBytesMax: number;
  readonly #take: LineTaker;
  /** Made when a line is cut for the first time. */
  #kept: Buffer | undefined;
  #keptBytes = 0;
  #isCut = false;

  constructor(lineBytesMax: number, take: LineTaker) {
    this.#lineBytesMax = lineBytesMax;
    this.#take = take;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      if (this.#keptBytes > 0) {
        this.#keep(chunk, from, end);
        this.#finish();
      } else this.#give(chunk, from, end, false);
      from = end + 1;
    }
    if (from < chunk.length) this.#keep(chunk, from, chunk.length);
  }

  /** What is left is a line without an end. */
  end(): void {
    if (this.#keptBytes > 0) this.#finish();
  }

  #keep(chunk: Buffer, from: number, to: number): void {
    this.#kept ??= Buffer.allocUnsafeSlow(this.#lineBytesMax);
    const byteCount = Math.min(to - from, this.#lineBytesMax - this.#keptBytes);
    if (byteCount < to - from) this.#isCut = true;
    chunk.copy(this.#kept, this.#keptBytes, from, from + byteCount);
    this.#keptBytes += byteCount;
  }

  #finish(): void {
    const [byteCount, isCut] = [this.#keptBytes, this.#isCut];
    this.#keptBytes = 0;
    this.#isCut = false;
    this.#give(this.#kept!, 0, byteCount, isCut);
  }

  #give(bytes: Buffer, from: number, to: number, isCut: boolean): void {
    let end = to;
    while (end > from && bytes[end - 1] === carriageReturn) end--;
    if (end === from) return;
    const isLong = end - from > this.#lineBytesMax;
    this.#take(bytes, from, isLong ? from + this.#lineBytesMax : end, isCut || isLong);
  }
}
