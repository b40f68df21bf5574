/**
 * All files that are followed: finds new ones by the globs, notices rotation, truncation and deletion, and lets go of
 * files that are read to their end.
 */
import { isDeepStrictEqual } from 'node:util';
import type { FileCheckpoint } from '../checkpoint/checkpoint.ts';
import type { FileState } from '../checkpoint/checkpoint-changes.ts';
import type { LossLedger, LossReason, Problem } from '../loss-ledger.ts';
import type { FileDescriber } from '../resource/file-describer.ts';
import { EmptyFiles } from './empty-files.ts';
import { compressedName, describeAccessError, globFilesMax } from './file-glob.ts';
import { findCopy, findSameFile, isStillThere } from './file-search.ts';
import { copiedState, isCopyOfAny } from './followed-copies.ts';
import type { LogSource } from './log-source.ts';
import {
  fileKey,
  lastLineEnd,
  type OpenedFile,
  openFile,
  readFingerprint,
  readFingerprintOrClose,
} from './opened-file.ts';
import { ParkedFiles } from './parked-files.ts';
import { PathMemory } from './path-memory.ts';
import { isInBase, PathSurvey, type SurveyedFile } from './path-survey.ts';
import { findRotated, isCompressedOf } from './rotated-files.ts';
import { TailedFile } from './tailed-file.ts';

export interface FileSetOptions {
  readonly describer: FileDescriber;
  /** Called before a file's resource changes. */
  readonly onRedescribe: (file: TailedFile) => void;
  /** How long a file that left its path must stand still before it is let go. */
  readonly rotatedQuietMs: number;
  readonly ledger: LossLedger;
  /** True while a batch under way names the file: it must not be forgotten. */
  readonly isHeld: (fileId: number) => boolean;
}

export interface FileSetCounts {
  filesFound: number;
  filesRotated: number;
  filesTruncated: number;
}

/** 'end' reads only what is written from now on; it is meant for the very first start on a machine. */
export type ReadFrom = 'beginning' | 'end';

export class FileSet {
  readonly counts: FileSetCounts = { filesFound: 0, filesRotated: 0, filesTruncated: 0 };
  nextFileId: number;
  #changeCount = 0;
  readonly #options: FileSetOptions;
  /** By id. A file stays here until it is read to its end and all its batches are confirmed. */
  readonly #files = new Map<number, TailedFile>();
  /** Files of the checkpoint that are there but cannot be opened now. */
  #unopened: FileCheckpoint[] = [];
  readonly #paths = new PathMemory(this.#files);
  readonly #survey = new PathSurvey();
  readonly #empty = new EmptyFiles();
  #hasLooked = false;
  readonly #parked = new ParkedFiles();

  constructor(options: FileSetOptions, nextFileId: number) {
    this.#options = options;
    this.nextFileId = nextFileId;
  }

  all(): readonly TailedFile[] {
    return [...this.#files.values()];
  }

  get(id: number): TailedFile | undefined {
    return this.#files.get(id);
  }

  /**
   * Finds the files of a checkpoint again. Those that are gone, with bytes unread, are counted as lost, and stay here
   * closed as long as a batch names them. Those that cannot be opened are tried again by `discover`.
   */
  async restore(entries: readonly FileCheckpoint[], nowMs: number): Promise<void> {
    for (const entry of entries) {
      try {
        const file = await this.#restoreFile(entry, nowMs);
        this.#files.set(entry.id, file);
        if (!file.isOpen) this.#paths.seek(entry.path);
      } catch (error) {
        const message = describeAccessError('cannot open a log file that was read before', error);
        this.#options.ledger.setProblems(`file ${entry.id}`, [{ path: entry.path, message }]);
        this.#unopened.push(entry);
      }
    }
  }

  /** What an earlier run, or this one, knows of paths. */
  get paths(): PathMemory {
    return this.#paths;
  }

  /** Rises when the checkpoint should be saved soon: a file came, moved, was lost or let go. */
  get revision(): number {
    return this.#changeCount + this.#paths.revision;
  }

  /** True for a file of the checkpoint that could not be opened yet. */
  isWaitingFor(id: number): boolean {
    return this.#unopened.some((entry) => entry.id === id);
  }

  /** What the checkpoint holds of all files. */
  states(): FileState[] {
    const unopened = this.#unopened.map((entry) => ({
      ...entry,
      base: entry.base,
      description: entry,
      checkpoint: () => entry,
    }));
    return [...unopened, ...this.#files.values()];
  }

  /** Looks for new and vanished files. Problems replace those of the last look. */
  async discover(readFrom: ReadFrom, nowMs: number): Promise<void> {
    const lookedAtMs = Date.now();
    await this.#retryUnopened(nowMs);
    const problems: Problem[] = [];
    const found = await this.#survey.look(this.#options.describer.sources(), problems);
    const followed = new Set(this.#unopened.map(fileKey));
    for (const file of this.#files.values()) {
      if (!file.isOpen) continue;
      const { key } = file;
      followed.add(key);
      const path = found.get(key)?.path;
      if (file.isPresent && path !== file.path) this.#paths.seek(file.path);
      this.#markPresence(file, path, nowMs);
      this.#redescribe(file, found.get(key), nowMs);
    }
    for (const { path } of this.#paths.sought) await this.#followRotated(path, nowMs, problems);
    await this.#followMoved(found, nowMs);
    for (const [key, file] of found) {
      if (!followed.has(key) && !this.#isFollowed(key)) await this.#follow(file, readFrom, nowMs, problems);
    }
    this.#paths.lookedAtMs = lookedAtMs;
    this.#hasLooked = true;
    this.#options.ledger.setProblems('discovery', problems);
  }

  /** Follows files that were empty at their paths, and got lines elsewhere. */
  async #followMoved(found: ReadonlyMap<string, SurveyedFile>, nowMs: number): Promise<void> {
    for (const { opened, source } of await this.#empty.moved(found, this.#options.rotatedQuietMs, nowMs)) {
      if (this.#isFollowed(fileKey(opened))) await opened.handle.close();
      else (await this.#start(opened, source, 0, nowMs)).markPresence(undefined, nowMs);
    }
  }

  /** Looks at the sizes of all files. */
  async poll(nowMs: number): Promise<void> {
    for (const file of this.#files.values()) {
      if (file.isOpen && !this.#pollFile(file, nowMs)) await this.#recover(file, nowMs);
      file.finishIfQuiet(this.#options.rotatedQuietMs, nowMs);
      await this.#releaseIfDone(file);
    }
    for (const file of this.#parked.excess(this.#files)) await this.#release(file);
  }

  /** Returns false where the file was truncated. One that cannot be looked at stays as it is, and is a problem. */
  #pollFile(file: TailedFile, nowMs: number): boolean {
    const kind = `file ${file.id}`;
    try {
      const isIntact = file.poll(nowMs);
      this.#options.ledger.setProblems(kind, []);
      return isIntact;
    } catch (error) {
      const message = describeAccessError('cannot look at the log file', error);
      this.#options.ledger.setProblems(kind, [{ path: file.path, message }]);
      return true;
    }
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close();
  }

  async #retryUnopened(nowMs: number): Promise<void> {
    const entries = this.#unopened;
    this.#unopened = [];
    for (const { id } of entries) this.#options.ledger.setProblems(`file ${id}`, []);
    await this.restore(entries, nowMs);
  }

  async #restoreFile(entry: FileCheckpoint, nowMs: number): Promise<TailedFile> {
    const { id, fingerprint, offset, base } = entry;
    const description = this.#options.describer.remembered(entry);
    const start = { id, fingerprint, format: entry.format ?? undefined, description, offset, base, nowMs };
    const opened = await this.#findAgain(entry);
    // Under the path it had: what rotation left beside it is named after that.
    if (opened !== undefined) return new TailedFile({ ...opened, path: entry.path }, start);
    const file = new TailedFile(entry, start);
    this.#loseRest(file, isStillThere(entry) ? 'truncated' : 'deleted');
    return file;
  }

  async #findAgain(entry: FileCheckpoint): Promise<OpenedFile | undefined> {
    for (const find of [findSameFile, findCopy]) {
      const opened = await find(entry, (key) => this.#isFollowed(key));
      if (opened !== undefined && (await isInBase(opened, entry.base))) return opened;
      await opened?.handle.close();
    }
    return undefined;
  }

  #isFollowed(key: string): boolean {
    for (const file of this.#files.values()) if (file.isOpen && file.key === key) return true;
    return false;
  }

  /** Takes over what is known of a file's writer since. */
  #redescribe(file: TailedFile, found: SurveyedFile | undefined, nowMs: number): void {
    const { describer, onRedescribe } = this.#options;
    if (found !== undefined) file.source = found.source;
    if (file.source === undefined || file.describedRevision === describer.revision) return;
    file.describedRevision = describer.revision;
    const description = describer.describeAgain(file.path, file.source, file.resource);
    if (description === undefined || isDeepStrictEqual(description, file.description)) return;
    onRedescribe(file);
    file.describe(description, nowMs);
    this.#changeCount++;
  }

  #markPresence(file: TailedFile, path: string | undefined, nowMs: number): void {
    const wasAt = file.isPresent ? file.path : undefined;
    file.markPresence(path, nowMs);
    if (wasAt === undefined || wasAt === path) return;
    this.#changeCount++;
    this.counts.filesRotated++;
  }

  /** Labels name as many files as they like: they leave room for the standard streams of all. */
  #isFull(source: LogSource | undefined): boolean {
    if (source?.origin === undefined) return this.#files.size - this.#parked.size >= globFilesMax;
    return this.all().filter((file) => file.source?.origin !== undefined).length >= globFilesMax / 2;
  }

  async #follow(
    { path, source }: SurveyedFile,
    readFrom: ReadFrom,
    nowMs: number,
    problems: Problem[],
  ): Promise<void> {
    if (this.#isFull(source)) {
      problems.push({ path, message: 'not read: too many files are followed already; use narrower globs' });
      return;
    }
    let opened: OpenedFile | undefined;
    try {
      opened = await openFile(path);
    } catch (error) {
      // Rotated away since it was listed: the next look finds it under its new name.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      problems.push({ path, message: describeAccessError('cannot open the log file', error) });
      return;
    }
    if (opened === undefined) return;
    if (!(await isInBase(opened, source.base))) {
      problems.push({ path, message: `not read: a symbolic link leads out of ${source.base}` });
      await opened.handle.close();
      return;
    }
    const isWorthSeeking = opened.size > 0 || this.#empty.note(opened, source);
    if (isWorthSeeking && this.#paths.seek(path)) await this.#followRotated(path, nowMs, problems);
    // An empty file may be a copy that is being made.
    if (opened.size === 0 || this.#isFollowed(fileKey(opened)) || (await isCopyOfAny(this.all(), opened))) {
      await opened.handle.close();
      return;
    }
    this.#empty.forget(fileKey(opened));
    const offset = readFrom === 'end' ? await lastLineEnd(opened) : 0;
    await this.#start(opened, source, offset, nowMs);
  }

  async #start(
    opened: OpenedFile,
    source: LogSource | undefined,
    offset: number,
    nowMs: number,
  ): Promise<TailedFile> {
    const { describer } = this.#options;
    const description = await describer.describe(opened.path, source);
    const fingerprint = await readFingerprintOrClose(opened);
    const id = this.nextFileId++;
    const { base } = source ?? { base: this.#paths.baseOf(opened.path) };
    const start = { id, fingerprint, format: undefined, description, offset, base, nowMs };
    const file = new TailedFile(opened, start);
    if (source !== undefined) file.source = source;
    file.describedRevision = describer.revision;
    // What is there at the first look was written while nobody looked: that is no excess.
    if (this.#hasLooked) file.chargeRate(this.#paths.lastOf(opened.path), nowMs);
    this.#files.set(id, file);
    this.counts.filesFound++;
    this.#changeCount++;
    return file;
  }

  /** Follows what was created at `path` and rotated away unseen; what is compressed by now is lost, and counted. */
  async #followRotated(path: string, nowMs: number, problems: Problem[]): Promise<void> {
    const sinceMs = this.#paths.soughtSinceMs(path);
    if (sinceMs === undefined || this.#isFull(this.#paths.lastOf(path)?.source)) return;
    const isKnown = (file: OpenedFile) => this.#isKnownRotated(file, path);
    const { plain, compressed, isComplete, errors } = await findRotated({ path, sinceMs, isKnown });
    for (const opened of plain) {
      // By the live path: it gives the resource, and the name that all rotated files share.
      try {
        const file = await this.#start({ ...opened, path }, this.#paths.lastOf(path)?.source, 0, nowMs);
        file.markPresence(undefined, nowMs);
      } catch (error) {
        errors.push({ path: opened.path, error });
      }
    }
    for (const opened of compressed) {
      const { path: lost, size: bytes } = opened;
      const loss = { reason: 'rotated_compressed', path: lost, records: 0, bytes } as const;
      this.#options.ledger.lose(loss, 'the file was rotated and compressed before it was read to its end');
      const fingerprint = await readFingerprint(opened.handle);
      this.#paths.history.add({ ...opened, path, fingerprint, base: this.#paths.baseOf(path) });
      await opened.handle.close();
      this.#changeCount++;
    }
    for (const { path: failed, error } of errors) {
      problems.push({ path: failed, message: describeAccessError('cannot read a rotated log file', error) });
    }
    if (!isComplete || errors.length > 0) return;
    this.#paths.found(path);
  }

  async #isKnownRotated(opened: OpenedFile, path: string): Promise<boolean | 'later'> {
    const key = fileKey(opened);
    // A container's links name what is not its own: that is left alone.
    if (!(await isInBase(opened, this.#paths.baseOf(path)))) return true;
    if (this.#isFollowed(key) || this.#unopened.some((entry) => fileKey(entry) === key)) return true;
    if (this.#paths.history.has(opened)) return true;
    if (compressedName.test(opened.path)) return isCompressedOf(opened, this.#paths.knownAt(path));
    return copiedState(this.all(), path, opened);
  }

  /** The file was truncated: reads on in the copy that rotation made, or counts what is gone. */
  async #recover(file: TailedFile, nowMs: number): Promise<void> {
    this.counts.filesTruncated++;
    this.#changeCount++;
    const copy = await findCopy(file, (key) => this.#isFollowed(key));
    if (copy !== undefined && (await isInBase(copy, file.base))) return await file.moveTo(copy, nowMs);
    await copy?.handle.close();
    this.#loseRest(file, 'truncated');
    // The next discovery follows what is written now, as a new file.
    await file.close();
  }

  #loseRest(file: TailedFile, reason: LossReason): void {
    const { path, unreadBytes: bytes } = file;
    const detail = reason === 'truncated' ? 'the file was truncated before it was read' : 'the file is gone';
    if (bytes > 0) this.#options.ledger.lose({ reason, path, records: 0, bytes }, detail);
    file.isGone = true;
    // Counted once: a batch may keep the file in the checkpoint for some time.
    file.offset += bytes;
    this.#changeCount++;
  }

  async #releaseIfDone(file: TailedFile): Promise<void> {
    if (this.#options.isHeld(file.id)) return;
    const isRead = file.isFinished && (file.offset >= file.size || !file.rules.isCollected);
    if (file.isOpen && !isRead) return;
    if (!this.#parked.keep(file)) await this.#release(file);
  }

  async #release(file: TailedFile): Promise<void> {
    await file.close();
    this.#paths.history.add(file);
    this.#files.delete(file.id);
    this.#changeCount++;
  }
}
