/**
 * What a process under test tells of itself. Its parent tells it when to measure, so that only its own CPU seconds are
 * counted, and not those of the senders.
 *
 *   fork(TARGET, [DIRECTORY, BLOCK_ROWS])            ->  { kind: 'ready', url }
 *   { kind: 'start' }                                ->  { kind: 'started' }
 *   { kind: 'stop' }                                 ->  { kind: 'measured', cpuSeconds, ... }
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { searchIndexes } from '#store/search-indexes.ts';
import type { Store } from '#store/store.ts';

export interface ColumnSize {
  readonly table: string;
  /** '' is the whole table, its indexes included, those for searching too. */
  readonly column: string;
  readonly bytesPerRow: number;
}

export interface Measured {
  readonly kind: 'measured';
  readonly cpuSeconds: number;
  /** CPU until all merges that the run left were done, the run itself included. */
  readonly mergedCpuSeconds: number;
  /** CPU until the search indexes, which are left out at this load, were built as they are when a day is over; where they are. */
  readonly indexedCpuSeconds: number;
  readonly loopDelayMsP99: number;
  readonly loopDelayMsMax: number;
  readonly rssMibMax: number;
  /** What the engine itself counts as held, at most. */
  readonly engineMibMax: number;
  readonly rowsMerged: number;
  readonly parts: number;
  readonly columns: readonly ColumnSize[];
}

export type TargetMessage =
  | { readonly kind: 'ready'; readonly url: string }
  | { readonly kind: 'started' }
  | Measured;
export type TargetCommand =
  | { readonly kind: 'start' }
  | { readonly kind: 'stop'; readonly mergeSeconds: number; readonly buildsIndexes: boolean };

async function one(store: Store, sql: string): Promise<number> {
  const [row] = await store.rows<{ n: string }>(sql);
  return Number(row?.n ?? 0);
}

async function columnSizes(store: Store): Promise<ColumnSize[]> {
  const rows = await store.rows<{ table: string; column: string; bytesPerRow: number }>(
    `SELECT table, '' AS column, sum(bytes_on_disk) / sum(rows) AS bytesPerRow
     FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table
     UNION ALL
     SELECT table, column, sum(column_data_compressed_bytes + column_marks_bytes) / sum(rows) AS bytesPerRow
     FROM system.parts_columns WHERE active AND database = currentDatabase() GROUP BY table, column`,
  );
  return rows.map((row) => ({ ...row, bytesPerRow: Number(row.bytesPerRow) }));
}

async function buildSearchIndexes(store: Store, tablePrefix: string): Promise<void> {
  for (const [table, indexes] of Object.entries(searchIndexes)) {
    for (const index of indexes) {
      await store.exec(
        `ALTER TABLE ${tablePrefix}${table} MATERIALIZE INDEX ${index} SETTINGS mutations_sync = 2`,
        {
          timeoutMs: 600_000,
        },
      );
    }
  }
}

/** Tells the parent that `url` takes requests, and measures when it says so. Ends the process with its parent. */
export function measureWhenTold(store: Store, url: string, tablePrefix = ''): void {
  const loop = monitorEventLoopDelay({ resolution: 5 });
  let cpuBefore = process.cpuUsage();
  let mergedBefore = 0;
  let rssMax = 0;
  setInterval(() => {
    rssMax = Math.max(rssMax, process.memoryUsage.rss());
  }, 100).unref();
  let engineMax = 0;
  const lookAtEngine = async (): Promise<void> => {
    for (;;) {
      await delay(1000, undefined, { ref: false });
      const held = await one(store, "SELECT value AS n FROM system.metrics WHERE metric = 'MemoryTracking'");
      engineMax = Math.max(engineMax, held);
    }
  };
  const cpuSeconds = (): number => {
    const { user, system } = process.cpuUsage(cpuBefore);
    return (user + system) / 1e6;
  };
  // The embedded engine counts each merge twice (measured: time and rows of one merge both come out doubled).
  const rowsMerged = (): Promise<number> =>
    one(store, "SELECT sum(value) / 2 AS n FROM system.events WHERE event = 'MergedRows'");

  const start = async (): Promise<void> => {
    mergedBefore = await rowsMerged();
    rssMax = 0;
    engineMax = 0;
    // It fails when the store is closed at the end, and then nobody asks any more.
    lookAtEngine().catch((error: unknown) =>
      console.error('the engine does not say what it holds:', String(error)),
    );
    loop.reset();
    loop.enable();
    cpuBefore = process.cpuUsage();
    process.send!({ kind: 'started' } satisfies TargetMessage);
  };
  const stop = async (mergeSeconds: number, buildsIndexes: boolean): Promise<void> => {
    const cpu = cpuSeconds();
    loop.disable();
    const merged = await rowsMerged();
    for (const end = Date.now() + mergeSeconds * 1000; Date.now() < end; await delay(200)) {
      if ((await one(store, 'SELECT count() AS n FROM system.merges')) === 0) break;
    }
    const mergedCpuSeconds = cpuSeconds();
    if (buildsIndexes) await buildSearchIndexes(store, tablePrefix);
    process.send!({
      kind: 'measured',
      cpuSeconds: cpu,
      mergedCpuSeconds,
      indexedCpuSeconds: cpuSeconds(),
      loopDelayMsP99: loop.percentile(99) / 1e6,
      loopDelayMsMax: loop.max / 1e6,
      rssMibMax: rssMax / 1024 ** 2,
      engineMibMax: engineMax / 1024 ** 2,
      rowsMerged: merged - mergedBefore,
      parts: await one(
        store,
        'SELECT count() AS n FROM system.parts WHERE active AND database = currentDatabase()',
      ),
      columns: await columnSizes(store),
    } satisfies TargetMessage);
  };
  process.on('message', (command: TargetCommand) => {
    (command.kind === 'start' ? start() : stop(command.mergeSeconds, command.buildsIndexes)).catch(
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.on('disconnect', () => process.exit(0));
  process.send!({ kind: 'ready', url } satisfies TargetMessage);
}
