/** Waits until a store has what it was sent, or until nothing comes any more: agents and queues take their time. */
import { setTimeout as delay } from 'node:timers/promises';

export interface SettleOptions {
  /** How many records of the run the store has now, in all. */
  readonly count: () => Promise<number>;
  /** It is settled when there are so many. */
  readonly expected: number;
  readonly settleMs: number;
}

const intervalMsMin = 500;

/**
 * Resolves with 'reached' when the count is there, 'still' when it has not grown for a quarter of the time, and 'late'
 * when the time is over while it grows.
 */
export async function settle({
  count,
  expected,
  settleMs,
}: SettleOptions): Promise<'reached' | 'still' | 'late'> {
  const startedMs = performance.now();
  let [best, grewMs] = [-1, startedMs];
  for (;;) {
    const askedMs = performance.now();
    const now = await count();
    const answeredMs = performance.now();
    if (now >= expected) return 'reached';
    if (now > best) [best, grewMs] = [now, answeredMs];
    if (answeredMs - grewMs >= settleMs / 4) return 'still';
    if (answeredMs - startedMs >= settleMs) return 'late';
    // Counting a large run is work for the store: it has as much time without it.
    await delay(Math.min(Math.max(answeredMs - askedMs, intervalMsMin), settleMs / 4));
  }
}
