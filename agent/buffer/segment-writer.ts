/**
 * Makes envelopes of one signal durable: those that come while a write is under way are written together by the next one.
 *
 *   write(a) write(b) write(c)  ->  writev(a), fdatasync  ->  writev(b c), fdatasync
 *
 * A write that fails is cut off and tried again in a new file, for as long as its sender waits. What has failed to sync is
 * never synced again: the kernel may have forgotten that it was dirty.
 */
import { open } from 'node:fs/promises';
import { errorMessage } from '#model/errors.ts';
import { Backoff, pause } from '#wire/backoff.ts';
import type { Envelope } from '#wire/envelope.ts';
import { Segment } from './segment.ts';
import { encodeRecordHead, recordBytes } from './segment-format.ts';

/** always: a write is answered when the disk has it; interval: when the kernel has it. */
export type SyncPolicy = 'always' | 'interval';

export interface SegmentWriterOptions {
  readonly directory: string;
  readonly segmentBytesMax: number;
  readonly sync: SyncPolicy;
  readonly syncIntervalMs: number;
  readonly now: () => number;
  /** Is told of a file before its first record is written. */
  readonly onSegment: (segment: Segment) => void;
  /** A file has grown, or was sealed. */
  readonly onGrowth: () => void;
  /** Must make room for so many bytes, as far as it can. */
  readonly makeRoom: (bytes: number) => Promise<void>;
  readonly log: { warn(fields: object, message: string): void };
}

interface WaitingWrite {
  readonly envelope: Envelope;
  readonly abort: AbortSignal | undefined;
  readonly resolve: () => void;
}

const backoffOptions = { firstMs: 50, maxMs: 5000 };

export class SegmentWriter {
  readonly #options: SegmentWriterOptions;
  readonly #stopped = new AbortController();
  #waiting: WaitingWrite[] = [];
  #active: Segment | undefined;
  #nextNumber: number;
  #writing: Promise<void> | undefined;
  #syncTimer: NodeJS.Timeout | undefined;
  #trouble = '';

  /** `firstNumber` must be larger than those of all files in the directory. */
  constructor(options: SegmentWriterOptions, firstNumber: number) {
    this.#options = options;
    this.#nextNumber = firstNumber;
  }

  /** '' or why writes wait. */
  get trouble(): string {
    return this.#trouble;
  }

  /** Resolves when the envelope is as durable as the policy says; rejects only with the abort's reason. */
  write(envelope: Envelope, abort: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting: WaitingWrite = {
        envelope,
        abort,
        resolve() {
          abort?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      const onAbort = (): void => {
        // Its bytes are nobody's any more, however long the disk stays full.
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        reject(abort!.reason);
      };
      if (abort?.aborted) return onAbort();
      abort?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(waiting);
      this.#writing ??= this.#writeAll();
    });
  }

  /** Ends the file that is written to, unless a write is under way, so that it can be deleted. */
  seal(): void {
    const segment = this.#active;
    if (this.#writing !== undefined || segment === undefined) return;
    this.#sealActive();
    segment.sync().catch((error: unknown) => this.#say(error));
  }

  /** Syncs and closes. Writes that still wait are given up: their senders must be gone. */
  async close(): Promise<void> {
    this.#stopped.abort(new Error('the disk buffer closes'));
    await this.#writing;
    clearTimeout(this.#syncTimer);
    await this.#syncNow();
    this.#sealActive();
  }

  async #writeAll(): Promise<void> {
    const backoff = new Backoff(backoffOptions);
    // Those of the same moment come along, and #writing is set before this can end.
    await Promise.resolve();
    while (!this.#stopped.signal.aborted) {
      const group = this.#takeGroup();
      if (group.length === 0) break;
      try {
        await this.#writeGroup(group);
        backoff.reset();
        this.#trouble = '';
      } catch (error) {
        this.#say(error);
        await this.#abandonActive();
        this.#waiting = [...group, ...this.#waiting];
        await pause(backoff.nextMs(), this.#stopped.signal).catch(() => undefined);
      }
    }
    this.#writing = undefined;
  }

  /** Those whose senders still wait, up to the size of a file. */
  #takeGroup(): WaitingWrite[] {
    const group: WaitingWrite[] = [];
    let bytes = 0;
    let taken = 0;
    for (const write of this.#waiting) {
      if (!write.abort?.aborted) {
        bytes += write.envelope.bytes.length;
        if (group.length > 0 && bytes > this.#options.segmentBytesMax) break;
        group.push(write);
      }
      taken++;
    }
    this.#waiting.splice(0, taken);
    return group;
  }

  async #writeGroup(group: readonly WaitingWrite[]): Promise<void> {
    const nowMs = this.#options.now();
    const total = group.reduce((bytes, { envelope }) => bytes + recordBytes(envelope), 0);
    if (this.#active !== undefined && this.#active.size + total > this.#options.segmentBytesMax) {
      await this.#syncNow();
      this.#sealActive();
    }
    await this.#options.makeRoom(total);
    this.#active ??= await this.#createSegment(nowMs);
    const segment = this.#active;
    const parts = group.flatMap(({ envelope }) => [
      encodeRecordHead(envelope, nowMs, segment.seed),
      envelope.bytes,
    ]);
    const written = await segment.append(parts);
    if (this.#options.sync === 'always') await segment.sync();
    else this.#syncLater();
    segment.size += written;
    segment.newestMs = nowMs;
    this.#options.onGrowth();
    for (const { resolve } of group) resolve();
  }

  async #createSegment(nowMs: number): Promise<Segment> {
    const { directory, sync, onSegment } = this.#options;
    const segment = new Segment(directory, this.#nextNumber++, Math.floor(nowMs));
    try {
      await segment.create();
      if (sync === 'always') await syncDirectory(directory);
    } catch (error) {
      await segment.delete().catch(() => undefined);
      throw error;
    }
    onSegment(segment);
    return segment;
  }

  async #abandonActive(): Promise<void> {
    try {
      await this.#active?.cut();
    } catch (error) {
      // What could not be cut off is beyond the size that is read now, and a torn tail after a restart.
      this.#say(error);
    }
    this.#sealActive();
  }

  #sealActive(): void {
    if (this.#active === undefined) return;
    this.#active.isSealed = true;
    this.#active = undefined;
    this.#options.onGrowth();
  }

  #syncLater(): void {
    this.#syncTimer ??= setTimeout(() => {
      this.#syncTimer = undefined;
      void this.#syncNow();
    }, this.#options.syncIntervalMs);
  }

  async #syncNow(): Promise<void> {
    try {
      await this.#active?.sync();
    } catch (error) {
      this.#say(error);
    }
  }

  #say(error: unknown): void {
    const trouble = errorMessage(error);
    if (trouble !== this.#trouble) {
      this.#options.log.warn({ path: this.#options.directory }, `the disk buffer cannot write: ${trouble}`);
    }
    this.#trouble = trouble;
  }
}

/** A new file survives a power cut only when its directory was synced. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
