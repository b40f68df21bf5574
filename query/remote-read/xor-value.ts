/**
 * A double that is written as its difference to the one before (Gorilla, section 4.1.2, in Prometheus's variant).
 *
 *   equal        0
 *   within       1 0 bits             the bits that differ lie where those of the last difference did
 *   otherwise    1 1 leading:5 length:6 bits        0 for a length of 64
 */
import type { BitWriter } from './bit-writer.ts';

/** Five bits hold no more. */
const leadingMax = 31;

export class XorValue {
  #high: number;
  #low: number;
  /** -1 before the first difference. */
  #leading = -1;
  #trailing = 0;

  /** The first value, as its two halves; whoever has the writer writes it. */
  constructor(high: number, low: number) {
    this.#high = high;
    this.#low = low;
  }

  write(writer: BitWriter, high: number, low: number): void {
    const differsHigh = (high ^ this.#high) >>> 0;
    const differsLow = (low ^ this.#low) >>> 0;
    this.#high = high;
    this.#low = low;
    if (differsHigh === 0 && differsLow === 0) {
      writer.bits(0, 1);
      return;
    }
    const leading = Math.min(
      leadingMax,
      differsHigh === 0 ? 32 + Math.clz32(differsLow) : Math.clz32(differsHigh),
    );
    const trailing = differsLow === 0 ? 32 + trailingZeros(differsHigh) : trailingZeros(differsLow);
    if (this.#leading !== -1 && leading >= this.#leading && trailing >= this.#trailing) {
      writer.bits(0b10, 2);
    } else {
      this.#leading = leading;
      this.#trailing = trailing;
      writer.bits(0b11, 2);
      writer.bits(leading, 5);
      writer.bits((64 - leading - trailing) & 63, 6);
    }
    const shift = this.#trailing;
    const shiftedLow =
      shift >= 32
        ? differsHigh >>> (shift - 32)
        : shift === 0
          ? differsLow
          : (differsLow >>> shift) | (differsHigh << (32 - shift));
    writer.wide(shift >= 32 ? 0 : differsHigh >>> shift, shiftedLow, 64 - this.#leading - shift);
  }
}

/** Of a number that is not 0. */
function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
}
