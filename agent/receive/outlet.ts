/**
 * The way of a receiver's requests to the transport: bounded, with batch ids that no other start of any agent uses.
 *
 *   outlet.send('logs', bytes, 17)  ->  true: the transport has it, or it was refused for good; false: the process stops
 *
 * Nobody behind these receivers sends again, so a request waits here until the transport has taken it. What keeps that
 * bounded is `isFull`: while it is true, streams are not read and datagrams are dropped by whoever uses the outlet.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { errorMessage, RefusedError } from '#model/errors.ts';
import type { Envelope, Signal, Transport } from '#wire/envelope.ts';
import type { ReceiveCounts } from './receive-counts.ts';

export interface OutletLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface OutletOptions {
  readonly transport: Transport;
  readonly tenant: string;
  readonly node: string;
  /** Over so many bytes that are not durable yet, the outlet is full. */
  readonly inflightBytesMax: number;
  readonly counts: ReceiveCounts;
  readonly log: OutletLog;
}

export class Outlet {
  readonly #options: OutletOptions;
  readonly #key: string;
  readonly #start = randomUUID();
  readonly #abort = new AbortController();
  readonly #sends = new Set<Promise<boolean>>();
  #waiting: (() => void)[] = [];
  #inflightBytes = 0;
  #number = 0;

  constructor(options: OutletOptions) {
    this.#options = options;
    const { tenant, node, counts } = options;
    this.#key = `${tenant}/${node}/${counts.protocol}`;
  }

  get isFull(): boolean {
    return this.#inflightBytes >= this.#options.inflightBytesMax;
  }

  /** Resolves when the outlet is not full. */
  async whenRoom(): Promise<void> {
    while (this.isFull) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /**
   * Resolves with whether the request is settled: durable, or refused for good, so that a repeat could not help. Never
   * rejects; what is lost is counted and said. `batchId` is for requests that their sender repeats; without one it gets a
   * new one. Sending while the outlet is full is allowed.
   */
  send(signal: Signal, bytes: Uint8Array, records: number, batchId?: string): Promise<boolean> {
    const { tenant, counts } = this.#options;
    const id = batchId ?? `${counts.protocol}/${this.#start}/${++this.#number}`;
    this.#inflightBytes += bytes.length;
    const sending = this.#send({ signal, tenant, batchId: id, key: this.#key, bytes }, records).finally(
      () => {
        this.#inflightBytes -= bytes.length;
        this.#sends.delete(sending);
        if (this.isFull) return;
        for (const resolve of this.#waiting.splice(0)) resolve();
      },
    );
    this.#sends.add(sending);
    return sending;
  }

  /** Waits for what is being sent, for at most `drainMs`; what is not through then is lost, and counted. */
  async stop(drainMs: number): Promise<void> {
    const drained = new AbortController();
    const settled = Promise.all(this.#sends).finally(() => drained.abort());
    await Promise.race([
      settled,
      delay(drainMs, undefined, { signal: drained.signal }).catch(() => undefined),
    ]);
    this.#abort.abort(new Error('the agent stops'));
    await settled;
  }

  async #send(envelope: Envelope, records: number): Promise<boolean> {
    const { transport, counts, log } = this.#options;
    try {
      const { rejected, reason } = await transport.send(envelope, this.#abort.signal);
      counts.delivered += records - rejected;
      if (rejected === 0) return true;
      counts.addDropped('refused', rejected);
      log.warn({ protocol: counts.protocol, records: rejected, reason }, 'records were rejected');
      return true;
    } catch (error) {
      const isStopped = this.#abort.signal.aborted;
      if (!isStopped && !(error instanceof RefusedError)) {
        log.error(
          { protocol: counts.protocol, error },
          'BUG: a transport failed with neither a refusal nor an abort',
        );
      }
      counts.addDropped(isStopped ? 'stopped' : 'refused', records);
      log.warn({ protocol: counts.protocol, records, reason: errorMessage(error) }, 'records were not sent');
      return !isStopped;
    }
  }
}
