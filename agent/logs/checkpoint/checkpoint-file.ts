/**
 * Keeps the checkpoint on disk: a snapshot, and a journal of what has changed since. A reader finds the state of the last
 * save that was confirmed, or a later one, whatever happens in between:
 *
 * - A snapshot is written beside, synced, renamed, and the directory is synced; it names its journal anew.
 * - Only then the journal is emptied: until then it is that of the old snapshot, and afterwards nobody's.
 * - A record is appended and synced before its save is confirmed. After an append that failed nobody knows what the journal
 *   ends with: the next save is a snapshot. So is a process's first.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConfigError, errorMessage } from '#model/errors.ts';
import { type Checkpoint, parseCheckpoint } from './checkpoint.ts';
import { ChangedCheckpoint, type CheckpointChanges } from './checkpoint-changes.ts';
import { decodeJournal, encodeRecord, journalPath } from './checkpoint-journal.ts';

/** The journal may grow to this, or to the snapshot's size where that is more: then all is written anew. */
const journalBytesMin = 256 * 1024;

/**
 * Returns the checkpoint at `path` with the changes in its journal, or undefined where there is none yet (its directory is
 * made then). Throws ConfigError where it cannot be read: starting without it would ship every line again.
 */
export function loadCheckpoint(path: string): Checkpoint | undefined {
  const text = read(path, () => {
    mkdirSync(dirname(path), { recursive: true });
    return readFileSync(path, 'utf8');
  });
  if (text === undefined) return undefined;
  const advice =
    'restore it from a copy, or move it away to read all files again (stored lines are then repeated)';
  const snapshot = parse(path, advice, () => parseCheckpoint(text));
  if (snapshot.journal === '') return snapshot;
  const journal = journalPath(path);
  const bytes = read(journal, () => readFileSync(journal));
  if (bytes === undefined) return snapshot;
  return parse(
    journal,
    `restore it and ${path} from a copy, or move both away to read all files again`,
    () => {
      const changed = new ChangedCheckpoint(snapshot);
      for (const changes of decodeJournal(snapshot.journal, bytes)) changed.apply(changes);
      return changed.result();
    },
  );
}

function read<T>(path: string, readNow: () => T): T | undefined {
  try {
    return readNow();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const advice = 'let the agent read and write this path, or set another state path';
    throw new ConfigError(`cannot read the checkpoint ${path}: ${errorMessage(error)}; ${advice}`, {
      cause: error,
    });
  }
}

function parse(path: string, advice: string, parseNow: () => Checkpoint): Checkpoint {
  try {
    return parseNow();
  } catch (error) {
    throw new ConfigError(`the checkpoint ${path} is broken: ${errorMessage(error)}; ${advice}`, {
      cause: error,
    });
  }
}

/** A journal that belongs to the snapshot on disk. */
interface OpenJournal {
  readonly name: string;
  readonly file: FileHandle;
  readonly bytesMax: number;
  bytes: number;
  records: number;
}

export class CheckpointFile {
  readonly #path: string;
  readonly #source: Pick<CheckpointChanges, 'snapshot' | 'changes'>;
  #journal: OpenJournal | undefined;
  #isFinishing = false;
  #running: Promise<void> = Promise.resolve();
  #queued: Promise<void> | undefined;
  /** Saves that reached the disk. */
  saveCount = 0;

  /** `source` must return the state of the moment in which it is asked. */
  constructor(path: string, source: Pick<CheckpointChanges, 'snapshot' | 'changes'>) {
    this.#path = path;
    this.#source = source;
  }

  /**
   * Resolves when the state as of this call, or a later one, is durable. Calls that come while a write runs share the
   * next write. Rejects where the disk refuses.
   */
  save(): Promise<void> {
    this.#queued ??= this.#saveAfter(this.#running);
    return this.#queued;
  }

  /** Writes the whole state as a snapshot, and leaves no journal. No save may follow. Rejects where the disk refuses. */
  async finish(): Promise<void> {
    this.#isFinishing = true;
    try {
      await this.save();
    } finally {
      await this.#close();
    }
    await rm(journalPath(this.#path), { force: true });
  }

  async #close(): Promise<void> {
    const journal = this.#journal;
    this.#journal = undefined;
    await journal?.file.close();
  }

  async #saveAfter(running: Promise<void>): Promise<void> {
    // A failed write was reported to those who asked for it.
    await running.catch(() => undefined);
    this.#queued = undefined;
    this.#running = this.#write();
    await this.#running;
    this.saveCount++;
  }

  async #write(): Promise<void> {
    const journal = this.#journal;
    const isAppended = journal !== undefined && journal.bytes < journal.bytesMax && !this.#isFinishing;
    if (!isAppended) return await this.#writeSnapshot();
    try {
      const record = encodeRecord(journal.name, journal.records, this.#source.changes());
      await journal.file.appendFile(record);
      await journal.file.datasync();
      journal.bytes += record.length;
      journal.records++;
    } catch (error) {
      await this.#close();
      throw error;
    }
  }

  async #writeSnapshot(): Promise<void> {
    await this.#close();
    const name = randomBytes(8).toString('hex');
    const text = this.#source.snapshot(name);
    const temporary = `${this.#path}.tmp`;
    const snapshot = await open(temporary, 'w', 0o600);
    try {
      await snapshot.writeFile(text);
      await snapshot.sync();
    } finally {
      await snapshot.close();
    }
    // Made before the directory is synced, and emptied behind that.
    const file = await open(journalPath(this.#path), 'a', 0o600);
    try {
      await rename(temporary, this.#path);
      await syncDirectory(dirname(this.#path));
      await file.truncate(0);
    } catch (error) {
      await file.close();
      throw error;
    }
    const bytesMax = Math.max(journalBytesMin, text.length);
    this.#journal = { name, file, bytesMax, bytes: 0, records: 0 };
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
