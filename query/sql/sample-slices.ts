/**
 * Reads a request's series slice by slice: neighbours by id, as many as memory may hold the samples of. Recent rows
 * (samples_head) are read before those that are being compacted (samples_closing), and these before chunks
 * (samples_chunk): what a compaction moves between the reads is seen twice, never missed.
 */
import type { QueryOptions, QueryParams } from '#store/store.ts';
import type { SampleRequest } from '../promql/source.ts';
import { countHistogramNumbers, type HistogramRun, hasHistograms, readHistograms } from './histograms.ts';
import type { MetricRead } from './metric-read.ts';
import {
  chunkParams,
  chunkSql,
  hasRowsSql,
  metricsWhere,
  type RowTable,
  rowsParams,
  rowsSql,
  rowTables,
  seriesWhere,
} from './sample-sql.ts';
import { compareIds, resolveSeries, type StoredSeries } from './series.ts';
import type { SeriesIds } from './series-rows.ts';

export interface Slice {
  /** Ordered by id. */
  readonly series: readonly StoredSeries[];
  readonly ids: SeriesIds;
  /** By table of samples: the bytes of its blocks, for SeriesRows. */
  readonly tables: readonly (readonly Uint8Array[])[];
  /** Undefined where the request has none at all. */
  readonly histograms: RunCollector | undefined;
}

/** What a slice may hold in memory, at 16 bytes a sample. The next one is read while one is worked on. */
const sliceSamplesMaxDefault = 3_000_000;
/** For the estimate of a slice: scrapes are seldom closer than this. */
const sampleIntervalMsGuess = 10_000;
/** What is mostly empty, or small, is not worth threads: with several the engine takes twice the time. */
const oneThread = { max_threads: 1 };
/** Blocks of a megabyte, the engine's choice, have some hundred rows here: too few for what each costs. */
const largeBlocks = { preferred_block_size_bytes: 4 * 1024 * 1024 };

export interface SliceLimits {
  readonly seriesMax: number;
  readonly sliceSamplesMax?: number;
  /** Values that each series of a slice will become; 0 where they are not kept. */
  readonly stepCount: number;
}

/** Rejects with LimitError beyond seriesMax. Leaving the loop stops what is read ahead. */
export async function* readSlices(
  read: MetricRead,
  request: SampleRequest,
  { seriesMax, sliceSamplesMax = sliceSamplesMaxDefault, stepCount }: SliceLimits,
  abort: AbortSignal | undefined,
): AsyncGenerator<Slice> {
  const { matchers, startMs, endMs } = request;
  if (endMs <= startMs || endMs < 0) return;
  const series = await resolveSeries(read, matchers, { startMs, endMs }, seriesMax, abort);
  if (series.length === 0) return;
  const all = seriesWhere(matchers, series, false);
  const present = await lookForRows(read, request, series, abort);
  const numbers = present.histograms
    ? await countHistogramNumbers(read, all.sql, rowsParams(request, all.params), abort)
    : 0;
  const samplesPerSeries = Math.ceil((endMs - Math.max(0, startMs)) / sampleIntervalMsGuess) + 1;
  const perSeriesGuess = samplesPerSeries + numbers / series.length + stepCount;
  const leave = new AbortController();
  const stop = abort === undefined ? leave.signal : AbortSignal.any([abort, leave.signal]);
  let start = 0;
  let length = Math.floor(sliceSamplesMax / perSeriesGuess);
  const readNext = (): Promise<Slice> | undefined => {
    if (start >= series.length) return undefined;
    const slice = series.slice(start, start + Math.max(1, length));
    start += slice.length;
    const reading = readSlice(read, request, slice, slice.length < series.length, present, stop);
    // It is awaited later, or not at all where the loop was left: then nobody wants to know how it ended.
    reading.catch(() => undefined);
    return reading;
  };
  let next = readNext();
  try {
    while (next !== undefined) {
      const slice: Slice = await next;
      // What was read says more than the guess; the next series may have more, so that slices grow slowly.
      const seen = bytesOf(slice) / sampleBytes / slice.series.length;
      const perSeries = moreThanSeen * seen + numbers / series.length + stepCount + 1;
      length = Math.min(2 * slice.series.length, Math.floor(sliceSamplesMax / perSeries));
      next = readNext();
      yield slice;
    }
  } finally {
    leave.abort(new Error('the samples are no longer wanted'));
  }
}

const sampleBytes = 16;
const moreThanSeen = 1.25;

export function bytesOf({ tables }: Slice): number {
  let count = 0;
  for (const blocks of tables) for (const { byteLength } of blocks) count += byteLength;
  return count;
}

interface PresentRows {
  readonly tables: readonly RowTable[];
  readonly histograms: boolean;
}

/**
 * Which tables must be read beside chunks: mostly an old range has no recent rows. A table may be left out where it had none
 * and nothing was in those before it that could have come into it since.
 */
async function lookForRows(
  read: MetricRead,
  request: SampleRequest,
  series: readonly StoredSeries[],
  abort: AbortSignal | undefined,
): Promise<PresentRows> {
  const where = metricsWhere(series);
  const params = rowsParams(request, where.params);
  const histograms = hasHistograms(read, where.sql, params, abort);
  // Awaited below, whatever becomes of the others.
  histograms.catch(() => undefined);
  let first = 0;
  for (const table of rowTables) {
    const rows = await read.rows(hasRowsSql(table, where.sql), params, abort, oneThread);
    if (rows.length > 0) break;
    first++;
  }
  return { tables: rowTables.slice(first), histograms: await histograms };
}

async function readSlice(
  read: MetricRead,
  request: SampleRequest,
  series: readonly StoredSeries[],
  isPart: boolean,
  present: PresentRows,
  abort: AbortSignal,
): Promise<Slice> {
  const where = seriesWhere(request.matchers, series, isPart);
  const histograms = present.histograms ? new RunCollector(series) : undefined;
  if (histograms !== undefined) {
    const runs = await readHistograms(read, where.sql, rowsParams(request, where.params), abort);
    for (const run of runs) histograms.add(run);
  }
  const ids = {
    high: Uint32Array.from(series, ({ idHigh }) => idHigh),
    low: Uint32Array.from(series, ({ idLow }) => idLow),
  };
  const tables: Uint8Array[][] = [];
  for (const table of present.tables) {
    const sql = rowsSql(table, where.sql);
    tables.push(await readTable(read, sql, rowsParams(request, where.params), abort, oneThread));
  }
  const sql = chunkSql(where.sql, request);
  tables.push(await readTable(read, sql, chunkParams(request, where.params), abort, largeBlocks));
  // Chunks are older than what is on its way to them, and mostly in order with it then.
  return { series, ids, tables: tables.toReversed(), histograms };
}

async function readTable(
  read: MetricRead,
  sql: string,
  params: QueryParams,
  abort: AbortSignal,
  settings: NonNullable<QueryOptions['settings']>,
): Promise<Uint8Array[]> {
  const blocks: Uint8Array[] = [];
  for await (const bytes of read.stream(sql, params, abort, settings)) blocks.push(bytes);
  return blocks;
}

/** Keeps histograms, which come ordered by id, by the series that they are of. */
class RunCollector {
  readonly #series: readonly StoredSeries[];
  readonly #runs: (HistogramRun | undefined)[];
  #index = 0;

  constructor(series: readonly StoredSeries[]) {
    this.#series = series;
    this.#runs = series.map(() => undefined);
  }

  /** Runs of other series are left out. */
  add(run: HistogramRun): void {
    while (this.#index < this.#series.length && compareIds(this.#series[this.#index], run) < 0) this.#index++;
    if (this.#index === this.#series.length || compareIds(this.#series[this.#index], run) !== 0) return;
    this.#runs[this.#index] = run;
  }

  at(index: number): HistogramRun | undefined {
    return this.#runs[index];
  }
}
