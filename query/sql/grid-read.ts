/**
 * Values on a grid, computed by the engine: one row per series instead of its samples. Recent rows, those that are being
 * compacted and chunks are named in that order, and the engine takes its view of each table in that order: what moves
 * meanwhile is seen twice, and samples of one series with one time are one for these functions.
 */
import { type Block, columnNamed, readBlocks } from '#store/native/block-reader.ts';
import type { Column } from '#store/native/column.ts';
import type { QueryParams } from '#store/store.ts';
import type { GridRequest, GridSeries } from '../promql/pushed/pushed-source.ts';
import { halves, isStale } from '../promql/sample-window.ts';
import { gridFunctions, isStaleSql } from './grid-functions.ts';
import type { MetricRead } from './metric-read.ts';
import { isSeries, type Selection, seekSeries, selectionSql } from './metric-selection.ts';
import { chunkWindowParams, chunkWindowSql, rowWindowParams, rowWindowSql } from './row-window.ts';

/** Series of one statement: the engine keeps a state for each. */
const seriesPerStatement = 50_000;

export async function* readGrid(
  read: MetricRead,
  selection: Selection,
  grid: GridRequest,
  settings: Readonly<Record<string, number>>,
  abort: AbortSignal,
): AsyncGenerator<GridSeries> {
  const { keepsStale } = gridFunctions[grid.function];
  const { series } = selection;
  for (let start = 0; start < series.length; start += seriesPerStatement) {
    const slice = series.slice(start, start + seriesPerStatement);
    const where = selectionSql(selection, slice);
    const params = { ...where.params, ...gridParams(grid) };
    const sql = `${gridSql(grid, where.sql)} ORDER BY id`;
    let index = 0;
    for await (const bytes of read.stream(sql, params, abort, settings)) {
      for (const block of readBlocks(bytes)) {
        const ids = wordsOf(columnNamed(block, 'id'));
        for (const [row, grid] of decodeGrids(block).entries()) {
          const [idHigh, idLow] = [ids[2 * row + 1], ids[2 * row]];
          index = seekSeries(slice, index, idHigh, idLow);
          if (!isSeries(slice[index], idHigh, idLow)) continue;
          if (keepsStale) dropStale(grid);
          yield { labels: slice[index].labels, ...grid };
        }
      }
    }
  }
}

export function gridParams({ request, firstMs, stepMs, count, rangeMs }: GridRequest): QueryParams {
  return {
    ...rowWindowParams(request),
    ...chunkWindowParams(request),
    gridFirst: firstMs,
    gridLast: firstMs + stepMs * (count - 1),
    gridStep: count === 1 ? '0' : decimalSeconds(stepMs),
    gridRange: decimalSeconds(rangeMs),
  };
}

/** The engine takes whole milliseconds as decimals of seconds. */
function decimalSeconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

/** Rows of `id`, `n`, `is_suspect` and `r`. */
export function gridSql({ function: name }: GridRequest, where: string): string {
  const { aggregate, suspect, keepsStale } = gridFunctions[name];
  const live = keepsStale ? '' : ` AND NOT (${isStaleSql})`;
  const rows = (table: string) => `SELECT id, ts, v FROM ${table} WHERE ${where} AND ${rowWindowSql}${live}`;
  return `SELECT id, count() AS n, ${suspect} AS is_suspect,
    ${aggregate}(fromUnixTimestamp64Milli({gridFirst:Int64}, 'UTC'), fromUnixTimestamp64Milli({gridLast:Int64}, 'UTC'),
      toDecimal64({gridStep:String}, 3), toDecimal64({gridRange:String}, 3))(ts, v) AS r
  FROM (
    ${rows('samples_head')}
    UNION ALL ${rows('samples_closing')}
    UNION ALL SELECT id, ts, v FROM (
      SELECT id, t AS ts, x AS v FROM samples_chunk ARRAY JOIN ts AS t, v AS x WHERE ${where} AND ${chunkWindowSql}
    ) WHERE ${rowWindowSql}${live}
  )
  GROUP BY id`;
}

/** What a statement says of a grid, besides whose it is. */
export type DecodedGrid = Omit<GridSeries, 'labels'>;

/** The rows of a block: `n`, `is_suspect` and `r`. */
export function decodeGrids(block: Block): DecodedGrid[] {
  const counts = wordsOf(columnNamed(block, 'n'));
  const suspects = columnNamed(block, 'is_suspect');
  const grids = columnNamed(block, 'r');
  if (grids.kind !== 'array' || grids.items.kind !== 'nullable' || grids.items.items.kind !== 'float64') {
    throw new Error(`BUG: a grid came as ${grids.kind}`);
  }
  if (suspects.kind !== 'number') throw new Error(`BUG: a flag came as ${suspects.kind}`);
  const { nulls, items } = grids.items;
  return Array.from(grids.ends, (end, row) => {
    const start = row === 0 ? 0 : grids.ends[row - 1];
    return {
      // Copies: the columns share memory with the bytes. Copying between arrays of one type keeps every NaN's bits.
      values: items.values.slice(start, end),
      present: nulls.subarray(start, end).map((isNull) => 1 - isNull),
      sampleCount: counts[2 * row] + counts[2 * row + 1] * 4_294_967_296,
      isSuspect: suspects.values[row] !== 0,
    };
  });
}

export function wordsOf(column: Column): Uint32Array {
  if (column.kind === 'integer64') return column.words;
  throw new Error(`BUG: a 64-bit column was asked for and ${column.kind} came`);
}

/** At a step whose newest sample is a stale marker there is no value. */
function dropStale({ values, present }: DecodedGrid): void {
  const words = halves(values);
  for (let i = 0; i < values.length; i++) if (present[i] === 1 && isStale(words, i)) present[i] = 0;
}
