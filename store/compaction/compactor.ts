/**
 * Moves what is closed out of samples_head: rows in, chunks and five-minute cells out, one window of two hours after
 * the other and one statement at a time. Run it again and again; late rows make their window due again.
 *
 *   await compactClosed(store, { latenessMs: 900_000, nowMs: Date.now(), log }, abort)
 *   ->  [{ window: '2026-11-10T02:00:00.000Z', samples: 4_800_000, series: 10_000, isLate: false }]
 *
 * Only float samples yet: another kind of samples takes a head, closing and chunk table of its own and its own pair
 * of SQL files, and compactWindow the rest.
 */
import { metrics } from '@opentelemetry/api';
import { errorMessage } from '#model/errors.ts';
import type { Store } from '../store.ts';
import { turnsOf } from '../turns.ts';
import { listWindows } from './closing-parts.ts';
import { type CompactedWindow, type CompactionStep, compactWindow } from './window.ts';

export interface CompactionOptions {
  /** How long after its end a window is still waited for. */
  readonly latenessMs: number;
  readonly nowMs: number;
  readonly log: CompactionLog;
  /** Default 2 million. */
  readonly sliceSamplesMax?: number;
  readonly failpoint?: (step: CompactionStep) => void | Promise<void>;
}

export interface CompactionLog {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const sliceSamplesMaxDefault = 2_000_000;

const meter = metrics.getMeter('sonde');
const sampleCounter = meter.createCounter('sonde.store.compaction.samples', {
  description: 'Samples that went from recent rows into chunks.',
});
const windowCounter = meter.createCounter('sonde.store.compaction.windows', {
  description:
    'Windows of two hours that were compacted, by kind: first, or late for those that had chunks before.',
});
const failureCounter = meter.createCounter('sonde.store.compaction.failures', {
  description: 'Windows whose compaction failed; they are taken up again.',
});

/**
 * Compacts every window that is closed and returns what it did. A window that fails is logged, counted and left for
 * the next time; rejects with StoreError where the store cannot say what there is. `abort` cancels the statement that
 * runs, and what is done by then is what it returns.
 */
export async function compactClosed(
  store: Store,
  options: CompactionOptions,
  abort: AbortSignal,
): Promise<readonly CompactedWindow[]> {
  const { latenessMs, nowMs, log, failpoint } = options;
  const compacted: CompactedWindow[] = [];
  const windows = await listWindows(store, nowMs - latenessMs);
  if (windows.length === 0) return compacted;
  const context = {
    store,
    sliceSamplesMax: options.sliceSamplesMax ?? sliceSamplesMaxDefault,
    asksForDeduplication: await asksForDeduplication(store),
    abort,
    failpoint,
  };
  for (const window of windows) {
    if (abort.aborted) break;
    try {
      const done = await turnsOf(store).run(() => compactWindow(context, window));
      sampleCounter.add(done.samples);
      windowCounter.add(1, { kind: done.isLate ? 'late' : 'first' });
      log.info(done, 'samples were compacted');
      compacted.push(done);
    } catch (error) {
      if (abort.aborted) break;
      failureCounter.add(1);
      log.error({ window: window.partition, error: errorMessage(error) }, 'compacting samples failed');
    }
  }
  return compacted;
}

/** Older servers honour the token of an INSERT SELECT without being asked, and do not know the setting. */
async function asksForDeduplication(store: Store): Promise<boolean> {
  const rows = await store.rows("SELECT 1 FROM system.settings WHERE name = 'deduplicate_insert_select'");
  return rows.length > 0;
}
