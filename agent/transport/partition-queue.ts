/**
 * The envelopes that wait for one Kafka partition. One batch is on its way at a time, so order is kept, and whatever
 * came meanwhile leaves together in the next: batches grow by themselves when the broker is slow.
 *
 *   add(a) add(b) add(c)  ->  produce([a])  ->  produce([b, c])
 *
 * It holds references only: the gate in front of it bounds the memory (byte-gate.ts).
 */

import { pause } from '#wire/backoff.ts';
import type { Delivery } from '#wire/envelope.ts';
import type { OutgoingMessage } from '#wire/kafka/message.ts';

/** One send that has not settled. */
export interface WaitingSend {
  readonly message: OutgoingMessage;
  /** Upper bound of its share of a record batch, in bytes before compression. */
  readonly size: number;
  readonly abort: AbortSignal | undefined;
  readonly resolve: (delivery: Delivery) => void;
  readonly reject: (reason: unknown) => void;
}

export interface PartitionQueueOptions<Send extends WaitingSend> {
  /** A batch is closed before it grows over this; one larger message goes alone. */
  readonly batchBytesMax: number;
  /** A batch that is not full waits this long for more. */
  readonly lingerMs: number;
  /** Must settle every send of the batch, whatever happens, and must not reject. */
  readonly produce: (batch: readonly Send[]) => Promise<void>;
}

export class PartitionQueue<Send extends WaitingSend> {
  readonly #options: PartitionQueueOptions<Send>;
  #waiting: Send[] = [];
  #isDraining = false;

  constructor(options: PartitionQueueOptions<Send>) {
    this.#options = options;
  }

  add(send: Send): void {
    this.#waiting.push(send);
    if (!this.#isDraining) void this.#drain();
  }

  async #drain(): Promise<void> {
    this.#isDraining = true;
    while (this.#waiting.length > 0) {
      if (this.#options.lingerMs > 0 && !this.#isBatchFull()) await pause(this.#options.lingerMs);
      const batch = this.#takeBatch();
      if (batch.length > 0) await this.#options.produce(batch);
    }
    this.#isDraining = false;
  }

  #isBatchFull(): boolean {
    let size = 0;
    for (const send of this.#waiting) {
      size += send.size;
      if (size >= this.#options.batchBytesMax) return true;
    }
    return false;
  }

  /** Sends that were aborted while they waited are left out, and settled. */
  #takeBatch(): Send[] {
    const batch: Send[] = [];
    let size = 0;
    let taken = 0;
    for (const send of this.#waiting) {
      if (send.abort?.aborted !== true) {
        if (batch.length > 0 && size + send.size > this.#options.batchBytesMax) break;
        batch.push(send);
        size += send.size;
      } else send.reject(send.abort.reason);
      taken++;
    }
    this.#waiting = this.#waiting.slice(taken);
    return batch;
  }
}
