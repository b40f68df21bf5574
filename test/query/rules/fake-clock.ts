/** A clock that moves only when a test says so. */
import { setImmediate as nextTurn, setTimeout as sleepReal } from 'node:timers/promises';
import type { Clock } from '#query/clock.ts';

interface Sleeper {
  readonly atMs: number;
  wake(): void;
}

export class FakeClock implements Clock {
  #nowMs: number;
  #sleepers: Sleeper[] = [];

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  get sleeperCount(): number {
    return this.#sleepers.length;
  }

  sleep(delayMs: number, abort: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (abort.aborted) return reject(abort.reason);
      const sleeper: Sleeper = { atMs: this.#nowMs + delayMs, wake: resolve };
      this.#sleepers.push(sleeper);
      abort.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(abort.reason);
      });
    });
  }

  /** Moves time forward; whoever sleeps wakes at its own time, and gets turns of the event loop to go on. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.#nowMs + byMs;
    for (;;) {
      const due = this.#sleepers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#sleepers = this.#sleepers.filter((other) => other !== due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.wake();
      await turns();
    }
    this.#nowMs = endMs;
    await turns();
  }

  /** Lets time pass while somebody works: nobody wakes. */
  jump(byMs: number): void {
    this.#nowMs += byMs;
  }
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await nextTurn();
}

/** Resolves when the check holds; rejects with `what` after 15 seconds. */
export async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + 15_000;
  while (!(await check())) {
    if (Date.now() > deadlineMs) throw new Error(`waited in vain until ${what}`);
    await sleepReal(5);
  }
}
