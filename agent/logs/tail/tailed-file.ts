/**
 * One file that is followed: who it is, how far it was read, and when it is worth reading again.
 */
import { createHash } from 'node:crypto';
import { fstatSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { encodeKeyValues } from '#wire/otlp/key-values.ts';
import { resourceAttributesField } from '#wire/otlp/logs-request.ts';
import type { FileCheckpoint, Fingerprint } from '../checkpoint/checkpoint.ts';
import type { LineFormat, LineRules } from '../frame/frame.ts';
import type { LogResource } from '../resource/path-resource.ts';
import type { FileDescription, FileRules, LogSource } from './log-source.ts';
import { fileKey, isCopyOf, type OpenedFile, readInto, verifyFingerprint } from './opened-file.ts';
import { RateLimit, type SkippedRange } from './rate-limit.ts';

/** How long the first lines of a container wait in their file for what its runtime says of it. */
const originWaitMs = 3000;

/** A file that stood still for this long is looked at less often: most of a node's files are quiet. */
const quietMs = 10_000;
const quietPollMs = 900;

/** One that was rotated away and read to its end is looked at so often, in case its writer never opened a new one. */
const parkedPollMs = 1000;

/** What a new TailedFile starts with, beside the open file. */
export interface TailStart {
  readonly id: number;
  readonly fingerprint: Fingerprint;
  /** Undefined: not known before its first lines are read. */
  readonly format: LineFormat | undefined;
  readonly description: FileDescription;
  readonly offset: number;
  /** See LogSource. */
  readonly base: string | undefined;
  readonly nowMs: number;
}

export class TailedFile {
  readonly id: number;
  /** Spreads files over lanes: equal for all files of a container. */
  readonly laneHash: number;
  /** The directory that links must not lead out of, since an earlier run as well (see LogSource). */
  base: string | undefined;
  #source: LogSource | undefined;
  /** The revision of the origins that it was described with. */
  describedRevision = -1;
  path: string;
  /** fileKey() of device and inode. */
  key: string;
  device: string;
  inode: string;
  fingerprint: Fingerprint;
  format: LineFormat | undefined;
  /** Where reading goes on: behind all that is confirmed or in a pending batch. */
  offset: number;
  size: number;
  mtimeMs: number;
  /** Found by the globs under its path. */
  isPresent = true;
  /** Nobody writes it any more: what is there, be it without a line end, is all. */
  isFinished = false;
  /** Nothing of it is left to read: it is remembered for the batches that name it. */
  isGone = false;
  /** Its bytes are no longer those that were read: it was truncated and written anew. */
  isReplaced = false;
  /** Finished, read, and still on disk: open only because its writer may go on. */
  isParked = false;
  /** No name is left of it. */
  isUnlinked = false;
  #handle: FileHandle | undefined;
  #grewAtMs: number;
  #leftAtMs = 0;
  #deferredSize = -1;
  #deferredUntilMs = 0;
  #description: FileDescription;
  #resourceBytes: Buffer | undefined;
  /** When an awaited description is waited for no longer. */
  readonly #patientUntilMs: number;
  #rateLimit: RateLimit | undefined;
  #nextPollMs = 0;

  /** `opened.handle` is undefined for a file that is gone, and is remembered for the batches that name it. */
  constructor(opened: Omit<OpenedFile, 'handle'> & { readonly handle?: FileHandle }, start: TailStart) {
    this.id = start.id;
    this.#description = start.description;
    this.laneHash = createHash('sha256').update(writerPath(opened.path)).digest().readUInt32LE(0);
    this.#patientUntilMs = start.nowMs + originWaitMs;
    this.fingerprint = start.fingerprint;
    this.format = start.format;
    this.offset = start.offset;
    this.base = start.base;
    this.path = opened.path;
    this.device = opened.device;
    this.inode = opened.inode;
    this.key = fileKey(opened);
    this.size = opened.size;
    this.mtimeMs = opened.mtimeMs;
    this.#handle = opened.handle;
    this.#grewAtMs = start.nowMs;
    this.#limitRate(start.nowMs);
  }

  /** Where it was found; undefined: it was not found since the agent started. */
  get source(): LogSource | undefined {
    return this.#source;
  }

  set source(source: LogSource | undefined) {
    this.#source = source;
    this.base = source?.base;
  }

  get resource(): LogResource {
    return this.#description.resource;
  }

  /** The resource as the attributes of a Resource message. */
  get resourceBytes(): Buffer {
    this.#resourceBytes ??= encodeKeyValues(resourceAttributesField, this.resource);
    return this.#resourceBytes;
  }

  get description(): FileDescription {
    return this.#description;
  }

  /** Must have a format. */
  get lineRules(): LineRules {
    return { format: this.format!, multiline: this.rules.multiline };
  }

  get rules(): FileRules {
    return this.#description.rules;
  }

  /** Who writes it is known otherwise now. Batches under way keep what they were made with. */
  describe(description: FileDescription, nowMs: number): void {
    this.#description = description;
    this.#resourceBytes = undefined;
    this.#limitRate(nowMs);
  }

  #limitRate(nowMs: number): void {
    const { rateLimitBytes } = this.rules;
    if (rateLimitBytes === this.#rateLimit?.bytesPerSecond) return;
    this.#rateLimit = rateLimitBytes === 0 ? undefined : new RateLimit(rateLimitBytes, nowMs);
  }

  /**
   * Counts what the file has as growth, within the allowance of the file that was at its path before: a rotation gives its
   * writer no new one.
   */
  chargeRate(before: TailedFile | undefined, nowMs: number): void {
    const limit = before === undefined ? undefined : before.#rateLimit;
    if (limit !== undefined && limit.bytesPerSecond === this.#rateLimit?.bytesPerSecond) {
      this.#rateLimit = limit.successor();
    }
    this.#rateLimit?.grow(0, this.size, nowMs);
  }

  /** The next range that is dropped because the file grew too fast. */
  nextSkipped(offset: number): SkippedRange | undefined {
    return this.#rateLimit?.next(offset);
  }

  get isOpen(): boolean {
    return this.#handle !== undefined;
  }

  /** The open file, for comparing it with others. Must be open. */
  get opened(): OpenedFile {
    if (this.#handle === undefined) throw new Error('BUG: a closed log file was used');
    const { path, device, inode, size, mtimeMs } = this;
    return { handle: this.#handle, path, device, inode, size, mtimeMs };
  }

  /** Bytes that were there and were not read, as far as is known. */
  get unreadBytes(): number {
    return Math.max(0, this.size - this.offset);
  }

  /** Its lines have no time, as far as is known. */
  get isPlain(): boolean {
    return (this.format ?? 'plain') === 'plain';
  }

  /** When the file last grew, or was found. */
  get grewAtMs(): number {
    return this.#grewAtMs;
  }

  /** Looks at the size. Returns false where the file no longer holds what was read of it. Throws as fstat and read do. */
  poll(nowMs: number): boolean {
    if (this.#handle === undefined) return true;
    if (this.isReplaced) return false;
    // What left its path is let go of when it stands still, which needs a look right before.
    if (nowMs < this.#nextPollMs && (this.isPresent || this.isParked)) return true;
    // Sync: the kernel answers from memory in 2 us, a tenth of what a thread-pool round trip costs per file and poll.
    const { size, mtimeMs, nlink } = fstatSync(this.#handle.fd);
    this.isUnlinked = nlink === 0;
    // Logs only grow: a shorter one was truncated, be it behind what was read or before.
    if (size < this.size) return false;
    if (size !== this.size || mtimeMs !== this.mtimeMs) {
      // Behind the look at the size: a size belongs to what was followed, or to what took its place, and bytes that were
      // seen are counted when they are lost. It may also have been truncated, and grown to the very size that it had.
      const fingerprint = verifyFingerprint(this.#handle, this.fingerprint);
      if (fingerprint === undefined) return false;
      this.fingerprint = fingerprint;
    }
    if (size !== this.size) {
      this.#grewAtMs = nowMs;
      this.isParked = false;
      this.#rateLimit?.grow(this.size, size, nowMs);
    } else if (this.isParked) this.#nextPollMs = nowMs + parkedPollMs;
    else if (nowMs - this.#grewAtMs > quietMs) this.#nextPollMs = nowMs + quietPollMs;
    this.size = size;
    this.mtimeMs = mtimeMs;
    return true;
  }

  /** True where the file still holds what was seen of it. */
  #isIntact(): boolean {
    const { handle } = this.opened;
    return (
      fstatSync(handle.fd).size >= this.size && verifyFingerprint(handle, this.fingerprint) !== undefined
    );
  }

  /** 'later': it was truncated meanwhile, and whether `other` is its copy shows when that is dealt with. */
  async isCopiedTo(other: OpenedFile): Promise<boolean | 'later'> {
    const { opened } = this;
    // Logs only grow: a copy is not longer than what it was made of.
    const isLonger = other.size > fstatSync(opened.handle.fd).size;
    if (!isLonger && (await isCopyOf(opened, other))) return true;
    return this.#isIntact() ? false : 'later';
  }

  /** Notes whether the globs found the file, and under which path. */
  markPresence(path: string | undefined, nowMs: number): void {
    if (path !== undefined) {
      this.path = path;
      this.isParked = false;
    } else if (this.isPresent) this.#leftAtMs = nowMs;
    this.isPresent = path !== undefined;
  }

  /** A file that is gone from its path and did not grow for `quietMs` gets no more lines. */
  finishIfQuiet(quietMs: number, nowMs: number): void {
    this.isFinished = !this.isPresent && nowMs - Math.max(this.#grewAtMs, this.#leftAtMs) >= quietMs;
  }

  /** Bytes that are worth reading now. `isHeld`: a batch with bytes of this file is under way. */
  readableBytes(nowMs: number, isHeld: boolean): number {
    if (!this.isOpen || this.isReplaced || !this.rules.isCollected) return 0;
    if (this.#description.isAwaited && nowMs < this.#patientUntilMs) return 0;
    // Lines without a time are ordered by their arrival: two batches under way could overtake each other.
    if (isHeld && this.isPlain) return 0;
    if (this.size === this.#deferredSize && nowMs < this.#deferredUntilMs && !this.isFinished) return 0;
    return this.size - this.offset;
  }

  /** What is left will be readable soon, without a change of the file: after a batch under way, or a pause. */
  isWaiting(nowMs: number, isHeld: boolean): boolean {
    const isPausing =
      this.size === this.#deferredSize &&
      nowMs < this.#deferredUntilMs &&
      Number.isFinite(this.#deferredUntilMs);
    return this.isOpen && this.unreadBytes > 0 && (isHeld || isPausing);
  }

  /** What is left makes no whole record: not worth a look before the file grows or the time comes. */
  deferUntil(untilMs: number): void {
    this.#deferredSize = this.size;
    this.#deferredUntilMs = untilMs;
  }

  /** Looks again at once, whatever was deferred. */
  undefer(): void {
    this.#deferredSize = -1;
    this.#nextPollMs = 0;
  }

  /**
   * Reads up to `length` bytes at `from` into `bytes` and returns how many there were. Returns -1 where the file was
   * rewritten: what was read is not of the file that was followed.
   */
  async read(bytes: Buffer, from: number, length: number): Promise<number> {
    const { handle } = this.opened;
    const read = await readInto(handle, bytes, from, length);
    // Verified after the read: a rewrite before it shows in the first bytes.
    const fingerprint = verifyFingerprint(handle, this.fingerprint);
    if (fingerprint === undefined) {
      this.isReplaced = true;
      return -1;
    }
    this.fingerprint = fingerprint;
    return read;
  }

  /** Goes on in another file that holds the same bytes, under the path it had. The old handle is closed. */
  async moveTo(opened: OpenedFile, nowMs: number): Promise<void> {
    await this.close();
    this.#handle = opened.handle;
    this.device = opened.device;
    this.inode = opened.inode;
    this.key = fileKey(opened);
    this.size = opened.size;
    this.mtimeMs = opened.mtimeMs;
    this.isReplaced = false;
    this.isParked = false;
    this.isPresent = false;
    this.#leftAtMs = nowMs;
    this.#grewAtMs = nowMs;
    this.undefer();
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  /** What the checkpoint holds of this file. */
  checkpoint(): FileCheckpoint {
    const { id, path, device, inode, fingerprint, resource, offset, size, mtimeMs, base } = this;
    const format = this.format ?? null;
    const { multiline, parse, isCollected } = this.rules;
    return {
      id,
      path,
      device,
      inode,
      fingerprint,
      format,
      multiline,
      parse,
      isCollected,
      resource: { ...resource },
      offset,
      size,
      mtimeMs,
      ...(base === undefined ? {} : { base }),
    };
  }
}

/** A pod's container has a directory, and a file in it for each of its starts. */
function writerPath(path: string): string {
  return /\/\d+\.log$/.test(path) ? dirname(path) : path;
}
