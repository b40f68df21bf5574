/**
 * Memory of columns that was handed over with a block and came back: a new column of the same size finds it here.
 * Fresh memory is page faults, and at full speed those cost as much as the transcoding itself.
 *
 *   take(block) -> main thread inserts it -> give(buffers) -> the next block's columns acquire them
 */

/** More than this is let go: two blocks of the largest signal. */
const heldBytesMax = 256 * 1024 * 1024;
/** Buffers below this are cheaper to make than to look for. */
const bufferBytesMin = 64 * 1024;
/** A buffer this many times larger than wanted is kept for a column that needs it. */
const wasteFactor = 4;

export class BufferPool {
  /** Ascending by size. */
  readonly #free: ArrayBuffer[] = [];
  #heldBytes = 0;

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Returns memory of at least `byteCount` bytes, with anything in it: the caller overwrites it. */
  acquire(byteCount: number): Uint8Array<ArrayBuffer> {
    const index = this.#free.findIndex(({ byteLength }) => byteLength >= byteCount);
    if (
      byteCount < bufferBytesMin ||
      index === -1 ||
      this.#free[index].byteLength > byteCount * wasteFactor
    ) {
      return new Uint8Array(byteCount);
    }
    const [buffer] = this.#free.splice(index, 1);
    this.#heldBytes -= buffer.byteLength;
    return new Uint8Array(buffer);
  }

  /** Takes memory back. Nobody else may use it from now on. */
  give(buffer: ArrayBuffer): void {
    const { byteLength } = buffer;
    if (byteLength < bufferBytesMin || this.#heldBytes + byteLength > heldBytesMax) return;
    const index = this.#free.findIndex((other) => other.byteLength >= byteLength);
    this.#free.splice(index === -1 ? this.#free.length : index, 0, buffer);
    this.#heldBytes += byteLength;
  }

  /** Lets go of everything: nothing has come for a while. */
  clear(): void {
    this.#free.length = 0;
    this.#heldBytes = 0;
  }
}

/** The pool of this thread. */
export const columnMemory = new BufferPool();
