/**
 * What a line looks like to the multi-line rule: an ordinary line, or a part of a stack trace.
 *
 *   '\tat com.example.Shop.buy(Shop.java:12)'  ->  indented
 *   'Caused by: java.io.IOException: broken'   ->  cause
 */

export const LineKind = {
  other: 0,
  blank: 1,
  /** Starts with a space or a tab: frames of Java, Python, Node, the positions of Go, and printed objects. */
  indented: 2,
  /** Java: 'Caused by: ...', 'Suppressed: ...'. */
  cause: 3,
  /** Java: a qualified class name that ends in Exception, Error or Throwable, alone or before a colon. */
  throwable: 4,
  /** Python: 'Traceback (most recent call last):'. */
  traceback: 5,
  /** Python: the sentence between two chained tracebacks. */
  tracebackChain: 6,
  /** Go: 'panic: ...', 'fatal error: ...'. */
  panic: 7,
  /** Go: 'goroutine 1 [running]:'. */
  goroutine: 8,
  /** Closes a printed object: '}', '])', ... */
  closer: 9,
} as const;
export type LineKind = (typeof LineKind)[keyof typeof LineKind];

const prefixes: readonly (readonly [string, LineKind])[] = [
  ['Caused by: ', LineKind.cause],
  ['Suppressed: ', LineKind.cause],
  ['Traceback (most recent call last)', LineKind.traceback],
  ['During handling of the above exception, another', LineKind.tracebackChain],
  ['The above exception was the direct cause', LineKind.tracebackChain],
  ['panic: ', LineKind.panic],
  ['fatal error: ', LineKind.panic],
  ['goroutine ', LineKind.goroutine],
];

/** By first byte: the prefixes to try. */
const prefixesByByte = new Map<number, { bytes: Buffer; kind: LineKind }[]>();
for (const [text, kind] of prefixes) {
  const bytes = Buffer.from(text);
  prefixesByByte.set(bytes[0], [...(prefixesByByte.get(bytes[0]) ?? []), { bytes, kind }]);
}

const tab = 0x09;
const space = 0x20;
const dot = 0x2e;
const colon = 0x3a;
const openParenthesis = 0x28;
const closeParenthesis = 0x29;
const closers = [0x7d, 0x5d, closeParenthesis];
const lowerA = 0x61;
const lowerZ = 0x7a;

/** 1 for the first bytes that need a second look: nearly all lines start with another. */
const isSpecial = new Uint8Array(256);
for (const byte of [space, tab, ...closers, ...prefixesByByte.keys()]) isSpecial[byte] = 1;
for (let byte = lowerA; byte <= lowerZ; byte++) isSpecial[byte] = 1;

/** Looks at the line bytes[from, to), line end excluded. */
export function lineKind(bytes: Buffer, from: number, to: number): LineKind {
  if (from >= to) return LineKind.blank;
  const first = bytes[from];
  if (isSpecial[first] === 0) return LineKind.other;
  if (first === space || first === tab) return LineKind.indented;
  if (closers.includes(first)) return LineKind.closer;
  const candidates = prefixesByByte.get(first);
  if (candidates !== undefined) {
    for (const prefix of candidates) if (hasPrefix(bytes, from, to, prefix.bytes)) return prefix.kind;
  }
  if (first >= lowerA && first <= lowerZ && isThrowable(bytes, from, to)) return LineKind.throwable;
  return LineKind.other;
}

const goLines = ['created by ', '[signal ', 'exit status '].map((text) => Buffer.from(text));

/** A line between 'goroutine 1 [running]:' and the next: 'main.buy(0x1, 0x2)', 'created by main.main in goroutine 1'. */
export function isGoFrame(bytes: Buffer, from: number, to: number): boolean {
  for (const prefix of goLines) if (hasPrefix(bytes, from, to, prefix)) return true;
  if (bytes[to - 1] !== closeParenthesis) return false;
  for (let index = from; index < to; index++) {
    if (bytes[index] === space) return false;
    if (bytes[index] === openParenthesis && index > from) return true;
  }
  return false;
}

function hasPrefix(bytes: Buffer, from: number, to: number, prefix: Buffer): boolean {
  if (from + prefix.length > to) return false;
  for (let index = 1; index < prefix.length; index++) {
    if (bytes[from + index] !== prefix[index]) return false;
  }
  return bytes[from] === prefix[0];
}

const throwableSuffixes = ['Exception', 'Error', 'Throwable'].map((text) => Buffer.from(text));

function isThrowable(bytes: Buffer, from: number, to: number): boolean {
  let isQualified = false;
  let position = from;
  for (; position < to; position++) {
    const byte = bytes[position];
    if (byte === dot) isQualified = true;
    else if (!isIdentifier(byte)) break;
  }
  if (!isQualified || (position < to && bytes[position] !== colon)) return false;
  return throwableSuffixes.some(
    (suffix) =>
      position - suffix.length > from && hasPrefix(bytes, position - suffix.length, position, suffix),
  );
}

/** A letter, a digit, '_' or '$'. */
function isIdentifier(byte: number): boolean {
  const letter = byte | 0x20;
  return (
    (letter >= 0x61 && letter <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte === 0x5f || byte === 0x24
  );
}
