/**
 * Parses RFC 3339 times to the nanosecond, from bytes.
 *
 *   '1970-01-01T00:00:01.5Z'  ->  low 1500000000, high 0, ms 1500
 *
 * Lines of one second share their first 19 bytes: the seconds are computed once and remembered. What it remembers
 * never changes what it returns.
 */
import type { ByteSource } from '#wire/protobuf/byte-writer.ts';

/** 'YYYY-MM-DDTHH:MM:SS' */
const secondsTextBytes = 19;
const fractionDigitsMax = 9;

const zero = 0x30;
const dot = 0x2e;
const plus = 0x2b;
const minus = 0x2d;
const upperZ = 0x5a;

export class TimestampParser {
  /**
   * The parsed time: Unix ns in two halves, and Unix ms modulo 2^32, which do for differences. All are signed 32-bit integers:
   * V8 keeps these in place, and makes an object of each number beyond.
   */
  low = 0;
  high = 0;
  ms = 0;
  readonly #seconds = new Int32Array(5);
  #secondsLow = 0;
  #secondsHigh = 0;
  #secondsMs = 0;
  #isFilled = false;

  /**
   * Parses the time that starts at `from`. Returns the position behind it, or -1 where there is none between 1970
   * and 2262 (what fits in a signed 64-bit count of ns).
   */
  parse({ bytes, view }: ByteSource, from: number, to: number): number {
    if (from + secondsTextBytes >= to) return -1;
    if (!this.#isRemembered(view, from) && !this.#parseSeconds(bytes, view, from)) return -1;
    let position = from + secondsTextBytes;
    let nanos = 0;
    if (bytes[position] === dot) {
      const start = ++position;
      for (; position < to && isDigit(bytes[position]); position++) {
        if (position - start < fractionDigitsMax) nanos = nanos * 10 + bytes[position] - zero;
      }
      if (position === start) return -1;
      for (let digits = position - start; digits < fractionDigitsMax; digits++) nanos *= 10;
    }
    const low = this.#secondsLow + nanos;
    this.low = low | 0;
    this.high = (this.#secondsHigh + (low > 0xffffffff ? 1 : 0)) | 0;
    this.ms = (this.#secondsMs + ((nanos / 1e6) | 0)) | 0;
    if (position >= to) return -1;
    if (bytes[position] === upperZ) return position + 1;
    return this.#parseZone(bytes, position, to);
  }

  #isRemembered(view: DataView, from: number): boolean {
    const seconds = this.#seconds;
    return (
      this.#isFilled &&
      view.getInt32(from + 12, true) === seconds[3] &&
      view.getInt32(from + 15, true) === seconds[4] &&
      view.getInt32(from + 8, true) === seconds[2] &&
      view.getInt32(from + 4, true) === seconds[1] &&
      view.getInt32(from, true) === seconds[0]
    );
  }

  #parseSeconds(bytes: Buffer, view: DataView, from: number): boolean {
    const text = bytes.toString('latin1', from, from + secondsTextBytes);
    const match = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)$/.exec(text);
    if (match === null) return false;
    const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    // A leap second is read as the second after it: Unix time has no other place for it.
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
      return false;
    const ms = Date.UTC(year, month - 1, day, hour, minute, second);
    if (ms <= 0 || year > 2261 || new Date(Date.UTC(year, month - 1, day)).getUTCDate() !== day) return false;
    this.#remember(ms);
    for (let index = 0; index < 4; index++) this.#seconds[index] = view.getInt32(from + 4 * index, true);
    this.#seconds[4] = view.getInt32(from + 15, true);
    return true;
  }

  #remember(ms: number): void {
    const nanos = BigInt(ms) * 1_000_000n;
    this.#secondsLow = Number(nanos & 0xffffffffn);
    this.#secondsHigh = Number(nanos >> 32n);
    this.#secondsMs = Number(BigInt.asIntN(32, BigInt(ms)));
    this.#isFilled = true;
  }

  /** '+hh:mm' or '-hh:mm': CRI-O writes local times. */
  #parseZone(bytes: Buffer, position: number, to: number): number {
    const sign = bytes[position];
    if ((sign !== plus && sign !== minus) || position + 6 > to) return -1;
    const text = bytes.toString('latin1', position + 1, position + 6);
    if (!/^([01]\d|2[0-3]):[0-5]\d$/.test(text)) return -1;
    const minutes = Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
    const offsetMs = (sign === plus ? -minutes : minutes) * 60_000;
    if (offsetMs === 0) return position + 6;
    const nanos =
      ((BigInt(this.high) << 32n) | BigInt.asUintN(32, BigInt(this.low))) + BigInt(offsetMs) * 1_000_000n;
    if (nanos <= 0n) return -1;
    this.low = Number(BigInt.asIntN(32, nanos));
    this.high = Number(nanos >> 32n);
    this.ms = (this.ms + offsetMs) | 0;
    return position + 6;
  }
}

function isDigit(byte: number): boolean {
  return byte >= zero && byte <= 0x39;
}
