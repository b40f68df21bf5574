/**
 * Five-minute cells of series, as columns over time, and until when they are complete. Rows come as they lie, part by
 * part: nothing is sorted or merged by the engine, and each row finds its place in columns that were laid out before.
 */
import { columnNamed, readBlocks } from '#store/native/block-reader.ts';
import { type Column, integer64Number } from '#store/native/column.ts';
import type { QueryParams } from '#store/store.ts';
import {
  type CellColumn,
  type CellRequest,
  type CellSeries,
  cellMs,
} from '../promql/pushed/pushed-source.ts';
import type { SampleRequest } from '../promql/source.ts';
import type { MetricRead } from './metric-read.ts';
import { isSeries, type Selection, seekSeries, selectionSql } from './metric-selection.ts';
import { chunkWindowParams, chunkWindowSql, rowWindowParams, rowWindowSql } from './row-window.ts';

/** What the columns of a slice of series may take. */
const sliceBytesMax = 64 * 1024 * 1024;

export interface CellSpan {
  readonly fromMs: number;
  readonly untilMs: number;
}

/**
 * Right edges of the cells that hold all samples: behind the first chunk of the metric, and before the first sample that
 * waits for its compaction. Recent rows are looked at before those that are being compacted, and both before any cell is
 * read: a compaction writes cells before it drops the rows that they were made from.
 */
export async function completeCells(
  read: MetricRead,
  selection: Selection,
  request: SampleRequest,
  abort: AbortSignal,
): Promise<CellSpan> {
  const where = selectionSql(selection, selection.series);
  let untilMs = Math.floor(request.endMs / cellMs) * cellMs;
  const waiting = ['samples_head', 'samples_closing'].map(
    (table) =>
      `SELECT count() AS rows, toUnixTimestamp64Milli(min(ts)) AS first FROM ${table} WHERE ${where.sql} AND ${rowWindowSql}`,
  );
  const firsts = await read.rows<{ rows: string; first: string }>(
    waiting.join(' UNION ALL '),
    { ...where.params, ...rowWindowParams(request) },
    abort,
  );
  for (const { rows, first } of firsts) {
    if (rows === '0') continue;
    untilMs = Math.min(untilMs, Math.ceil(Number(first) / cellMs) * cellMs - cellMs);
  }
  const metricParams = { metric: String(where.params.metric) };
  // Retention drops chunks by day and cells by month: older cells have no samples to be compared with.
  const [oldest] = await read.rows<{ bucket: number }>(
    `SELECT toUnixTimestamp(bucket) AS bucket FROM samples_chunk
     WHERE metric = {metric:String} AND ${chunkWindowSql} ORDER BY samples_chunk.bucket LIMIT 1`,
    { ...metricParams, ...chunkWindowParams(request) },
    abort,
  );
  const fromMs = oldest === undefined ? Infinity : oldest.bucket * 1000 + cellMs;
  return { fromMs, untilMs };
}

export async function* readCells(
  read: MetricRead,
  selection: Selection,
  request: CellRequest,
  abort: AbortSignal,
): AsyncGenerator<CellSeries> {
  const { series } = selection;
  const placeCount = (request.lastEdgeMs - request.firstEdgeMs) / cellMs + 1;
  const columns = request.columns.filter((name) => name !== 'n');
  const seriesPerSlice = Math.max(1, Math.floor(sliceBytesMax / (placeCount * 8 * (columns.length + 1))));
  for (let start = 0; start < series.length; start += seriesPerSlice) {
    const slice = series.slice(start, start + seriesPerSlice);
    const counts = new Float64Array(slice.length * placeCount);
    const filled = columns.map((name) => [name, new Float64Array(slice.length * placeCount)] as const);
    const where = selectionSql(selection, slice);
    const sql = cellSql(columns, where.sql, request.lengthMs < request.everyMs);
    const params = { ...where.params, ...cellParams(request) };
    const versions = new Uint32Array(counts.length);
    let index = 0;
    for await (const bytes of read.stream(sql, params, abort)) {
      for (const block of readBlocks(bytes)) {
        const ids = wordsOf(columnNamed(block, 'id'));
        const edges = numbersOf(columnNamed(block, 'edge'));
        const version = numbersOf(columnNamed(block, 'version'));
        const n = numbersOf(columnNamed(block, 'n'));
        const sources = filled.map(([name, column]) => [readerOf(columnNamed(block, name)), column] as const);
        for (let row = 0; row < edges.length; row++) {
          const [idHigh, idLow] = [ids[2 * row + 1], ids[2 * row]];
          if (!isSeries(slice[index], idHigh, idLow)) index = seekSeries(slice, index, idHigh, idLow);
          if (!isSeries(slice[index], idHigh, idLow)) continue;
          const place = index * placeCount + (edges[row] * 1000 - request.firstEdgeMs) / cellMs;
          // Of the rows of a cell, the one that was made from the most samples; those of one version are equal.
          if (counts[place] > 0 && version[row] <= versions[place]) continue;
          versions[place] = version[row];
          counts[place] = n[row];
          for (const [readRow, column] of sources) column[place] = readRow(row);
        }
      }
    }
    for (let i = 0; i < slice.length; i++) {
      const part = (column: Float64Array) => column.subarray(i * placeCount, (i + 1) * placeCount);
      const own = part(counts);
      const cellCount = own.reduce((sum, count) => sum + Number(count > 0), 0);
      const named = Object.fromEntries(filled.map(([name, column]) => [name, part(column)]));
      yield { labels: slice[i].labels, counts: own, columns: named, cellCount };
    }
  }
}

function cellSql(columns: readonly CellColumn[], where: string, hasGaps: boolean): string {
  const named = columns.map((name) => (name === 'stale' ? 'toUInt8(stale) AS stale' : name));
  const wanted = hasGaps
    ? 'AND positiveModulo({lastEdge:Int64} - toInt64(toUnixTimestamp(cell)), {every:Int64}) < {length:Int64}'
    : '';
  return `SELECT ${['id', 'toUnixTimestamp(cell) AS edge', 'version', 'n', ...named].join(', ')}
  FROM samples_5m
  WHERE ${where} AND bucket >= toDate(toDateTime({firstEdge:UInt32}, 'UTC')) AND bucket <= toDate(toDateTime({lastEdge:UInt32}, 'UTC'))
    AND cell >= toDateTime({firstEdge:UInt32}, 'UTC') AND cell <= toDateTime({lastEdge:UInt32}, 'UTC') ${wanted}`;
}

function cellParams({ firstEdgeMs, lastEdgeMs, everyMs, lengthMs }: CellRequest): QueryParams {
  const edges = { firstEdge: firstEdgeMs / 1000, lastEdge: lastEdgeMs / 1000 };
  return lengthMs < everyMs ? { ...edges, every: everyMs / 1000, length: lengthMs / 1000 } : edges;
}

/** How a row's value is read as a number; times are in milliseconds. Values move from column to column: NaN keeps its bits. */
function readerOf(column: Column): (row: number) => number {
  if (column.kind === 'float64') return (row) => column.values[row];
  if (column.kind === 'integer64') return (row) => integer64Number(column, row);
  const values = numbersOf(column);
  return (row) => values[row];
}

function numbersOf(column: Column) {
  if (column.kind === 'number') return column.values;
  throw new Error(`BUG: a column of small numbers was asked for and ${column.kind} came`);
}

function wordsOf(column: Column): Uint32Array {
  if (column.kind === 'integer64') return column.words;
  throw new Error(`BUG: a 64-bit column was asked for and ${column.kind} came`);
}
