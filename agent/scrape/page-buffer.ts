/** The bytes of a page as it arrives. The memory is used again: by the next scrape of whatever target. */
const bytesMin = 16 * 1024;
/** Memory that the last page left more than this many times unused is given back. */
const unusedFactorMax = 4;

export class PageBuffer {
  #bytes = new Uint8Array(bytesMin);
  #length = 0;

  /** The page so far. Valid until the next clear or append. */
  get page(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  get length(): number {
    return this.#length;
  }

  append(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, this.#bytes.length * 2));
      grown.set(this.page);
      this.#bytes = grown;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = length;
  }

  clear(): void {
    if (this.#bytes.length > Math.max(bytesMin, this.#length * unusedFactorMax)) {
      this.#bytes = new Uint8Array(Math.max(bytesMin, this.#length));
    }
    this.#length = 0;
  }
}

/** Buffers that wait for the next scrape: as many as scrapes overlap on most agents. */
const idleBuffersMax = 8;

export class PageBuffers {
  readonly #idle: PageBuffer[] = [];

  /** Returns a buffer without bytes. Give it back when nobody writes to it any more, or not at all. */
  acquire(): PageBuffer {
    return this.#idle.pop() ?? new PageBuffer();
  }

  release(buffer: PageBuffer): void {
    buffer.clear();
    if (this.#idle.length < idleBuffersMax) this.#idle.push(buffer);
  }
}
