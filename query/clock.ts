/** Time as schedulers see it, so that tests can drive it. */
import { setTimeout as sleepReal } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Resolves after `delayMs`; rejects with the signal's reason where it aborts first. */
  sleep(delayMs: number, abort: AbortSignal): Promise<void>;
}

/** The longest delay that a Node timer keeps; longer ones would fire at once. */
const timerDelayMsMax = 2_147_483_647;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: (delayMs, abort) =>
    sleepReal(Math.min(Math.max(delayMs, 0), timerDelayMsMax), undefined, { signal: abort }),
};
