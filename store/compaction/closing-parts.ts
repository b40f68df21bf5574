/**
 * The way of a partition out of samples_head: aside into samples_closing in one step, from there part by part.
 *
 * Rows may arrive in the head at any moment, and the engine merges its parts as it likes. MOVE PARTITION takes what is
 * there, and the next compaction what comes later; in samples_closing nothing merges, so a part that was read
 * is dropped under the name that it was read by. A reader that looks at the head first, then at samples_closing, then at
 * chunks finds every sample: each step writes where it will look before it deletes where it has looked.
 */
import { type Store, StoreError } from '../store.ts';

/** Two hours of samples: all that have a time in [startMs, startMs + 2 h). */
export interface Window {
  /** The engine's id of the partition, the same in both tables. */
  readonly partition: string;
  readonly startMs: number;
  readonly isInHead: boolean;
}

export interface Part {
  readonly name: string;
  /** A hash of its files. */
  readonly hash: string;
}

export const windowMs = 7_200_000;
/** NO_SUCH_DATA_PART */
const noSuchPart = 232;

const windowsSql = `
SELECT partition_id AS id, partition AS start, countIf(table = 'samples_head') > 0 AS is_in_head
FROM system.parts
WHERE database = currentDatabase() AND active AND rows > 0 AND table IN ('samples_head', 'samples_closing')
GROUP BY id, start ORDER BY start`;

/**
 * Returns the windows that ended before `endMsMax`, and those that a compaction has begun with, oldest first. Throws
 * StoreError.
 */
export async function listWindows(store: Store, endMsMax: number): Promise<Window[]> {
  const rows = await store.rows<{ id: string; start: string; is_in_head: number }>(windowsSql);
  return rows
    .map(({ id, start, is_in_head }) => ({
      partition: id,
      startMs: Date.parse(`${start.replace(' ', 'T')}Z`),
      isInHead: is_in_head !== 0,
    }))
    .filter(({ startMs, isInHead }) => !isInHead || startMs + windowMs <= endMsMax);
}

/** Takes what the head has of a window out of the way of inserts and merges. */
export async function moveAside(store: Store, { partition }: Window, abort: AbortSignal): Promise<void> {
  await store.exec('ALTER TABLE samples_head MOVE PARTITION ID {partition:String} TO TABLE samples_closing', {
    params: { partition },
    abort,
  });
}

/** Returns the parts of a window that have rows, in the order of their hashes. */
export function listClosingParts(store: Store, { partition }: Window, abort: AbortSignal): Promise<Part[]> {
  return store.rows<Part>(
    `SELECT name, hash_of_all_files AS hash FROM system.parts
     WHERE database = currentDatabase() AND active AND rows > 0 AND table = 'samples_closing'
       AND partition_id = {partition:String}
     ORDER BY hash, name`,
    { params: { partition }, abort },
  );
}

/** Drops a part. One that is not there was dropped by another compaction, after it had inserted the same rows. */
export async function dropPart(store: Store, { name }: Part): Promise<void> {
  try {
    await store.exec('ALTER TABLE samples_closing DROP PART {name:String}', { params: { name } });
  } catch (error) {
    if (!(error instanceof StoreError) || error.clickhouseCode !== noSuchPart) throw error;
  }
}
