/** How long to wait before the next try: doubled from try to try, up to a limit, and spread so that nodes do not come together. */

export interface RetryDelays {
  readonly msMin: number;
  readonly msMax: number;
}

export const retryDelaysDefault: RetryDelays = { msMin: 1000, msMax: 30_000 };

/** `failures` counts from 1; `random` is from 0 to 1. Returns between half of the delay and all of it. */
export function retryDelayMs({ msMin, msMax }: RetryDelays, failures: number, random: number): number {
  const full = Math.min(msMax, msMin * 2 ** Math.min(failures - 1, 30));
  return full / 2 + (full / 2) * random;
}
