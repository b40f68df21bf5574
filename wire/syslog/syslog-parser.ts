/**
 * Finds the parts of one syslog message, whichever of the two formats it has. Content is not looked at.
 *
 *   RFC 5424  SYSLOG-MSG => '<' PRIVAL '>' VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP SD [SP MSG]
 *   RFC 3164             => '<' PRIVAL '>' TIMESTAMP SP [HOSTNAME SP] TAG ['[' PID ']'] [':'] [SP] CONTENT
 *
 * RFC 3164 describes what was seen, and senders differ: its time may be RFC 3339 (rsyslog), and its host name absent (what
 * writes to /dev/log, Docker). A message that has neither form is kept whole, with the reason.
 */
import type { UnixNano } from '../unix-nano.ts';
import type { ByteSpan, SyslogMessage, SyslogProblem } from './syslog-message.ts';
import type { SyslogTime } from './syslog-time.ts';

const lessThan = 0x3c;
const greaterThan = 0x3e;
const space = 0x20;
const colon = 0x3a;
const dash = 0x2d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const quote = 0x22;
const backslash = 0x5c;
/** Facility 23, severity 7. */
const priorityMax = 191;
/** A longer first word is text, not a tag: RFC 5424 allows 48 for an application's name. */
const tagBytesMax = 64;

/**
 * Parses bytes[from, to), which must be valid UTF-8. `nowMs`, when the message arrived, decides the year of RFC 3164 times.
 * Whatever the bytes are, the message is filled, and its body lies in them.
 */
export function parseSyslog(
  bytes: Buffer,
  from: number,
  to: number,
  nowMs: number,
  clock: SyslogTime,
  message: SyslogMessage,
): void {
  const end = trimEnd(bytes, from, to);
  clear(message);
  const at = readPriority(bytes, from, end, message);
  const problem =
    at < 0
      ? 'no_priority'
      : bytes[at] === 0x31 && bytes[at + 1] === space
        ? readRfc5424(bytes, at + 2, end, clock, message)
        : readRfc3164(bytes, at, end, nowMs, clock, message);
  if (problem !== '') keepRaw(message, problem, from, end);
}

/** Senders end messages with a newline, a NUL, or both: neither is the message's. */
function trimEnd(bytes: Buffer, from: number, to: number): number {
  let end = to;
  while (end > from && (bytes[end - 1] === 0x0a || bytes[end - 1] === 0x0d || bytes[end - 1] === 0)) end--;
  return end;
}

function clear(message: SyslogMessage): void {
  message.problem = '';
  message.facility = -1;
  message.severity = -1;
  clearHeader(message);
}

function clearHeader(message: SyslogMessage): void {
  message.time.low = 0;
  message.time.high = 0;
  setSpan(message.host, 0, 0);
  setSpan(message.app, 0, 0);
  setSpan(message.processId, 0, 0);
  setSpan(message.messageId, 0, 0);
  setSpan(message.structuredData, 0, 0);
}

/** The priority of a message stays known, whatever is wrong behind it. */
function keepRaw(message: SyslogMessage, problem: SyslogProblem, from: number, end: number): void {
  clearHeader(message);
  message.problem = problem;
  setSpan(message.body, from, end);
}

function setSpan(span: ByteSpan, from: number, to: number): void {
  span.from = from;
  span.to = to;
}

/** Returns the position behind '<PRIVAL>', or -1. */
function readPriority(bytes: Buffer, from: number, end: number, message: SyslogMessage): number {
  if (from >= end || bytes[from] !== lessThan) return -1;
  let value = 0;
  let at = from + 1;
  for (; at < end && at < from + 4; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  if (at === from + 1 || at >= end || bytes[at] !== greaterThan || value > priorityMax) return -1;
  message.facility = value >> 3;
  message.severity = value & 7;
  return at + 1;
}

function readRfc5424(
  bytes: Buffer,
  from: number,
  end: number,
  clock: SyslogTime,
  message: SyslogMessage,
): SyslogProblem {
  let at = readNil(bytes, from, end);
  if (at < 0) at = clock.readRfc3339(bytes, from, end, message.time);
  if (at < 0 || bytes[at] !== space || at >= end) return 'no_time';
  at = readField(bytes, at + 1, end, message.host);
  at = readField(bytes, at, end, message.app);
  at = readField(bytes, at, end, message.processId);
  at = readField(bytes, at, end, message.messageId);
  // A field at the end leaves nothing for the next: each of the four must have had a space behind it.
  if (at > end) return 'header';
  const nil = readNil(bytes, at, end);
  const dataEnd = nil >= 0 ? nil : skipStructuredData(bytes, at, end);
  if (dataEnd < 0 || (dataEnd < end && bytes[dataEnd] !== space)) return 'structured_data';
  if (nil < 0) setSpan(message.structuredData, at, dataEnd);
  let bodyFrom = Math.min(dataEnd + 1, end);
  // RFC 5424 6.4: a byte order mark says that UTF-8 follows, which all of our bodies are.
  if (bytes[bodyFrom] === 0xef && bytes[bodyFrom + 1] === 0xbb && bytes[bodyFrom + 2] === 0xbf) bodyFrom += 3;
  setSpan(message.body, Math.min(bodyFrom, end), end);
  return '';
}

/** The position behind a NILVALUE that is a whole field, or -1. */
function readNil(bytes: Buffer, from: number, end: number): number {
  return from < end && bytes[from] === dash && (from + 1 === end || bytes[from + 1] === space)
    ? from + 1
    : -1;
}

/** Sets the field at `from`, and returns the position behind the space that ends it; more than `end` where there is none. */
function readField(bytes: Buffer, from: number, end: number, span: ByteSpan): number {
  let at = from;
  while (at < end && bytes[at] !== space) at++;
  if (at >= end || at === from) return end + 1;
  const isNil = at === from + 1 && bytes[from] === dash;
  setSpan(span, from, isNil ? from : at);
  return at + 1;
}

/** The position behind the last ']' of the elements at `from`, or -1 where they do not end. */
function skipStructuredData(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && bytes[at] === openBracket) {
    let isQuoted = false;
    for (at++; at < end && (isQuoted || bytes[at] !== closeBracket); at++) {
      if (bytes[at] === quote) isQuoted = !isQuoted;
      else if (isQuoted && bytes[at] === backslash) at++;
    }
    if (at >= end) return -1;
    at++;
  }
  return at === from ? -1 : at;
}

function readRfc3164(
  bytes: Buffer,
  from: number,
  end: number,
  nowMs: number,
  clock: SyslogTime,
  message: SyslogMessage,
): SyslogProblem {
  let at = readAnyTime(bytes, from, end, nowMs, clock, message.time);
  if (at < 0) return 'no_time';
  // Some network devices end the time with a colon.
  if (bytes[at] === colon) at++;
  if (at < end && bytes[at] !== space) return 'no_time';
  at = Math.min(at + 1, end);
  let word = at;
  while (word < end && bytes[word] !== space && bytes[word] !== openBracket) word++;
  // A word that is no tag by itself is the host's name, where another follows.
  if (word < end && bytes[word] === space && bytes[word - 1] !== colon && word > at) {
    setSpan(message.host, at, word);
    at = word + 1;
  }
  readTag(bytes, at, end, message);
  return '';
}

function readAnyTime(
  bytes: Buffer,
  from: number,
  end: number,
  nowMs: number,
  clock: SyslogTime,
  time: UnixNano,
): number {
  const at = clock.readRfc3164(bytes, from, end, nowMs, time);
  return at >= 0 ? at : clock.readRfc3339(bytes, from, end, time);
}

/** 'app[pid]: text', 'app: text', or text alone. */
function readTag(bytes: Buffer, from: number, end: number, message: SyslogMessage): void {
  setSpan(message.body, from, end);
  const limit = Math.min(end, from + tagBytesMax);
  let at = from;
  while (at < limit && bytes[at] !== space && bytes[at] !== colon && bytes[at] !== openBracket) at++;
  if (at === from || at >= limit || bytes[at] === space) return;
  const appEnd = at;
  if (bytes[at] === openBracket) {
    const pidFrom = ++at;
    while (at < limit && bytes[at] !== closeBracket && bytes[at] !== space) at++;
    if (at >= limit || bytes[at] !== closeBracket) return;
    setSpan(message.processId, pidFrom, at);
    at++;
  }
  setSpan(message.app, from, appEnd);
  if (bytes[at] === colon && at < end) at++;
  if (bytes[at] === space && at < end) at++;
  setSpan(message.body, at, end);
}
