/**
 * A pause that something else can end early. A wake-up that comes before the pause ends it at once, so none is missed.
 */
export class WakeUp {
  #isDue = false;
  #end: (() => void) | undefined;

  /** Ends the running pause, or the next one. */
  call(): void {
    this.#isDue = true;
    this.#end?.();
  }

  /** Resolves when called, or after `waitMs`. */
  async wait(waitMs: number): Promise<void> {
    if (!this.#isDue) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, waitMs);
      this.#end = resolve;
      await promise;
      clearTimeout(timer);
      this.#end = undefined;
    }
    this.#isDue = false;
  }
}
