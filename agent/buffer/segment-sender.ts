/**
 * Sends the records of one signal's segments, oldest first, and deletes the segments that are through.
 *
 * Envelopes of one key go one after the other; those of several keys together, within a window of few records and bytes.
 * Nothing else is held in memory, however much waits on disk.
 */
import { errorMessage, RefusedError } from '#model/errors.ts';
import { pause } from '#wire/backoff.ts';
import type { Signal, Transport } from '#wire/envelope.ts';
import type { BufferCounts } from './buffer-counts.ts';
import type { Segment } from './segment.ts';
import { type ReadRecord, SegmentReader } from './segment-reader.ts';

export interface SegmentSenderOptions {
  readonly signal: Signal;
  readonly transport: Transport;
  /** Oldest first; grown by the writer, shrunk by the sender. */
  readonly segments: Segment[];
  readonly ageMsMax: number;
  readonly now: () => number;
  readonly counts: BufferCounts;
  readonly log: { warn(fields: object, message: string): void; error(fields: object, message: string): void };
}

const windowRecordsMax = 64;
const windowBytesMax = 8 * 1024 * 1024;
const ackIntervalMs = 100;
const retryMs = 1000;
/** A file that cannot be read so many times is given up. */
const readAttemptsMax = 5;

export class SegmentSender {
  readonly #options: SegmentSenderOptions;
  readonly #stopped = new AbortController();
  /** The last send of each key that has one. */
  readonly #keys = new Map<string, Promise<void>>();
  readonly #done: Promise<void>;
  #wake = Promise.withResolvers<void>();
  readonly #removals = new Set<Promise<void>>();
  #windowRecords = 0;
  #windowBytes = 0;
  #ackTimer: NodeJS.Timeout | undefined;

  constructor(options: SegmentSenderOptions) {
    this.#options = options;
    this.#done = this.#run();
  }

  /** Whether all files are through, once the writer has ended them. */
  get isIdle(): boolean {
    return this.#windowRecords === 0 && this.#options.segments.every(({ isDone }) => isDone);
  }

  /** Must be called when a segment has grown or was sealed; looks again. */
  wake(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  /** Gives up what is being sent: it stays on disk. */
  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the agent stops'));
    this.wake();
    await this.#done;
    await Promise.all(this.#keys.values());
    clearTimeout(this.#ackTimer);
    await this.#writeAcks();
    await Promise.all(this.#removals);
  }

  /** Deletes a segment with all that was not sent of it. */
  async drop(segment: Segment, reason: 'size' | 'age'): Promise<void> {
    const { signal, counts, log } = this.#options;
    segment.dropped.abort(new Error(`the disk buffer has dropped it: ${reason}`));
    let [records, bytes] = [0, 0];
    const reader = new SegmentReader(segment, { corrupt: () => undefined, torn: () => undefined });
    segment.isSealed = true;
    try {
      for (let read = await reader.next(); typeof read === 'object'; read = await reader.next()) {
        records++;
        bytes += read.envelope.bytes.length;
      }
    } catch (error) {
      log.warn({ path: segment.path, reason: errorMessage(error) }, 'a segment cannot be read to be counted');
      counts.addLost(signal, 'unreadable', 1, segment.size);
    }
    if (records > 0) {
      counts.addLost(signal, reason, records, bytes);
      log.warn({ signal, records, bytes, reason }, 'the disk buffer has dropped its oldest requests');
    }
    await this.#remove(segment);
    this.wake();
  }

  async #run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const segment = this.#options.segments.find(
        ({ isRead, dropped }) => !isRead && !dropped.signal.aborted,
      );
      if (segment === undefined) await this.#wake.promise;
      else await this.#sendSegment(segment);
    }
  }

  async #sendSegment(segment: Segment): Promise<void> {
    const { signal, counts, log } = this.#options;
    const reader = new SegmentReader(segment, {
      corrupt: (bytes) => {
        counts.addLost(signal, 'corrupt', 1, bytes);
        log.warn(
          { path: segment.path, bytes },
          'the disk buffer stepped over bytes that are not what was written',
        );
      },
      torn: (bytes) => counts.addTorn(signal, bytes),
    });
    let failures = 0;
    while (!this.#stopped.signal.aborted && !segment.dropped.signal.aborted) {
      const wake = this.#wake.promise;
      try {
        const read = await reader.next();
        failures = 0;
        if (segment.dropped.signal.aborted) return;
        if (read === 'end') return await this.#endSegment(segment);
        if (read === 'wait') await wake;
        else await this.#dispatch(segment, read);
      } catch (error) {
        if (segment.dropped.signal.aborted) return;
        log.warn(
          { path: segment.path, reason: errorMessage(error) },
          'the disk buffer cannot read a segment',
        );
        // One that still grows is not given up: what comes to it would never be read.
        if (++failures < readAttemptsMax || !segment.isSealed) {
          await pause(retryMs, this.#stopped.signal).catch(() => undefined);
          continue;
        }
        counts.addLost(signal, 'unreadable', 1, segment.size);
        return this.#endSegment(segment);
      }
    }
  }

  async #endSegment(segment: Segment): Promise<void> {
    segment.isRead = true;
    if (segment.isDone) await this.#remove(segment);
  }

  /** Waits until the record fits into the window, and starts to send it. */
  async #dispatch(segment: Segment, record: ReadRecord): Promise<void> {
    const { signal, ageMsMax, now, counts } = this.#options;
    const { envelope, timeMs, offset } = record;
    segment.records++;
    if (now() - timeMs > ageMsMax) {
      counts.addLost(signal, 'age', 1, envelope.bytes.length);
      this.#ack(segment, offset);
      return;
    }
    const bytes = envelope.bytes.length;
    for (;;) {
      const wake = this.#wake.promise;
      const isFull = this.#windowRecords >= windowRecordsMax || this.#windowBytes + bytes > windowBytesMax;
      if (this.#windowRecords === 0 || !isFull) break;
      await wake;
      if (this.#stopped.signal.aborted || segment.dropped.signal.aborted) return;
    }
    this.#windowRecords++;
    this.#windowBytes += bytes;
    const before = this.#keys.get(envelope.key) ?? Promise.resolve();
    const sending = before
      .then(() => this.#send(segment, record))
      .finally(() => {
        this.#windowRecords--;
        this.#windowBytes -= bytes;
        if (this.#keys.get(envelope.key) === sending) this.#keys.delete(envelope.key);
        this.wake();
      });
    this.#keys.set(envelope.key, sending);
  }

  /** Never rejects: what becomes of the record is counted here, or by drop. */
  async #send(segment: Segment, { envelope, offset }: ReadRecord): Promise<void> {
    const { signal, transport, counts, log } = this.#options;
    const abort = AbortSignal.any([this.#stopped.signal, segment.dropped.signal]);
    while (!abort.aborted) {
      try {
        const { rejected, reason } = await transport.send(envelope, abort);
        counts.addSent(signal, rejected);
        if (rejected > 0) log.warn({ signal, records: rejected, reason }, 'records were rejected');
        return this.#ack(segment, offset);
      } catch (error) {
        if (error instanceof RefusedError) {
          counts.addLost(signal, 'refused', 1, envelope.bytes.length);
          log.warn({ signal, batchId: envelope.batchId, reason: error.message }, 'a request was refused');
          return this.#ack(segment, offset);
        }
        if (abort.aborted) return;
        log.error({ signal, error }, 'BUG: a transport failed with neither a refusal nor an abort');
        await pause(retryMs, abort).catch(() => undefined);
      }
    }
  }

  #ack(segment: Segment, offset: number): void {
    segment.ack(offset);
    if (segment.isDone) void this.#remove(segment);
    else this.#ackTimer ??= setTimeout(() => void this.#writeAcks(), ackIntervalMs);
  }

  async #writeAcks(): Promise<void> {
    this.#ackTimer = undefined;
    for (const segment of this.#options.segments) {
      try {
        await segment.writeAcks();
      } catch (error) {
        // Their records are sent again after a restart, under the same batch ids.
        this.#options.log.warn(
          { path: segment.path, reason: errorMessage(error) },
          'acknowledgements were not kept',
        );
      }
    }
  }

  async #remove(segment: Segment): Promise<void> {
    const { segments, log } = this.#options;
    const index = segments.indexOf(segment);
    if (index < 0) return;
    segments.splice(index, 1);
    const removal = segment
      .delete()
      .catch((error: unknown) =>
        log.warn(
          { path: segment.path, reason: errorMessage(error) },
          'a segment that was sent cannot be deleted',
        ),
      )
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
    await removal;
  }
}
