/**
 * How long ago the coordinator last heard of us, at most. Two clocks, and the one that has gone further counts: the time of
 * day may be set back, and the monotonic one stands still while the machine sleeps.
 */

/** When something was sent, by both clocks. */
export interface SeatTime {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

export class SeatClock {
  readonly #timeoutMs: number;
  readonly #read: () => SeatTime;
  #last: SeatTime | undefined;

  constructor(timeoutMs: number, read: () => SeatTime = readClocks) {
    this.#timeoutMs = timeoutMs;
    this.#read = read;
  }

  now(): SeatTime {
    return this.#read();
  }

  /** The coordinator has answered what was sent at `sent`. */
  heard(sent: SeatTime): void {
    this.#last = sent;
  }

  /** Whether the coordinator has surely not given the seat away yet. */
  isHeld(): boolean {
    return this.leftMs() > 0;
  }

  /** How long it surely will not, in milliseconds; nothing before it was heard of. */
  leftMs(): number {
    if (this.#last === undefined) return 0;
    const { wallMs, monotonicMs } = this.#read();
    return this.#timeoutMs - Math.max(wallMs - this.#last.wallMs, monotonicMs - this.#last.monotonicMs);
  }
}

function readClocks(): SeatTime {
  return { wallMs: Date.now(), monotonicMs: performance.now() };
}
