/**
 * The part of a sample line that names a series.
 *
 *   http_requests_total{method="GET",path="/"}    {"http.requests",method="GET"}    up
 *
 *   series => name [ "{" pairs "}" ]  |  "{" pairs "}"            (one pair may be the quoted metric name)
 *   pairs  => [ pair ( "," pair )* [ "," ] ]
 *   pair   => label "=" quoted  |  quoted "=" quoted  |  quoted
 *
 * Prometheus text 0.0.4 allows blanks around each part, OpenMetrics 1.0 allows none. In quotes, \\ \" and \n stand for
 * one character; another backslash stands for itself, as in Prometheus.
 */
import { metricNameLabel } from '#model/labels.ts';
import { failAt } from './exposition-error.ts';

/** A series text longer than this is refused: it is no series but a runaway label, and is stored with every new series. */
export const seriesBytesMax = 64 * 1024;

const newline = 10;
const quote = 34;
const comma = 44;
const equals = 61;
const backslash = 92;
const braceOpen = 123;
const braceClose = 125;

const isNameStart = byteClass('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:');
const isNamePart = byteClass('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:0123456789');
const colon = 58;

// Takes any Uint8Array, and makes no view of it.
const { latin1Slice: asciiSlice } = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
};
const utf8Decoder = new TextDecoder('utf-8', { fatal: true });

/** Returns the offset behind the series that starts at `start`. Throws ExpositionError where there is none. */
export function seriesTextEnd(page: Uint8Array, start: number, hasBlanks: boolean): number {
  const nameEnd = metricNameEnd(page, start);
  const hasName = nameEnd > start;
  const braceAt = hasName && hasBlanks ? blanksEnd(page, nameEnd) : nameEnd;
  if (!hasName && page[braceAt] !== braceOpen) {
    failAt(page, braceAt, `expected a metric name, not ${shown(page, braceAt)}`);
  }
  const end = page[braceAt] === braceOpen ? labelSetEnd(page, braceAt, hasBlanks, !hasName) : nameEnd;
  if (end - start > seriesBytesMax) failAt(page, start, `a series is longer than ${seriesBytesMax} bytes`);
  return end;
}

/** Returns the offset behind the unquoted metric name at `start`; `start` itself where there is none. */
export function metricNameEnd(page: Uint8Array, start: number): number {
  if (isNameStart[page[start]!] !== 1) return start;
  let at = start + 1;
  while (isNamePart[page[at]!] === 1) at++;
  return at;
}

/** Returns the offset behind the closing brace of the label set that opens at `start`. */
export function labelSetEnd(page: Uint8Array, start: number, hasBlanks: boolean, mayName: boolean): number {
  let isNamed = !mayName;
  let at = start + 1;
  for (;;) {
    if (hasBlanks) at = blanksEnd(page, at);
    if (page[at] === braceClose) return at + 1;
    const nameAt = at;
    at = page[at] === quote ? quotedEnd(page, at) : checkedNameEnd(page, at);
    if (hasBlanks) at = blanksEnd(page, at);
    if (page[at] === equals) {
      at = hasBlanks ? blanksEnd(page, at + 1) : at + 1;
      if (page[at] !== quote) failAt(page, at, `expected a quoted label value, not ${shown(page, at)}`);
      at = quotedEnd(page, at);
    } else if (page[nameAt] === quote && !isNamed) {
      isNamed = true;
    } else {
      failAt(page, at, `expected "=" after a label name, not ${shown(page, at)}`);
    }
    if (hasBlanks) at = blanksEnd(page, at);
    if (page[at] === comma) at++;
    else if (page[at] !== braceClose)
      failAt(page, at, `expected "," or "}" after a label, not ${shown(page, at)}`);
  }
}

/** Returns the offset behind the closing quote of the text that opens at `start`. */
export function quotedEnd(page: Uint8Array, start: number): number {
  let at = start + 1;
  for (; at < page.length; at++) {
    const byte = page[at];
    if (byte === quote) return at + 1;
    if (byte === backslash) at++;
    if (page[at] === newline) break;
  }
  return failAt(page, start, 'a quoted text has no closing quote');
}

/** Returns the offset of the first byte from `start` on that is neither space nor tab. */
export function blanksEnd(page: Uint8Array, start: number): number {
  let at = start;
  while (page[at] === 32 || page[at] === 9) at++;
  return at;
}

/**
 * Returns names and values, __name__ among them, of a series whose text [start, end) came from seriesTextEnd; in no order,
 * empty values included. Throws ExpositionError on text that is not UTF-8, on a missing or empty name and on a label twice.
 */
export function parseSeriesText(page: Uint8Array, start: number, end: number): Map<string, string> {
  const labels = new Map<string, string>();
  const nameEnd = metricNameEnd(page, start);
  if (nameEnd > start) labels.set(metricNameLabel, textOf(page, start, nameEnd));
  parsePairs(page, blanksEnd(page, nameEnd), end, labels);
  if ((labels.get(metricNameLabel) ?? '') === '') failAt(page, start, 'a sample has no metric name');
  return labels;
}

/** Adds the pairs of the label set [start, end), which came from labelSetEnd. Throws ExpositionError as parseSeriesText. */
export function parsePairs(page: Uint8Array, start: number, end: number, labels: Map<string, string>): void {
  let at = start + 1;
  while (at < end) {
    at = blanksEnd(page, at);
    if (page[at] === comma || page[at] === braceClose) {
      at++;
      continue;
    }
    const isQuoted = page[at] === quote;
    const nameEnd = isQuoted ? quotedEnd(page, at) : checkedNameEnd(page, at);
    const name = isQuoted ? unquote(page, at, nameEnd) : textOf(page, at, nameEnd);
    const equalsAt = blanksEnd(page, nameEnd);
    if (page[equalsAt] === equals) {
      const valueAt = blanksEnd(page, equalsAt + 1);
      at = quotedEnd(page, valueAt);
      addLabel(labels, name, unquote(page, valueAt, at), page, start);
    } else {
      at = nameEnd;
      addLabel(labels, metricNameLabel, name, page, start);
    }
  }
}

function addLabel(
  labels: Map<string, string>,
  name: string,
  value: string,
  page: Uint8Array,
  start: number,
): void {
  if (name === '') failAt(page, start, 'a label name is empty');
  if (labels.has(name)) failAt(page, start, `the label ${name} stands twice in one sample`);
  labels.set(name, value);
}

/** Returns what the quoted text [start, end), quotes included, stands for. */
export function unquote(page: Uint8Array, start: number, end: number): string {
  return unescapeText(textOf(page, start + 1, end - 1));
}

/** Returns the text with \\, \" and \n replaced. */
export function unescapeText(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/\\([\\"n])/g, (_, letter: string) => (letter === 'n' ? '\n' : letter));
}

/** Returns the bytes [start, end) as text. Throws ExpositionError where they are not UTF-8. */
export function textOf(page: Uint8Array, start: number, end: number): string {
  let bits = 0;
  for (let at = start; at < end; at++) bits |= page[at]!;
  // Most texts are ASCII, which costs a third of what decoding UTF-8 does.
  if (bits < 0x80) return asciiSlice.call(page, start, end);
  try {
    return utf8Decoder.decode(page.subarray(start, end));
  } catch {
    return failAt(page, start, 'a name, label or text is not UTF-8');
  }
}

/** Returns the byte at `position` as an error message shows it. */
export function shown(page: Uint8Array, position: number): string {
  const byte = page[position];
  if (byte === undefined) return 'the end of the page';
  if (byte === newline) return 'the end of the line';
  return byte > 32 && byte < 127
    ? `'${String.fromCharCode(byte)}'`
    : `byte 0x${byte.toString(16).padStart(2, '0')}`;
}

/** Returns the offset behind the unquoted label name at `start`; `start` itself where there is none. */
export function labelNameEnd(page: Uint8Array, start: number): number {
  let at = start;
  if (isNameStart[page[at]!] === 1) while (isNamePart[page[at]!] === 1 && page[at] !== colon) at++;
  return at;
}

function checkedNameEnd(page: Uint8Array, start: number): number {
  const end = labelNameEnd(page, start);
  if (end === start) failAt(page, start, `expected a label name, not ${shown(page, start)}`);
  return end;
}

function byteClass(members: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const member of members) table[member.charCodeAt(0)] = 1;
  return table;
}
