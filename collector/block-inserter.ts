/**
 * The last steps of a run: which of its batches are in the tables already, and then its blocks in order, names before
 * the samples that need them, each under the run's token.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { metrics } from '@opentelemetry/api';
import { errorMessage, UnavailableError } from '#model/errors.ts';
import { selectLandedNotes } from '#store/landed-notes.ts';
import { type NativeBlock, type Store, StoreError } from '#store/store.ts';
import type { NotedTable } from '#store/tables.ts';
import { isNaming, NameAnnouncements } from './name-announcements.ts';
import type { LandedIn } from './run.ts';
import { RunStandings } from './run-standings.ts';

const meter = metrics.getMeter('sonde');
const rowCounter = meter.createCounter('sonde.store.rows', { description: 'Rows inserted, by table.' });
const insertSeconds = meter.createHistogram('sonde.store.insert.duration', {
  description: 'Time of one block insert, by table and result.',
  unit: 's',
  advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] },
});
const blockRows = meter.createHistogram('sonde.store.insert.rows', {
  description: 'Rows of one block insert, by table.',
  advice: { explicitBucketBoundaries: [10, 100, 1000, 10_000, 50_000, 100_000, 250_000, 500_000] },
});

/**
 * ClickHouse's answers that leave open whether the block is in: it is sent again under its token, so that whoever
 * repeats the request later finds it in the tables or not at all.
 */
const openEndedCodes: ReadonlySet<number | undefined> = new Set([undefined, 159, 209, 210, 319]);
const openEndedTriesMax = 5;
const openEndedPauseMs = 500;

export class BlockInserter {
  readonly #store: Store;
  readonly #names = new NameAnnouncements();
  /** Which runs are stored: every run that is inserted here must have begun there. */
  readonly standings = new RunStandings();
  rowsStored = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Changes when series may be missing in the store: see NameAnnouncements. */
  get epoch(): number {
    return this.#names.epoch;
  }

  /** A thread's memory of what it announced is gone, or cannot be trusted. */
  forgetNames(): void {
    this.#names.forget();
  }

  /** Returns, by note, where rows of these batches are already. Rejects with UnavailableError. */
  async selectLanded(touched: LandedIn, notes: readonly string[]): Promise<Map<string, LandedIn>> {
    const landed = new Map<string, LandedIn>();
    try {
      for (const [table, seconds] of Object.entries(touched) as [NotedTable, readonly number[]][]) {
        for (const [note, found] of await selectLandedNotes(this.#store, table, notes, seconds)) {
          landed.set(note, { ...landed.get(note), [table]: found });
        }
      }
    } catch (error) {
      throw new UnavailableError(`the store did not say which batches it has: ${errorMessage(error)}`, {
        cause: error,
      });
    }
    return landed;
  }

  /**
   * Resolves when all blocks are durable. `epoch` is the one under which their first request was transcoded. Must be
   * called in the order in which a thread handed blocks over. Rejects with UnavailableError.
   */
  async insert(blocks: readonly NativeBlock[], token: string, epoch: number): Promise<void> {
    await this.#names.store(blocks, token, epoch, (block, blockToken) =>
      this.#insertBlock(block, blockToken),
    );
    for (const block of blocks) {
      if (!isNaming(block)) await this.#insertBlock(block, `${token}/${block.table}`);
    }
  }

  async #insertBlock(block: NativeBlock, token: string): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.#insertOnce(block, token);
        return;
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        const isOpenEnded = error.retryable && openEndedCodes.has(error.clickhouseCode);
        // Nothing was acknowledged, so whoever sent this still has it: even an error that looks final (a full disk, a
        // missing table) is a reason to come again, never a reason to drop.
        if (!isOpenEnded || tries === openEndedTriesMax) {
          throw new UnavailableError(`the store did not take ${block.table}: ${errorMessage(error)}`, {
            cause: error,
            retryAfterMs: 2000,
          });
        }
      }
      await delay(openEndedPauseMs);
    }
  }

  async #insertOnce(block: NativeBlock, token: string): Promise<void> {
    const { table, rowCount } = block;
    const started = performance.now();
    let result = 'error';
    try {
      await this.#store.insert(block, token);
      result = 'ok';
      rowCounter.add(rowCount, { table });
      blockRows.record(rowCount, { table });
      this.rowsStored += rowCount;
    } finally {
      insertSeconds.record((performance.now() - started) / 1000, { table, result });
    }
  }
}
