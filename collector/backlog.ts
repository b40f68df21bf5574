/**
 * Requests that were taken and wait for a thread. While there are many bytes of them, receivers keep what comes next
 * compressed: the memory that a slow store costs is then a fraction.
 */
export class Backlog {
  readonly #bytesMax: number;
  readonly #waiting = new Set<() => void>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Bytes that are on their way to a thread, or were refused. */
  remove(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#bytes < this.#bytesMax) this.#wake();
  }

  /** Resolves when little waits, or at once. Rejects with the reason of `abort`. */
  async whenRoom(abort: AbortSignal): Promise<void> {
    while (this.#bytes >= this.#bytesMax) {
      abort.throwIfAborted();
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      abort.addEventListener('abort', resolve as () => void);
      await promise;
      abort.removeEventListener('abort', resolve as () => void);
      this.#waiting.delete(resolve);
    }
    abort.throwIfAborted();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
  }
}
