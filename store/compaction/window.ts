/**
 * Compacts one window: rows of samples_head become chunks and cells. May be killed between any two statements, and may
 * run in several processes at once on one store:
 *
 *   move aside -> chunks, each slice checked -> cells -> drop the parts that were read
 *
 * The parts in samples_closing are what is left to do: they go last. What is repeated changes nothing: a slice of the
 * same parts has the same token and the same rows, samples with one time are one for every reader, and cells are made
 * from chunks and replace one another. Late rows go the same way; their chunk rows stand beside the older ones.
 */
import { createHash, randomUUID } from 'node:crypto';
import { type QueryOptions, type QueryParams, type Store, StoreError } from '../store.ts';
import { insertCellsSql } from './cell-sql.ts';
import { insertChunksSql, metricCountsSql, missingSeriesSql } from './chunk-sql.ts';
import { dropPart, listClosingParts, moveAside, type Part, type Window } from './closing-parts.ts';
import { planSlices, type Slice, sliceWhere } from './slices.ts';

/** What comes next when the failpoint is called. */
export type CompactionStep = 'move' | 'chunk' | 'cells' | 'drop' | 'finish';

export interface CompactionContext {
  readonly store: Store;
  /** What one statement holds in memory, at about 150 bytes a sample. */
  readonly sliceSamplesMax: number;
  /** The store's engine wants to be asked for deduplication of INSERT SELECT. */
  readonly asksForDeduplication: boolean;
  readonly abort: AbortSignal;
  /** For tests that stop a compaction between two statements. */
  readonly failpoint: ((step: CompactionStep) => void | Promise<void>) | undefined;
}

export interface CompactedWindow {
  readonly window: string;
  readonly samples: number;
  readonly series: number;
  /** There were chunks of this window before: its rows came late, or a compaction was cut off. */
  readonly isLate: boolean;
}

/** Part of every token: a program that would write other rows from the same parts must have another. */
const chunkFormat = 1;
const statementTimeoutMs = 600_000;

/**
 * Key order is kept from the parts on, so that nothing is sorted or hashed as a whole. The engine holds bits of v in
 * ORDER BY for redundant after v itself; between NaNs, and between zeros, they are not.
 */
const readSettings = {
  max_threads: 1,
  optimize_aggregation_in_order: 1,
  optimize_redundant_functions_in_order_by: 0,
};
/** A slice is one block, and so one part: it is there as a whole or not at all, under its token. */
const insertSettings = {
  max_threads: 1,
  max_insert_threads: 1,
  max_insert_block_size: 1_000_000_000,
  min_insert_block_size_rows: 1_000_000_000,
  min_insert_block_size_bytes: 100_000_000_000,
  optimize_on_insert: 0,
};

/** Rejects with StoreError; the window is then as far as it came, and is taken up again the next time. */
export async function compactWindow(context: CompactionContext, window: Window): Promise<CompactedWindow> {
  const { store, abort, failpoint } = context;
  if (window.isInHead) {
    await failpoint?.('move');
    await moveAside(store, window, abort);
  }
  const parts = await listClosingParts(store, window, abort);
  const statement = statementsOf(context, window, parts);
  const counts = await statement.counts();
  const isLate = await statement.hasChunks();
  const slices = planSlices(counts, context.sliceSamplesMax);
  for (const slice of slices) {
    await failpoint?.('chunk');
    await statement.insertChunks(slice, tokenOf(window, parts, slice));
    await statement.repair(slice);
  }
  for (const slice of slices) {
    await failpoint?.('cells');
    await statement.insertCells(slice);
  }
  for (const part of parts) {
    abort.throwIfAborted();
    await failpoint?.('drop');
    await dropPart(store, part);
  }
  await failpoint?.('finish');
  return {
    window: new Date(window.startMs).toISOString(),
    samples: counts.reduce((sum, { samples }) => sum + samples, 0),
    series: counts.reduce((sum, { series }) => sum + series, 0),
    isLate,
  };
}

function statementsOf(context: CompactionContext, window: Window, parts: readonly Part[]) {
  const { store, abort } = context;
  const taken: QueryParams = {
    partition: window.partition,
    parts: parts.map(({ name }) => name),
    bucket: window.startMs / 1000,
  };
  const optionsOf = (
    settings: NonNullable<QueryOptions['settings']>,
    slice: QueryParams = {},
  ): QueryOptions => ({
    params: { ...taken, ...slice },
    settings,
    abort,
    timeoutMs: statementTimeoutMs,
  });
  const hasMissing = async (slice: Slice, count: 'rows' | 'times'): Promise<boolean> => {
    const { sql, params } = sliceWhere(slice);
    const options = optionsOf(readSettings, params);
    const [row] = await store.rows<{ missing: string }>(missingSeriesSql(sql, count), options);
    return row.missing !== '0';
  };
  /** Counting rows is cheap, and mostly enough: a sample that was sent twice is two rows and one sample. */
  const isMissing = async (slice: Slice) =>
    (await hasMissing(slice, 'rows')) && (await hasMissing(slice, 'times'));
  const insertChunks = async (slice: Slice, token: string): Promise<void> => {
    const { sql, params } = sliceWhere(slice);
    const settings = {
      ...insertSettings,
      ...readSettings,
      insert_deduplication_token: token,
      ...(context.asksForDeduplication ? { deduplicate_insert_select: 'force_enable' } : {}),
    };
    await store.exec(insertChunksSql(sql), optionsOf(settings, params));
  };
  return {
    async counts() {
      const rows = await store.rows<{
        tenant_hex: string;
        metric_hex: string;
        samples: string;
        series: string;
      }>(metricCountsSql, optionsOf(readSettings));
      return rows.map(({ tenant_hex, metric_hex, samples, series }) => ({
        tenant: tenant_hex,
        metric: metric_hex,
        samples: Number(samples),
        series: Number(series),
      }));
    },
    async hasChunks() {
      const sql = "SELECT 1 FROM samples_chunk WHERE bucket = toDateTime({bucket:UInt32}, 'UTC') LIMIT 1";
      return (await store.rows(sql, optionsOf(readSettings))).length > 0;
    },
    insertChunks,
    /**
     * Inserts again where samples of the slice are in no chunk: the token was remembered, and what came under it is
     * gone (a backup that was restored in part, a delete by hand). Throws where that does not help: the rows stay.
     */
    async repair(slice: Slice) {
      if (!(await isMissing(slice))) return;
      await insertChunks(slice, `compaction/${window.partition}/again/${randomUUID()}`);
      if (!(await isMissing(slice))) return;
      throw new StoreError(`samples of ${window.partition} are not in samples_chunk after their insert`, {
        retryable: false,
      });
    },
    async insertCells(slice: Slice) {
      const { sql, params } = sliceWhere(slice);
      await store.exec(insertCellsSql(sql), optionsOf(insertSettings, params));
    },
  };
}

/**
 * Made from what is inserted: the parts' content (their names are given anew after a restart) and the range of series.
 * So two compactions that read the same parts insert once.
 */
function tokenOf({ partition }: Window, parts: readonly Part[], slice: Slice): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([chunkFormat, partition, parts.map((part) => part.hash), slice]));
  return `compaction/${partition}/${hash.digest('hex')}`;
}
