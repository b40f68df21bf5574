/**
 * A file that takes room so that it can be given back: the engine needs a mebibyte even to drop a partition, and a disk
 * that something else has filled to the last byte could never be emptied.
 *
 *   dropping fails with NOT_ENOUGH_SPACE  ->  the ballast is removed  ->  dropping works  ->  the ballast is made again
 */
import { randomFillSync } from 'node:crypto';
import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { notEnoughSpace } from '../clickhouse-error.ts';
import { StoreError } from '../store.ts';

/** The engine reserves 1 MiB for each drop and writes some small files. */
const ballastBytes = 8 * 1024 * 1024;

export class Ballast {
  readonly #path: string;

  /** `directory` is the data directory, or another on the same disk. */
  constructor(directory: string) {
    this.#path = join(directory, 'ballast');
  }

  /** Makes the file where it is missing or short. Returns whether it is there: a full disk has no room for it. */
  async fill(): Promise<boolean> {
    if ((await this.#byteCount()) === ballastBytes) return true;
    try {
      // Random, because a file system may compress zeros to nothing.
      await writeFile(this.#path, randomFillSync(Buffer.allocUnsafe(ballastBytes)), { mode: 0o600 });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      await this.#remove();
      return false;
    }
  }

  /** Runs `work`; where it fails for want of space, gives the ballast's and runs it once more. */
  async lend<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StoreError) || error.clickhouseCode !== notEnoughSpace) throw error;
      await this.#remove();
      return work();
    }
  }

  #remove(): Promise<void> {
    return rm(this.#path, { force: true });
  }

  async #byteCount(): Promise<number> {
    try {
      return (await stat(this.#path)).size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
      throw error;
    }
  }
}
