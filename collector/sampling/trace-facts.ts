/**
 * What the spans of open traces have shown so far, for policies to judge: counts, the whole time and that of the root,
 * and a bit for each condition that some span has met. A ring of typed arrays, by the trace's number.
 *
 *   facts.addSpan(7, ...); facts.at = 7; facts.spanCount, facts.traceNs, facts.has(condition)
 */
const capacityMin = 1024;
const twoTo32 = 0x1_0000_0000;
/** The root has not come. */
const noRoot = -1;

export class TraceFacts {
  /** The trace that the getters speak of. */
  at = 0;
  readonly #wordCount: number;
  #mask = capacityMin - 1;
  #spanCounts = new Uint32Array(capacityMin);
  /** Nanoseconds since 1970; 0 where no span had such a time. */
  #startLow = new Uint32Array(capacityMin);
  #startHigh = new Uint32Array(capacityMin);
  #endLow = new Uint32Array(capacityMin);
  #endHigh = new Uint32Array(capacityMin);
  #rootNs = new Float64Array(capacityMin);
  #randomHigh = new Uint32Array(capacityMin);
  #randomLow = new Uint32Array(capacityMin);
  #isRandomExplicit = new Uint8Array(capacityMin);
  #bits: Uint32Array;

  constructor(conditionCount: number) {
    this.#wordCount = Math.max(1, Math.ceil(conditionCount / 32));
    this.#bits = new Uint32Array(this.#wordCount * capacityMin);
  }

  get spanCount(): number {
    return this.#spanCounts[this.at & this.#mask]!;
  }

  /** From the earliest start to the latest end; 0 where one of them is missing. */
  get traceNs(): number {
    const slot = this.at & this.#mask;
    return nanosBetween(
      this.#startLow[slot]!,
      this.#startHigh[slot]!,
      this.#endLow[slot]!,
      this.#endHigh[slot]!,
    );
  }

  /** Of the span without a parent, of several the longest; below 0 where none has come. */
  get rootNs(): number {
    return this.#rootNs[this.at & this.#mask]!;
  }

  /** Whether the trace's randomness is at least a threshold of 24 and 32 bits. */
  isRandomAtLeast(high: number, low: number): boolean {
    const slot = this.at & this.#mask;
    const own = this.#randomHigh[slot]!;
    return own > high || (own === high && this.#randomLow[slot]! >= low);
  }

  has(condition: number): boolean {
    const word = this.#bits[(this.at & this.#mask) * this.#wordCount + (condition >>> 5)]!;
    return (word & (1 << (condition & 31))) !== 0;
  }

  /** Begins a trace; those from `oldest` on are open. */
  open(number: number, oldest: number, randomHigh: number, randomLow: number): void {
    if (number - oldest >= this.#spanCounts.length) this.#grow(oldest, number);
    const slot = number & this.#mask;
    this.#spanCounts[slot] = 0;
    this.#startLow[slot] = 0;
    this.#startHigh[slot] = 0;
    this.#endLow[slot] = 0;
    this.#endHigh[slot] = 0;
    this.#rootNs[slot] = noRoot;
    this.#randomHigh[slot] = randomHigh;
    this.#randomLow[slot] = randomLow;
    this.#isRandomExplicit[slot] = 0;
    this.#bits.fill(0, slot * this.#wordCount, (slot + 1) * this.#wordCount);
  }

  addSpan(
    number: number,
    startLow: number,
    startHigh: number,
    endLow: number,
    endHigh: number,
    isRoot: boolean,
  ): void {
    const slot = number & this.#mask;
    this.#spanCounts[slot]!++;
    const before = this.#startHigh[slot]! * twoTo32 + this.#startLow[slot]!;
    if (
      (startLow !== 0 || startHigh !== 0) &&
      (before === 0 || isBefore(startLow, startHigh, this.#startLow[slot]!, this.#startHigh[slot]!))
    ) {
      this.#startLow[slot] = startLow;
      this.#startHigh[slot] = startHigh;
    }
    if (isBefore(this.#endLow[slot]!, this.#endHigh[slot]!, endLow, endHigh)) {
      this.#endLow[slot] = endLow;
      this.#endHigh[slot] = endHigh;
    }
    if (isRoot) {
      const ns = nanosBetween(startLow, startHigh, endLow, endHigh);
      if (ns > this.#rootNs[slot]!) this.#rootNs[slot] = ns;
    }
  }

  /** Bits of word `word` that hold for a span of the trace. */
  addBits(number: number, word: number, bits: number): void {
    this.#bits[(number & this.#mask) * this.#wordCount + word]! |= bits;
  }

  /** The first span that brings a randomness of its own decides for its trace. */
  setRandom(number: number, high: number, low: number): void {
    const slot = number & this.#mask;
    if (this.#isRandomExplicit[slot] === 1) return;
    this.#isRandomExplicit[slot] = 1;
    this.#randomHigh[slot] = high;
    this.#randomLow[slot] = low;
  }

  #grow(oldest: number, next: number): void {
    const mask = this.#mask;
    const wordCount = this.#wordCount;
    const capacity = 2 * this.#spanCounts.length;
    this.#mask = capacity - 1;
    const moved = <Ring extends Uint8Array | Uint32Array | Float64Array>(ring: Ring, words = 1): Ring => {
      const grown = new (ring.constructor as new (length: number) => Ring)(capacity * words);
      for (let number = oldest; number < next; number++) {
        const [from, to] = [(number & mask) * words, (number & this.#mask) * words];
        for (let word = 0; word < words; word++) grown[to + word] = ring[from + word]!;
      }
      return grown;
    };
    this.#spanCounts = moved(this.#spanCounts);
    this.#startLow = moved(this.#startLow);
    this.#startHigh = moved(this.#startHigh);
    this.#endLow = moved(this.#endLow);
    this.#endHigh = moved(this.#endHigh);
    this.#rootNs = moved(this.#rootNs);
    this.#randomHigh = moved(this.#randomHigh);
    this.#randomLow = moved(this.#randomLow);
    this.#isRandomExplicit = moved(this.#isRandomExplicit);
    this.#bits = moved(this.#bits, wordCount);
  }
}

function isBefore(low: number, high: number, otherLow: number, otherHigh: number): boolean {
  return high < otherHigh || (high === otherHigh && low < otherLow);
}

/** End minus start, exact below 2^53; 0 where the start is missing or the end before it. */
function nanosBetween(startLow: number, startHigh: number, endLow: number, endHigh: number): number {
  if ((startLow === 0 && startHigh === 0) || isBefore(endLow, endHigh, startLow, startHigh)) return 0;
  return (endHigh - startHigh) * twoTo32 + (endLow - startLow);
}
