/**
 * Deletes samples of series: rows are masked at once (lightweight deletes) and their bytes go with later merges.
 *
 * Chunks and five-minute cells at the edges of the range hold samples that stay. Those go back to samples_head, and the
 * next compaction makes chunk and cells of them anew: for a moment they are seen twice, never missed.
 */
import type { QueryOptions, QueryParams, Store } from '../store.ts';
import { turnsOf } from '../turns.ts';

export interface SeriesDeletion {
  readonly tenant: string;
  /** As decimal text. */
  readonly ids: readonly string[];
  /** Milliseconds since 1970; both inclusive. */
  readonly startMs: number;
  readonly endMs: number;
  readonly nowMs: number;
}

const windowMs = 7_200_000;
const cellMs = 300_000;
/** The last millisecond that the tables can hold. */
const timeMsMax = 4_294_967_295_999;
/** Ids in one statement. */
const idsPerStatement = 10_000;

/** Every statement waits for its end: who deletes asks next whether it is gone. */
const settings = { mutations_sync: 2, lightweight_deletes_sync: 2 };

const ofSeries = `tenant = {tenant:String} AND id IN (SELECT toUInt64(arrayJoin(splitByChar(',', {ids:String}))))`;
const inRange = `ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts <= fromUnixTimestamp64Milli({end:Int64}, 'UTC')`;

/** Tables of single rows, in the order of a sample's way. */
const rowTables = ['samples_head', 'samples_closing', 'histograms_head', 'exemplars'] as const;
/** Where a series has samples. */
const sampleTables = ['samples_head', 'samples_closing', 'samples_chunk', 'histograms_head'] as const;
const deletedTables = [
  ...rowTables,
  'samples_chunk',
  'samples_5m',
  'sample_starts',
  'series',
  'label_values',
];

/** Rejects with StoreError; what was deleted by then stays deleted, and a repeat goes on. */
export function deleteSeries(store: Store, deletion: SeriesDeletion, abort: AbortSignal): Promise<void> {
  return turnsOf(store).run(async () => {
    for (let start = 0; start < deletion.ids.length; start += idsPerStatement) {
      abort.throwIfAborted();
      const ids = deletion.ids.slice(start, start + idsPerStatement);
      await deleteSlice(store, { ...deletion, ids });
    }
  });
}

async function deleteSlice(store: Store, deletion: SeriesDeletion): Promise<void> {
  const start = clamp(deletion.startMs);
  const end = clamp(deletion.endMs);
  const edges = edgeWindows(start, end);
  const params: QueryParams = {
    tenant: deletion.tenant,
    ids: deletion.ids.join(','),
    start,
    end,
    first: Math.floor(start / windowMs) * (windowMs / 1000),
    last: Math.floor(end / windowMs) * (windowMs / 1000),
    edges,
    cell: cellMs / 1000,
    window: windowMs / 1000,
  };
  const run = (sql: string) => store.exec(sql, only(sql, params));
  const kept =
    "(t < fromUnixTimestamp64Milli({start:Int64}, 'UTC') OR t > fromUnixTimestamp64Milli({end:Int64}, 'UTC'))";
  await run(`INSERT INTO samples_head (tenant, metric, id, ts, v) SELECT tenant, metric, id, t, x
    FROM samples_chunk ARRAY JOIN ts AS t, v AS x
    WHERE ${ofSeries} AND has({edges:Array(UInt32)}, toUnixTimestamp(bucket)) AND ${kept}`);
  for (const table of rowTables) await run(`DELETE FROM ${table} WHERE ${ofSeries} AND ${inRange}`);
  await run(`DELETE FROM samples_chunk WHERE ${ofSeries}
    AND ((bucket >= toDateTime({first:UInt32}, 'UTC') AND bucket <= toDateTime({last:UInt32}, 'UTC'))
      OR has({edges:Array(UInt32)}, toUnixTimestamp(bucket)))`);
  // A cell is left-open and named by its right edge.
  await run(`DELETE FROM samples_5m WHERE ${ofSeries}
    AND ((toInt64(toUnixTimestamp(cell)) * 1000 >= {start:Int64}
        AND (toInt64(toUnixTimestamp(cell)) - {cell:Int64}) * 1000 < {end:Int64})
      OR arrayExists(w -> toUnixTimestamp(cell) > w AND toUnixTimestamp(cell) <= w + {window:UInt32}, {edges:Array(UInt32)}))`);
  await forgetEmptySeries(store, deletion);
}

/** Windows that keep samples and lose others, or share a cell with those, as seconds since 1970. */
function edgeWindows(start: number, end: number): number[] {
  const windows = new Set<number>();
  for (const edge of [start, end]) {
    const cellEnd = Math.ceil(edge / cellMs) * cellMs;
    for (const time of [edge, cellEnd - cellMs + 1, cellEnd]) {
      if (time >= 0) windows.add(Math.floor(time / windowMs) * (windowMs / 1000));
    }
  }
  return [...windows];
}

/**
 * Series without any sample are no longer listed, nor label values that only they had. One that was announced in this or
 * the last window stays: its agent believes that it is known, and would not name it again before the next window.
 */
async function forgetEmptySeries(store: Store, deletion: SeriesDeletion): Promise<void> {
  const { tenant, ids, nowMs } = deletion;
  const params: QueryParams = { tenant, ids: ids.join(',') };
  const filled = await store.rows<{ id: string }>(
    sampleTables
      .map((table) => `SELECT DISTINCT toString(id) AS id FROM ${table} WHERE ${ofSeries}`)
      .join(' UNION DISTINCT '),
    { params },
  );
  const isFilled = new Set(filled.map(({ id }) => id));
  const announced = await store.rows<{ id: string; metric: string }>(
    `SELECT toString(id) AS id, any(toString(metric)) AS metric FROM series WHERE ${ofSeries} GROUP BY series.id
     HAVING max(t_max) < toDateTime({quiet:UInt32}, 'UTC')`,
    { params: { ...params, quiet: Math.max(0, Math.floor((nowMs - windowMs) / 1000)) } },
  );
  const empty = announced.filter(({ id }) => !isFilled.has(id));
  if (empty.length === 0) return;
  const forgotten = { tenant, ids: empty.map(({ id }) => id).join(',') };
  const metrics = [...new Set(empty.map(({ metric }) => metric))];
  for (const table of ['sample_starts', 'series']) {
    await store.exec(`DELETE FROM ${table} WHERE ${ofSeries}`, { params: forgotten, settings });
  }
  await store.exec(
    `DELETE FROM label_values WHERE tenant = {tenant:String} AND metric IN {metrics:Array(String)}
     AND (name, value, metric) NOT IN (
       SELECT label.1, label.2, toString(metric) FROM series
       ARRAY JOIN arrayPushFront(arrayZip(arrayMap(k -> toString(k), mapKeys(labels)), mapValues(labels)),
         ('__name__', toString(metric))) AS label
       WHERE tenant = {tenant:String} AND metric IN {metrics:Array(String)})`,
    { params: { tenant, metrics }, settings },
  );
}

/** Rewrites the parts that hold masked rows, so that their bytes go now. */
export function cleanDeleted(store: Store): Promise<void> {
  return turnsOf(store).run(async () => {
    for (const table of deletedTables) {
      await store.exec(`ALTER TABLE ${table} APPLY DELETED MASK`, { settings });
    }
  });
}

/** An embedded session must not be given values that the text has no place for. */
function only(sql: string, params: QueryParams): QueryOptions {
  const used = Object.entries(params).filter(([name]) => sql.includes(`{${name}:`));
  return { params: Object.fromEntries(used), settings };
}

function clamp(ms: number): number {
  return Math.min(timeMsMax, Math.max(0, Math.floor(ms)));
}
