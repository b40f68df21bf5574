/**
 * Bounds what is under way: bytes and requests. Whoever comes to a full gate waits, first come, first served; that is how a
 * slow broker stops the sources. One request larger than all bytes goes when nothing else is under way.
 */
export class ByteGate {
  readonly #bytesMax: number;
  readonly #requestsMax: number;
  readonly #waiting: { readonly bytes: number; readonly enter: () => void }[] = [];
  bytes = 0;
  requests = 0;

  constructor(bytesMax: number, requestsMax: number) {
    this.#bytesMax = bytesMax;
    this.#requestsMax = requestsMax;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Resolves when the request is under way; `leave` must be called for it once. Rejects with the abort's reason. */
  async enter(bytes: number, abort: AbortSignal): Promise<void> {
    abort.throwIfAborted();
    if (this.#waiting.length === 0 && this.#hasRoom(bytes)) {
      this.#take(bytes);
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const place = { bytes, enter: resolve };
    this.#waiting.push(place);
    const onAbort = (): void => {
      const index = this.#waiting.indexOf(place);
      if (index < 0) return;
      this.#waiting.splice(index, 1);
      reject(abort.reason);
      // What comes behind may fit.
      this.#admit();
    };
    abort.addEventListener('abort', onAbort, { once: true });
    await promise.finally(() => abort.removeEventListener('abort', onAbort));
  }

  leave(bytes: number): void {
    this.bytes -= bytes;
    this.requests--;
    this.#admit();
  }

  #admit(): void {
    for (
      let next = this.#waiting[0];
      next !== undefined && this.#hasRoom(next.bytes);
      next = this.#waiting[0]
    ) {
      this.#waiting.shift();
      this.#take(next.bytes);
      next.enter();
    }
  }

  #take(bytes: number): void {
    this.bytes += bytes;
    this.requests++;
  }

  #hasRoom(bytes: number): boolean {
    if (this.requests === 0) return true;
    return this.bytes + bytes <= this.#bytesMax && this.requests < this.#requestsMax;
  }
}
