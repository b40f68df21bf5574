/**
 * JSON text as bytes: where strings and containers end. Nothing is decoded to a string, and nothing at or after `end` is
 * looked at.
 */
/** A ByteView, or what agents have of one. */
export interface JsonText {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

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
export function closingQuote(source: JsonText, start: number, end: number): number {
  const at = stringEnd(source, start, end);
  return at < 0 ? ~at : at;
}

/** As closingQuote, but ~ of it where the string has an escape. */
export function stringEnd(source: JsonText, start: number, end: number): number {
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
export function textEnd(source: JsonText, start: number, end: number): number {
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
export function nameEnd(source: JsonText, start: number, end: number): number {
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
export function skipContainer(source: JsonText, start: number, end: number): number {
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
