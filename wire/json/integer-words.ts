/**
 * Decimal digits as the low and high word of a 64-bit integer, exact where a double would lose the last digits.
 *
 *   '1700000000123456789'  ->  high 0x17979cfe, low 0x3ae88115         '-1' (signed)  ->  0xffffffff, 0xffffffff
 */
import { DecodeError } from '#model/errors.ts';

const twoTo32 = 0x1_0000_0000;
/** 2^64 - 1 has so many digits. */
const digitsMax = 20;
const lowDigits = 9;

export class IntegerWords {
  /** Unsigned words of what parse read last; two's complement where it is negative. */
  low = 0;
  high = 0;

  /**
   * Reads bytes[start, end). A fraction or an exponent is allowed where the value is whole and below 2^53, as in 1e9.
   * Throws DecodeError on what is no integer, or does not fit in 64 bits, signed or unsigned.
   */
  parse(bytes: Buffer, start: number, end: number, isSigned: boolean): void {
    const isNegative = bytes[start] === 0x2d;
    let from = isNegative ? start + 1 : start;
    while (from < end - 1 && bytes[from] === 0x30) from++;
    if (from >= end) throw notInteger(start);
    for (let at = from; at < end; at++) {
      if (bytes[at] < 0x30 || bytes[at] > 0x39) {
        from = -1;
        break;
      }
    }
    if (from === -1) this.#setNumber(bytes.toString('latin1', isNegative ? start + 1 : start, end), start);
    else this.#setDigits(bytes, from, end);
    if (isNegative) this.#negate(isSigned, start);
    else if (isSigned && this.high > 0x7fffffff) throw outOfRange(start);
  }

  #setNumber(text: string, position: number): void {
    const value = /^[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value)) throw notInteger(position);
    this.low = value % twoTo32;
    this.high = Math.floor(value / twoTo32);
  }

  #setDigits(bytes: Buffer, from: number, end: number): void {
    if (end - from > digitsMax) throw outOfRange(from);
    const split = Math.max(from, end - lowDigits);
    let head = 0;
    for (let at = from; at < split; at++) head = head * 10 + bytes[at] - 0x30;
    let tail = 0;
    for (let at = split; at < end; at++) tail = tail * 10 + bytes[at] - 0x30;
    if (!this.setBillions(head, tail)) throw outOfRange(from);
  }

  /** Sets head * 10^9 + tail, with head below 10^11 and tail below 10^9. Returns false where it is over 64 bits. */
  setBillions(head: number, tail: number): boolean {
    // head = upper * 2^22 + lower: each product stays below 2^53.
    const upper = Math.floor(head / 0x400000) * 1e9;
    const lower = (head % 0x400000) * 1e9 + tail;
    const sum = (upper % 1024) * 0x400000 + lower;
    this.low = sum % twoTo32;
    this.high = Math.floor(upper / 1024) + Math.floor(sum / twoTo32);
    return this.high < twoTo32;
  }

  #negate(isSigned: boolean, position: number): void {
    const isZero = this.low === 0 && this.high === 0;
    const isBelow = this.high > 0x80000000 || (this.high === 0x80000000 && this.low > 0);
    if (!isZero && (!isSigned || isBelow)) throw outOfRange(position);
    this.low = -this.low >>> 0;
    this.high = (~this.high + (this.low === 0 ? 1 : 0)) >>> 0;
  }
}

function notInteger(position: number): DecodeError {
  return new DecodeError('expected an integer', position);
}

function outOfRange(position: number): DecodeError {
  return new DecodeError('an integer does not fit in its field', position);
}
