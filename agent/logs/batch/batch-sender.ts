/**
 * Takes a batch from "made" to "confirmed": makes its ranges durable in the checkpoint, sends it, and settles it.
 *
 * Invariant: a batch id is sent only while the checkpoint on disk names it with its ranges. A crash at any moment
 * therefore leaves the batch unsent and unread, or pending with all that is needed to send the very same bytes again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { errorMessage, RefusedError } from '#model/errors.ts';
import { freeBytes } from '#model/free-bytes.ts';
import type { Delivery, Envelope, Transport } from '#wire/envelope.ts';
import type { PendingBatch } from '../checkpoint/checkpoint.ts';
import type { CheckpointFile } from '../checkpoint/checkpoint-file.ts';
import type { LossLedger } from '../loss-ledger.ts';
import { describeAccessError } from '../tail/file-glob.ts';
import type { Batch } from './batch-builder.ts';
import type { PendingBatches } from './pending-batches.ts';
import type { BatchRange } from './processed-batch.ts';

/** Pause after the disk refused the checkpoint, a file could not be read, or a transport broke its contract. */
const retryMs = 1000;

export interface SenderCounts {
  batchesConfirmed: number;
  /** Batches of an earlier run whose answer was not known. */
  batchesResent: number;
  recordsDelivered: number;
  recordsRejected: number;
  checkpointFailures: number;
}

export interface SenderOptions {
  readonly transport: Transport;
  readonly checkpoint: CheckpointFile;
  readonly pending: PendingBatches;
  readonly ledger: LossLedger;
  readonly tenant: string;
  readonly lineBytesMax: number;
  readonly agentId: string;
  /** Called when a batch is settled. */
  readonly onSettled: () => void;
}

/** A batch that is under way: what of it could be read, and its bytes, which are freed when it is confirmed. */
export type SentBatch = Pick<Batch, 'ranges' | 'bytes' | 'settle'>;

export class BatchSender {
  readonly counts: SenderCounts = {
    batchesConfirmed: 0,
    batchesResent: 0,
    recordsDelivered: 0,
    recordsRejected: 0,
    checkpointFailures: 0,
  };
  nextSequence: number;
  readonly #options: SenderOptions;
  readonly #running = new Set<Promise<void>>();
  readonly #abort = new AbortController();

  constructor(options: SenderOptions, nextSequence: number) {
    this.#options = options;
    this.nextSequence = nextSequence;
  }

  /** Batches under way. */
  get inFlightCount(): number {
    return this.#running.size;
  }

  /** Sends a new batch under `key`, and moves its files' offsets behind it: it is pending from now on. */
  start(batch: Batch, key: string): void {
    const { agentId, tenant, lineBytesMax } = this.#options;
    const ranges = batch.ranges.map(({ file, from, to }) => ({ fileId: file.id, from, to }));
    const batchId = `${agentId}-${this.nextSequence++}-${contentHash(batch.bytes)}`;
    const pending = { batchId, tenant, key, lineBytesMax, ranges };
    this.#options.pending.add(pending);
    for (const { file, to } of batch.ranges) file.offset = to;
    this.#run(pending, batch);
  }

  /**
   * Sends the batches that an earlier run left pending, one after the other, each with its bytes made again from its
   * ranges by `remake` (undefined: not readable now). Resolves when all are settled or the sender was stopped. Must be
   * over before the first `start`.
   */
  async resend(remake: (pending: PendingBatch) => Promise<SentBatch | undefined>): Promise<void> {
    const { pending: batches } = this.#options;
    for (const pending of batches.all()) {
      // What is known of its files can change while it waits.
      let batch = await remake(batches.get(pending));
      while (batch === undefined && !this.#abort.signal.aborted) {
        await this.#pause();
        batch = await remake(batches.get(pending));
      }
      if (batch === undefined || this.#abort.signal.aborted) return;
      this.counts.batchesResent++;
      this.#run(pending, batch);
      await Promise.all(this.#running);
    }
  }

  /** Waits until nothing is under way, at most `waitMs`; then stops what is. Pending batches stay in the checkpoint. */
  async stop(waitMs: number): Promise<void> {
    const settled = Promise.all(this.#running);
    await Promise.race([settled, delay(waitMs, undefined, { ref: false })]);
    this.#abort.abort(new Error('the log agent was stopped'));
    await Promise.all(this.#running);
  }

  #run(pending: PendingBatch, batch: SentBatch): void {
    const running = this.#deliver(pending, batch).finally(() => {
      this.#running.delete(running);
      this.#options.onSettled();
    });
    this.#running.add(running);
  }

  async #deliver(pending: PendingBatch, { ranges, bytes, settle }: SentBatch): Promise<void> {
    const { batchId, tenant, key } = pending;
    if (!(await this.#persist())) return;
    const envelope: Envelope = { signal: 'logs', tenant, batchId, key, bytes };
    while (!this.#abort.signal.aborted) {
      try {
        this.#confirm(pending, ranges, await this.#send(envelope));
        freeBytes(bytes);
        settle?.();
        return;
      } catch (error) {
        if (error instanceof RefusedError) {
          this.#refuse(pending, ranges, error);
          settle?.();
          return;
        }
        if (this.#abort.signal.aborted) return;
        await this.#waitAfter(
          'transport',
          `batch could not be sent and is tried again: ${errorMessage(error)}`,
        );
      }
    }
  }

  async #send(envelope: Envelope): Promise<Delivery> {
    // A batch without records has nothing to deliver: its bytes were holes, or are gone.
    if (envelope.bytes.length === 0) return { rejected: 0, reason: '' };
    const delivery = await this.#options.transport.send(envelope, this.#abort.signal);
    this.#options.ledger.setProblems('transport', []);
    return delivery;
  }

  /** Makes the pending batches durable. False: the sender was stopped before the disk took them. */
  async #persist(): Promise<boolean> {
    while (!this.#abort.signal.aborted) {
      try {
        await this.#options.checkpoint.save();
        this.#options.ledger.setProblems('checkpoint', []);
        return true;
      } catch (error) {
        this.counts.checkpointFailures++;
        await this.#waitAfter(
          'checkpoint',
          describeAccessError('cannot be written, so nothing is sent', error),
        );
      }
    }
    return false;
  }

  async #waitAfter(kind: 'transport' | 'checkpoint', message: string): Promise<void> {
    this.#options.ledger.setProblems(kind, [{ path: kind, message }]);
    await this.#pause();
  }

  async #pause(): Promise<void> {
    // Stopping ends the pause early, and whoever paused looks at the signal.
    await delay(retryMs, undefined, { signal: this.#abort.signal }).catch(() => undefined);
  }

  #confirm(pending: PendingBatch, ranges: readonly BatchRange[], { rejected, reason }: Delivery): void {
    let records = 0;
    for (const range of ranges) records += range.records;
    this.counts.batchesConfirmed++;
    this.counts.recordsDelivered += records - rejected;
    this.counts.recordsRejected += rejected;
    if (rejected > 0)
      this.#options.ledger.lose({ reason: 'rejected', path: '', records: rejected, bytes: 0 }, reason);
    this.#options.pending.remove(pending);
  }

  #refuse(pending: PendingBatch, ranges: readonly BatchRange[], error: RefusedError): void {
    for (const { file, from, to, records } of ranges) {
      const loss = { reason: 'refused', path: file.path, records, bytes: to - from } as const;
      this.#options.ledger.lose(loss, error.message);
    }
    this.#options.pending.remove(pending);
  }
}

/**
 * Tells batches apart that have the same agent and number: those of agents that started from copies of one checkpoint
 * (a disk image, a restored backup). 32 bits: numbers only have to differ among such agents, and this is paid for each byte.
 */
function contentHash(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(8, '0');
}
