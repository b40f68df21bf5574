/**
 * Log records of many messages become requests: by size, and by the age of the first record.
 */
import { LogBatch } from '#wire/otlp/log-batch.ts';
import type { Outlet } from './outlet.ts';

export interface LogGathererOptions {
  readonly outlet: Outlet;
  readonly batchBytesMax: number;
  readonly flushIntervalMs: number;
}

/** Each resource costs a header and a writer: senders that make one up for each message must not cost memory. */
const resourcesMax = 4096;

interface Pending {
  readonly promise: Promise<boolean>;
  readonly resolve: (isSettled: boolean) => void;
}

export class LogGatherer {
  /** Add a record here, then call `added`. */
  readonly batch = new LogBatch();
  readonly #options: LogGathererOptions;
  #timer: NodeJS.Timeout | undefined;
  #pending: Pending | undefined;

  constructor(options: LogGathererOptions) {
    this.#options = options;
  }

  /** Must be called after each record: sends the batch when it is large enough. */
  added(): void {
    const { batch } = this;
    if (batch.bytes >= this.#options.batchBytesMax || batch.resourceCount >= resourcesMax) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), this.#options.flushIntervalMs);
  }

  /** Resolves with whether the records that are in the batch now were settled (see Outlet.send). Call it before `added`. */
  whenSettled(): Promise<boolean> {
    this.#pending ??= Promise.withResolvers<boolean>();
    return this.#pending.promise;
  }

  /** Hands what is there to the outlet. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.batch.count === 0) return;
    const pending = this.#pending;
    this.#pending = undefined;
    const records = this.batch.count;
    void this.#options.outlet
      .send('logs', this.batch.finish(), records)
      .then((isSettled) => pending?.resolve(isSettled));
  }
}
