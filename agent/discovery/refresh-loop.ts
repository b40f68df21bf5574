/**
 * Discoveries that ask again and again: an answer replaces the one before, an error keeps it and is told.
 *
 *   startRefreshing({ intervalMs: 60_000, refresh: () => listContainers(), onGroups })  ->  Discovery
 */
import { setTimeout as delay } from 'node:timers/promises';
import { errorMessage } from '#model/errors.ts';
import type { Discovery, TargetGroup } from './target-group.ts';

export interface RefreshOptions {
  readonly intervalMs: number;
  /** Asks once. Undefined: nothing has changed. Rejects in words for a person. */
  readonly refresh: (abort: AbortSignal) => Promise<readonly TargetGroup[] | undefined>;
  readonly onGroups: (groups: readonly TargetGroup[]) => void;
}

/** Targets of one discovery: more is a mistake in a query, and would not fit in one agent. */
const targetsMax = 100_000;
/** Until the first answer is there, errors are not waited for longer than this. */
const firstRetryMs = 5_000;

/** Asks at once, then every intervalMs. */
export function startRefreshing(options: RefreshOptions): Discovery {
  const abort = new AbortController();
  let problem = '';
  let last: string | undefined;
  const refreshOnce = async (): Promise<void> => {
    try {
      const groups = await options.refresh(abort.signal);
      problem = '';
      if (groups === undefined) return;
      const targets = groups.reduce((sum, group) => sum + group.targets.length, 0);
      if (targets > targetsMax) throw new Error(`${targets} targets are more than ${targetsMax}`);
      const text = JSON.stringify(groups);
      if (text === last || abort.signal.aborted) return;
      last = text;
      options.onGroups(groups);
    } catch (error) {
      problem = errorMessage(error);
    }
  };
  const run = async (): Promise<void> => {
    while (!abort.signal.aborted) {
      await refreshOnce();
      const waitMs = last === undefined ? Math.min(firstRetryMs, options.intervalMs) : options.intervalMs;
      await delay(waitMs, undefined, { signal: abort.signal, ref: false }).catch(() => undefined); // Stopped.
    }
  };
  const running = run();
  return {
    problem: () => problem,
    async stop() {
      abort.abort(new Error('the discovery stops'));
      await running;
    },
  };
}
