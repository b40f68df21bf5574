/**
 * Which times are stored, and what stands in for a missing one. Times are unsigned 64-bit nanoseconds since 1970 in
 * two halves, as protobuf reads them and DateTime64(9) stores them.
 */
export const twoTo32 = 0x1_0000_0000;
/** One step of the upper half. */
export const highUnitMs = twoTo32 / 1e6;
/** DateTime counts seconds in 32 bits: it ends in February 2106. */
const secondsMax = 0xffff_ffff;

/**
 * Clocks and time zones are wrong by less. What is further ahead would stay until its time has come, and every day or
 * window of it is a partition of its own.
 */
const aheadMsMax = 86_400_000;

/** Why a time is refused, or undefined where it is stored. */
export type TimeRefusal = 'too_old' | 'too_far_ahead' | 'out_of_range' | undefined;

export class RecordWindow {
  /** Arrival time, in nanoseconds. */
  nowLow = 0;
  nowHigh = 0;
  nowUnixMs = 0;
  #oldestUnixMs = 0;
  #newestUnixMs = 0;
  /** Upper halves of nanosecond times that are stored, whatever the lower half. */
  #highFirst = 0;
  #highEnd = 0;

  /** `oldestUnixMs` may be -Infinity: everything from 1970 on is kept. */
  begin(nowUnixMs: number, oldestUnixMs: number): void {
    const nanos = BigInt(Math.max(0, Math.round(nowUnixMs))) * 1_000_000n;
    this.nowLow = Number(nanos & 0xffffffffn);
    this.nowHigh = Number(nanos >> 32n);
    this.nowUnixMs = nowUnixMs;
    this.#oldestUnixMs = oldestUnixMs;
    this.#newestUnixMs = Math.min(nowUnixMs + aheadMsMax, secondsMax * 1000);
    this.#highFirst = Math.max(0, Math.floor(oldestUnixMs / highUnitMs) + 1);
    this.#highEnd = Math.floor(this.#newestUnixMs / highUnitMs);
  }

  refusalOfNanos(low: number, high: number): TimeRefusal {
    if (high >= this.#highFirst && high < this.#highEnd) return undefined;
    return this.refusalOfMs(nanosToMs(low, high));
  }

  refusalOfMs(unixMs: number): TimeRefusal {
    if (unixMs < 0 || unixMs >= (secondsMax + 1) * 1000) return 'out_of_range';
    if (unixMs > this.#newestUnixMs) return 'too_far_ahead';
    return unixMs < this.#oldestUnixMs ? 'too_old' : undefined;
  }

  /** One sentence for the sender. */
  describe(refusal: NonNullable<TimeRefusal>, unixMs: number): string {
    if (refusal === 'out_of_range') return `the time ${unixMs} ms is not between 1970 and 2106`;
    if (refusal === 'too_far_ahead') {
      return `the time ${dateText(unixMs)} is more than a day ahead of the collector's clock, ${dateText(this.nowUnixMs)}`;
    }
    return `the time ${dateText(unixMs)} is before the oldest that is kept, ${dateText(this.#oldestUnixMs)}`;
  }
}

function dateText(unixMs: number): string {
  const date = new Date(unixMs);
  return Number.isNaN(date.getTime()) ? `${unixMs} ms` : date.toISOString();
}

/** Nanoseconds to whole milliseconds since 1970, exact below 2106. */
export function nanosToMs(low: number, high: number): number {
  // high * 2^32 = high * 4294 ms + high * 967296 ns.
  return high * 4294 + Math.floor((high * 967_296 + low) / 1e6);
}

/** Nanoseconds to whole seconds since 1970, exact below 2106. */
export function nanosToSeconds(low: number, high: number): number {
  return Math.floor(nanosToMs(low, high) / 1000);
}
