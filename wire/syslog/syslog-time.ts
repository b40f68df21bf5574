/**
 * The times of syslog messages, to the nanosecond, from bytes: RFC 3339 (RFC 5424 6.2.3, and what relays write into RFC 3164
 * headers), and RFC 3164's, which says neither year nor zone.
 *
 *   '2026-10-11T22:14:15.003Z '  ->  that time
 *   'Oct 11 22:14:15 '           ->  in the given zone, in the last year that does not put it far ahead
 *   'Oct 11 2026 22:14:15.5 '    ->  as some network devices write it
 */
import { setUnixNano, type UnixNano } from '../unix-nano.ts';
import type { WallClock } from './wall-clock.ts';

const monthNames = 'JanFebMarAprMayJunJulAugSepOctNovDec';
const zero = 0x30;
const colon = 0x3a;
const dash = 0x2d;
const dot = 0x2e;
const plus = 0x2b;
const space = 0x20;
/** Unix seconds that OTLP's unsigned nanoseconds hold, with a day of margin for zones. */
const secondsMax = 18_446_000_000;
/** How far ahead of ours a sender's clock may be, zones included: a time without a year is of the year before beyond. */
const aheadMsMax = 7 * 86_400_000;
/** Years between two 29ths of February, where the end of a century is in between. */
const leapYearGap = 8;

/** Reads times of messages that arrive now. Not to be shared between streams that interleave within a message. */
export class SyslogTime {
  readonly #clock: WallClock;
  /** Behind the digits that were read last, and their value; -1 where there were none. */
  #position = 0;
  #nanos = 0;

  constructor(clock: WallClock) {
    this.#clock = clock;
  }

  /** Fills `time` and returns the position behind it, or -1 where no RFC 3339 time with a zone begins at `from`. */
  readRfc3339(bytes: Buffer, from: number, to: number, time: UnixNano): number {
    if (to - from < 20 || bytes[from + 4] !== dash || bytes[from + 7] !== dash) return -1;
    // RFC 3339 5.6 allows 't', and a space where people read it; the space would be a new field here.
    if ((bytes[from + 10]! | 0x20) !== 0x74) return -1;
    const year = digits(bytes, from, 4);
    const month = digits(bytes, from + 5, 2);
    const day = digits(bytes, from + 8, 2);
    const second = this.#readClock(bytes, from + 11, to);
    if (second < 0 || year < 1970 || !isDate(year, month, day)) return -1;
    const offset = this.#readOffset(bytes, to);
    if (Number.isNaN(offset)) return -1;
    return this.#set(time, Date.UTC(year, month - 1, day) / 1000 + second - offset);
  }

  /** As readRfc3339, for 'Mmm dd hh:mm:ss' with an optional year and fraction. `nowMs` is when the message arrived. */
  readRfc3164(bytes: Buffer, from: number, to: number, nowMs: number, time: UnixNano): number {
    const month = monthAt(bytes, from);
    if (month === 0 || to - from < 15 || bytes[from + 3] !== space) return -1;
    // A day below ten has a space before it, or, as some write it, a zero or nothing.
    let at = from + 4;
    if (bytes[at] === space) at++;
    let day = digits(bytes, at, 2);
    if (day < 0) day = digits(bytes, at++, 1);
    else at += 2;
    if (day < 1 || bytes[at] !== space) return -1;
    const written = digits(bytes, at + 1, 4);
    if (written >= 0) at += 5;
    const second = bytes[at] === space ? this.#readClock(bytes, at + 1, to) : -1;
    if (second < 0) return -1;
    const year = written >= 0 ? written : this.#latestYear(month, day, second, nowMs);
    if (year < 1970 || !isDate(year, month, day)) return -1;
    return this.#set(time, this.#clock.unixSeconds(Date.UTC(year, month - 1, day) / 1000 + second));
  }

  /** Seconds of 'hh:mm:ss', whose fraction goes to #nanos; -1 where there is none. A leap second is the one before. */
  #readClock(bytes: Buffer, from: number, to: number): number {
    if (from + 8 > to || bytes[from + 2] !== colon || bytes[from + 5] !== colon) return -1;
    const hour = digits(bytes, from, 2);
    const minute = digits(bytes, from + 3, 2);
    const second = digits(bytes, from + 6, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return -1;
    this.#nanos = 0;
    let at = from + 8;
    if (bytes[at] === dot) {
      let unit = 100_000_000;
      const first = ++at;
      for (; at < to && isDigit(bytes[at]!); at++, unit /= 10) {
        if (unit >= 1) this.#nanos += (bytes[at]! - zero) * unit;
      }
      if (at === first) return -1;
    }
    this.#position = at;
    return hour * 3600 + minute * 60 + Math.min(second, 59);
  }

  /** Seconds of 'Z' or '+hh:mm', NaN where there is neither. */
  #readOffset(bytes: Buffer, to: number): number {
    const at = this.#position;
    if (at < to && (bytes[at]! | 0x20) === 0x7a) {
      this.#position = at + 1;
      return 0;
    }
    if (at + 6 > to || bytes[at + 3] !== colon) return Number.NaN;
    const sign = bytes[at] === plus ? 1 : bytes[at] === dash ? -1 : 0;
    const hours = digits(bytes, at + 1, 2);
    const minutes = digits(bytes, at + 4, 2);
    if (sign === 0 || hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return Number.NaN;
    this.#position = at + 6;
    return sign * (hours * 3600 + minutes * 60);
  }

  #set(time: UnixNano, seconds: number): number {
    if (seconds < 0 || seconds > secondsMax) return -1;
    setUnixNano(time, seconds, this.#nanos);
    return this.#position;
  }

  /** A message of December that comes in January is last year's; a clock may go ahead, but not by much. */
  #latestYear(month: number, day: number, second: number, nowMs: number): number {
    const year = new Date(nowMs).getUTCFullYear();
    for (let candidate = year + 1; candidate >= year - leapYearGap; candidate--) {
      if (!isDate(candidate, month, day)) continue;
      if (Date.UTC(candidate, month - 1, day) + second * 1000 <= nowMs + aheadMsMax) return candidate;
    }
    return -1;
  }
}

function isDigit(byte: number): boolean {
  return byte >= zero && byte <= zero + 9;
}

/** The number of `count` digits at `from`, or -1 where one of them is none. */
function digits(bytes: Buffer, from: number, count: number): number {
  let value = 0;
  for (let at = from; at < from + count; at++) {
    const byte = bytes[at];
    if (byte === undefined || !isDigit(byte)) return -1;
    value = value * 10 + byte - zero;
  }
  return value;
}

/** 1 to 12, or 0 where no English month name begins at `from`. */
function monthAt(bytes: Buffer, from: number): number {
  for (let month = 0; month < 12; month++) {
    const name = month * 3;
    if (
      bytes[from] === monthNames.charCodeAt(name) &&
      bytes[from + 1] === monthNames.charCodeAt(name + 1) &&
      bytes[from + 2] === monthNames.charCodeAt(name + 2)
    ) {
      return month + 1;
    }
  }
  return 0;
}

function isDate(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  if (day <= 28) return true;
  return day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}
