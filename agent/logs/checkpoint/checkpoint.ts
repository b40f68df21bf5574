/**
 * What the log agent must remember over a restart, as versioned JSON: how far each file was read, and which batches
 * were sent but not confirmed.
 *
 * Invariant: a byte of a file is confirmed, or in the range of exactly one pending batch, or at or past the file's
 * offset. A restarted agent sends the pending batches again, made from the same ranges under the same ids, and reads
 * on at the offsets: the store drops the ids that it has, so nothing is lost and nothing lands twice.
 */
import { z } from 'zod';
import { lineFormats } from '../frame/frame.ts';

/**
 * 2: files have rules and ranges descriptions, which an agent of version 1 would call broken. 3: what has changed since is in
 * a journal, which an agent of version 2 would not look for. All are read.
 */
const version = 3;
const versionsRead = [1, 2, version];
/** Whole, and not negative. */
export const count = z.int().min(0);

/** A batch never holds more of one file than this (the agent's window is far below): more is a broken checkpoint. */
const rangeBytesMax = 64 * 1024 * 1024;

/** Who a file is, and what was last seen of it. */
const identity = {
  path: z.string().min(1),
  /** What the file system calls the file; decimal text, because inode numbers can exceed 2^53. */
  device: z.string().regex(/^\d+$/),
  inode: z.string().regex(/^\d+$/),
  /** SHA-256 of the file's first bytes: tells a file from a later one with the same inode. */
  fingerprint: z.strictObject({ bytes: count, sha256: z.string() }),
  /** As last seen: says how much was lost if the file goes away unread. */
  size: count,
  mtimeMs: z.number(),
  /** Of a file inside of a container: links that lead out of this directory are not followed. */
  base: z.string().optional(),
};

export const readFileSchema = z.strictObject(identity);
export const soughtSchema = z.strictObject({
  path: z.string().min(1),
  sinceMs: z.number(),
  base: z.string().optional(),
});

const resourceSchema = z.record(z.string(), z.union([z.string(), z.number()]));

export const fileSchema = z.strictObject({
  id: count,
  ...identity,
  /** null: the file had no whole line yet. Files in a pending batch have one. */
  format: z.enum(lineFormats).nullable(),
  /** How lines are joined (see tail/log-source.ts): ranges of a batch that is sent again are joined by it too. */
  multiline: z.string().default('auto'),
  /** The parser that its container's label names. */
  parse: z.string().default(''),
  /** Whether it is wanted at all: what a restart must know before anybody can say who writes the file. */
  isCollected: z.boolean().default(true),
  resource: resourceSchema,
  /** Where reading goes on: behind all that is confirmed or pending. */
  offset: count,
});

const rangeSchema = z
  .strictObject({
    fileId: count,
    from: count,
    to: count,
    /** Where the file's resource has changed since: a batch that is sent again must be the same. */
    resource: resourceSchema.optional(),
    /** Likewise: how its lines were joined. */
    multiline: z.string().optional(),
    parse: z.string().optional(),
  })
  .refine(({ from, to }) => to > from && to - from <= rangeBytesMax, { error: 'expected from < to' });

export const pendingSchema = z.strictObject({
  batchId: z.string().min(1),
  tenant: z.string(),
  key: z.string(),
  /** The bound that the records were made with: a changed configuration must not change a batch that was sent. */
  lineBytesMax: z.int().min(1),
  ranges: z.array(rangeSchema).min(1),
});

const checkpointSchema = z.strictObject({
  version: z.literal(versionsRead),
  /** Random; with the sequence and a hash of the content it makes batch ids unique. */
  agentId: z.string().min(1),
  nextSequence: count,
  nextFileId: count,
  files: z.array(fileSchema),
  /** Files that were read to their end and let go, the oldest first. */
  history: z.array(readFileSchema).default([]),
  /** Paths beside which files may lie that were rotated away unseen, written at `sinceMs` or later. */
  sought: z.array(soughtSchema).default([]),
  /** When the globs were last looked at, Unix milliseconds; 0: not known. */
  lookedAtMs: z.number().default(0),
  pending: z.array(pendingSchema),
  /** The name of the journal that has what changed since (see checkpoint-journal.ts); '' for none. */
  journal: z.string().default(''),
});

export type FileCheckpoint = z.infer<typeof fileSchema>;
export type ReadFile = z.infer<typeof readFileSchema>;
export type SoughtPath = z.infer<typeof soughtSchema>;
export type PendingBatch = z.infer<typeof pendingSchema>;
export type Checkpoint = z.infer<typeof checkpointSchema>;
export type Fingerprint = FileCheckpoint['fingerprint'];

/** Parses the text of a checkpoint file. Throws an Error that says what is wrong with it. */
export function parseCheckpoint(text: string): Checkpoint {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error('it is not JSON', { cause: error });
  }
  const found = (value as { version?: unknown } | null)?.version;
  if (found !== undefined && !versionsRead.includes(found as number)) {
    const read = versionsRead.join(', ').replace(/, (\d+)$/, ' and $1');
    throw new Error(`its version is ${JSON.stringify(found)} and this agent reads versions ${read}`);
  }
  const parsed = checkpointSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(`${issue.path.join('.') || 'its content'}: ${issue.message}`);
  }
  checkPending(parsed.data);
  return parsed.data;
}

/** Throws an Error where a pending batch names a file that is not listed. */
export function checkPending({ files, pending }: Checkpoint): void {
  const ids = new Set(files.map(({ id }) => id));
  const isListed = pending.every(({ ranges }) => ranges.every(({ fileId }) => ids.has(fileId)));
  if (!isListed) throw new Error('a pending batch names a file that is not listed');
}

/** Renders a checkpoint as the text that parseCheckpoint reads: a snapshot, with the name of its journal. */
export function renderCheckpoint(checkpoint: Omit<Checkpoint, 'version'>): string {
  return JSON.stringify({ version, ...checkpoint });
}
