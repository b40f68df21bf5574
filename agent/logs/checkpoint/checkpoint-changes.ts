/**
 * What has changed in the log agent's state since it was last rendered, so that ten thousand quiet files cost a batch nothing
 * on disk; and a checkpoint with such changes applied.
 *
 *   CheckpointChanges.snapshot()  ->  the whole state     changes()  ->  what is other since, for the journal
 */
import { z } from 'zod';
import {
  type Checkpoint,
  checkPending,
  count,
  type FileCheckpoint,
  type Fingerprint,
  fileSchema,
  type PendingBatch,
  pendingSchema,
  type ReadFile,
  readFileSchema,
  renderCheckpoint,
  type SoughtPath,
  soughtSchema,
} from './checkpoint.ts';

/** A file's state: equal values, and the very same objects, mean that nothing has changed. */
export interface FileState {
  readonly id: number;
  readonly path: string;
  readonly device: string;
  readonly inode: string;
  readonly fingerprint: Fingerprint;
  readonly format: unknown;
  readonly description: unknown;
  readonly base: string | undefined;
  readonly offset: number;
  readonly size: number;
  readonly mtimeMs: number;
  checkpoint(): FileCheckpoint;
}

/** What the agent has to remember, as of now. Entries of lists are replaced when they change, never modified. */
export interface AgentState
  extends Pick<Checkpoint, 'agentId' | 'nextSequence' | 'nextFileId' | 'lookedAtMs'> {
  readonly files: readonly FileState[];
  readonly history: readonly ReadFile[];
  readonly sought: readonly SoughtPath[];
  readonly pending: readonly PendingBatch[];
}

// id, offset, size, mtimeMs, and the fingerprint where it covers more than before.
const grownSchema = z.union([
  z.tuple([count, count, count, z.number()]),
  z.tuple([count, count, count, z.number(), count, z.string()]),
]);

const changesSchema = z.strictObject({
  nextSequence: count,
  nextFileId: count,
  lookedAtMs: z.number(),
  /** New, or other in more than what growing files change. */
  files: z.array(fileSchema).optional(),
  grown: z.array(grownSchema).optional(),
  /** Ids of files that are forgotten. */
  gone: z.array(count).optional(),
  /** Dropped: indexes in the list before. */
  history: z.strictObject({ dropped: z.array(count), added: z.array(readFileSchema) }).optional(),
  sought: z.strictObject({ dropped: z.array(z.string()), added: z.array(soughtSchema) }).optional(),
  /** New, or with ranges that are described otherwise. */
  pending: z.array(pendingSchema).optional(),
  settled: z.array(z.string()).optional(),
});

type Changes = z.infer<typeof changesSchema>;
type Grown = z.infer<typeof grownSchema>;

/** A checkpoint that takes over changes, one record after the other. */
export class ChangedCheckpoint {
  readonly #snapshot: Checkpoint;
  readonly #files: Map<number, FileCheckpoint>;
  readonly #pending: Map<string, PendingBatch>;
  #rest: Pick<Checkpoint, 'nextSequence' | 'nextFileId' | 'lookedAtMs' | 'history' | 'sought'>;

  constructor(snapshot: Checkpoint) {
    this.#snapshot = snapshot;
    this.#rest = snapshot;
    this.#files = new Map(snapshot.files.map((file) => [file.id, file]));
    this.#pending = new Map(snapshot.pending.map((batch) => [batch.batchId, batch]));
  }

  /** `text` is what CheckpointChanges.changes() returned. Throws an Error where it cannot be. */
  apply(text: string): void {
    const parsed = changesSchema.safeParse(JSON.parse(text));
    if (!parsed.success) throw new Error(z.prettifyError(parsed.error));
    const { nextSequence, nextFileId, lookedAtMs, history, sought, ...changes } = parsed.data;
    for (const file of changes.files ?? []) this.#files.set(file.id, file);
    for (const [id, offset, size, mtimeMs, bytes, sha256] of changes.grown ?? []) {
      const file = this.#files.get(id);
      if (file === undefined) throw new Error(`file ${id} has grown, and is not listed`);
      const fingerprint = sha256 === undefined ? file.fingerprint : { bytes: bytes!, sha256 };
      this.#files.set(id, { ...file, offset, size, mtimeMs, fingerprint });
    }
    for (const id of changes.gone ?? []) this.#files.delete(id);
    for (const batch of changes.pending ?? []) this.#pending.set(batch.batchId, batch);
    for (const batchId of changes.settled ?? []) this.#pending.delete(batchId);
    this.#rest = {
      nextSequence,
      nextFileId,
      lookedAtMs,
      history: applyList(this.#rest.history, history, (_, index) => index),
      sought: applyList(this.#rest.sought, sought, ({ path }) => path),
    };
  }

  /** Throws an Error where the changes do not fit together. */
  result(): Checkpoint {
    const { nextSequence, nextFileId, lookedAtMs, history, sought } = this.#rest;
    const files = [...this.#files.values()];
    const pending = [...this.#pending.values()];
    const rest = { nextSequence, nextFileId, lookedAtMs, history, sought };
    const checkpoint = { ...this.#snapshot, ...rest, files, pending };
    checkPending(checkpoint);
    return checkpoint;
  }
}

function applyList<T, Key>(
  before: T[],
  change: { dropped: Key[]; added: T[] } | undefined,
  keyOf: (entry: T, index: number) => Key,
): T[] {
  if (change === undefined) return before;
  const dropped = new Set(change.dropped);
  return [...before.filter((entry, index) => !dropped.has(keyOf(entry, index))), ...change.added];
}

interface KnownFile {
  state: Omit<FileState, 'checkpoint'>;
  round: number;
}

export class CheckpointChanges {
  readonly #state: () => AgentState;
  readonly #files = new Map<number, KnownFile>();
  #history: readonly ReadFile[] = [];
  #sought = new Map<string, number>();
  #pending = new Map<string, PendingBatch>();
  #round = 0;

  constructor(state: () => AgentState) {
    this.#state = state;
  }

  /** The whole state as the text of a checkpoint file; changes() goes on from here. */
  snapshot(journal: string): string {
    const state = this.#state();
    this.#files.clear();
    this.#note(state);
    const { files, history, sought, pending, ...rest } = state;
    return renderCheckpoint({
      ...rest,
      journal,
      files: files.map((file) => file.checkpoint()),
      history: [...history],
      sought: [...sought],
      pending: [...pending],
    });
  }

  /** What has changed since the last call, or the last snapshot: what applyChanges reads. */
  changes(): string {
    return JSON.stringify(this.#note(this.#state()));
  }

  #note({ files, history, sought, pending, nextSequence, nextFileId, lookedAtMs }: AgentState): Changes {
    const changes: Changes = { nextSequence, nextFileId, lookedAtMs };
    this.#noteFiles(files, changes);
    this.#noteHistory(history, changes);
    this.#noteSought(sought, changes);
    this.#notePending(pending, changes);
    return changes;
  }

  #noteFiles(files: readonly FileState[], changes: Changes): void {
    const round = ++this.#round;
    const other: FileCheckpoint[] = [];
    const grown: Grown[] = [];
    for (const file of files) {
      const known = this.#files.get(file.id);
      if (known === undefined || isOther(known.state, file)) {
        other.push(file.checkpoint());
        this.#files.set(file.id, { state: stateOf(file), round });
        continue;
      }
      known.round = round;
      const { offset, size, mtimeMs, fingerprint } = known.state;
      const isSame = offset === file.offset && size === file.size && mtimeMs === file.mtimeMs;
      const hasFingerprint = fingerprint === file.fingerprint;
      if (isSame && hasFingerprint) continue;
      const { bytes, sha256 } = file.fingerprint;
      if (hasFingerprint) grown.push([file.id, file.offset, file.size, file.mtimeMs]);
      else grown.push([file.id, file.offset, file.size, file.mtimeMs, bytes, sha256]);
      known.state = stateOf(file);
    }
    const gone: number[] = [];
    if (this.#files.size > files.length) {
      for (const [id, known] of this.#files) if (known.round !== round) gone.push(id);
      for (const id of gone) this.#files.delete(id);
    }
    if (other.length > 0) changes.files = other;
    if (grown.length > 0) changes.grown = grown;
    if (gone.length > 0) changes.gone = gone;
  }

  #noteHistory(history: readonly ReadFile[], changes: Changes): void {
    const now = new Set(history);
    const before = new Set(this.#history);
    const dropped = [...this.#history.keys()].filter((index) => !now.has(this.#history[index]!));
    const added = history.filter((file) => !before.has(file));
    // In the journal's order.
    this.#history = [...this.#history.filter((file) => now.has(file)), ...added];
    if (dropped.length + added.length > 0) changes.history = { dropped, added };
  }

  #noteSought(sought: readonly SoughtPath[], changes: Changes): void {
    const now = new Map(sought.map(({ path, sinceMs }) => [path, sinceMs]));
    const dropped = [...this.#sought.keys()].filter((path) => now.get(path) !== this.#sought.get(path));
    const added = sought.filter(({ path, sinceMs }) => this.#sought.get(path) !== sinceMs);
    this.#sought = now;
    if (dropped.length + added.length > 0) changes.sought = { dropped, added };
  }

  #notePending(pending: readonly PendingBatch[], changes: Changes): void {
    const now = new Map(pending.map((batch) => [batch.batchId, batch]));
    const added = pending.filter((batch) => this.#pending.get(batch.batchId) !== batch);
    const settled = [...this.#pending.keys()].filter((batchId) => !now.has(batchId));
    this.#pending = now;
    if (added.length > 0) changes.pending = added;
    if (settled.length > 0) changes.settled = settled;
  }
}

function stateOf(file: FileState): KnownFile['state'] {
  const { id, path, device, inode, fingerprint, format, description, base, offset, size, mtimeMs } = file;
  return { id, path, device, inode, fingerprint, format, description, base, offset, size, mtimeMs };
}

function isOther(known: KnownFile['state'], file: FileState): boolean {
  return (
    known.path !== file.path ||
    known.device !== file.device ||
    known.inode !== file.inode ||
    known.format !== file.format ||
    known.description !== file.description ||
    known.base !== file.base
  );
}
