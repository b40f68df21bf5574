/** Why the Kafka producer waits: per topic or partition what went wrong, since when, and when it tries again. */

export interface Trouble {
  readonly message: string;
  readonly sinceMs: number;
  readonly nextTryMs: number;
}

export class KafkaTroubles {
  readonly #troubles = new Map<string, Trouble>();

  /** Returns whether this is new: another error than before, or the first. */
  set(place: string, message: string, pauseMs: number): boolean {
    const now = Date.now();
    const before = this.#troubles.get(place);
    this.#troubles.set(place, { message, sinceMs: before?.sinceMs ?? now, nextTryMs: now + pauseMs });
    return before?.message !== message;
  }

  clear(place: string): void {
    this.#troubles.delete(place);
  }

  get count(): number {
    return this.#troubles.size;
  }

  /** When the oldest trouble began. */
  get sinceMs(): number | undefined {
    const times = [...this.#troubles.values()].map(({ sinceMs }) => sinceMs);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** 'ok', or what is wrong with the place that has waited longest, and how many others wait. */
  describe(): string {
    const [first] = [...this.#troubles].sort(([, a], [, b]) => a.sinceMs - b.sinceMs);
    if (first === undefined) return 'ok';
    const [place, { message, sinceMs, nextTryMs }] = first;
    const others = this.#troubles.size - 1;
    return (
      `kafka ${place}: ${message} (since ${time(sinceMs)}, next try ${time(nextTryMs)}` +
      `${others === 0 ? '' : `; ${others} more wait`})`
    );
  }
}

function time(unixMs: number): string {
  return new Date(unixMs).toISOString().replace(/\.\d+Z$/, 'Z');
}
