/**
 * Who may open a run now: the bytes that all partitions hold inflated are bounded, and so is how many runs are under way.
 * First come, first served, and a partition stands in the queue once: a partition with a flood in it gets one run where
 * each of the others gets one. While a partition waits, what is behind it in the log gathers into a larger run.
 */

export interface GateLimits {
  /** Of messages that are inflated, and of the copies that a thread gets of them. */
  readonly inflatedBytesMax: number;
  /** More than this many inserts at a time are no faster, and their runs are smaller. */
  readonly runsMax: number;
}

/** A place inside. Must be left; leaving twice is allowed. */
export interface GatePass {
  /** Gives the place back, and keeps `bytes` of memory for now. */
  rest(bytes: number): void;
  leave(): void;
}

interface Waiting {
  readonly bytes: () => number;
  readonly admit: (pass: GatePass) => void;
}

/** A message is held once as it was inflated, and once as the request that a thread gets. */
const copies = 2;

export class RunGate {
  readonly #limits: GateLimits;
  #waiting: Waiting[] = [];
  #heldBytes = 0;
  #runCount = 0;

  constructor(limits: GateLimits) {
    this.#limits = limits;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * Resolves when there is room for so many inflated bytes, which are asked for again while it waits, and at once for the
   * only run. Rejects with the reason of `abort`.
   */
  async enter(plainBytes: () => number, abort: AbortSignal): Promise<GatePass> {
    abort.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<GatePass>();
    const waiting: Waiting = { bytes: () => plainBytes() * copies, admit: resolve };
    const onAbort = (): void => {
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
      reject(abort.reason);
      this.#admit();
    };
    abort.addEventListener('abort', onAbort, { once: true });
    this.#waiting.push(waiting);
    this.#admit();
    try {
      const pass = await promise;
      if (!abort.aborted) return pass;
      // It was let in and has gone meanwhile: nobody would leave for it.
      pass.leave();
      throw abort.reason;
    } finally {
      abort.removeEventListener('abort', onAbort);
    }
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const bytes = next.bytes();
      const hasRoom =
        this.#runCount < this.#limits.runsMax && this.#heldBytes + bytes <= this.#limits.inflatedBytesMax;
      if (!hasRoom && this.#runCount > 0) return;
      this.#waiting.shift();
      next.admit(this.#pass(bytes));
    }
  }

  #pass(bytes: number): GatePass {
    let held = bytes;
    let isInside = true;
    this.#heldBytes += bytes;
    this.#runCount++;
    const rest = (kept: number): void => {
      this.#heldBytes += kept - held;
      held = kept;
      if (isInside) this.#runCount--;
      isInside = false;
      this.#admit();
    };
    return { rest, leave: () => rest(0) };
  }
}
