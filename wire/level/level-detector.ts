/**
 * The level of a log line whose sender named none: container logs, mostly. Bytes in, an index of `levels` out.
 *
 *   {"time":"...","level":"warn"}   -> warn        ts=1 lvl=eror msg=x           -> error
 *   2026-11-26 15:00 [ERROR] broken -> error       E1126 15:00:00.1 main.go:7]   -> error
 *   {"level":30,"msg":"x"}          -> info        GET /information 200          -> unknown
 *   <11>Nov 26 15:00:00 web x       -> error       (syslog: facility 1, severity 3)
 *
 * A field named level, lvl, severity, ... decides; else the first word of the line that is a level's name, by itself. Only
 * the head of a line is looked at: a level that far in is a word of the message. No text is made of bytes: this is done for
 * every line that a container writes.
 */

import { brace, closingQuote, colon, equals, type JsonText, quote, skipSpace } from '../json/json-bytes.ts';
import { levels, levelWords } from './severity.ts';
import { WordTable } from './word-table.ts';

const unknown = 0;
/** Of a plain line. Times, threads and logger names come before the level; a message comes after. */
const headBytesMax = 128;
/** Of a JSON object or a logfmt line: a level may come after some fields, but not after the message. */
const fieldsBytesMax = 512;

const fieldNames = new WordTable(
  'level lvl severity loglevel log_level log.level levelname severitytext'
    .split(' ')
    .map((name) => [name, 1]),
);
const words = new WordTable(
  levelWords.flatMap(([level, names]) =>
    names.split(' ').map((name) => [name, levels.indexOf(level)] as const),
  ),
);
/** In lower case the others are words of sentences: fine, notice, config, alert. */
const lowerCaseWords = new WordTable(
  'trace debug info warn warning error err fatal critical panic'.split(' ').map((name) => [name, 1]),
);

const lessThan = 0x3c;
const greaterThan = 0x3e;
const syslogPriorityMax = 191;
const syslogLevels = 'fatal fatal fatal error warn info info debug'
  .split(' ')
  .map((name) => (levels as readonly string[]).indexOf(name));

const letter = 1;
const digit = 2;
/** Joins words to longer ones: GET /error-page, x_error, a.error, and anything beyond ASCII. */
const joint = 3;
const classes = new Uint8Array(256);
for (let code = 0; code < 256; code++) {
  const text = String.fromCharCode(code);
  if (/[A-Za-z]/.test(text)) classes[code] = letter;
  else if (/[0-9]/.test(text)) classes[code] = digit;
  else if (/[_\-./]/.test(text) || code >= 0x80) classes[code] = joint;
}

/** Returns an index in `levels`. */
export function detectLevel(source: JsonText, start: number, length: number): number {
  const { bytes } = source;
  const end = start + length;
  const at = skipSpace(bytes, start, end);
  if (at === end) return unknown;
  if (bytes[at] === brace) return levelOfObject(source, at, Math.min(end, at + fieldsBytesMax));
  if (bytes[at] === lessThan) {
    const level = levelOfSyslog(bytes, at + 1, end);
    if (level !== unknown) return level;
  }
  const klog = levelOfKlog(bytes, at, end);
  return klog === unknown ? levelOfLine(bytes, at, end) : klog;
}

/**
 * Returns the level that an OTLP KeyValue, [start, end), says, or 0: its key must be a level's field and its value a
 * string. Only the common form is looked at: key, then value, each shorter than 128 bytes.
 */
export function levelOfAttribute(bytes: Uint8Array, start: number, end: number): number {
  const keyEnd = start + 2 + bytes[start + 1];
  const textStart = keyEnd + 4;
  if (bytes[start] !== 0x0a || textStart > end || bytes[keyEnd] !== 0x12 || bytes[keyEnd + 2] !== 0x0a)
    return unknown;
  return fieldNames.find(bytes, start + 2, keyEnd) === 0 ? unknown : levelOfValue(bytes, textStart, end);
}

/** Walks the fields of a JSON object as far as they are in sight; nesting is not told apart. */
function levelOfObject(source: JsonText, start: number, end: number): number {
  const { bytes } = source;
  let at = start;
  for (;;) {
    while (at < end && bytes[at] !== quote) at++;
    const close = closingQuote(source, at + 1, end);
    if (close >= end) return unknown;
    const afterName = skipSpace(bytes, close + 1, end);
    if (bytes[afterName] !== colon) {
      at = close + 1;
      continue;
    }
    const value = skipSpace(bytes, afterName + 1, end);
    if (fieldNames.find(bytes, at + 1, close) !== 0) {
      const level = levelOfValue(bytes, value, end);
      if (level !== unknown) return level;
    }
    at = bytes[value] === quote ? closingQuote(source, value + 1, end) + 1 : value;
  }
}

/** A word, quoted or not, or the number that bunyan and pino write: 10 is trace, 60 is fatal. */
function levelOfValue(bytes: Uint8Array, start: number, end: number): number {
  const first = bytes[start] === quote ? start + 1 : start;
  let at = first;
  while (at < end && classes[bytes[at]] === letter) at++;
  if (at > first) return words.find(bytes, first, at);
  const isNumber = end - first >= 2 && bytes[first + 1] === 0x30 && classes[bytes[first + 2]] !== digit;
  return isNumber && bytes[first] >= 0x31 && bytes[first] <= 0x36 ? bytes[first] - 0x30 : unknown;
}

/** RFC 5424, 6.2.1: the low three bits of <n>, n at most 191, are the severity, from emergency down to debug. */
function levelOfSyslog(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let priority = 0;
  while (at < end && at < start + 3 && classes[bytes[at]] === digit)
    priority = priority * 10 + bytes[at++] - 0x30;
  if (at === start || at >= end || bytes[at] !== greaterThan || priority > syslogPriorityMax) return unknown;
  return syslogLevels[priority & 7];
}

/** Kubernetes' own format: a letter, four digits of a date, a space. */
function levelOfKlog(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < 6 || bytes[start + 5] !== 0x20) return unknown;
  for (let at = start + 1; at < start + 5; at++) if (classes[bytes[at]] !== digit) return unknown;
  if (bytes[start] === 0x49) return levels.indexOf('info');
  if (bytes[start] === 0x57) return levels.indexOf('warn');
  if (bytes[start] === 0x45) return levels.indexOf('error');
  return bytes[start] === 0x46 ? levels.indexOf('fatal') : unknown;
}

/** A line that begins with name=value is logfmt: there a field decides, and a word only where no field does. */
function levelOfLine(bytes: Uint8Array, start: number, lineEnd: number): number {
  const headEnd = Math.min(lineEnd, start + headBytesMax);
  let end = headEnd;
  let isLogfmt = false;
  let found = unknown;
  let at = start;
  while (at < end) {
    const first = at;
    let kinds = 0;
    while (at < end && classes[bytes[at]] !== 0) kinds |= 1 << classes[bytes[at++]];
    if (at === first) {
      at++;
      continue;
    }
    if (bytes[at] === equals && at < lineEnd) {
      if (first === start) {
        isLogfmt = true;
        end = Math.min(lineEnd, start + fieldsBytesMax);
      }
      if (fieldNames.find(bytes, first, at) !== 0) {
        const level = levelOfValue(bytes, at + 1, end);
        if (level !== unknown) return level;
      }
    } else if (found === unknown && kinds === 1 << letter && first < headEnd && isWhole(bytes, at, lineEnd)) {
      found = levelOfWord(bytes, first, at);
      if (found !== unknown && !isLogfmt) return found;
    }
  }
  return found;
}

/** A word that the head's end cuts may go on. */
function isWhole(bytes: Uint8Array, wordEnd: number, lineEnd: number): boolean {
  return wordEnd === lineEnd || classes[bytes[wordEnd]] === 0;
}

/** All in one case, or capitalised. */
function levelOfWord(bytes: Uint8Array, start: number, end: number): number {
  const level = words.find(bytes, start, end);
  if (level === unknown) return unknown;
  const firstCase = bytes[start] & 0x20;
  const restCase = bytes[start + 1] & 0x20;
  for (let at = start + 2; at < end; at++) if ((bytes[at] & 0x20) !== restCase) return unknown;
  if (restCase === 0) return firstCase === 0 ? level : unknown;
  return lowerCaseWords.find(bytes, start, end) === 0 ? unknown : level;
}
