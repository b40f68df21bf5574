/**
 * Finds whole MessagePack values in a byte stream: each is a message of Fluent's forward protocol.
 *
 *   push('93 a1 74 ..'), push('..')  ->  take(bytes, from, to) when the array is complete
 *
 * A value that is not complete is not looked at twice: where the search stopped is remembered. It holds at most
 * messageBytesMax bytes.
 */
import { DecodeError } from '#model/errors.ts';
import { MsgpackCursor, msgpackDepthMax } from './msgpack-cursor.ts';

/** bytes[from, to) is one value, which must be used before the call returns. */
export type ValueTaker = (bytes: Buffer, from: number, to: number) => void;

export class MessageFraming {
  readonly #messageBytesMax: number;
  readonly #take: ValueTaker;
  readonly #cursor = new MsgpackCursor();
  /** Elements that the arrays and maps around the position still have, outermost first. */
  readonly #left: number[] = [];
  #kept: Buffer = Buffer.alloc(0);
  #keptBytes = 0;
  /** Everything before is searched. */
  #searched = 0;

  constructor(messageBytesMax: number, take: ValueTaker) {
    this.#messageBytesMax = messageBytesMax;
    this.#take = take;
  }

  /** Throws DecodeError where the stream is no MessagePack, or a message is over a limit: it cannot go on then. */
  push(chunk: Buffer): void {
    this.#append(chunk);
    const cursor = this.#cursor;
    let start = 0;
    cursor.begin(this.#kept, this.#searched, this.#keptBytes);
    while (cursor.tryRead()) {
      if (!this.#isComplete()) continue;
      this.#take(this.#kept, start, cursor.position);
      start = cursor.position;
    }
    this.#searched = cursor.position - start;
    this.#kept.copyWithin(0, start, this.#keptBytes);
    this.#keptBytes -= start;
    if (this.#keptBytes >= this.#messageBytesMax) {
      throw new DecodeError(`a message is longer than ${this.#messageBytesMax} bytes`, this.#keptBytes);
    }
  }

  /** A message that was cut off is none. */
  end(): void {
    this.#keptBytes = 0;
  }

  /** Whether the value that was just read ends a message. */
  #isComplete(): boolean {
    const { kind, count } = this.#cursor;
    const left = this.#left;
    const elements = kind === 'array' ? count : kind === 'map' ? 2 * count : 0;
    if (elements > 0) {
      // One more than the entries' values: a message is an array of entries of their own.
      if (left.length >= msgpackDepthMax + 4) {
        throw new DecodeError(`values are nested deeper than ${msgpackDepthMax}`, this.#cursor.position);
      }
      left.push(elements);
      return false;
    }
    while (left.length > 0) {
      const last = left.length - 1;
      if (--left[last]! > 0) return false;
      left.pop();
    }
    return true;
  }

  #append(chunk: Buffer): void {
    const needed = this.#keptBytes + chunk.length;
    if (needed > this.#kept.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#kept.length));
      this.#kept.copy(grown, 0, 0, this.#keptBytes);
      this.#kept = grown;
    }
    chunk.copy(this.#kept, this.#keptBytes);
    this.#keptBytes = needed;
  }
}
