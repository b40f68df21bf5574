/**
 * Numbers that are secrets: credit cards and IPv4 addresses, each of them a number as a whole.
 */
import { classes, type Detector, digitBit, type Finding, is, letterBit } from './detector.ts';

const space = 0x20;
const dash = 0x2d;
const dot = 0x2e;
const zero = 0x30;
const underscore = 0x5f;

// ISO/IEC 7812: 13 to 19 digits (12 exist and are rare: too many other numbers have 12), the last of them a checksum.
const cardDigitsMin = 13;
const cardDigitsMax = 19;

/** '4111 1111 1111 1111', '4111-1111-1111-1111', '4111111111111111' */
export const creditCard: Detector = {
  name: 'credit_card',
  triggers: '23456',
  followers: '0123456789',
  isAtWordStart: true,
  find(bytes, from, at, to, found) {
    if (at > from && isPartOfWord(bytes[at - 1])) return false;
    // Most numbers are short.
    if (!is(bytes, at + 2, to, digitBit) || !isKnownIssuer(bytes, at, to)) return false;
    const end = cardEnd(bytes, at, to);
    return end !== -1 && setFound(found, at, end);
  },
};

/** The end of the longest run of groups from `at` on that is a card's number, or -1: more numbers may follow. */
function cardEnd(bytes: Uint8Array, at: number, to: number): number {
  let end = -1;
  let position = at;
  let count = 0;
  let separator = 0;
  for (;;) {
    while (position < to && count <= cardDigitsMax && (classes[bytes[position]] & digitBit) !== 0) {
      count++;
      position++;
    }
    // Groups are of four to six digits: 'took 45 12 ms' is no card.
    if (count < 4 || count > cardDigitsMax) return end;
    if (count >= cardDigitsMin && isWholeNumber(bytes, position, to) && isLuhn(bytes, at, position))
      end = position;
    const byte = position < to ? bytes[position] : 0;
    const isSeparator = (byte === space || byte === dash) && (separator === 0 || byte === separator);
    if (!isSeparator || !is(bytes, position + 1, to, digitBit)) return end;
    separator = byte;
    position++;
  }
}

/** Nothing at `at` makes the number before it longer, a fraction or a word. */
function isWholeNumber(bytes: Uint8Array, at: number, to: number): boolean {
  if (at >= to) return true;
  if (isPartOfWord(bytes[at])) return false;
  return bytes[at] !== dot || !is(bytes, at + 1, to, digitBit);
}

/** A letter or an underscore beside a number makes it an identifier; scripts without spaces do not. */
function isPartOfWord(byte: number): boolean {
  return (classes[byte] & (digitBit | letterBit)) !== 0 || byte === underscore;
}

/** Visa 4, Mastercard 51-55 and 22-27, American Express 34 and 37, Diners 30, 36 and 38, JCB 35, Maestro and Discover 6. */
function isKnownIssuer(bytes: Uint8Array, at: number, to: number): boolean {
  const first = bytes[at] - zero;
  const second = at + 1 < to ? bytes[at + 1] - zero : -1;
  if (first === 2) return second >= 2 && second <= 7;
  if (first === 3) return second === 0 || (second >= 4 && second <= 8);
  if (first === 5) return second === 0 || (second >= 1 && second <= 8);
  return first === 4 || first === 6;
}

/** ISO/IEC 7812-1, annex B. */
function isLuhn(bytes: Uint8Array, from: number, to: number): boolean {
  let sum = 0;
  let isDoubled = false;
  for (let at = to - 1; at >= from; at--) {
    if ((classes[bytes[at]] & digitBit) === 0) continue;
    let digit = bytes[at] - zero;
    if (isDoubled) {
      digit *= 2;
      if (digit > 9) digit -= 9;
    }
    sum += digit;
    isDoubled = !isDoubled;
  }
  return sum % 10 === 0;
}

/** '10.0.0.1': four numbers up to 255, and no fifth one. Asked at its first dot: lines have more numbers than dots. */
export const ipv4: Detector = {
  name: 'ipv4',
  triggers: '.',
  followers: '0123456789',
  isAtWordStart: false,
  find(bytes, from, at, to, found) {
    let start = at;
    while (start > from && at - start < 3 && (classes[bytes[start - 1]] & digitBit) !== 0) start--;
    if (start === at || (start > from && (isPartOfWord(bytes[start - 1]) || bytes[start - 1] === dot)))
      return false;
    const end = ipv4End(bytes, start, to);
    return end !== -1 && setFound(found, start, end);
  },
};

/** Returns where the address that begins at `at` ends, or -1. */
export function ipv4End(bytes: Uint8Array, at: number, to: number): number {
  let position = at;
  for (let part = 0; part < 4; part++) {
    if (part > 0 && (position >= to || bytes[position++] !== dot)) return -1;
    const start = position;
    let value = 0;
    while (position < to && position < start + 3 && (classes[bytes[position]] & digitBit) !== 0) {
      value = value * 10 + bytes[position++] - zero;
    }
    if (position === start || value > 255) return -1;
  }
  if (position < to && isPartOfWord(bytes[position])) return -1;
  return position < to && bytes[position] === dot && is(bytes, position + 1, to, digitBit) ? -1 : position;
}

function setFound(found: Finding, from: number, to: number): true {
  found.from = from;
  found.to = to;
  return true;
}
