/** A few ASCII words with a number each, looked up by bytes, in any case, without making text of them. */

const slotCount = 256;

export class WordTable {
  readonly #words: Uint8Array[] = [];
  readonly #values: number[] = [];
  /** Word number + 1, or 0 for free. */
  readonly #slots = new Uint8Array(slotCount);
  #lengthMax = 0;

  /** Words must be lower case; a value of 0 would say "not there". */
  constructor(entries: readonly (readonly [word: string, value: number])[]) {
    for (const [word, value] of entries) {
      const bytes = Buffer.from(word);
      this.#words.push(bytes);
      this.#values.push(value);
      this.#lengthMax = Math.max(this.#lengthMax, bytes.length);
      let slot = hash(bytes, 0, bytes.length);
      while (this.#slots[slot] !== 0) slot = (slot + 1) % slotCount;
      this.#slots[slot] = this.#words.length;
    }
  }

  /** Returns the value of the word that is [start, end) of `bytes`, or 0. */
  find(bytes: Uint8Array, start: number, end: number): number {
    if (end - start > this.#lengthMax || end <= start) return 0;
    for (let slot = hash(bytes, start, end); this.#slots[slot] !== 0; slot = (slot + 1) % slotCount) {
      const number = this.#slots[slot] - 1;
      if (isWord(this.#words[number], bytes, start, end)) return this.#values[number];
    }
    return 0;
  }
}

/** By length, first and last letter: enough to tell some forty words apart. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  return ((end - start) * 37 + (bytes[start] | 0x20) * 11 + (bytes[end - 1] | 0x20)) & (slotCount - 1);
}

function isWord(word: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (word.length !== end - start) return false;
  for (let i = 0; i < word.length; i++) {
    const byte = bytes[start + i];
    const isUpper = byte >= 0x41 && byte <= 0x5a;
    if ((isUpper ? byte | 0x20 : byte) !== word[i]) return false;
  }
  return true;
}
