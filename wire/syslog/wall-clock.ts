/**
 * What a clock on the wall of a time zone means in Unix time.
 *
 *   new WallClock('Europe/Berlin').unixSeconds(<2026-07-01 12:00:00 as if it were UTC>)  ->  2026-07-01 10:00:00 UTC
 *
 * The rules come from the runtime's own copy of the IANA database. They are asked once for each quarter of an hour that
 * occurs: no zone changes its offset within one.
 */
import { ConfigError } from '#model/errors.ts';

const quarterSeconds = 900;
/** Senders with clocks that are wrong all over the year: the memory is emptied beyond. */
const rememberedMax = 4096;

export class WallClock {
  readonly #format: Intl.DateTimeFormat | undefined;
  /** By quarter of an hour of the wall's clock: seconds to take off. */
  readonly #offsets = new Map<number, number>();

  /** `zone` is an IANA name, 'UTC', or 'local' for the zone of this process. Throws ConfigError for any other. */
  constructor(zone: string) {
    if (zone === 'UTC') return;
    try {
      this.#format = new Intl.DateTimeFormat('en-US', {
        ...(zone === 'local' ? {} : { timeZone: zone }),
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      });
    } catch (error) {
      throw new ConfigError(
        `the time zone ${zone} is unknown: give an IANA name such as Europe/Berlin, or local, or UTC`,
        {
          cause: error,
        },
      );
    }
  }

  /**
   * `wallSeconds` is what the wall shows, counted as if it were UTC. A time that occurs twice, as clocks are turned back,
   * is the first of both; one that is skipped is as far behind the change as it would have been.
   */
  unixSeconds(wallSeconds: number): number {
    if (this.#format === undefined) return wallSeconds;
    const quarter = Math.floor(wallSeconds / quarterSeconds);
    let offset = this.#offsets.get(quarter);
    if (offset === undefined) {
      offset = this.#findOffset(quarter * quarterSeconds);
      if (this.#offsets.size >= rememberedMax) this.#offsets.clear();
      this.#offsets.set(quarter, offset);
    }
    return wallSeconds - offset;
  }

  #findOffset(wallSeconds: number): number {
    // The offsets of a day before and after are those on both sides of a change, if there is one.
    const before = this.#offsetAt(wallSeconds - 86_400);
    const after = this.#offsetAt(wallSeconds + 86_400);
    if (this.#offsetAt(wallSeconds - before) === before) return before;
    return this.#offsetAt(wallSeconds - after) === after ? after : before;
  }

  /** What the zone's clock is ahead of UTC at a Unix time, in seconds. */
  #offsetAt(unixSeconds: number): number {
    const part: Record<string, number> = {};
    for (const { type, value } of this.#format!.formatToParts(unixSeconds * 1000)) part[type] = Number(value);
    const { year, month, day, hour, minute, second } = part as Record<string, number>;
    return Date.UTC(year!, month! - 1, day, hour, minute, second) / 1000 - unixSeconds;
  }
}
