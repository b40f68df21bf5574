/**
 * Which numbers of a sender were seen: one bit for each, so that a hundred million records take 12 MB.
 *
 *   add(1); add(2); add(2); add(4)  ->  stored 3, repeated 1 (2), missingRanges(4) [[3, 3]]
 */

/** A first and a last number, both inclusive. */
export type NumberRange = readonly [first: number, last: number];

/** Ranges and numbers that are listed: enough to look at, however much is wrong. */
export const listedMax = 10;
/** 128 MB of bits. Larger numbers are counted as unexpected. */
export const sequenceMax = 1 << 30;

export class SequenceTally {
  /** Distinct numbers seen. */
  stored = 0;
  /** Records beyond the first of their number. */
  repeated = 0;
  /** Records whose content does not fit its checksum. Where no highest number is known, theirs is not believed. */
  altered = 0;
  /** Records with a number that the sender never wrote. */
  unexpected = 0;
  highest = 0;
  readonly repeatedFirst: number[] = [];
  readonly alteredFirst: number[] = [];
  readonly unexpectedFirst: number[] = [];
  readonly #numberMax: number;
  #bits: Uint8Array;

  /** `numberMax`: the highest number that was written, where it is known. */
  constructor(numberMax = sequenceMax) {
    this.#numberMax = Math.min(numberMax, sequenceMax);
    this.#bits = new Uint8Array(Math.min(8192, (this.#numberMax >> 3) + 1));
  }

  add(seq: number, isWhole: boolean): void {
    if (!isWhole) {
      this.altered++;
      list(this.alteredFirst, seq);
      // A number that may be a damaged one must not decide how much memory is taken.
      if (this.#numberMax === sequenceMax) return;
    }
    if (seq < 1 || seq > this.#numberMax) {
      this.unexpected++;
      list(this.unexpectedFirst, seq);
      return;
    }
    if (this.has(seq)) {
      this.repeated++;
      list(this.repeatedFirst, seq);
      return;
    }
    const index = seq >> 3;
    if (index >= this.#bits.length) this.#grow(index + 1);
    this.#bits[index]! |= 1 << (seq & 7);
    this.stored++;
    if (seq > this.highest) this.highest = seq;
  }

  has(seq: number): boolean {
    return ((this.#bits[seq >> 3] ?? 0) & (1 << (seq & 7))) !== 0;
  }

  /** Returns how many of the numbers 1 to `last` were not seen, and the first ranges of them. */
  missing(last: number): { readonly count: number; readonly ranges: NumberRange[] } {
    const ranges: NumberRange[] = [];
    let count = 0;
    for (let seq = 1; seq <= last; seq++) {
      if ((seq & 7) === 0 && this.#bits[seq >> 3] === 0xff) {
        seq += 7;
        continue;
      }
      if (this.has(seq)) continue;
      const first = seq;
      while (seq < last && !this.has(seq + 1)) seq++;
      count += seq - first + 1;
      if (ranges.length < listedMax) ranges.push([first, seq]);
    }
    return { count, ranges };
  }

  #grow(length: number): void {
    const grown = new Uint8Array(
      Math.min((this.#numberMax >> 3) + 1, Math.max(length, this.#bits.length * 2)),
    );
    grown.set(this.#bits);
    this.#bits = grown;
  }
}

function list(numbers: number[], seq: number): void {
  if (numbers.length < listedMax) numbers.push(seq);
}
