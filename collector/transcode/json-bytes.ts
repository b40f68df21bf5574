/**
 * JSON text as bytes: where strings and containers end, and what escapes stand for. Nothing is decoded to a string, and
 * nothing at or after `end` is looked at.
 */
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import type { ByteBuffer } from './byte-buffer.ts';

export const brace = 0x7b;
export const quote = 0x22;
const backslash = 0x5c;
export const equals = 0x3d;
export const colon = 0x3a;
export const comma = 0x2c;
const bracket = 0x5b;
const closingBrace = 0x7d;
const closingBracket = 0x5d;
/** [ and ] are { and } without this bit. */
const braceBit = 0x20;

/** Returns where the first byte above a space is, or `end`. */
export function skipSpace(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] <= 0x20) at++;
  return at;
}

/** Returns where the string that has begun before `start` ends, or `end` where it does not. */
export function closingQuote(source: ByteView, start: number, end: number): number {
  const at = stringEnd(source, start, end);
  return at < 0 ? ~at : at;
}

/** As closingQuote, but ~ of it where the string has an escape. */
export function stringEnd(source: ByteView, start: number, end: number): number {
  const { bytes, view } = source;
  const last = end - 4;
  let isEscaped = false;
  let at = start;
  while (at <= last) {
    const word = view.getInt32(at, true);
    const hits = zeroBytes(word ^ 0x22222222) | zeroBytes(word ^ 0x5c5c5c5c);
    if (hits === 0) {
      at += 4;
      continue;
    }
    at += firstByte(hits);
    if (bytes[at] === quote) return isEscaped ? ~at : at;
    isEscaped = true;
    at += 2;
  }
  while (at < end && bytes[at] !== quote) {
    const isBackslash = bytes[at] === backslash;
    isEscaped ||= isBackslash;
    at += isBackslash ? 2 : 1;
  }
  if (at > end) at = end;
  return isEscaped ? ~at : at;
}

/** Returns where the first byte that is a space or below is, or `end`. */
export function textEnd(source: ByteView, start: number, end: number): number {
  const { bytes, view } = source;
  const last = end - 4;
  let at = start;
  while (at <= last) {
    const hits = spaceBytes(view.getInt32(at, true));
    if (hits !== 0) return at + firstByte(hits);
    at += 4;
  }
  while (at < end && bytes[at] > 0x20) at++;
  return at;
}

/** Returns where a name of logfmt ends: at a space, an equals sign or a quote, or at `end`. */
export function nameEnd(source: ByteView, start: number, end: number): number {
  const { bytes, view } = source;
  const last = end - 4;
  let at = start;
  while (at <= last) {
    const word = view.getInt32(at, true);
    const hits = spaceBytes(word) | zeroBytes(word ^ 0x3d3d3d3d) | zeroBytes(word ^ 0x22222222);
    if (hits !== 0) return at + firstByte(hits);
    at += 4;
  }
  while (at < end && bytes[at] > 0x20 && bytes[at] !== equals && bytes[at] !== quote) at++;
  return at;
}

// Four bytes at once. The lowest bit of each result, and of several joined by "or", is of the first byte that it is of;
// those above it may be of any.

/** The top bits of the bytes of `word` that are zero. */
function zeroBytes(word: number): number {
  return (word - 0x01010101) & ~word & 0x80808080;
}

/** The top bits of the bytes of `word` that are a space or below. */
function spaceBytes(word: number): number {
  return (word - 0x21212121) & ~word & 0x80808080;
}

function firstByte(hits: number): number {
  return (31 - Math.clz32(hits & -hits)) >> 3;
}

/** Returns the position after the object or array that begins at `start`, or -1. What is in it is not checked. */
export function skipContainer(source: ByteView, start: number, end: number): number {
  const { bytes } = source;
  let depth = 0;
  let at = start;
  while (at < end) {
    const byte = bytes[at++];
    if (byte === quote) {
      at = closingQuote(source, at, end) + 1;
    } else if ((byte | braceBit) === brace) {
      depth++;
    } else if ((byte | braceBit) === closingBrace && --depth === 0) {
      return at;
    }
  }
  return -1;
}

export function isContainer(byte: number): boolean {
  return byte === brace || byte === bracket;
}

/** Returns where a number or a word ends: before a comma, a bracket or a space; `end` where nothing ends it. */
export function scalarEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const byte = bytes[at];
    if (byte <= 0x20 || byte === comma || byte === closingBrace || byte === closingBracket) break;
    at++;
  }
  return at;
}

/** Says whether [start, end) is a number as JSON writes them (RFC 8259, 6). */
export function isJsonNumber(bytes: Uint8Array, start: number, end: number): boolean {
  let at = bytes[start] === 0x2d ? start + 1 : start;
  const integer = at;
  at = skipDigits(bytes, at, end);
  if (at === integer || (bytes[integer] === 0x30 && at > integer + 1)) return false;
  if (at < end && bytes[at] === 0x2e) {
    const fraction = at + 1;
    at = skipDigits(bytes, fraction, end);
    if (at === fraction) return false;
  }
  if (at < end && (bytes[at] | 0x20) === 0x65) {
    const sign = at + 1;
    const exponent = sign < end && (bytes[sign] === 0x2b || bytes[sign] === 0x2d) ? sign + 1 : sign;
    at = skipDigits(bytes, exponent, end);
    if (at === exponent) return false;
  }
  return at === end;
}

function skipDigits(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] >= 0x30 && bytes[at] <= 0x39) at++;
  return at;
}

/** What follows a backslash, and what both stand for (RFC 8259, 7); 0 for all others. */
const escapes = new Uint8Array(256);
for (const [letter, text] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t']) {
  escapes[letter.charCodeAt(0)] = text.charCodeAt(0);
}

/**
 * Writes the text of the string [start, end), which a quote ends, to `out`. Returns false where an escape is none of
 * JSON's. Half a surrogate pair becomes U+FFFD, as in any text that becomes UTF-8.
 */
export function unescapeJson(bytes: Uint8Array, start: number, end: number, out: ByteBuffer): boolean {
  out.reset();
  // No escape is shorter than what it stands for.
  out.ensure(end - start);
  const to = out.data.bytes;
  let length = 0;
  let at = start;
  while (at < end) {
    const byte = bytes[at];
    if (byte !== backslash) {
      to[length++] = byte;
      at++;
      continue;
    }
    const letter = bytes[at + 1];
    if (letter !== 0x75) {
      if (escapes[letter] === 0) return false;
      to[length++] = escapes[letter];
      at += 2;
      continue;
    }
    let code = hexUnit(bytes, at + 2, end);
    if (code < 0) return false;
    at += 6;
    if (code >= 0xd800 && code < 0xe000) {
      const isPair = code < 0xdc00 && at + 1 < end && bytes[at] === backslash && bytes[at + 1] === 0x75;
      const low = isPair ? hexUnit(bytes, at + 2, end) : -1;
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
      } else code = 0xfffd;
    }
    length = writeUtf8(to, length, code);
  }
  out.length = length;
  return true;
}

/** Returns the value of four hexadecimal digits, or -1. */
function hexUnit(bytes: Uint8Array, start: number, end: number): number {
  if (start + 4 > end) return -1;
  let value = 0;
  for (let at = start; at < start + 4; at++) {
    const byte = bytes[at];
    const lower = byte | 0x20;
    if (byte >= 0x30 && byte <= 0x39) value = (value << 4) | (byte - 0x30);
    else if (lower >= 0x61 && lower <= 0x66) value = (value << 4) | (lower - 0x57);
    else return -1;
  }
  return value;
}

function writeUtf8(to: Uint8Array, length: number, code: number): number {
  if (code < 0x80) {
    to[length++] = code;
    return length;
  }
  if (code < 0x800) {
    to[length++] = 0xc0 | (code >> 6);
  } else {
    if (code < 0x10000) to[length++] = 0xe0 | (code >> 12);
    else {
      to[length++] = 0xf0 | (code >> 18);
      to[length++] = 0x80 | ((code >> 12) & 0x3f);
    }
    to[length++] = 0x80 | ((code >> 6) & 0x3f);
  }
  to[length++] = 0x80 | (code & 0x3f);
  return length;
}
