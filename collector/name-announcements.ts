/**
 * Series and metric metadata: the rows that name what other tables hold. A worker announces a name once and relies on
 * its insert, so one run's samples may need names that another run has under way: they are acknowledged only after it.
 */
import { createHash } from 'node:crypto';
import { UnavailableError } from '#model/errors.ts';
import type { NativeBlock } from '#store/store.ts';

/** Equal rows are merged in these tables, so that a repeat does no harm. */
const namingTables: ReadonlySet<string> = new Set(['series', 'metric_metadata']);

/** Their rows mean nothing without the rows of `series`. */
const namedTables: ReadonlySet<string> = new Set([
  'samples_head',
  'sample_starts',
  'histograms_head',
  'exemplars',
]);

export function isNaming({ table }: NativeBlock): boolean {
  return namingTables.has(table);
}

export class NameAnnouncements {
  readonly #underWay = new Set<Promise<void>>();
  #epoch = 0;

  /** Changes when names may be missing in the store: workers announce all of theirs again then. */
  get epoch(): number {
    return this.#epoch;
  }

  forget(): void {
    this.#epoch++;
  }

  /**
   * Inserts the names among blocks that were transcoded under `epoch`, and resolves when its samples have all of theirs.
   * Must be called in the order in which workers answered. Rejects with UnavailableError where names are missing.
   */
  async store(
    blocks: readonly NativeBlock[],
    token: string,
    epoch: number,
    insert: (block: NativeBlock, token: string) => Promise<void>,
  ): Promise<void> {
    const hasSamples = blocks.some(({ table }) => namedTables.has(table));
    const earlier = hasSamples ? [...this.#underWay] : [];
    if (hasSamples && epoch !== this.#epoch) {
      throw new UnavailableError('series that an earlier request announced were not stored: come again');
    }
    const names = blocks.filter(isNaming);
    if (names.length > 0) await this.#track(() => insertAll(names, token, insert));
    await Promise.all(earlier);
  }

  async #track(insertNames: () => Promise<void>): Promise<void> {
    const announced = insertNames().catch((error: unknown) => {
      this.forget();
      throw error;
    });
    this.#underWay.add(announced);
    try {
      await announced;
    } finally {
      this.#underWay.delete(announced);
    }
  }
}

async function insertAll(
  blocks: readonly NativeBlock[],
  token: string,
  insert: (block: NativeBlock, token: string) => Promise<void>,
): Promise<void> {
  for (const block of blocks) await insert(block, namingToken(block, token));
}

/**
 * Which names a run announces depends on what its worker has announced before: a repeat of the run may have more of
 * them, and under the same token they would be dropped. So this token says what is in the block, too.
 */
function namingToken({ table, parts }: NativeBlock, token: string): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return `${token}/${table}/${hash.digest('base64url')}`;
}
