/**
 * When records are due: a rate that does not drift, shared evenly by senders.
 *
 *   pace of 1000/s for 30 s, sender 0 of 3, after 1 s  ->  334 records due; after 31 s 10,000
 *
 * What is due follows from the time that has passed, not from how often somebody asked: a tick that comes late is made
 * up for by the next.
 */

export interface Pace {
  /** Records a second of all senders together. */
  readonly ratePerSecond: number;
  readonly seconds: number;
  readonly senderCount: number;
}

/** Returns how many records sender `index` should have written `elapsedMs` after the start, in all. */
export function recordsDue(pace: Pace, index: number, elapsedMs: number): number {
  const seconds = Math.min(Math.max(elapsedMs, 0) / 1000, pace.seconds);
  const total = Math.floor(pace.ratePerSecond * seconds);
  return Math.floor((total + pace.senderCount - 1 - index) / pace.senderCount);
}

/** Returns how many records sender `index` writes in the whole load. */
export function recordsPlanned(pace: Pace, index: number): number {
  return recordsDue(pace, index, pace.seconds * 1000);
}
