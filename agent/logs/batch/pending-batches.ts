/**
 * The batches that are sent and not confirmed, in the order in which they were made, and the files that they hold.
 */
import type { PendingBatch } from '../checkpoint/checkpoint.ts';
import type { FileRules } from '../tail/log-source.ts';

export class PendingBatches {
  readonly #batches = new Map<string, PendingBatch>();
  /** Ranges under way, by file. */
  readonly #rangeCounts = new Map<number, number>();
  #bytes = 0;

  constructor(batches: readonly PendingBatch[]) {
    for (const batch of batches) this.add(batch);
  }

  /** Bytes of files that are sent and not confirmed. */
  get bytes(): number {
    return this.#bytes;
  }

  all(): PendingBatch[] {
    return [...this.#batches.values()];
  }

  /** The batch as it is described now. Must be pending. */
  get({ batchId }: PendingBatch): PendingBatch {
    return this.#batches.get(batchId)!;
  }

  /** True while a batch names the file: it must not be forgotten. */
  holds(fileId: number): boolean {
    return this.#rangeCounts.has(fileId);
  }

  /** The file's description is about to change: batches under way keep the one that they were made with. */
  keepDescription(
    fileId: number,
    resource: Readonly<Record<string, string | number>>,
    { multiline, parse }: Pick<FileRules, 'multiline' | 'parse'>,
  ): void {
    if (!this.holds(fileId)) return;
    for (const [batchId, batch] of this.#batches) {
      if (!batch.ranges.some((range) => range.fileId === fileId)) continue;
      // Anew, not in place: the checkpoint's journal is to have it again.
      const ranges = batch.ranges.map((range) =>
        range.fileId === fileId ? { resource: { ...resource }, multiline, parse, ...range } : range,
      );
      this.#batches.set(batchId, { ...batch, ranges });
    }
  }

  add(batch: PendingBatch): void {
    this.#batches.set(batch.batchId, batch);
    for (const { fileId, from, to } of batch.ranges) {
      this.#rangeCounts.set(fileId, (this.#rangeCounts.get(fileId) ?? 0) + 1);
      this.#bytes += to - from;
    }
  }

  remove(batch: PendingBatch): void {
    if (!this.#batches.delete(batch.batchId)) throw new Error('BUG: a batch was settled twice');
    for (const { fileId, from, to } of batch.ranges) {
      const count = this.#rangeCounts.get(fileId)! - 1;
      if (count === 0) this.#rangeCounts.delete(fileId);
      else this.#rangeCounts.set(fileId, count);
      this.#bytes -= to - from;
    }
  }
}
