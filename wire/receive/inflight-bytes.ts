/** What requests that are not answered hold in memory, bounded: bytes are reserved before they are there. */
import { UnavailableError } from '#model/errors.ts';

/** The share of one request. Must be released once. */
export interface Reservation {
  /** Sets the share; throws UnavailableError where it grows over the bound. */
  resize(bytes: number): void;
  release(): void;
}

export class InflightBytes {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Throws UnavailableError over the bound; a request that is alone may be over it, or it could never be taken. */
  reserve(bytes: number): Reservation {
    let held = 0;
    const resize = (next: number): void => {
      const others = this.#bytes - held;
      if (next > held && others > 0 && others + next > this.#bytesMax) {
        throw new UnavailableError('too many bytes are waiting to be stored: come again', {
          retryAfterMs: 1000,
        });
      }
      this.#bytes = others + next;
      held = next;
    };
    resize(bytes);
    let isReleased = false;
    return {
      resize: (next) => {
        // Its client is gone, and what it held is being let go.
        if (!isReleased) resize(next);
      },
      release: () => {
        isReleased = true;
        this.#bytes -= held;
        held = 0;
      },
    };
  }
}
